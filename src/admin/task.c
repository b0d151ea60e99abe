/* admin/task.c: the way of a question about a managed issuer through its steps. */
#include "admin/task.h"

#include "base/str.h"
#include "core/text.h"

#define SLACK_S 900

/* ---- what is asked ---- */

const struct gh_task_kind *gh_task_find(gh_str path)
{
    static const struct gh_task_kind *const lists[] = { gh_task_users, gh_task_clients, gh_task_grants,
                                                        gh_task_keys,  gh_task_tenants, gh_task_nodes };
    for (size_t i = 0; i < GH_ARRAY_LEN(lists); i++)
        for (const struct gh_task_kind *kind = lists[i]; kind->path.ptr != NULL; kind++)
            if (gh_str_eq(kind->path, path))
                return kind;
    return NULL;
}

static const char *type_name(enum gh_json_type type)
{
    switch (type) {
    case GH_JSON_NULL:
        return "null";
    case GH_JSON_FALSE:
    case GH_JSON_TRUE:
        return "true or false";
    case GH_JSON_NUMBER:
        return "a number";
    case GH_JSON_STRING:
        return "a text";
    case GH_JSON_ARRAY:
        return "a list";
    case GH_JSON_OBJECT:
        return "an object";
    }
    return "";
}

static const struct gh_task_member issuer_member = { "issuer", GH_JSON_STRING, false };

static const struct gh_task_member *members_of(const struct gh_task_kind *kind)
{
    static const struct gh_task_member none = { NULL, GH_JSON_NULL, false };
    return kind->members != NULL ? kind->members : &none;
}

static const struct gh_task_member *find_member(const struct gh_task_kind *kind, gh_str name)
{
    for (const struct gh_task_member *member = members_of(kind); member->name != NULL; member++)
        if (gh_str_eq(gh_str_from(member->name), name))
            return member;
    bool is_issuer = kind->members != NULL && gh_str_eq(name, gh_str_from(issuer_member.name));
    return is_issuer ? &issuer_member : NULL;
}

static gh_str allowed_names(struct gh_task *t)
{
    struct gh_text text = { .arena = t->x->arena };
    for (const struct gh_task_member *member = members_of(t->kind); member->name != NULL; member++) {
        gh_text_add(&text, gh_str_from(member->name));
        gh_text_add(&text, GH_STR(", "));
    }
    gh_text_add(&text, t->kind->members != NULL ? gh_str_from(issuer_member.name) : GH_STR("none"));
    return gh_text_take(&text);
}

static enum gh_task_end check_member(struct gh_task *t, const struct gh_json_member *member)
{
    const struct gh_task_member *wanted = find_member(t->kind, member->name);
    enum gh_json_type type = member->value.type == GH_JSON_FALSE ? GH_JSON_TRUE : member->value.type;
    if (wanted == NULL)
        return gh_task_tell(t, GH_ADMIN_MALFORMED,
                            gh_arena_printf(t->x->arena, "%.*s: no such member; allowed: %.*s",
                                            GH_STR_FMT(member->name), GH_STR_FMT(allowed_names(t))));
    if (type == wanted->type)
        return GH_TASK_NEXT;
    return gh_task_tell(t, GH_ADMIN_MALFORMED,
                        gh_arena_printf(t->x->arena, "%s: found %s; allowed: %s", wanted->name,
                                        type_name(type), type_name(wanted->type)));
}

static enum gh_task_end check_needed(struct gh_task *t, const struct gh_task_member *member)
{
    const struct gh_json *value = gh_json_get(&t->asked, gh_str_from(member->name));
    bool is_empty = value == NULL || (value->type == GH_JSON_STRING && value->string.len == 0);
    if (!member->is_needed || !is_empty)
        return GH_TASK_NEXT;
    return gh_task_tell(t, GH_ADMIN_MALFORMED, gh_arena_printf(t->x->arena, "%s: is missing", member->name));
}

static enum gh_task_end check_asked(struct gh_task *t)
{
    enum gh_task_end end = GH_TASK_NEXT;
    for (size_t i = 0; i < t->asked.count && end == GH_TASK_NEXT; i++)
        end = check_member(t, &t->asked.members[i]);
    for (const struct gh_task_member *member = members_of(t->kind);
         member->name != NULL && end == GH_TASK_NEXT; member++)
        end = check_needed(t, member);
    return end;
}

gh_str gh_task_text(const struct gh_task *t, const char *name)
{
    gh_str text = gh_json_text(gh_json_get(&t->asked, gh_str_from(name)));
    return text.ptr != NULL ? text : GH_STR("");
}

/* Where the settings have one issuer, nobody needs to name it. */
static enum gh_task_end find_issuer(struct gh_task *t)
{
    gh_str name = gh_task_text(t, "issuer");
    struct gh_text names = { .arena = t->x->arena };
    for (size_t i = 0; i < t->site->issuer_count; i++) {
        const struct gh_managed *managed = &t->site->issuers[i];
        if (gh_str_eq(managed->name, name) || (name.len == 0 && t->site->issuer_count == 1))
            t->managed = managed;
        gh_text_add(&names, i > 0 ? GH_STR(", ") : GH_STR(""));
        gh_text_add(&names, managed->name);
    }
    if (t->managed != NULL) {
        gh_task_name(t, GH_STR(""), GH_STR(""), GH_STR(""));
        return GH_TASK_NEXT;
    }
    gh_str allowed = gh_text_take(&names);
    return gh_task_tell(
        t, GH_ADMIN_UNKNOWN,
        gh_arena_printf(t->x->arena, "issuer: found %.*s; allowed: %.*s",
                        GH_STR_FMT(name.len > 0 ? name : GH_STR("nothing")),
                        GH_STR_FMT(allowed.len > 0 ? allowed : GH_STR("none, no issuer is managed"))));
}

void gh_task_serve(struct gh_exchange *x, struct gh_admin *admin, gh_str body)
{
    struct gh_admin_pending *pending = x->handler_state;
    struct gh_task *t = GH_ARENA_NEW(x->arena, struct gh_task);
    if (t == NULL) {
        gh_exchange_refuse(x, GH_OUT_OF_MEMORY, NULL);
        return;
    }
    pending->task = t;
    t->x = x;
    t->admin = admin;
    t->kind = gh_task_find(x->target.path);
    t->site = gh_issuer_site_ref(admin->control->issuers(admin->control->ctx));
    t->now = gh_loop_wall_s(x->loop);
    x->stage = t->kind->event;
    enum gh_reason reason =
        gh_json_read(x->arena, body, &gh_json_control_limits, GH_ADMIN_MALFORMED, &t->asked);
    enum gh_task_end end = GH_TASK_NEXT;
    if (reason == GH_ADMIN_MALFORMED)
        end = gh_task_tell(t, reason, GH_STR("the body is one JSON object"));
    else if (reason != GH_OK)
        end = gh_task_refuse(t, reason);
    if (end == GH_TASK_NEXT)
        end = check_asked(t);
    if (end == GH_TASK_NEXT && t->kind->members != NULL)
        end = find_issuer(t);
    if (end == GH_TASK_NEXT)
        gh_task_go_on(t);
}

/* ---- steps ---- */

void gh_task_let_go(struct gh_task *t)
{
    if (t->ended)
        return;
    t->ended = true;
    if (t->call != NULL)
        gh_store_cancel(t->call);
    t->call = NULL;
    if (t->key_ask != NULL)
        gh_signing_ask_cancel(t->key_ask);
    t->key_ask = NULL;
    gh_issuer_site_unref(t->site);
}

void gh_task_go_on(struct gh_task *t)
{
    if (t->running || t->ended)
        return;
    t->running = true;
    enum gh_task_end end = GH_TASK_NEXT;
    while (end == GH_TASK_NEXT && t->kind->steps[t->step] != NULL)
        end = t->kind->steps[t->step++](t);
    t->running = false;
}

/* ---- the store ---- */

static void read_done(void *ctx, const struct gh_store_answer *answer)
{
    struct gh_task *t = ctx;
    t->call = NULL;
    if (answer->reason != GH_OK)
        (void)gh_task_refuse(t, answer->reason);
    else if (!gh_rows_keep(t->x->arena, answer->rows, &t->rows))
        (void)gh_task_refuse(t, GH_OUT_OF_MEMORY);
    else
        gh_task_go_on(t);
}

/* What was issued while the commit was on its way may be younger than the revocation: then once more. */
static bool revoke_again(struct gh_task *t)
{
    struct gh_revocation *revocation = &t->effects.revocations[0];
    int64_t now = gh_loop_wall_s(t->x->loop);
    bool is_epoch = t->effects.revocation_count > 0 && revocation->epoch != GH_REVOKED_ALWAYS;
    if (!is_epoch || revocation->epoch >= now)
        return false;
    if (t->tries++ == GH_ADMIN_TRIES_MAX) {
        (void)gh_task_refuse(t, GH_OVERLOADED);
        return true;
    }
    revocation->epoch = now;
    t->effects.precondition_count = t->effects.write_count = 0;
    (void)gh_task_commit(t);
    return true;
}

/* For the audit line, as an issuer's own lines say it. */
static void tell_revoked(struct gh_task *t)
{
    const struct gh_effects *effects = &t->effects;
    if (effects->revocation_count == 0)
        return;
    t->act.events |= GH_EVENT_BIT(GH_EVENT_REVOKE);
    t->act.revoked = gh_revoked_name(effects->revocations[0].level);
    t->act.revoked_count += effects->revocation_count;
    t->x->act = &t->act;
}

static void commit_done(void *ctx, const struct gh_store_answer *answer)
{
    struct gh_task *t = ctx;
    t->call = NULL;
    if (answer->reason == GH_OK && revoke_again(t))
        return;
    if (answer->reason == GH_OK)
        tell_revoked(t);
    if (answer->reason == GH_STORE_CONFLICT && t->tries++ < GH_ADMIN_TRIES_MAX) {
        t->step = t->again;
        gh_task_go_on(t);
    } else if (answer->reason != GH_OK) {
        (void)gh_task_refuse(t, answer->reason == GH_STORE_CONFLICT ? GH_OVERLOADED : answer->reason);
    } else {
        gh_task_go_on(t);
    }
}

static enum gh_task_end wait_for(struct gh_task *t, struct gh_store_call *call)
{
    t->call = call;
    return call != NULL ? GH_TASK_WAIT : gh_task_refuse(t, GH_OUT_OF_MEMORY);
}

enum gh_task_end gh_task_read(struct gh_task *t, const gh_str *keys, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (keys[i].ptr == NULL)
            return gh_task_refuse(t, GH_OUT_OF_MEMORY);
    return wait_for(t, gh_store_read(t->admin->store, t->managed->policy.tenant,
                                     (struct gh_strs){ keys, count }, t->now, read_done, t));
}

/* What is about no issuer is about no tenant either. */
static gh_str tenant_of(const struct gh_task *t)
{
    return t->managed != NULL ? t->managed->policy.tenant : GH_STR("");
}

enum gh_task_end gh_task_list(struct gh_task *t, gh_str prefix, gh_str after, size_t limit)
{
    if (prefix.ptr == NULL || after.ptr == NULL)
        return gh_task_refuse(t, GH_OUT_OF_MEMORY);
    return wait_for(t,
                    gh_store_list(t->admin->store, tenant_of(t), prefix, after, limit, t->now, read_done, t));
}

enum gh_task_end gh_task_commit(struct gh_task *t)
{
    if (t->effects.write_count == 0 && t->effects.revocation_count == 0)
        return GH_TASK_NEXT;
    return wait_for(
        t, gh_store_commit(t->admin->store, t->managed->policy.tenant, &t->effects, t->now, commit_done, t));
}

/* A tenant's revocation is about all of its issuers. */
static gh_str issuer_of(const struct gh_task *t, enum gh_revoked level)
{
    return level == GH_REVOKED_TENANT ? GH_STR("") : t->managed->policy.issuer_name;
}

int64_t gh_task_epoch(const struct gh_task *t, enum gh_revoked level, gh_str id)
{
    const struct gh_grant_policy *policy = &t->managed->policy;
    struct gh_revocation revocation = { .level = level,
                                        .tenant = policy->tenant,
                                        .issuer_name = issuer_of(t, level),
                                        .id = id,
                                        .epoch = -1,
                                        .until = -1 };
    const char *wrong;
    enum gh_reason reason = t->admin->control->complete(t->admin->control->ctx, &revocation, &wrong);
    return reason == GH_OK && revocation.epoch > t->now ? revocation.epoch : t->now;
}

/* Longer than anything that was given before can live: grants, access tokens, sessions of a day; of the
 * tenant's other issuers nobody knows. */
enum gh_reason gh_task_revoke(struct gh_task *t, enum gh_revoked level, gh_str id, int64_t epoch)
{
    const struct gh_grant_policy *policy = &t->managed->policy;
    int64_t life = policy->refresh_absolute_s + policy->access_s;
    const struct gh_revocation revocation = { .level = level,
                                              .tenant = policy->tenant,
                                              .issuer_name = issuer_of(t, level),
                                              .id = id,
                                              .epoch = epoch,
                                              .until = level == GH_REVOKED_TENANT
                                                           ? GH_REVOKED_ALWAYS
                                                           : t->now + life + GH_TASK_SESSION_S + SLACK_S };
    return gh_effects_revoke(&t->effects, &revocation);
}

/* ---- answers ---- */

enum gh_task_end gh_task_answer(struct gh_task *t, gh_str body)
{
    struct gh_exchange *x = t->x;
    if (body.ptr == NULL)
        return gh_task_refuse(t, GH_OUT_OF_MEMORY);
    gh_admin_answer_json(x, 200, body);
    gh_task_let_go(t); /* the audit line names what the settings hold */
    return GH_TASK_DONE;
}

enum gh_task_end gh_task_reply(struct gh_task *t)
{
    return gh_task_answer(t, t->reply);
}

enum gh_task_end gh_task_refuse(struct gh_task *t, enum gh_reason why)
{
    struct gh_exchange *x = t->x;
    gh_exchange_refuse(x, why, NULL);
    gh_task_let_go(t);
    return GH_TASK_DONE;
}

enum gh_task_end gh_task_tell(struct gh_task *t, enum gh_reason why, gh_str words)
{
    struct gh_exchange *x = t->x;
    struct gh_text text = { .arena = x->arena };
    gh_put_text(&text, "error", words);
    gh_put_text(&text, "reason", gh_str_from(gh_reason_row(why)->slug));
    gh_str body = gh_put_end(&text);
    if (words.ptr == NULL || body.ptr == NULL)
        return gh_task_refuse(t, GH_OUT_OF_MEMORY);
    gh_admin_answer_why(x, why, body);
    gh_task_let_go(t);
    return GH_TASK_DONE;
}

void gh_task_name(struct gh_task *t, gh_str user, gh_str client, gh_str grant)
{
    struct gh_principal *principal = GH_ARENA_NEW(t->x->arena, struct gh_principal);
    if (principal == NULL) /* the line says less, then */
        return;
    principal->issuer_name = t->managed->name;
    principal->issuer = t->managed->policy.issuer;
    principal->subject = user;
    principal->client = client;
    principal->grant = grant;
    t->x->principal = principal;
    t->x->policy = &t->managed->seen;
}
