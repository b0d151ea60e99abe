/* core/token/profiles.c: what is known of each provider's tokens, as data (byoa.md section 2). */
/* size: table - one profile per provider, which an operator reads side by side */
#include "base/str.h"
#include "core/token/alg.h"

/* clang-format off */
#define S(text) GH_STR_INIT(text)
#define LIST(...) \
    { .at = (const gh_str[]){ __VA_ARGS__ }, .count = sizeof((const gh_str[]){ __VA_ARGS__ }) / sizeof(gh_str) }
#define RULES(...) \
    { .at = (const struct gh_claim_rule[]){ __VA_ARGS__ }, \
      .count = sizeof((const struct gh_claim_rule[]){ __VA_ARGS__ }) / sizeof(struct gh_claim_rule) }
#define HAS(name, ...) { .claim = S(name), .values = LIST(__VA_ARGS__) }

#define RS GH_ALG_BIT(GH_ALG_RS256)
#define PS GH_ALG_BIT(GH_ALG_PS256)
#define ES GH_ALG_BIT(GH_ALG_ES256)
#define ED GH_ALG_BIT(GH_ALG_EDDSA)
#define ANY ((1u << GH_ALG_COUNT) - 1u)

#define NO_TYP S("")
#define AT_JWT S("at+jwt"), S("application/at+jwt")
#define COMMON .leeway = 30, .scope_prefix = S(""), .role_claims = LIST(S("roles"))

static const struct gh_profile profiles[] = {
    { COMMON, /* RFC 9068, nothing assumed beyond it */
        .name = S("generic"), .algs = ANY, .types = LIST(AT_JWT),
        .scope_claims = LIST(S("scope"), S("scp")),
        .client_claims = LIST(S("client_id"), S("azp"), S("cid"), S("appid")),
        .subject_claims = LIST(S("sub")), .jti_claims = LIST(S("jti"), S("uti")),
        .group_claims = LIST(S("groups")), .tenant_claims = LIST(S("tid"), S("org_id"), S("hd")) },
    { COMMON, /* our own issuer, in this process or another: what it writes is what is read */
        .name = S("managed"), .is_ours = true, .algs = ES | ED | RS, .types = LIST(S("at+jwt")),
        .scope_claims = LIST(S("scope")), .client_claims = LIST(S("client_id")),
        .subject_claims = LIST(S("sub")), .jti_claims = LIST(S("jti")), .grant_claims = LIST(S("sid")) },
    { COMMON, /* the issuer ends in a slash; an API may be set to HS256, which is refused everywhere */
        .name = S("auth0"), .algs = RS | PS, .types = LIST(S("jwt"), AT_JWT),
        .scope_claims = LIST(S("scope")), .extra_scope_claims = LIST(S("permissions")),
        .client_claims = LIST(S("azp"), S("client_id")),
        .subject_claims = LIST(S("sub")), .jti_claims = LIST(S("jti")),
        .tenant_claims = LIST(S("org_id")), .needs_scope_or_roles = true },
    { COMMON, /* session JWTs share the keys: the typ is what separates them */
        .name = S("clerk"), .algs = RS, .types = LIST(AT_JWT),
        .scope_claims = LIST(S("scp"), S("scope")),
        .client_claims = LIST(S("client_id")),
        .subject_claims = LIST(S("sub")), .jti_claims = LIST(S("jti")),
        .tenant_claims = LIST(S("org_id")) },
    { COMMON, /* an edge: the assertion has no scopes; service tokens have an empty sub */
        .name = S("cloudflare-access"), .shape = GH_SHAPE_EDGE, .algs = RS, .types = LIST(S("jwt"), NO_TYP),
        .client_claims = LIST(S("common_name")),
        .subject_claims = LIST(S("sub")), .group_claims = LIST(S("groups")),
        .service_by_client = true },
    { COMMON, /* ID tokens differ by token_use; aud is absent unless the request named a resource */
        .name = S("cognito"), .algs = RS, .types = LIST(NO_TYP),
        .require = RULES(HAS("token_use", S("access"))),
        .scope_claims = LIST(S("scope")), .client_claims = LIST(S("client_id")),
        .subject_claims = LIST(S("sub")), .jti_claims = LIST(S("jti")),
        .group_claims = LIST(S("cognito:groups")) },
    { COMMON, /* drn names the kind of a Descope token: DSR is a refresh token */
        .name = S("descope"), .algs = RS, .types = LIST(S("jwt")),
        .reject = RULES(HAS("drn", S("DSR"))),
        .scope_claims = LIST(S("scope")), .client_claims = LIST(S("azp"), S("client_id")),
        .subject_claims = LIST(S("sub")), .jti_claims = LIST(S("jti")),
        .tenant_claims = LIST(S("dct"), S("tenants")), .needs_scope_or_roles = true },
    { COMMON, /* sub is pairwise, so oid and tid are the user; v1 tokens have appid where v2 has azp */
        .name = S("entra-id"), .algs = RS, .types = LIST(S("jwt")),
        .scope_claims = LIST(S("scp"), S("scope")), .extra_scope_claims = LIST(S("roles")),
        .client_claims = LIST(S("azp"), S("appid")),
        .subject_claims = LIST(S("oid"), S("sub")), .jti_claims = LIST(S("uti"), S("jti")),
        .group_claims = LIST(S("groups")), .tenant_claims = LIST(S("tid")),
        .subject_with_tenant = true, .needs_scope_or_roles = true, .entra_agents = true },
    { COMMON, /* the issuer is any string, so the key set needs a URL of its own in the settings */
        .name = S("fusionauth"), .algs = RS | ES, .types = LIST(S("jwt")),
        .require = RULES(HAS("tty", S("at"))),
        .scope_claims = LIST(S("scope")), .extra_scope_claims = LIST(S("permissions")),
        .client_claims = LIST(S("applicationId")),
        .subject_claims = LIST(S("sub")), .jti_claims = LIST(S("jti")),
        .group_claims = LIST(S("roles")), .tenant_claims = LIST(S("tid")) },
    { COMMON, /* payload typ separates the kinds, also where nonce is in access tokens */
        .name = S("keycloak"), .algs = RS | PS | ES | ED, .types = LIST(S("jwt"), AT_JWT),
        .require = RULES(HAS("typ", S("Bearer"), S("DPoP"))),
        .scope_claims = LIST(S("scope")), .client_claims = LIST(S("azp"), S("client_id")),
        .subject_claims = LIST(S("sub")), .jti_claims = LIST(S("jti")),
        .group_claims = LIST(S("groups")), .tenant_claims = LIST(S("organization")),
        .nonce_is_fine = true },
    { COMMON,
        .name = S("node-oidc-provider"), .algs = RS | PS | ES | ED, .types = LIST(AT_JWT),
        .scope_claims = LIST(S("scope")), .client_claims = LIST(S("client_id")),
        .subject_claims = LIST(S("sub")), .jti_claims = LIST(S("jti")),
        .group_claims = LIST(S("groups")), .tenant_claims = LIST(S("org_id")) },
    { COMMON, /* sub is the login and may change: uid is the user */
        .name = S("okta"), .algs = RS, .types = LIST(NO_TYP),
        .scope_claims = LIST(S("scp"), S("scope")), .client_claims = LIST(S("cid")),
        .subject_claims = LIST(S("uid"), S("sub")), .jti_claims = LIST(S("jti")),
        .group_claims = LIST(S("groups")), .needs_scope_or_roles = true },
    { COMMON, /* token_use is in introspection answers only; refresh tokens are refused by it everywhere */
        .name = S("ory-hydra"), .algs = RS | ES, .types = LIST(S("jwt")),
        .scope_claims = LIST(S("scp"), S("scope")), .client_claims = LIST(S("client_id")),
        .subject_claims = LIST(S("sub")), .jti_claims = LIST(S("jti")),
        .tenant_claims = LIST(S("ext.org_id")), .needs_scope_or_roles = true },
    { COMMON, /* every claim name is the administrator's choice: a deployment overrides these */
        .name = S("pingfederate"), .algs = RS | PS | ES, .types = LIST(NO_TYP, S("jwt"), AT_JWT),
        .scope_claims = LIST(S("scope")), .client_claims = LIST(S("client_id"), S("client_id_name")),
        .subject_claims = LIST(S("sub"), S("username")), .jti_claims = LIST(S("jti")),
        .group_claims = LIST(S("groups")), .needs_scope_or_roles = true },
    { COMMON, /* tokens from before the issuer moved carry scopes alone */
        .name = S("scalekit"), .algs = RS, .types = LIST(S("jwt")),
        .scope_claims = LIST(S("scope"), S("scopes")), .client_claims = LIST(S("client_id")),
        .subject_claims = LIST(S("sub")), .jti_claims = LIST(S("jti")),
        .tenant_claims = LIST(S("oid")), .needs_scope_or_roles = true },
    { COMMON, /* aud is always the project: a route needs weak binding with its own scopes */
        .name = S("stytch"), .algs = RS, .types = LIST(S("jwt")),
        .scope_claims = LIST(S("scope")), .client_claims = LIST(S("client_id")),
        .subject_claims = LIST(S("sub")), .jti_claims = LIST(S("jti")),
        .tenant_claims = LIST(S("https://stytch.com/organization.organization_id")),
        .needs_scope_or_roles = true },
    { COMMON, /* M2M tokens carry the environment's client id as audience, session tokens none */
        .name = S("workos-authkit"), .algs = RS, .types = LIST(S("jwt"), AT_JWT),
        .scope_claims = LIST(S("scope")), .client_claims = LIST(S("client_id")),
        .subject_claims = LIST(S("sub")), .jti_claims = LIST(S("jti")),
        .tenant_claims = LIST(S("org_id")), .needs_scope_or_roles = true },
};
/* clang-format on */

const struct gh_profile *gh_profile_builtin(gh_str name)
{
    for (size_t i = 0; i < GH_ARRAY_LEN(profiles); i++) {
        if (gh_str_eq(profiles[i].name, name))
            return &profiles[i];
    }
    return NULL;
}

gh_str gh_profile_builtin_names(void)
{
    return GH_STR(
        "auth0, clerk, cloudflare-access, cognito, descope, entra-id, fusionauth, generic, keycloak, "
        "managed, node-oidc-provider, okta, ory-hydra, pingfederate, scalekit, stytch, workos-authkit");
}

gh_str gh_profile_refusal(gh_str name)
{
    /* byoa.md section 2: any application the user ever approved holds one, and aud names no resource. */
    if (gh_str_eq(name, GH_STR("google")))
        return GH_STR(
            "Google access tokens are bound to no resource; put the managed issuer in front of Google");
    return GH_STR_NONE;
}
