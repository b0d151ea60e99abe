/* upstream/target.h: the shared, immutable side of an upstream: settings, addresses, TLS context, credential.
 */
#ifndef GH_UPSTREAM_TARGET_H
#define GH_UPSTREAM_TARGET_H

#include "base/secret.h"
#include "io/resolve.h"
#include "io/tls.h"
#include "upstream/upstream.h"

struct gh_target_endpoint {
    bool secure;
    gh_str host;      /* SNI and the name in the certificate */
    gh_str authority; /* Host, :authority */
    struct gh_address addresses[GH_RESOLVE_MAX];
    size_t address_count; /* 0: did not resolve, is down */
};

struct gh_upstream_target {
    unsigned refs; /* atomic */
    struct gh_arena *arena;
    struct gh_upstream_conf conf; /* a copy in the arena */
    struct gh_target_endpoint *endpoints;
    struct gh_tls_context *tls; /* NULL: no endpoint is https */
    struct gh_secret credential;
};

#endif
