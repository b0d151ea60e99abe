/* core/grant/refresh.c: refresh tokens: rotated on each use, with grace for the same client's races, and the
 * end of the family for later reuse. */
#include "base/arena.h"
#include "base/str.h"
#include "core/grant/rows.h"
#include "core/grant/secret.h"

/* A refresh token as it is stored, under the hash of its text. */
struct refresh {
    gh_str grant;     /* the row key of its grant */
    gh_str successor; /* sealed under this token; empty while this one is current */
    int64_t used_at;
};

static gh_str write_refresh(struct gh_arena *arena, const struct refresh *refresh)
{
    struct gh_text text = { .arena = arena };
    gh_put_text(&text, "grant", refresh->grant);
    gh_put_text(&text, "successor", refresh->successor);
    gh_put_number(&text, "used_at", refresh->used_at);
    return gh_put_end(&text);
}

static enum gh_reason read_refresh(struct gh_arena *arena, gh_str value, struct refresh *ret_refresh)
{
    struct gh_json row;
    enum gh_reason reason = gh_json_read(arena, value, &gh_json_control_limits, GH_STORE_MALFORMED, &row);
    if (reason != GH_OK)
        return reason;
    bool ok = true;
    struct refresh refresh = { .grant = gh_get_text(&row, "grant", &ok),
                               .successor = gh_get_text(&row, "successor", &ok),
                               .used_at = gh_get_number(&row, "used_at", &ok) };
    if (!ok || refresh.grant.len == 0)
        return GH_STORE_MALFORMED;
    *ret_refresh = refresh;
    return GH_OK;
}

gh_str gh_refresh_key(struct gh_arena *arena, gh_str refresh_token)
{
    return gh_row_key(arena, "refresh", &refresh_token, 1);
}

int64_t gh_grant_expires(const struct gh_grant_policy *policy, const struct gh_grant *grant, int64_t now)
{
    if (grant->ends == 0)
        return now + policy->access_s + GH_GRANT_SLACK;
    int64_t idle = now + policy->refresh_idle_s;
    return idle < grant->ends ? idle : grant->ends;
}

enum gh_reason gh_refresh_put(struct gh_arena *arena, const struct gh_redemption *redemption,
                              struct gh_grant *grant, gh_str grant_key, gh_str refresh_token,
                              struct gh_effects *effects)
{
    const struct refresh refresh = { .grant = grant_key };
    gh_str key = gh_refresh_key(arena, refresh_token), value = write_refresh(arena, &refresh);
    if (key.ptr == NULL || value.ptr == NULL)
        return GH_OUT_OF_MEMORY;
    grant->current = key;
    enum gh_reason reason = gh_effects_expect(effects, key, 0);
    int64_t expires = gh_grant_expires(redemption->policy, grant, redemption->moment.now);
    return reason == GH_OK ? gh_effects_write(effects, key, value, expires) : reason;
}

/* ---- what is asked ---- */

static enum gh_reason check(struct gh_arena *arena, const struct gh_redemption *redemption,
                            const struct gh_grant *grant)
{
    gh_str resource = gh_form_get(redemption->form, GH_STR("resource"));
    bool same = true;
    if (!gh_str_eq(redemption->client->id, grant->client) || grant->ends <= redemption->moment.now ||
        grant->created <= redemption->moment.epoch)
        return GH_GRANT_INVALID;
    enum gh_reason reason =
        resource.ptr != NULL ? gh_resource_matches(arena, grant->resource, resource, &same) : GH_OK;
    return reason == GH_OK && !same ? GH_RESOURCE_UNKNOWN : reason;
}

/* RFC 6749 section 6: "The requested scope MUST NOT include any scope not originally granted by the resource
 * owner, and if omitted is treated as equal to the scope originally granted". offline_access is no scope of a
 * resource. */
static enum gh_reason narrow(struct gh_arena *arena, const struct gh_redemption *redemption,
                             const struct gh_grant *grant, struct gh_strs *ret_scopes)
{
    gh_str asked = gh_form_get(redemption->form, GH_STR("scope"));
    struct gh_strs words;
    enum gh_reason reason = asked.ptr != NULL ? gh_scope_read(arena, asked, &words) : GH_OK;
    if (reason != GH_OK || asked.ptr == NULL) {
        *ret_scopes = grant->scopes;
        return reason;
    }
    for (size_t i = 0; i < words.count; i++)
        if (!gh_str_eq(words.at[i], GH_STR("offline_access")) && !gh_strs_has(grant->scopes, words.at[i]))
            return GH_SCOPE_WIDENED;
    return gh_scope_common(arena, words, grant->scopes, ret_scopes);
}

/* ---- the three ways a refresh token can stand to its family ---- */

static enum gh_reason rotate(struct gh_arena *arena, const struct gh_redemption *redemption,
                             struct gh_grant *grant, gh_str presented, struct gh_effects *effects,
                             gh_str *ret_successor)
{
    const struct gh_grant_random *random = redemption->random;
    const struct gh_stored_row *secret = &redemption->secret, *row = &redemption->grant;
    gh_str successor = gh_secret_text(arena, random->refresh, sizeof(random->refresh));
    struct refresh spent = { .grant = row->key, .used_at = redemption->moment.now };
    if (successor.ptr != NULL)
        spent.successor = gh_grant_seal(arena, presented, random->nonce, successor);
    if (spent.successor.ptr == NULL)
        return GH_OUT_OF_MEMORY;
    grant->previous = secret->key;
    grant->used = redemption->moment.now;
    enum gh_reason reason = gh_refresh_put(arena, redemption, grant, row->key, successor, effects);
    gh_str spent_value = write_refresh(arena, &spent), grant_value = gh_grant_write(arena, grant);
    int64_t expires = gh_grant_expires(redemption->policy, grant, redemption->moment.now);
    if (reason == GH_OK && (spent_value.ptr == NULL || grant_value.ptr == NULL))
        reason = GH_OUT_OF_MEMORY;
    if (reason == GH_OK)
        reason = gh_effects_expect(effects, secret->key, secret->version);
    if (reason == GH_OK)
        reason = gh_effects_write(effects, secret->key, spent_value, expires); /* so long reuse is seen */
    if (reason == GH_OK)
        reason = gh_effects_expect(effects, row->key, row->version);
    if (reason == GH_OK)
        reason = gh_effects_write(effects, row->key, grant_value, expires);
    if (reason == GH_OK)
        *ret_successor = successor;
    return reason;
}

/* A token spent twice has two holders: the family ends, whoever of them is the thief. But its two rows are
 * read one after the other: a rotation that came between them looks like reuse, and is none. */
static enum gh_reason end_family(struct gh_arena *arena, const struct gh_redemption *redemption,
                                 struct gh_effects *effects)
{
    const struct gh_stored_row *secret = &redemption->secret;
    enum gh_reason reason = gh_effects_expect(effects, secret->key, secret->version);
    if (reason == GH_OK)
        reason = gh_grant_end(arena, redemption->policy, &redemption->grant, redemption->moment.now, effects);
    return reason == GH_OK ? GH_REFRESH_REUSED : reason;
}

static enum gh_reason succeed(struct gh_arena *arena, const struct gh_redemption *redemption,
                              struct gh_grant *grant, gh_str presented, struct gh_effects *effects,
                              gh_str *ret_successor)
{
    struct refresh refresh;
    enum gh_reason reason = read_refresh(arena, redemption->secret.value, &refresh);
    if (reason != GH_OK)
        return reason;
    if (gh_str_eq(grant->current, redemption->secret.key))
        return rotate(arena, redemption, grant, presented, effects, ret_successor);
    bool in_grace = gh_str_eq(grant->previous, redemption->secret.key) &&
                    redemption->moment.now - refresh.used_at <= redemption->policy->grace_s;
    if (in_grace)
        return gh_grant_unseal(arena, presented, refresh.successor, ret_successor);
    return end_family(arena, redemption, effects);
}

enum gh_reason gh_refresh_redeem(struct gh_arena *arena, const struct gh_redemption *redemption,
                                 struct gh_effects *effects, struct gh_grant_token *ret_token)
{
    gh_str presented = gh_form_get(redemption->form, GH_STR("refresh_token"));
    struct gh_grant grant;
    struct gh_strs scopes;
    gh_str successor;
    if ((redemption->client->grants & GH_GRANT_REFRESH) == 0)
        return GH_GRANT_UNAUTHORIZED;
    if (presented.ptr == NULL)
        return GH_PARAMETER_MISSING;
    if (redemption->secret.version == 0 || redemption->grant.version == 0)
        return GH_GRANT_INVALID;
    enum gh_reason reason = gh_grant_read(arena, redemption->grant.value, &grant);
    if (reason == GH_OK)
        reason = check(arena, redemption, &grant);
    if (reason == GH_OK)
        reason = narrow(arena, redemption, &grant, &scopes);
    bool is_current = reason == GH_OK && gh_str_eq(grant.current, redemption->secret.key);
    if (reason == GH_OK)
        reason = succeed(arena, redemption, &grant, presented, effects, &successor);
    if (reason == GH_OK)
        reason = gh_grant_mint(arena, redemption, &grant, scopes, ret_token);
    if (reason == GH_OK) {
        ret_token->refresh_token = successor;
        ret_token->in_grace = !is_current;
    }
    return reason;
}
