/* app/explain_detail.c: puts the claim that decided beside what the route wants. */
#include "app/explain_detail.h"

#include "base/arena.h"
#include "base/str.h"
#include "core/token/claims.h"

static gh_str joined(const struct gh_story *story, struct gh_strs list)
{
    return list.count != 0 ? gh_arena_join(story->arena, list, GH_STR(" ")) : GH_STR("nothing");
}

static gh_str value_text(const struct gh_story *story, const struct gh_json *value)
{
    if (value == NULL)
        return GH_STR("absent");
    if (value->type == GH_JSON_STRING)
        return value->string;
    if (value->type == GH_JSON_NUMBER)
        return gh_arena_printf(story->arena, "%.0f", value->number);
    if (value->type != GH_JSON_ARRAY)
        return GH_STR("of another type");
    gh_str *at = gh_arena_calloc(story->arena, value->count, sizeof(*at));
    for (size_t i = 0; at != NULL && i < value->count; i++)
        at[i] = value->items[i].type == GH_JSON_STRING ? value->items[i].string : GH_STR("(no text)");
    return joined(story, (struct gh_strs){ .at = at, .count = at != NULL ? value->count : 0 });
}

static gh_str claim(const struct gh_story *story, const char *name)
{
    return value_text(story, gh_json_get(&story->token.claims->root, gh_str_from(name)));
}

static gh_str explain_audience(const struct gh_story *story)
{
    const struct gh_binding *binding = &story->route->policy.binding;
    return gh_arena_printf(story->arena, "aud is %.*s; this route takes %.*s%s",
                           GH_STR_FMT(claim(story, "aud")), GH_STR_FMT(joined(story, binding->audiences)),
                           binding->weak ? ", or its weak binding" : "");
}

static gh_str explain_times(const struct gh_story *story)
{
    return gh_arena_printf(story->arena, "exp is %.*s, nbf %.*s, iat %.*s; it is %lld, leeway %lld s",
                           GH_STR_FMT(claim(story, "exp")), GH_STR_FMT(claim(story, "nbf")),
                           GH_STR_FMT(claim(story, "iat")), (long long)story->with->now,
                           (long long)story->issuer->conf.profile.leeway);
}

static gh_str explain_tenant(const struct gh_story *story)
{
    const struct gh_profile *profile = &story->issuer->conf.profile;
    const struct gh_json *value = gh_claim_first(&story->token.claims->root, profile->tenant_claims);
    return gh_arena_printf(story->arena, "the tenant claim is %.*s; allowed are %.*s",
                           GH_STR_FMT(value_text(story, value)),
                           GH_STR_FMT(joined(story, profile->tenant_ids)));
}

gh_str gh_explain_claims(const struct gh_story *story, enum gh_reason reason)
{
    if (reason == GH_TOKEN_AUDIENCE)
        return explain_audience(story);
    if (reason == GH_TOKEN_EXPIRED || reason == GH_TOKEN_NOT_YET || reason == GH_TOKEN_TIME ||
        reason == GH_TOKEN_LIFETIME)
        return explain_times(story);
    if (reason == GH_TOKEN_TENANT)
        return explain_tenant(story);
    return gh_str_from(gh_reason_row(reason)->text);
}

gh_str gh_explain_scopes(const struct gh_story *story)
{
    return gh_arena_printf(story->arena, "granted: %.*s; needed: %.*s",
                           GH_STR_FMT(joined(story, story->principal.scopes)),
                           GH_STR_FMT(joined(story, story->route->policy.scopes)));
}
