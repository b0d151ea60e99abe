/* admin/revoke.c: POST /admin/v1/revoke: one revocation, answered when it is durable and known here. */
#include "admin/pages.h"
#include "base/log.h"
#include "base/str.h"
#include "core/json/json.h"
#include "core/text.h"

/* The year 5138, as with the times of tokens. */
#define TIME_MAX 1e11

static void refuse(struct gh_exchange *x, int status, const char *what)
{
    struct gh_text text = { .arena = x->arena };
    gh_put_text(&text, "error", gh_str_from(what));
    gh_str body = gh_put_end(&text);
    if (body.ptr == NULL)
        gh_exchange_refuse(x, GH_OUT_OF_MEMORY, NULL);
    else
        gh_admin_answer_json(x, status, body);
}

/* ---- what is asked ---- */

static bool read_time(const struct gh_json *value, int64_t *ret_time)
{
    bool good = value->type == GH_JSON_NUMBER && value->number >= 0 && value->number < TIME_MAX;
    if (good)
        *ret_time = (int64_t)value->number;
    return good;
}

static bool read_text(const struct gh_json *value, gh_str *ret_text)
{
    *ret_text = gh_json_text(value);
    return ret_text->ptr != NULL;
}

static bool read_member(const struct gh_json_member *member, struct gh_revocation *revocation)
{
    if (gh_str_eq(member->name, GH_STR("level")))
        return gh_revoked_read(gh_json_text(&member->value), &revocation->level);
    if (gh_str_eq(member->name, GH_STR("tenant")))
        return read_text(&member->value, &revocation->tenant);
    if (gh_str_eq(member->name, GH_STR("issuer")))
        return read_text(&member->value, &revocation->issuer_name);
    if (gh_str_eq(member->name, GH_STR("id")))
        return read_text(&member->value, &revocation->id);
    if (gh_str_eq(member->name, GH_STR("epoch")))
        return read_time(&member->value, &revocation->epoch);
    return gh_str_eq(member->name, GH_STR("until")) && read_time(&member->value, &revocation->until);
}

static const char *read_all(struct gh_exchange *x, gh_str body, struct gh_revocation *revocation)
{
    struct gh_json root;
    *revocation = (struct gh_revocation){ .level = GH_REVOKED_COUNT, .epoch = -1, .until = -1 };
    if (gh_json_read(x->arena, body, &gh_json_control_limits, GH_SETTINGS_INVALID, &root) != GH_OK)
        return "the body is one JSON object";
    for (size_t i = 0; i < root.count; i++)
        if (!read_member(&root.members[i], revocation))
            return "allowed are level (tenant, user, client, agent, instance, grant, token), tenant, issuer, "
                   "id as "
                   "texts, epoch and until in seconds since 1970";
    if (revocation->level == GH_REVOKED_COUNT)
        return "level is missing";
    bool whole = revocation->level == GH_REVOKED_TENANT;
    return whole && (revocation->issuer_name.len > 0 || revocation->id.len > 0)
               ? "level tenant takes neither issuer nor id"
               : NULL;
}

/* ---- what comes of it ---- */

static void note(const struct gh_revocation *revocation)
{
    gh_log(GH_LOG_INFO, "revoked by the admin listener",
           GH_FIELD("level", gh_revoked_name(revocation->level)), GH_FIELD("tenant", revocation->tenant),
           GH_FIELD("issuer", revocation->issuer_name), GH_FIELD("id", revocation->id));
}

static void tell(struct gh_exchange *x, const struct gh_revocation *revocation, uint64_t position)
{
    struct gh_text text = { .arena = x->arena };
    gh_put_number(&text, "position", (int64_t)position);
    if (revocation->epoch != GH_REVOKED_ALWAYS)
        gh_put_number(&text, "epoch", revocation->epoch);
    if (revocation->until != GH_REVOKED_ALWAYS)
        gh_put_number(&text, "until", revocation->until);
    gh_str body = gh_put_end(&text);
    if (body.ptr == NULL)
        gh_exchange_refuse(x, GH_OUT_OF_MEMORY, NULL);
    else
        gh_admin_answer_json(x, 200, body);
}

static void on_committed(void *ctx, const struct gh_store_answer *answer);

static void commit(struct gh_admin_pending *pending)
{
    struct gh_exchange *x = pending->x;
    struct gh_effects effects = { 0 };
    if (gh_effects_revoke(&effects, &pending->revocation) != GH_OK) {
        gh_exchange_refuse(x, GH_INTERNAL, NULL);
        return;
    }
    pending->call = gh_store_commit(pending->admin->store, pending->revocation.tenant, &effects,
                                    gh_loop_wall_s(x->loop), on_committed, pending);
    if (pending->call == NULL)
        gh_exchange_refuse(x, GH_OUT_OF_MEMORY, NULL);
}

/* What was issued while the commit was on its way may be younger than the revocation: then once more. */
static void on_committed(void *ctx, const struct gh_store_answer *answer)
{
    struct gh_admin_pending *pending = ctx;
    int64_t now = gh_loop_wall_s(pending->x->loop);
    pending->call = NULL;
    if (answer->reason != GH_OK) {
        gh_exchange_refuse(pending->x, answer->reason, NULL);
    } else if (pending->by_clock && now > pending->asked_s && pending->tries++ == GH_ADMIN_TRIES_MAX) {
        gh_exchange_refuse(pending->x, GH_OVERLOADED, NULL);
    } else if (pending->by_clock && now > pending->asked_s) {
        pending->revocation.epoch += now - pending->asked_s;
        pending->asked_s = now;
        commit(pending);
    } else {
        note(&pending->revocation);
        tell(pending->x, &pending->revocation, answer->position);
    }
}

void gh_admin_serve_revoke(struct gh_exchange *x, struct gh_admin *admin, gh_str body)
{
    struct gh_admin_pending *pending = x->handler_state;
    const char *wrong = read_all(x, body, &pending->revocation);
    if (wrong != NULL) {
        refuse(x, 400, wrong);
        return;
    }
    if (admin->store == NULL) {
        refuse(x, 422, "the settings name no store");
        return;
    }
    bool asks_now = pending->revocation.epoch < 0;
    pending->admin = admin;
    pending->asked_s = gh_loop_wall_s(x->loop);
    if (admin->control->complete(admin->control->ctx, &pending->revocation, &wrong) != GH_OK) {
        refuse(x, 422, wrong);
        return;
    }
    pending->by_clock = asks_now && pending->revocation.epoch != GH_REVOKED_ALWAYS;
    commit(pending);
}
