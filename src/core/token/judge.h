/* core/token/judge.h: the parts of a judgement, each over the same claims, profile, binding and time. */
#ifndef GH_CORE_TOKEN_JUDGE_H
#define GH_CORE_TOKEN_JUDGE_H

#include "core/json/json.h"
#include "gatehouse/token.h"

#define GH_GROUPS_MAX 1000u

struct gh_judging {
    struct gh_arena *arena;
    const struct gh_json *claims;
    gh_str iss; /* empty in an introspection answer that names none */
    const struct gh_profile *profile;
    const struct gh_binding *binding;
    int64_t now;
};

/* Steps 7 to 13 of byoa.md section 4, in that order. */
GH_MUST_USE enum gh_reason gh_judge(const struct gh_judging *judging, struct gh_principal *ret_principal);

/* Is `iss` the profile's, or does it come from the template with a listed tenant? */
bool gh_issuer_matches(const struct gh_profile *profile, gh_str iss, const struct gh_json *claims);

/* Is `text` the template with the placeholder's first place taken by the value? */
bool gh_template_gives(gh_str template, gh_str placeholder, gh_str value, gh_str text);

/* times.c. Step 7; fills expires and issued. */
GH_MUST_USE enum gh_reason gh_judge_times(const struct gh_judging *judging, struct gh_principal *principal);
/* kind.c. Step 8. */
GH_MUST_USE enum gh_reason gh_judge_kind(const struct gh_judging *judging);
/* Strings, and arrays that hold the string, can have a value; any type can be present. */
bool gh_claim_rule_is_met(const struct gh_json *claims, const struct gh_claim_rule *rule);
/* binding.c. Step 9. */
GH_MUST_USE enum gh_reason gh_judge_binding(const struct gh_judging *judging);
/* Does `aud`, a string or an array of strings, hold one of the values? */
bool gh_aud_has(const struct gh_json *aud, struct gh_strs values);
/* actor.c. Step 12. */
GH_MUST_USE enum gh_reason gh_judge_actors(const struct gh_judging *judging, struct gh_principal *principal);
/* principal.c. Step 13. */
GH_MUST_USE enum gh_reason gh_judge_principal(const struct gh_judging *judging,
                                              struct gh_principal *principal);
/* The scopes of the profile's claims and of its extra ones, with the profile's prefix removed if asked. */
GH_MUST_USE enum gh_reason gh_scopes_read(const struct gh_judging *judging, bool without_prefix,
                                          struct gh_strs *ret_scopes);

#endif
