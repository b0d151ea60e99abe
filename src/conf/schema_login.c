/* conf/schema_login.c: the rows of a provider that people sign in at, under a managed issuer. */
/* size: table - the rows of the section, which must stand together */
#include "base/str.h"
#include "conf/settings.h"

#define AT(field) offsetof(struct gh_settings_login, field)

static const struct gh_choice profiles[] = { { "generic", 0 }, { "entra-id", 1 }, { "google", 2 },
                                             { "okta", 3 },    { "cognito", 4 },  { NULL, 0 } };

gh_str gh_settings_login_profile(const struct gh_settings_login *login)
{
    return gh_str_from(profiles[login->profile].text);
}

static const struct gh_choice auths[] = { { "public", GH_CLIENT_AUTH_NONE },
                                          { "client_secret_basic", GH_CLIENT_AUTH_BASIC },
                                          { "client_secret_post", GH_CLIENT_AUTH_POST },
                                          { "private_key_jwt", GH_CLIENT_AUTH_KEY },
                                          { NULL, 0 } };
static const struct gh_row rows[] = {
    { "name", GH_ROW_TEXT, AT(display_name), .unset = "its name here",
      .doc = "What people read on the way: \"Sign in with NAME\"." },
    { "profile", GH_ROW_CHOICE, AT(profile), .choices = profiles, .fallback = "generic",
      .doc = "How its ID tokens are read: `entra-id` knows users by `tid` and `oid` (and `iss`, where that "
             "is not Microsoft's), `google` holds them to "
             "`hd`, `cognito` looks at `token_use`; everybody else's are `iss` and `sub`." },
    { "issuer", GH_ROW_TEXT, AT(issuer),
      .unset = "by profile: google has one, entra-id follows from its tenants",
      .doc = "The issuer, compared byte for byte with `iss` of answers and ID tokens." },
    { "issuer_template", GH_ROW_TEXT, AT(issuer_template), .unset = "by profile",
      .doc = "Several directories behind one connection: holds `{tid}`, which must be one of `tenants`." },
    { "tenants", GH_ROW_TEXTS, AT(tenants), .min = 1, .max = 4096, .unset = "not looked at",
      .doc = "Whose users may sign in: directory ids (`entra-id`), hosted domains (`google`). These two need "
             "it: everybody on earth can have an account there." },
    { "tenant_claims", GH_ROW_TEXTS, AT(tenant_claims), .max = 8, .unset = "by profile",
      .doc = "Where the tenant is: `org_id`." },
    { "discovery", GH_ROW_URL, AT(discovery_url), .unset = "the four well-known places",
      .doc = "Where its metadata is." },
    { "authorization_endpoint", GH_ROW_URL, AT(authorization_url), .unset = "from the metadata",
      .doc = "Where users are sent. Goes with `token_endpoint` and `jwks`: then no metadata is read." },
    { "token_endpoint", GH_ROW_URL, AT(token_url), .unset = "from the metadata",
      .doc = "Where codes are redeemed." },
    { "jwks", GH_ROW_URL, AT(jwks_url), .unset = "from the metadata", .doc = "Where its key set is." },
    { "response_iss", GH_ROW_BOOL, AT(response_iss), .fallback = "false",
      .doc = "With endpoints that are written here: does every answer carry `iss` (RFC 9207)?" },
    { "client_id", GH_ROW_TEXT, AT(client_id), GH_ROW_REQUIRED,
      .doc = "Ours there. The redirect URI to register is the issuer's `url` and `/login/callback/NAME`." },
    { "auth", GH_ROW_CHOICE, AT(auth), .choices = auths, .fallback = "client_secret_basic",
      .doc = "How we authenticate at the token endpoint." },
    { "client_secret_file", GH_ROW_FILE, AT(secret_file), GH_ROW_SECRET, .unset = "no secret",
      .doc = "File with our secret there. Secrets are never written inline." },
    { "key_file", GH_ROW_FILE, AT(key_file), GH_ROW_SECRET, .unset = "no key",
      .doc = "Our private key (PKCS#8 in PEM) for `private_key_jwt`; its `kid` is the RFC 7638 thumbprint." },
    { "scopes", GH_ROW_SCOPES, AT(scopes), .max = 32, .unset = "profile and email, for a name to show",
      .doc = "Asked for beside `openid`. Nothing but a name to show is taken from them." },
    { .key = NULL }
};
const struct gh_section gh_login_section = {
    .title = "issuers.NAME.managed.login.NAME",
    .doc =
        "A provider that people sign in at, by OpenID Connect: the bridge. MCP clients deal with our issuer "
        "alone, and get its tokens.",
    .rows = rows,
    .size = sizeof(struct gh_settings_login),
};
