/* core/grant/grant.c: a grant as a stored row, and its end. */
#include "gatehouse/grant.h"

#include "base/arena.h"
#include "base/str.h"
#include "core/grant/rows.h"
#include "core/grant/secret.h"

gh_str gh_grant_key(struct gh_arena *arena, gh_str user, gh_str id)
{
    return gh_arena_printf(arena, "grant/%.*s/%.*s", GH_STR_FMT(user), GH_STR_FMT(id));
}

gh_str gh_grant_write(struct gh_arena *arena, const struct gh_grant *grant)
{
    struct gh_text text = { .arena = arena };
    gh_put_text(&text, "id", grant->id);
    gh_put_text(&text, "user", grant->user);
    gh_put_text(&text, "client", grant->client);
    gh_put_text(&text, "client_name", grant->client_name);
    gh_put_text(&text, "resource", grant->resource);
    gh_put_text(&text, "redirect_host", grant->redirect_host);
    gh_put_list(&text, "scopes", grant->scopes);
    gh_put_number(&text, "created", grant->created);
    gh_put_number(&text, "used", grant->used);
    gh_put_number(&text, "auth_time", grant->auth_time);
    gh_put_text(&text, "current", grant->current);
    gh_put_text(&text, "previous", grant->previous);
    gh_put_number(&text, "ends", grant->ends);
    return gh_put_end(&text);
}

enum gh_reason gh_grant_read(struct gh_arena *arena, gh_str value, struct gh_grant *ret_grant)
{
    struct gh_json row;
    enum gh_reason reason = gh_json_read(arena, value, &gh_json_control_limits, GH_STORE_MALFORMED, &row);
    if (reason != GH_OK)
        return reason;
    bool ok = true;
    struct gh_grant grant = { .id = gh_get_text(&row, "id", &ok),
                              .user = gh_get_text(&row, "user", &ok),
                              .client = gh_get_text(&row, "client", &ok),
                              .client_name = gh_get_text(&row, "client_name", &ok),
                              .resource = gh_get_text(&row, "resource", &ok),
                              .redirect_host = gh_get_text(&row, "redirect_host", &ok),
                              .scopes = gh_get_list(arena, &row, "scopes", &ok),
                              .created = gh_get_number(&row, "created", &ok),
                              .used = gh_get_number(&row, "used", &ok),
                              .auth_time = gh_get_number(&row, "auth_time", &ok),
                              .current = gh_get_text(&row, "current", &ok),
                              .previous = gh_get_text(&row, "previous", &ok),
                              .ends = gh_get_number(&row, "ends", &ok) };
    if (!ok || grant.id.len == 0 || grant.user.len == 0 || grant.client.len == 0 || grant.resource.len == 0)
        return GH_STORE_MALFORMED;
    *ret_grant = grant;
    return GH_OK;
}

/* Rows of spent refresh tokens stay until they expire: without their grant they open nothing. */
enum gh_reason gh_grant_end(struct gh_arena *arena, const struct gh_grant_policy *policy,
                            const struct gh_stored_row *grant_row, int64_t now, struct gh_effects *effects)
{
    struct gh_grant grant;
    enum gh_reason reason = gh_grant_read(arena, grant_row->value, &grant);
    if (reason == GH_OK)
        reason = gh_effects_expect(effects, grant_row->key, grant_row->version);
    if (reason == GH_OK)
        reason = gh_effects_delete(effects, grant_row->key);
    return reason == GH_OK ? gh_grant_revoke(policy, grant.id, now, effects) : reason;
}

enum gh_reason gh_grant_revoke(const struct gh_grant_policy *policy, gh_str id, int64_t now,
                               struct gh_effects *effects)
{
    const struct gh_revocation revocation = { .level = GH_REVOKED_GRANT,
                                              .tenant = policy->tenant,
                                              .issuer_name = policy->issuer_name,
                                              .id = id,
                                              .epoch = INT64_MAX,
                                              .until = now + policy->access_s + GH_GRANT_SLACK };
    return gh_effects_revoke(effects, &revocation);
}

/* The grant remembers the host of the redirect, not its scheme. */
enum gh_reason gh_consent_forget(struct gh_arena *arena, const struct gh_grant *grant,
                                 struct gh_effects *effects)
{
    static const char *const schemes[] = { "https://", "http://" };
    bool is_scheme = gh_str_ends(grant->redirect_host, GH_STR(":"));
    struct gh_authorization request = { .client_id = grant->client,
                                        .resource = grant->resource,
                                        .scopes = grant->scopes };
    gh_str before = GH_STR("");
    for (size_t i = 0; i < GH_ARRAY_LEN(schemes); i++) {
        request.redirect_uri =
            gh_arena_printf(arena, "%s%.*s", is_scheme ? "" : schemes[i], GH_STR_FMT(grant->redirect_host));
        gh_str key =
            request.redirect_uri.ptr != NULL ? gh_consent_key(arena, grant->user, &request) : GH_STR_NONE;
        enum gh_reason reason = key.ptr == NULL          ? GH_OUT_OF_MEMORY
                                : gh_str_eq(key, before) ? GH_OK
                                                         : gh_effects_delete(effects, key);
        if (reason != GH_OK)
            return reason;
        before = key;
    }
    return GH_OK;
}
