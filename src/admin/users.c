/* admin/users.c: accounts of a managed issuer: listed, made and ended by the operator, who never learns a
 * password: a one-time link lets its owner choose one. */
#include "admin/task.h"
#include "base/base64.h"
#include "base/clock.h"
#include "base/secret.h"
#include "base/str.h"
#include "core/grant/secret.h"
#include "issuer/setup.h"

#define PAGE_MAX 100

/* ---- who is meant ---- */

static enum gh_task_end tell_nobody(struct gh_task *t)
{
    gh_str name = gh_task_text(t, "name"), id = gh_task_text(t, "user");
    return gh_task_tell(t, GH_ADMIN_UNKNOWN,
                        gh_arena_printf(t->x->arena, "%s: found %.*s, which no user here has",
                                        id.len > 0 ? "user" : "name", GH_STR_FMT(id.len > 0 ? id : name)));
}

/* A conflict begins here again. */
enum gh_task_end gh_task_read_user(struct gh_task *t)
{
    gh_str name = gh_task_text(t, "name"), id = gh_task_text(t, "user");
    t->again = t->step - 1;
    t->rows = (struct gh_rows){ 0 };
    if ((name.len > 0) == (id.len > 0))
        return gh_task_tell(t, GH_ADMIN_MALFORMED, GH_STR("allowed: either user, an id, or name"));
    if (id.len > 0)
        return gh_id_is_sound(id) ? GH_TASK_NEXT : tell_nobody(t);
    gh_str key = gh_person_name_key(t->x->arena, name);
    return gh_task_read(t, &key, 1);
}

enum gh_task_end gh_task_read_person(struct gh_task *t)
{
    gh_str id = gh_task_text(t, "user");
    enum gh_reason reason = GH_OK;
    if (id.len == 0 && t->rows.at[0].version == 0)
        return tell_nobody(t);
    if (id.len == 0)
        reason = gh_person_id(t->x->arena, t->rows.at[0].value, &id);
    if (reason != GH_OK)
        return gh_task_refuse(t, reason);
    gh_str key = gh_person_key(t->x->arena, id);
    return gh_task_read(t, &key, 1);
}

enum gh_task_end gh_task_take_person(struct gh_task *t)
{
    const struct gh_stored_row *row = &t->rows.at[0];
    if (row->version == 0)
        return tell_nobody(t);
    enum gh_reason reason = gh_person_read(t->x->arena, row, &t->person);
    if (reason != GH_OK)
        return gh_task_refuse(t, reason);
    gh_task_name(t, t->person.id, GH_STR(""), GH_STR(""));
    t->effects = (struct gh_effects){ 0 };
    return GH_TASK_NEXT;
}

static const struct gh_task_member members_of_user[] = { { "user", GH_JSON_STRING, false },
                                                         { "name", GH_JSON_STRING, false },
                                                         { NULL, GH_JSON_NULL, false } };

/* ---- shown ---- */

static const char *state_of(const struct gh_person *person)
{
    if (person->disabled)
        return "disabled";
    return person->password.len > 0 || person->identity.len > 0 ? "active" : "invited";
}

static void put_person(struct gh_text *text, const struct gh_person *person)
{
    gh_put_text(text, "user", person->id);
    gh_put_text(text, "name", person->name);
    gh_put_text(text, "state", gh_str_from(state_of(person)));
    gh_put_text(text, "provider", person->provider);
    gh_put_number(text, "created", person->created);
}

static enum gh_task_end commit_person(struct gh_task *t, enum gh_reason reason)
{
    struct gh_text text = { .arena = t->x->arena };
    put_person(&text, &t->person);
    t->reply = gh_put_end(&text);
    return reason == GH_OK ? gh_task_commit(t) : gh_task_refuse(t, reason);
}

/* ---- list ---- */

static const struct gh_task_member members_of_list[] = { { "after", GH_JSON_STRING, false },
                                                         { NULL, GH_JSON_NULL, false } };

static enum gh_task_end list_people(struct gh_task *t)
{
    gh_str after = gh_task_text(t, "after");
    gh_str key = after.len > 0 ? gh_person_key(t->x->arena, after) : GH_STR("");
    return gh_task_list(t, GH_PERSON_PREFIX, key, PAGE_MAX);
}

/* One a line. `next`: there may be more behind this one. */
static enum gh_task_end show_people(struct gh_task *t)
{
    struct gh_text all = { .arena = t->x->arena };
    struct gh_person person = { 0 };
    gh_text_add(&all, GH_STR("{\"users\":["));
    for (size_t i = 0; i < t->rows.count; i++) {
        struct gh_text one = { .arena = t->x->arena };
        enum gh_reason reason = gh_person_read(t->x->arena, &t->rows.at[i], &person);
        if (reason != GH_OK)
            return gh_task_refuse(t, reason);
        put_person(&one, &person);
        gh_text_add(&all, i > 0 ? GH_STR(",\n") : GH_STR("\n"));
        gh_text_add(&all, gh_put_end(&one));
    }
    gh_text_add(&all, GH_STR("]"));
    if (t->rows.count == PAGE_MAX) {
        gh_text_add(&all, GH_STR(",\"next\":"));
        gh_text_json(&all, person.id);
    }
    gh_text_add(&all, GH_STR("}\n"));
    return gh_task_answer(t, gh_text_take(&all));
}

static const gh_task_step list_steps[] = { list_people, show_people, NULL };

/* ---- add and reset: a link ---- */

/* 256 bits, shown in this answer alone. */
static gh_str make_secret(struct gh_arena *arena)
{
    unsigned char bytes[32];
    gh_random_fill(bytes, sizeof(bytes));
    gh_str text = gh_secret_text(arena, bytes, sizeof(bytes));
    gh_wipe(bytes, sizeof(bytes));
    return text;
}

static enum gh_reason give_link(struct gh_task *t)
{
    gh_str secret = make_secret(t->x->arena), issuer = t->managed->policy.issuer;
    struct gh_text text = { .arena = t->x->arena };
    if (secret.ptr == NULL)
        return GH_OUT_OF_MEMORY;
    enum gh_reason reason = gh_link_put(t->x->arena, &t->person, secret, t->now, &t->effects);
    gh_str link =
        gh_arena_printf(t->x->arena, "%.*s/password?token=%.*s", GH_STR_FMT(issuer), GH_STR_FMT(secret));
    put_person(&text, &t->person);
    gh_put_text(&text, "link", link);
    gh_put_number(&text, "expires", t->now + GH_LINK_S);
    gh_put_true(&text, "grants_stay", t->person.version != 0); /* a reset ends none */
    t->reply = gh_put_end(&text);
    return reason == GH_OK && (link.ptr == NULL || t->reply.ptr == NULL) ? GH_OUT_OF_MEMORY : reason;
}

static enum gh_task_end tell_no_passwords(struct gh_task *t)
{
    return gh_task_tell(t, GH_ADMIN_CONFLICT,
                        GH_STR("nobody has a password at this issuer: people sign in at its providers "
                               "(accounts: on lets some have one)"));
}

static const struct gh_task_member members_of_add[] = { { "name", GH_JSON_STRING, true },
                                                        { NULL, GH_JSON_NULL, false } };

static enum gh_task_end read_name(struct gh_task *t)
{
    gh_str key = gh_person_name_key(t->x->arena, gh_task_text(t, "name"));
    t->again = t->step - 1;
    if (!t->managed->accounts)
        return tell_no_passwords(t);
    if (!gh_person_name_is_sound(gh_task_text(t, "name")))
        return gh_task_tell(t, GH_ADMIN_MALFORMED,
                            GH_STR("name: allowed: 1 to 64 bytes, no control characters, not usr_..."));
    return gh_task_read(t, &key, 1);
}

/* An account is there now: the link for the first one is over. */
static enum gh_task_end add_person(struct gh_task *t)
{
    unsigned char random[16];
    if (t->rows.at[0].version != 0)
        return gh_task_tell(t, GH_ADMIN_CONFLICT,
                            gh_arena_printf(t->x->arena, "name: found %.*s, which a user here has already",
                                            GH_STR_FMT(gh_task_text(t, "name"))));
    gh_random_fill(random, sizeof(random));
    t->effects = (struct gh_effects){ 0 };
    t->person = (struct gh_person){ .id = gh_id_text(t->x->arena, GH_PERSON_ID, random),
                                    .name = gh_task_text(t, "name"),
                                    .created = t->now };
    if (t->person.id.ptr == NULL)
        return gh_task_refuse(t, GH_OUT_OF_MEMORY);
    t->person.key = gh_person_key(t->x->arena, t->person.id);
    enum gh_reason reason = give_link(t);
    if (reason == GH_OK)
        reason = gh_person_add(t->x->arena, &t->person, &t->effects);
    if (reason == GH_OK)
        reason = gh_effects_delete(&t->effects, GH_SETUP_KEY);
    gh_task_name(t, t->person.id, GH_STR(""), GH_STR(""));
    return reason == GH_OK ? gh_task_commit(t) : gh_task_refuse(t, reason);
}

static const gh_task_step add_steps[] = { read_name, add_person, gh_task_reply, NULL };

/* Whoever knew the old password is signed out at once. What applications were allowed stays, as when people
 * change it themselves: disable ends that too. */
static enum gh_task_end reset_person(struct gh_task *t)
{
    if (t->person.disabled)
        return gh_task_tell(t, GH_ADMIN_CONFLICT, GH_STR("the user is disabled: enable it first"));
    if (t->person.identity.len > 0)
        return gh_task_tell(t, GH_ADMIN_CONFLICT,
                            GH_STR("the user signs in at a provider and has no password here"));
    if (!t->managed->accounts)
        return tell_no_passwords(t);
    enum gh_reason reason = give_link(t);
    (void)gh_person_end_sessions(&t->person, gh_task_epoch(t, GH_REVOKED_USER, t->person.id));
    if (reason == GH_OK)
        reason = gh_person_put(t->x->arena, &t->person, &t->effects);
    return reason == GH_OK ? gh_task_commit(t) : gh_task_refuse(t, reason);
}

/* A session that began while this was on its way may be younger than it: then once more, with another link.
 */
static enum gh_task_end look_again(struct gh_task *t)
{
    int64_t now = gh_loop_wall_s(t->x->loop);
    if (now < t->person.since)
        return GH_TASK_NEXT;
    if (t->tries++ == GH_ADMIN_TRIES_MAX)
        return gh_task_refuse(t, GH_OVERLOADED);
    t->now = now;
    t->step = t->again;
    return GH_TASK_NEXT;
}

static const gh_task_step reset_steps[] = {
    gh_task_read_user, gh_task_read_person, gh_task_take_person, reset_person, look_again, gh_task_reply, NULL
};

/* ---- disable, enable, remove ---- */

/* Tokens, sessions, grants and streams end in the same step (issuer.md section 10). */
static enum gh_task_end disable_person(struct gh_task *t)
{
    int64_t epoch = gh_person_end_sessions(&t->person, gh_task_epoch(t, GH_REVOKED_USER, t->person.id));
    t->person.disabled = true;
    enum gh_reason reason = gh_link_end(&t->person, &t->effects);
    if (reason == GH_OK)
        reason = gh_person_put(t->x->arena, &t->person, &t->effects);
    if (reason == GH_OK)
        reason = gh_task_revoke(t, GH_REVOKED_USER, t->person.id, epoch);
    return commit_person(t, reason);
}

static enum gh_task_end enable_person(struct gh_task *t)
{
    t->person.disabled = false;
    return commit_person(t, gh_person_put(t->x->arena, &t->person, &t->effects));
}

/* With the row that finds it: by its name, or by who it is at a provider. */
static enum gh_task_end remove_person(struct gh_task *t)
{
    gh_str name_key =
        t->person.identity.len > 0 ? t->person.identity : gh_person_name_key(t->x->arena, t->person.name);
    enum gh_reason reason = name_key.ptr != NULL ? gh_link_end(&t->person, &t->effects) : GH_OUT_OF_MEMORY;
    if (reason == GH_OK)
        reason = gh_effects_expect(&t->effects, t->person.key, t->person.version);
    if (reason == GH_OK)
        reason = gh_effects_delete(&t->effects, t->person.key);
    if (reason == GH_OK)
        reason = gh_effects_delete(&t->effects, name_key);
    if (reason == GH_OK)
        reason = gh_task_revoke(t, GH_REVOKED_USER, t->person.id, GH_REVOKED_ALWAYS);
    struct gh_text text = { .arena = t->x->arena };
    gh_put_text(&text, "user", t->person.id);
    gh_put_text(&text, "name", t->person.name);
    gh_put_text(&text, "state", GH_STR("removed"));
    t->reply = gh_put_end(&text);
    return reason == GH_OK ? gh_task_commit(t) : gh_task_refuse(t, reason);
}

/* What it allowed opens nothing any more; the rows go too, some at a time. */
static enum gh_task_end list_grants(struct gh_task *t)
{
    return gh_task_list(t, gh_arena_printf(t->x->arena, "grant/%.*s/", GH_STR_FMT(t->person.id)), GH_STR(""),
                        GH_EFFECTS_MAX);
}

static enum gh_task_end forget_grants(struct gh_task *t)
{
    enum gh_reason reason = GH_OK;
    t->effects = (struct gh_effects){ 0 };
    for (size_t i = 0; i < t->rows.count && reason == GH_OK; i++)
        reason = gh_effects_delete(&t->effects, t->rows.at[i].key);
    if (t->rows.count == GH_EFFECTS_MAX)
        t->step -= 2; /* there may be more: listed again once these are gone */
    return reason == GH_OK ? gh_task_commit(t) : gh_task_refuse(t, reason);
}

static const gh_task_step disable_steps[] = { gh_task_read_user, gh_task_read_person, gh_task_take_person,
                                              disable_person,    gh_task_reply,       NULL };
static const gh_task_step enable_steps[] = { gh_task_read_user, gh_task_read_person, gh_task_take_person,
                                             enable_person,     gh_task_reply,       NULL };
static const gh_task_step remove_steps[] = { gh_task_read_user,   gh_task_read_person,
                                             gh_task_take_person, remove_person,
                                             list_grants,         forget_grants,
                                             gh_task_reply,       NULL };

const struct gh_task_kind gh_task_users[] = {
    { GH_STR_INIT("/admin/v1/users/list"), "admin.user.list", members_of_list, list_steps },
    { GH_STR_INIT("/admin/v1/users/add"), "admin.user.add", members_of_add, add_steps },
    { GH_STR_INIT("/admin/v1/users/reset"), "admin.user.reset", members_of_user, reset_steps },
    { GH_STR_INIT("/admin/v1/users/disable"), "admin.user.disable", members_of_user, disable_steps },
    { GH_STR_INIT("/admin/v1/users/enable"), "admin.user.enable", members_of_user, enable_steps },
    { GH_STR_INIT("/admin/v1/users/remove"), "admin.user.remove", members_of_user, remove_steps },
    { .path = { 0 } },
};
