/* core/token/pick.c: which key of an issuer's set must have signed a token. */
#include "base/str.h"
#include "core/token/claims.h"
#include "core/token/judge.h"
#include "core/token/key.h"

/* Multi-tenant sets of Entra name in each key the issuer it signs for: with a placeholder it serves every
 * tenant, else only its own. */
static bool serves_tenant(const struct gh_key *key, const struct gh_token *token)
{
    gh_str tid = gh_json_text(gh_json_get(&token->claims->root, GH_STR("tid")));
    if (gh_str_contains(key->issuer, GH_STR("{tenantid}")) || gh_str_eq(key->issuer, token->iss))
        return true;
    for (gh_str rest = key->issuer; tid.len != 0 && rest.ptr != NULL;) {
        if (gh_str_eq(gh_str_cut(&rest, '/'), tid))
            return true;
    }
    return false;
}

enum gh_reason gh_token_key(const struct gh_jwks *set, const struct gh_token *token,
                            const struct gh_profile *profile, struct gh_key **ret_key)
{
    struct gh_key *key = gh_jwks_find(set, token->kid, token->alg);
    if (key == NULL && token->kid.ptr != NULL && gh_jwks_has_kid(set, token->kid))
        return GH_TOKEN_ALGORITHM;
    if (key == NULL)
        return GH_TOKEN_KEY_UNKNOWN;
    if (profile->issuer_template.len != 0 && key->issuer.len != 0 && !serves_tenant(key, token))
        return GH_TOKEN_ISSUER;
    *ret_key = key;
    return GH_OK;
}
