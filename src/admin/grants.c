/* admin/grants.c: what a user has allowed, as the operator sees and ends it. */
#include "admin/task.h"
#include "base/str.h"
#include "core/grant/rows.h"

#define PAGE_MAX 50

static const struct gh_task_member members_of_list[] = { { "user", GH_JSON_STRING, false },
                                                         { "name", GH_JSON_STRING, false },
                                                         { "after", GH_JSON_STRING, false },
                                                         { NULL, GH_JSON_NULL, false } };
static const struct gh_task_member members_of_revoke[] = { { "user", GH_JSON_STRING, false },
                                                           { "name", GH_JSON_STRING, false },
                                                           { "grant", GH_JSON_STRING, true },
                                                           { NULL, GH_JSON_NULL, false } };

static void put_grant(struct gh_text *text, const struct gh_grant *grant)
{
    gh_put_text(text, "grant", grant->id);
    gh_put_text(text, "user", grant->user);
    gh_put_text(text, "client", grant->client);
    gh_put_text(text, "client_name", grant->client_name);
    gh_put_text(text, "redirect_host", grant->redirect_host);
    gh_put_text(text, "resource", grant->resource);
    gh_put_list(text, "scopes", grant->scopes);
    gh_put_number(text, "created", grant->created);
    gh_put_number(text, "used", grant->used);
}

/* ---- list ---- */

static enum gh_task_end list_grants(struct gh_task *t)
{
    gh_str after = gh_task_text(t, "after");
    return gh_task_list(t, gh_arena_printf(t->x->arena, "grant/%.*s/", GH_STR_FMT(t->person.id)),
                        after.len > 0 ? gh_grant_key(t->x->arena, t->person.id, after) : GH_STR(""),
                        PAGE_MAX);
}

/* One a line, also those that a revocation has ended and nobody has tried to renew since. */
static enum gh_task_end show_grants(struct gh_task *t)
{
    struct gh_text all = { .arena = t->x->arena };
    struct gh_grant grant = { 0 };
    gh_text_add(&all, GH_STR("{\"grants\":["));
    for (size_t i = 0; i < t->rows.count; i++) {
        struct gh_text one = { .arena = t->x->arena };
        enum gh_reason reason = gh_grant_read(t->x->arena, t->rows.at[i].value, &grant);
        if (reason != GH_OK)
            return gh_task_refuse(t, reason);
        put_grant(&one, &grant);
        gh_text_add(&all, i > 0 ? GH_STR(",\n") : GH_STR("\n"));
        gh_text_add(&all, gh_put_end(&one));
    }
    gh_text_add(&all, GH_STR("]"));
    if (t->rows.count == PAGE_MAX) {
        gh_text_add(&all, GH_STR(",\"next\":"));
        gh_text_json(&all, grant.id);
    }
    gh_text_add(&all, GH_STR("}\n"));
    return gh_task_answer(t, gh_text_take(&all));
}

/* ---- revoke ---- */

static enum gh_task_end tell_no_grant(struct gh_task *t)
{
    return gh_task_tell(t, GH_ADMIN_UNKNOWN,
                        gh_arena_printf(t->x->arena, "grant: found %.*s, which this user has not given",
                                        GH_STR_FMT(gh_task_text(t, "grant"))));
}

static enum gh_task_end read_grant(struct gh_task *t)
{
    gh_str id = gh_task_text(t, "grant");
    if (!gh_id_is_sound(id))
        return tell_no_grant(t);
    gh_str key = gh_grant_key(t->x->arena, t->person.id, id);
    return gh_task_read(t, &key, 1);
}

/* As the user would on the account page: the application has to ask again. */
static enum gh_task_end end_grant(struct gh_task *t)
{
    const struct gh_stored_row *row = &t->rows.at[0];
    struct gh_text text = { .arena = t->x->arena };
    struct gh_grant grant;
    if (row->version == 0)
        return tell_no_grant(t);
    enum gh_reason reason = gh_grant_read(t->x->arena, row->value, &grant);
    if (reason == GH_OK)
        reason = gh_grant_end(t->x->arena, &t->managed->policy, row, t->now, &t->effects);
    if (reason == GH_OK)
        reason = gh_consent_forget(t->x->arena, &grant, &t->effects);
    if (reason != GH_OK)
        return gh_task_refuse(t, reason);
    put_grant(&text, &grant);
    t->reply = gh_put_end(&text);
    gh_task_name(t, grant.user, grant.client, grant.id);
    return gh_task_commit(t);
}

static const gh_task_step list_steps[] = { gh_task_read_user, gh_task_read_person, gh_task_take_person,
                                           list_grants,       show_grants,         NULL };
static const gh_task_step revoke_steps[] = {
    gh_task_read_user, gh_task_read_person, gh_task_take_person, read_grant, end_grant, gh_task_reply, NULL
};

const struct gh_task_kind gh_task_grants[] = {
    { GH_STR_INIT("/admin/v1/grants/list"), "admin.grant.list", members_of_list, list_steps },
    { GH_STR_INIT("/admin/v1/grants/revoke"), "admin.grant.revoke", members_of_revoke, revoke_steps },
    { .path = { 0 } },
};
