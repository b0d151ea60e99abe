/* core/token/judge.c: the order of a judgement, and whose token it may be at all: issuer, tenant, proof. */
#include "core/token/judge.h"

#include "base/str.h"
#include "core/token/claims.h"

static enum gh_reason judge_tenant(const struct gh_judging *judging, struct gh_principal *principal);

enum gh_reason gh_token_judge(struct gh_arena *arena, const struct gh_token *token,
                              const struct gh_profile *profile, const struct gh_binding *binding, int64_t now,
                              struct gh_principal *ret_principal)
{
    struct gh_judging judging = { arena, &token->claims->root, token->iss, profile, binding, now };
    return gh_judge(&judging, ret_principal);
}

enum gh_reason gh_introspection_judge(struct gh_arena *arena, gh_str answer, const struct gh_profile *profile,
                                      const struct gh_binding *binding, int64_t now,
                                      struct gh_principal *ret_principal)
{
    struct gh_json root;
    enum gh_reason reason =
        gh_json_read(arena, answer, &gh_json_control_limits, GH_INTROSPECTION_DOWN, &root);
    if (reason != GH_OK)
        return reason;
    if (gh_claims_have_twin(&root))
        return GH_INTROSPECTION_DOWN;
    /* RFC 7662 section 2.2: a boolean; a string "true" is somebody else's format. */
    const struct gh_json *active = gh_json_get(&root, GH_STR("active")),
                         *iss = gh_json_get(&root, GH_STR("iss"));
    if (active == NULL || active->type != GH_JSON_TRUE)
        return GH_TOKEN_INACTIVE;
    if (iss != NULL && gh_json_text(iss).len == 0)
        return GH_TOKEN_ISSUER;
    struct gh_judging judging = { arena, &root, gh_json_text(iss), profile, binding, now };
    return gh_judge(&judging, ret_principal);
}

enum gh_reason gh_judge(const struct gh_judging *judging, struct gh_principal *ret_principal)
{
    struct gh_principal principal = { 0 };
    enum gh_reason reason = gh_judge_times(judging, &principal);
    if (reason == GH_OK)
        reason = gh_judge_kind(judging);
    if (reason == GH_OK)
        reason = gh_judge_binding(judging);
    if (reason == GH_OK)
        reason = judge_tenant(judging, &principal);
    /* RFC 7800 section 3.1: whoever presents the token must prove that it holds the key named there. No proof
     * is understood here, so a bound token is worth nothing. */
    if (reason == GH_OK && gh_json_get(judging->claims, GH_STR("cnf")) != NULL)
        reason = GH_TOKEN_BOUND;
    if (reason == GH_OK)
        reason = gh_judge_actors(judging, &principal);
    if (reason == GH_OK)
        reason = gh_judge_principal(judging, &principal);
    if (reason == GH_OK)
        *ret_principal = principal;
    return reason;
}

bool gh_profile_matches(const struct gh_profile *profile, const struct gh_token *token)
{
    return gh_issuer_matches(profile, token->iss, &token->claims->root);
}

bool gh_template_gives(gh_str template, gh_str placeholder, gh_str value, gh_str text)
{
    size_t at = 0;
    while (at < template.len && !gh_str_starts(gh_str_skip(template, at), placeholder))
        at++;
    if (at == template.len)
        return gh_str_eq(template, text);
    gh_str suffix = gh_str_skip(template, at + placeholder.len);
    return text.len == at + value.len + suffix.len && gh_str_starts(text, gh_str_take(template, at)) &&
           gh_str_ends(text, suffix) && gh_str_eq(gh_str_take(gh_str_skip(text, at), value.len), value);
}

bool gh_issuer_matches(const struct gh_profile *profile, gh_str iss, const struct gh_json *claims)
{
    if (iss.len == 0)
        return false;
    if (gh_strs_has(profile->issuers, iss))
        return true;
    if (profile->issuer_template.len == 0)
        return false;
    gh_str tid = gh_json_text(gh_json_get(claims, GH_STR("tid")));
    return tid.len != 0 && gh_strs_has(profile->tenant_ids, tid) &&
           gh_template_gives(profile->issuer_template, GH_STR("{tid}"), tid, iss);
}

enum gh_reason gh_token_fits(const struct gh_token *token, const struct gh_profile *profile)
{
    if ((profile->algs & GH_ALG_BIT(token->alg)) == 0)
        return GH_TOKEN_ALGORITHM;
    for (size_t i = 0; i < profile->types.count; i++) {
        gh_str allowed = profile->types.at[i];
        if (allowed.len == 0 ? token->typ.ptr == NULL : gh_str_eq_nocase(allowed, token->typ))
            return GH_OK;
    }
    return GH_TOKEN_TYPE;
}

/* A tenant is named by a string, by the one entry of an array, or, as Keycloak does for organizations, by the
 * one member name of an object. Several at once name none. */
static enum gh_reason read_tenant(const struct gh_json *value, gh_str *ret_tenant)
{
    gh_str tenant = GH_STR("");
    if (value->type == GH_JSON_STRING)
        tenant = value->string;
    else if (value->type == GH_JSON_OBJECT)
        tenant = value->count == 1 ? value->members[0].name : tenant;
    else if (value->type != GH_JSON_ARRAY)
        return GH_TOKEN_CLAIMS;
    else if (value->count == 1 && value->items[0].type != GH_JSON_STRING)
        return GH_TOKEN_CLAIMS;
    else if (value->count == 1)
        tenant = value->items[0].string;
    *ret_tenant = tenant;
    return GH_OK;
}

static enum gh_reason judge_tenant(const struct gh_judging *judging, struct gh_principal *principal)
{
    const struct gh_profile *profile = judging->profile;
    if (judging->iss.len != 0 && !gh_issuer_matches(profile, judging->iss, judging->claims))
        return GH_TOKEN_ISSUER;
    const struct gh_json *value = gh_claim_first(judging->claims, profile->tenant_claims);
    principal->tenant_id = GH_STR("");
    enum gh_reason reason = value != NULL ? read_tenant(value, &principal->tenant_id) : GH_OK;
    if (reason != GH_OK)
        return reason;
    bool limited = profile->tenant_ids.count != 0 || profile->issuer_template.len != 0;
    bool listed = principal->tenant_id.len != 0 && gh_strs_has(profile->tenant_ids, principal->tenant_id);
    return !limited || listed ? GH_OK : GH_TOKEN_TENANT;
}
