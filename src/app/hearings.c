/* app/hearings.c: one signal of an issuer from its token to the commits of what it ends. */
#include "app/hearings.h"

#include <stdlib.h>

#include "app/control.h"
#include "base/list.h"
#include "base/log.h"
#include "base/str.h"
#include "issuer/windows.h"

#define UNDER_WAY_MAX 256
/* Whose tokens are refused so often in a minute waits for the next. */
#define FAILURES   60
#define FAILURES_S 60

struct gh_hearings {
    struct gh_control *control;
    struct gh_list under_way;
    unsigned count;
    bool is_closed;
};

struct hearing {
    struct gh_list link;
    struct gh_hearings *hearings;
    struct gh_snapshot *snapshot; /* a reference: issuer and place live in it */
    struct gh_worker *worker;
    uint64_t ticket;
    struct gh_arena *arena;
    struct gh_signal signal;
    const struct gh_signal_place *place;
    const struct gh_issuer *issuer;
    struct gh_token token;
    struct gh_security_event event;
    struct gh_store_call *call;
    size_t tenant;   /* the next one to be told */
    uint64_t count;  /* of revocations */
    bool has_waited; /* for a key: once */
    bool has_taken;  /* one of its address's failures, until it is none */
};

struct gh_hearings *gh_hearings_new(struct gh_control *control)
{
    struct gh_hearings *hearings = gh_calloc(1, sizeof(*hearings));
    if (hearings == NULL)
        return NULL;
    hearings->control = control;
    gh_list_init(&hearings->under_way);
    return hearings;
}

void gh_hearings_free(struct gh_hearings *hearings)
{
    free(hearings);
}

/* ---- answering ---- */

/* What failures of an address are counted by. */
static struct gh_strs parts_of(const struct hearing *h, gh_str parts[2])
{
    parts[0] = GH_STR("signals");
    parts[1] = h->signal.source;
    return (struct gh_strs){ parts, 2 };
}

/* What the address is not to blame for is given back. */
static void settle(const struct hearing *h, enum gh_reason reason)
{
    gh_str parts[2];
    bool is_theirs = gh_reason_row(reason)->status == 400;
    if (h->has_taken && !is_theirs)
        gh_limits_give(h->hearings->control->limits, parts_of(h, parts),
                       gh_loop_wall_s(h->hearings->control->loop));
}

/* Never a token; who it is about only once it is proven. */
static void note(const struct hearing *h, enum gh_reason reason)
{
    if (reason != GH_OK)
        gh_log(GH_LOG_WARN, "what an issuer is said to say was refused", GH_FIELD("issuer", h->signal.issuer),
               GH_FIELD("reason", gh_str_from(gh_reason_row(reason)->slug)),
               GH_FIELD("from", h->signal.source));
    else if (h->count > 0)
        gh_log(GH_LOG_INFO, "revoked by an issuer", GH_FIELD("issuer", h->signal.issuer),
               GH_FIELD("level", gh_revoked_name(h->event.level)), GH_FIELD("id", h->event.id));
}

static void finish(struct hearing *h, enum gh_reason reason)
{
    struct gh_hearings *hearings = h->hearings;
    const struct gh_signal_outcome outcome = { .reason = reason,
                                               .level = h->count > 0 ? h->event.level : GH_REVOKED_COUNT,
                                               .count = h->count,
                                               .id = h->count > 0 ? h->event.id : GH_STR("") };
    settle(h, reason);
    note(h, reason);
    if (!gh_worker_heard(h->worker, h->ticket, &outcome))
        gh_log(GH_LOG_ERROR, "an answer to a worker could not be sent: out of memory");
    gh_list_remove(&h->link);
    hearings->count--;
    gh_snapshot_unref(h->snapshot);
    gh_arena_free(h->arena);
    free(h);
}

void gh_hearings_close(struct gh_hearings *hearings)
{
    if (hearings == NULL)
        return;
    hearings->is_closed = true;
    GH_LIST_EACH_SAFE (node, &hearings->under_way) {
        struct hearing *h = GH_LIST_ENTRY(node, struct hearing, link);
        if (h->call == NULL)
            continue;
        gh_store_cancel(h->call);
        finish(h, GH_SHUTTING_DOWN);
    }
}

/* ---- what it ends ---- */

static void revoke(struct hearing *h);

static void committed(void *ctx, const struct gh_store_answer *answer)
{
    struct hearing *h = ctx;
    h->call = NULL;
    if (answer->reason != GH_OK) {
        finish(h, answer->reason == GH_STORE_CONFLICT ? GH_OVERLOADED : answer->reason);
        return;
    }
    h->count++;
    revoke(h);
}

static enum gh_reason commit(struct hearing *h, const struct gh_revocation *revocation)
{
    struct gh_control *control = h->hearings->control;
    struct gh_effects effects = { 0 };
    enum gh_reason reason = gh_effects_revoke(&effects, revocation);
    if (reason != GH_OK)
        return reason;
    h->call = gh_store_commit(control->revocations.client, revocation->tenant, &effects,
                              gh_loop_wall_s(control->loop), committed, h);
    return h->call != NULL ? GH_OK : GH_OUT_OF_MEMORY;
}

/* One tenant after the other, as far as their routes trust this issuer: a commit is of one tenant. Done
 * again, as an issuer does that got no answer, it ends nothing more. */
static void revoke(struct hearing *h)
{
    const struct gh_site *site = h->snapshot->conf->site;
    while (h->tenant < site->tenant_count) {
        struct gh_revocation revocation = { .level = h->event.level,
                                            .tenant = site->tenants[h->tenant++].name,
                                            .issuer_name = h->signal.issuer,
                                            .id = h->event.id,
                                            .epoch = h->event.issued,
                                            .until = -1 };
        const char *wrong;
        if (gh_control_complete(h->hearings->control, &revocation, &wrong) != GH_OK)
            continue;
        enum gh_reason reason = commit(h, &revocation);
        if (reason != GH_OK)
            finish(h, reason);
        return;
    }
    finish(h, GH_OK);
}

static void judge(struct hearing *h)
{
    struct gh_control *control = h->hearings->control;
    enum gh_reason reason =
        gh_security_event_judge(&h->token, h->signal.form, &h->issuer->conf.profile, h->place->audiences,
                                gh_loop_wall_s(control->loop), &h->event);
    if (reason == GH_OK && control->revocations.client == NULL) /* it had no store when it was started */
        reason = GH_STORE_DOWN;
    if (reason != GH_OK || h->event.level == GH_REVOKED_COUNT)
        finish(h, reason);
    else
        revoke(h);
}

/* ---- whether it is the issuer's ---- */

static void find_key(struct hearing *h);

static void key_came(void *ctx)
{
    struct hearing *h = ctx;
    if (h->hearings->is_closed)
        finish(h, GH_SHUTTING_DOWN);
    else
        find_key(h);
}

/* A key that is not known yet is fetched for once; the ring sees to it that made-up ones are not. Costly
 * signatures are checked here too, by the control thread: FAILURES bounds how many of them nobody made. */
static void find_key(struct hearing *h)
{
    struct gh_keyrings *rings = h->hearings->control->rings;
    struct gh_keys_view view = gh_keyrings_view(rings, h->issuer->slot);
    struct gh_key *key = NULL;
    bool has_keys = view.set != NULL;
    enum gh_reason reason =
        has_keys ? gh_token_key(view.set, &h->token, &h->issuer->conf.profile, &key) : GH_TOKEN_KEY_UNKNOWN;
    if (reason == GH_OK)
        reason = gh_token_signature(key, h->token.alg, h->token.signed_part, h->token.signature);
    gh_jwks_unref(view.set);
    if (reason == GH_OK) {
        judge(h);
    } else if (reason == GH_TOKEN_KEY_UNKNOWN && !h->has_waited) {
        h->has_waited = true;
        if (!gh_keyrings_want(rings, h->issuer->slot, h->token.kid, key_came, h))
            finish(h, GH_OVERLOADED);
    } else if (reason == GH_OUT_OF_MEMORY) {
        finish(h, reason);
    } else {
        finish(h, has_keys ? GH_EVENT_KEY : GH_KEYS_UNAVAILABLE);
    }
}

/* A reload may have taken it away. */
static bool find_issuer(struct hearing *h)
{
    const struct gh_conf *conf = h->snapshot->conf;
    for (size_t i = 0; i < conf->signals.count; i++)
        if (gh_str_eq(conf->signals.at[i].issuer, h->signal.issuer))
            h->place = &conf->signals.at[i];
    for (size_t i = 0; i < conf->site->issuer_count && h->issuer == NULL; i++)
        if (gh_str_eq(conf->site->issuers[i].conf.profile.name, h->signal.issuer))
            h->issuer = &conf->site->issuers[i];
    return h->place != NULL && h->issuer != NULL;
}

static bool may_try(struct hearing *h)
{
    static const struct gh_limit limit = { .tries = FAILURES, .span_s = FAILURES_S };
    struct gh_control *control = h->hearings->control;
    struct gh_refusal refusal;
    gh_str parts[2];
    if (h->signal.source.len == 0)
        return true;
    h->has_taken =
        gh_limits_take(control->limits, parts_of(h, parts), &limit, gh_loop_wall_s(control->loop), &refusal);
    return h->has_taken;
}

static void begin(struct hearing *h, gh_str text)
{
    enum gh_reason reason = gh_signal_read(text, &h->signal) ? GH_OK : GH_INTERNAL;
    if (reason == GH_OK && !find_issuer(h))
        reason = GH_ROUTE_UNKNOWN;
    if (reason == GH_OK && !may_try(h))
        reason = GH_REQUESTS_THROTTLED;
    if (reason == GH_OK)
        reason = gh_security_event_open(h->arena, h->signal.token, h->signal.form, &h->issuer->conf.profile,
                                        &h->token);
    if (reason == GH_OK)
        find_key(h);
    else
        finish(h, reason);
}

bool gh_hearings_ask(struct gh_hearings *hearings, struct gh_worker *worker, gh_str signal, uint64_t ticket)
{
    bool has_room = hearings->count < UNDER_WAY_MAX && !hearings->is_closed;
    struct hearing *h = has_room ? gh_calloc(1, sizeof(*h)) : NULL;
    struct gh_arena *arena = h != NULL ? gh_arena_new(4096) : NULL;
    gh_str text = arena != NULL ? gh_arena_dup(arena, signal) : GH_STR_NONE;
    if (text.ptr == NULL) {
        gh_arena_free(arena);
        free(h);
        return false;
    }
    *h = (struct hearing){ .hearings = hearings,
                           .snapshot = gh_snapshot_ref(hearings->control->snapshot),
                           .worker = worker,
                           .ticket = ticket,
                           .arena = arena };
    gh_list_append(&hearings->under_way, &h->link);
    hearings->count++;
    begin(h, text);
    return true;
}
