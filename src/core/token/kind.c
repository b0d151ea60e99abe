/* core/token/kind.c: tokens signed by the right key that are not access tokens (byoa.md section 7). */
#include "base/str.h"
#include "core/token/claims.h"
#include "core/token/judge.h"

static bool has_value(gh_str text, const struct gh_claim_rule *rule)
{
    for (size_t i = 0; i < rule->values.count; i++) {
        gh_str value = rule->values.at[i];
        if (rule->nocase ? gh_str_eq_nocase(text, value) : gh_str_eq(text, value))
            return true;
    }
    return false;
}

/* Strings, and arrays that hold the string, can have a value; any type can be present. */
bool gh_claim_rule_is_met(const struct gh_json *claims, const struct gh_claim_rule *rule)
{
    const struct gh_json *value = gh_claim(claims, rule->claim);
    if (value == NULL || rule->values.count == 0)
        return value != NULL;
    if (value->type == GH_JSON_STRING)
        return has_value(value->string, rule);
    for (size_t i = 0; value->type == GH_JSON_ARRAY && i < value->count; i++) {
        if (value->items[i].type == GH_JSON_STRING && has_value(value->items[i].string, rule))
            return true;
    }
    return false;
}

/* Whatever the profile says: ID tokens, refresh and offline tokens, logout tokens. */
static bool is_another_kind(const struct gh_json *claims, bool nonce_is_fine)
{
    static const gh_str types[] = { GH_STR_INIT("ID"), GH_STR_INIT("Refresh"), GH_STR_INIT("Offline"),
                                    GH_STR_INIT("Logout") };
    static const gh_str uses[] = { GH_STR_INIT("id"), GH_STR_INIT("id_token"), GH_STR_INIT("refresh"),
                                   GH_STR_INIT("refresh_token") };
    static const struct gh_claim_rule rules[] = {
        { .claim = GH_STR_INIT("typ"), .values = { types, GH_ARRAY_LEN(types) }, .nocase = true },
        { .claim = GH_STR_INIT("token_use"), .values = { uses, GH_ARRAY_LEN(uses) }, .nocase = true },
        { .claim = GH_STR_INIT("at_hash") },
        { .claim = GH_STR_INIT("c_hash") },
        { .claim = GH_STR_INIT("events") },
        { .claim = GH_STR_INIT("nonce") }, /* last: left out where the profile knows better */
    };
    for (size_t i = 0; i < GH_ARRAY_LEN(rules) - (nonce_is_fine ? 1 : 0); i++) {
        if (gh_claim_rule_is_met(claims, &rules[i]))
            return true;
    }
    return false;
}

static bool has_scope_or_roles(const struct gh_judging *judging)
{
    static const gh_str names[] = { GH_STR_INIT("scope"), GH_STR_INIT("scp"), GH_STR_INIT("roles") };
    const struct gh_profile *profile = judging->profile;
    return gh_claim_first(judging->claims, (struct gh_strs){ names, GH_ARRAY_LEN(names) }) != NULL ||
           gh_claim_first(judging->claims, profile->scope_claims) != NULL ||
           gh_claim_first(judging->claims, profile->extra_scope_claims) != NULL;
}

enum gh_reason gh_judge_kind(const struct gh_judging *judging)
{
    const struct gh_profile *profile = judging->profile;
    for (size_t i = 0; i < profile->require.count; i++) {
        if (!gh_claim_rule_is_met(judging->claims, &profile->require.at[i]))
            return GH_TOKEN_KIND;
    }
    for (size_t i = 0; i < profile->reject.count; i++) {
        if (gh_claim_rule_is_met(judging->claims, &profile->reject.at[i]))
            return GH_TOKEN_KIND;
    }
    if (is_another_kind(judging->claims, profile->nonce_is_fine))
        return GH_TOKEN_KIND;
    if (profile->needs_scope_or_roles && !has_scope_or_roles(judging))
        return GH_TOKEN_KIND;
    const struct gh_json *aud = gh_json_get(judging->claims, GH_STR("aud"));
    return gh_aud_has(aud, profile->login_clients) ? GH_TOKEN_KIND : GH_OK;
}
