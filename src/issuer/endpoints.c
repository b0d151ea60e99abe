/* issuer/endpoints.c: every path of a managed issuer, what it takes, and the steps it is answered by. */
#include "issuer/request.h"

const struct gh_endpoint gh_endpoints[] = {
    { .path = "/.well-known/oauth-authorization-server",
      .allow = "GET, HEAD",
      .is_public = true,
      .is_well_known = true,
      .steps = gh_steps_metadata },
    { .path = "/.well-known/openid-configuration",
      .allow = "GET, HEAD",
      .is_public = true,
      .is_well_known = true,
      .steps = gh_steps_metadata },
    { .path = "/oauth/jwks", .allow = "GET, HEAD", .is_public = true, .steps = gh_steps_jwks },
    { .path = "/oauth/token", .allow = "POST", .is_form = true, .is_public = true, .steps = gh_steps_token },
    { .path = "/oauth/revoke",
      .allow = "POST",
      .is_form = true,
      .is_public = true,
      .steps = gh_steps_revoke },
    { .path = "/oauth/introspect", .allow = "POST", .is_form = true, .steps = gh_steps_introspect },
    { .path = "/oauth/register",
      .allow = "POST",
      .is_public = true,
      .is_registration = true,
      .steps = gh_steps_register },
};
const size_t gh_endpoint_count = GH_ARRAY_LEN(gh_endpoints);
