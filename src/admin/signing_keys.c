/* admin/signing_keys.c: the signing keys of a managed issuer, as the operator sees, replaces and drops them.
 */
#include "admin/task.h"
#include "base/log.h"
#include "base/str.h"

static const struct gh_task_member members_of_list[] = { { NULL, GH_JSON_NULL, false } };
static const struct gh_task_member members_of_rotate[] = { { "at_once", GH_JSON_TRUE, false },
                                                           { NULL, GH_JSON_NULL, false } };
static const struct gh_task_member members_of_drop[] = { { "key", GH_JSON_STRING, true },
                                                         { NULL, GH_JSON_NULL, false } };

static const char *state_name(enum gh_signing_state state)
{
    switch (state) {
    case GH_SIGNING_NEXT:
        return "next";
    case GH_SIGNING_ACTIVE:
        return "active";
    case GH_SIGNING_RETIRED:
        return "retired";
    case GH_SIGNING_GONE:
        return "gone";
    }
    return "";
}

/* ---- list ---- */

static enum gh_task_end show_keys(struct gh_task *t)
{
    const struct gh_control_table *control = t->admin->control;
    struct gh_text all = { .arena = t->x->arena };
    struct gh_admin_key key;
    gh_text_add(&all, GH_STR("{\"keys\":["));
    for (size_t i = 0; control->key_at(control->ctx, t->managed, i, &key); i++) {
        struct gh_text one = { .arena = t->x->arena };
        gh_put_text(&one, "key", key.kid);
        gh_put_text(&one, "state", gh_str_from(state_name(key.state)));
        gh_put_number(&one, "created", key.created);
        gh_text_add(&all, i > 0 ? GH_STR(",\n") : GH_STR("\n"));
        gh_text_add(&all, gh_put_end(&one));
    }
    gh_text_add(&all, GH_STR("]}\n"));
    return gh_task_answer(t, gh_text_take(&all));
}

/* ---- rotate ---- */

static enum gh_task_end tell_refused(struct gh_task *t)
{
    return gh_task_tell(t, GH_KEYS_UNAVAILABLE,
                        t->kind->members == members_of_drop
                            ? GH_STR("the key could not be dropped; the log says why")
                            : GH_STR("the key could not be made; the log says why"));
}

/* What is wrong with the keys is in the log; with the store, in the answer. */
static void hear_change(void *ctx, enum gh_reason reason)
{
    struct gh_task *t = ctx;
    t->key_ask = NULL;
    if (reason == GH_OK)
        gh_task_go_on(t);
    else if (reason == GH_KEYS_MALFORMED || reason == GH_KEYS_UNAVAILABLE || reason == GH_SETTINGS_INVALID)
        (void)tell_refused(t);
    else
        (void)gh_task_refuse(t, reason == GH_STORE_CONFLICT ? GH_OVERLOADED : reason);
}

static enum gh_task_end change(struct gh_task *t, enum gh_signing_wish wish)
{
    const struct gh_control_table *control = t->admin->control;
    const struct gh_signing_change wanted = { .wish = wish, .kid = gh_task_text(t, "key") };
    switch (control->key_change(control->ctx, t->managed, &wanted, hear_change, t, &t->key_ask)) {
    case GH_ADMIN_KEY_CHANGED:
        return GH_TASK_NEXT;
    case GH_ADMIN_KEY_LATER:
        return GH_TASK_WAIT;
    case GH_ADMIN_KEY_REFUSED:
        break;
    }
    return tell_refused(t);
}

static enum gh_task_end rotate(struct gh_task *t)
{
    const struct gh_json *at_once = gh_json_get(&t->asked, GH_STR("at_once"));
    return change(t, at_once != NULL && at_once->type == GH_JSON_TRUE ? GH_SIGNING_ROTATE_AT_ONCE
                                                                      : GH_SIGNING_ROTATE);
}

/* ---- drop ---- */

static enum gh_task_end tell_no_key(struct gh_task *t)
{
    return gh_task_tell(t, GH_ADMIN_UNKNOWN,
                        gh_arena_printf(t->x->arena, "key: found %.*s, which no key of this issuer is",
                                        GH_STR_FMT(gh_task_text(t, "key"))));
}

/* First whatever was given before ends, for good; what somebody signs meanwhile with the key ends with it. So
 * an answer that was lost is asked for once more. */
static enum gh_task_end revoke_all(struct gh_task *t)
{
    const struct gh_control_table *control = t->admin->control;
    struct gh_admin_key key;
    size_t i = 0;
    while (control->key_at(control->ctx, t->managed, i, &key) && !gh_str_eq(key.kid, gh_task_text(t, "key")))
        i++;
    if (!control->key_at(control->ctx, t->managed, i, &key))
        return tell_no_key(t);
    t->effects = (struct gh_effects){ 0 };
    enum gh_reason reason =
        gh_task_revoke(t, GH_REVOKED_TENANT, GH_STR(""), gh_task_epoch(t, GH_REVOKED_TENANT, GH_STR("")) + 1);
    return reason == GH_OK ? gh_task_commit(t) : gh_task_refuse(t, reason);
}

static enum gh_task_end drop(struct gh_task *t)
{
    return change(t, GH_SIGNING_DROP);
}

static const gh_task_step list_steps[] = { show_keys, NULL };
static const gh_task_step rotate_steps[] = { rotate, show_keys, NULL };
static const gh_task_step drop_steps[] = { revoke_all, drop, show_keys, NULL };

const struct gh_task_kind gh_task_keys[] = {
    { GH_STR_INIT("/admin/v1/keys/list"), "admin.key.list", members_of_list, list_steps },
    { GH_STR_INIT("/admin/v1/keys/rotate"), "admin.key.rotate", members_of_rotate, rotate_steps },
    { GH_STR_INIT("/admin/v1/keys/drop"), "admin.key.drop", members_of_drop, drop_steps },
    { .path = { 0 } },
};
