/* core/login/profiles.c: what is known of each provider's ID tokens, as data (byoa.md section 2). */
#include "base/str.h"
#include "gatehouse/login.h"

/* clang-format off */
#define S(text) GH_STR_INIT(text)
#define LIST(...) \
    { .at = (const gh_str[]){ __VA_ARGS__ }, .count = sizeof((const gh_str[]){ __VA_ARGS__ }) / sizeof(gh_str) }

/* OpenID Connect Core section 2 gives ID tokens no typ: most write JWT or none. Never at+jwt or logout+jwt. */
#define COMMON \
    .leeway = 30, .algs = (1u << GH_ALG_COUNT) - 1u, .types = LIST(S(""), S("jwt")), .scope_prefix = S("")

static const gh_str id[] = { S("id") };
static const struct gh_claim_rule is_id_token[] = { { .claim = S("token_use"), .values = { id, 1 } } };

static const struct gh_profile profiles[] = {
    { COMMON, /* OpenID Connect Core, nothing assumed beyond it */
        .name = S("generic"), .subject_claims = LIST(S("sub")) },
    { COMMON, /* sub is pairwise per application: oid is the user, within the directory tid */
        .name = S("entra-id"), .subject_claims = LIST(S("oid")), .tenant_claims = LIST(S("tid")),
        .subject_with_tenant = true },
    { COMMON, /* hd is there for accounts of an organisation alone */
        .name = S("google"), .subject_claims = LIST(S("sub")), .tenant_claims = LIST(S("hd")), .no_auth_time = true },
    { COMMON, .name = S("okta"), .subject_claims = LIST(S("sub")) },
    { COMMON, /* access tokens of the same pool are signed by the same keys */
        .name = S("cognito"), .subject_claims = LIST(S("sub")), .require = { is_id_token, 1 } },
};
/* clang-format on */

const struct gh_profile *gh_login_profile(gh_str name)
{
    for (size_t i = 0; i < GH_ARRAY_LEN(profiles); i++)
        if (gh_str_eq(profiles[i].name, name))
            return &profiles[i];
    return NULL;
}

gh_str gh_login_profile_issuer(gh_str name)
{
    if (gh_str_eq(name, GH_STR("google")))
        return GH_STR("https://accounts.google.com");
    if (gh_str_eq(name, GH_STR("entra-id")))
        return GH_STR("https://login.microsoftonline.com/{tid}/v2.0");
    return GH_STR_NONE;
}
