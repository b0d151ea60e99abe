/* core/grant/step_up.c: a client that was refused for want of scopes it could get: its next refresh fails
 * once, so that it asks its user for them (issuer.md section 15). */
#include "base/arena.h"
#include "base/str.h"
#include "core/grant/rows.h"
#include "core/grant/secret.h"

/* At most once in so long for one grant. */
#define STEP_UP_S 600

gh_str gh_step_up_key(struct gh_arena *arena, gh_str grant)
{
    return gh_row_key(arena, "step-up", &grant, 1);
}

/* A row that is there, asked or spent, stays: one every ten minutes. */
enum gh_reason gh_step_up_ask(struct gh_arena *arena, gh_str grant, struct gh_strs scopes, int64_t now,
                              struct gh_effects *effects)
{
    struct gh_text text = { .arena = arena };
    gh_put_text(&text, "scopes", gh_scope_write(arena, scopes));
    gh_str key = gh_step_up_key(arena, grant), value = gh_put_end(&text);
    if (key.ptr == NULL || value.ptr == NULL)
        return GH_OUT_OF_MEMORY;
    enum gh_reason reason = gh_effects_expect(effects, key, 0);
    return reason == GH_OK ? gh_effects_write(effects, key, value, now + STEP_UP_S) : reason;
}

/* Would a user be asked for all of them, if the client did? */
static enum gh_reason could_get(struct gh_arena *arena, const struct gh_redemption *redemption,
                                const struct gh_grant *grant, gh_str wanted, bool *ret_could)
{
    const struct gh_grant_resource *resource = NULL;
    struct gh_strs words, scopes;
    *ret_could = false;
    enum gh_reason reason =
        gh_grant_find_resource(arena, redemption->policy, redemption->client, grant->resource, &resource);
    if (reason == GH_OK)
        reason = gh_scope_read(arena, wanted, &words);
    if (reason == GH_OK)
        reason = gh_grant_scopes(arena, redemption->client, resource, wanted, &scopes);
    if (reason == GH_OUT_OF_MEMORY)
        return reason;
    *ret_could = reason == GH_OK && gh_scope_within(words, scopes) && !gh_scope_within(words, grant->scopes);
    return GH_OK;
}

enum gh_reason gh_step_up_take(struct gh_arena *arena, const struct gh_redemption *redemption,
                               const struct gh_stored_row *row, struct gh_effects *effects)
{
    struct gh_json value;
    struct gh_grant grant;
    bool ok = true, could;
    if (row->version == 0)
        return GH_OK;
    enum gh_reason reason =
        gh_json_read(arena, row->value, &gh_json_control_limits, GH_STORE_MALFORMED, &value);
    if (reason == GH_OK)
        reason = gh_grant_read(arena, redemption->grant.value, &grant);
    if (reason != GH_OK)
        return reason;
    gh_str wanted = gh_get_text(&value, "scopes", &ok);
    if (!ok)
        return GH_STORE_MALFORMED;
    if (wanted.len == 0) /* spent */
        return GH_OK;
    reason = could_get(arena, redemption, &grant, wanted, &could);
    if (reason != GH_OK || !could)
        return reason;
    reason = gh_effects_expect(effects, row->key, row->version);
    if (reason == GH_OK)
        reason = gh_effects_write(effects, row->key, GH_STR("{}"), redemption->moment.now + STEP_UP_S);
    return reason == GH_OK ? GH_REFRESH_STEP_UP : reason;
}
