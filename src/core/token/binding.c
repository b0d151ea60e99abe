/* core/token/binding.c: was this token made for this route? Audiences, and the declared weaker substitutes.
 */
#include "base/str.h"
#include "core/token/claims.h"
#include "core/token/judge.h"

static bool is_well_formed(const struct gh_json *aud);
static enum gh_reason judge_client(const struct gh_judging *judging);
static enum gh_reason judge_shared(const struct gh_judging *judging);

enum gh_reason gh_judge_binding(const struct gh_judging *judging)
{
    const struct gh_binding *binding = judging->binding;
    const struct gh_json *aud = gh_json_get(judging->claims, GH_STR("aud"));
    if (aud != NULL && !is_well_formed(aud))
        return GH_TOKEN_AUDIENCE;
    bool array = aud != NULL && aud->type == GH_JSON_ARRAY;
    if (binding->single_audience && array && aud->count > 1)
        return GH_TOKEN_AUDIENCE;
    if (gh_aud_has(aud, binding->audiences))
        return GH_OK;
    if (!binding->weak)
        return GH_TOKEN_AUDIENCE;
    if (aud == NULL || (array && aud->count == 0))
        return judge_client(judging);
    return gh_aud_has(aud, binding->shared_audiences) ? judge_shared(judging) : GH_TOKEN_AUDIENCE;
}

/* RFC 7519 section 4.1.3: a string, or an array of strings. Nothing else in it is skipped. */
static bool is_well_formed(const struct gh_json *aud)
{
    if (aud->type != GH_JSON_ARRAY)
        return aud->type == GH_JSON_STRING;
    for (size_t i = 0; i < aud->count; i++) {
        if (aud->items[i].type != GH_JSON_STRING)
            return false;
    }
    return true;
}

bool gh_aud_has(const struct gh_json *aud, struct gh_strs values)
{
    if (aud == NULL)
        return false;
    if (aud->type == GH_JSON_STRING)
        return aud->string.len != 0 && gh_strs_has(values, aud->string);
    for (size_t i = 0; aud->type == GH_JSON_ARRAY && i < aud->count; i++) {
        gh_str entry = gh_json_text(&aud->items[i]);
        if (entry.len != 0 && gh_strs_has(values, entry))
            return true;
    }
    return false;
}

/* Without any audience: a listed client and a scope under the route's prefix. */
static enum gh_reason judge_client(const struct gh_judging *judging)
{
    const struct gh_binding *binding = judging->binding;
    gh_str client;
    struct gh_strs scopes;
    enum gh_reason reason = gh_claim_text(judging->claims, judging->profile->client_claims, &client);
    if (reason == GH_OK)
        reason = gh_scopes_read(judging, false, &scopes);
    if (reason != GH_OK)
        return reason;
    if (client.len == 0 || binding->scope_prefix.len == 0 || !gh_strs_has(binding->client_ids, client))
        return GH_TOKEN_AUDIENCE;
    for (size_t i = 0; i < scopes.count; i++) {
        if (scopes.at[i].len > binding->scope_prefix.len &&
            gh_str_starts(scopes.at[i], binding->scope_prefix))
            return GH_OK;
    }
    return GH_TOKEN_AUDIENCE;
}

/* An audience of several routes: a scope tells them apart. */
static enum gh_reason judge_shared(const struct gh_judging *judging)
{
    struct gh_strs scopes;
    enum gh_reason reason = gh_scopes_read(judging, true, &scopes);
    if (reason != GH_OK)
        return reason;
    for (size_t i = 0; i < scopes.count; i++) {
        if (gh_strs_has(judging->binding->route_scopes, scopes.at[i]))
            return GH_OK;
    }
    return GH_TOKEN_AUDIENCE;
}
