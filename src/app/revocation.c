/* app/revocation.c: the control thread's part of revocation: the store's log is followed into the index, the
 * workers are told. */
#include <stdlib.h>

#include "app/control.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"

#define WATCH_MS 250
#define SWEEP_MS 60000
#define PAST_MS  3000
#define TURN_MS  20
/* No route may be content with less: below it nobody needs to be told that the log is silent. */
#define FRESH_MS 1000

static void watch(struct gh_deadline *deadline);
static void tell_workers(struct gh_turn_work *work);

/* ---- life ---- */

bool gh_control_make_index(struct gh_control *control, const struct gh_conf *conf)
{
    struct gh_revocations *own = &control->revocations;
    own->client = gh_store_client_new(control->store, control->mailbox);
    own->readers = gh_control_wanted_workers(conf);
    own->index = gh_index_new(own->readers);
    gh_turn_work_init(&own->tell, tell_workers);
    gh_deadline_init(&own->watch, watch);
    return own->client != NULL && own->index != NULL;
}

void gh_control_unfollow(struct gh_control *control)
{
    struct gh_revocations *own = &control->revocations;
    if (own->index != NULL) {
        gh_deadline_clear(&own->watch);
        gh_turn_work_cancel(&own->tell);
    }
    gh_store_client_free(own->client);
    own->client = NULL;
}

void gh_control_free_index(struct gh_control *control)
{
    gh_index_free(control->revocations.index);
    control->revocations.index = NULL;
}

/* ---- the log ---- */

static bool take_in(struct gh_revocations *own, const struct gh_revocation *revocation)
{
    struct gh_revocation_key key;
    return gh_revocation_key(revocation, &key) == GH_OK &&
           gh_index_add(own->index, &key, revocation->epoch, revocation->until);
}

static bool is_over(const struct gh_revocation *revocation, int64_t now_s)
{
    return revocation->until < now_s - GH_REVOKED_SLACK_S;
}

static void hear_entry(void *ctx, const struct gh_store_log_entry *entry)
{
    struct gh_control *control = ctx;
    struct gh_revocations *own = &control->revocations;
    if (is_over(&entry->revocation, gh_loop_wall_s(control->loop)))
        return;
    if (!take_in(own, &entry->revocation) && !own->incomplete) {
        own->incomplete = true;
        gh_log(GH_LOG_ERROR,
               "the index of revocations is full: out of memory; routes that fail closed refuse all");
    }
    /* A whole tenant: a key may have been dropped with it, by another process. */
    if (own->has_past && !control->draining && entry->revocation.level == GH_REVOKED_TENANT)
        gh_deadline_set(control->loop, &control->ticks, GH_KEYS_SOON_MS);
    if (own->has_past)
        own->lag_ms = gh_clock_wall_us() / 1000 - entry->appended_ms;
    gh_loop_at_end(control->loop, &own->tell);
}

static void hear_all(void *ctx, int64_t as_of_ms)
{
    struct gh_control *control = ctx;
    struct gh_revocations *own = &control->revocations;
    own->has_past = true;
    if (!own->incomplete)
        gh_index_caught_up(own->index, as_of_ms);
}

static void hear_trouble(void *ctx, enum gh_reason reason, gh_str why)
{
    if (reason == GH_OK)
        gh_log(GH_LOG_INFO, "the store is well again");
    else
        gh_log(GH_LOG_ERROR, "the store fails", GH_FIELD("reason", gh_str_from(gh_reason_row(reason)->slug)),
               GH_FIELD("why", why));
}

static void hear_warning(void *ctx, gh_str why)
{
    gh_log(GH_LOG_WARN, "the store goes on, and something is wrong", GH_FIELD("why", why));
}

void gh_control_follow(struct gh_control *control)
{
    struct gh_revocations *own = &control->revocations;
    if (own->index == NULL)
        return;
    const struct gh_store_follower follower = { .entry = hear_entry,
                                                .caught_up = hear_all,
                                                .trouble = hear_trouble,
                                                .warning = hear_warning,
                                                .ctx = control };
    gh_store_follow(control->store, control->mailbox, &follower);
    gh_deadline_set(control->loop, &own->watch, WATCH_MS);
}

/* On behalf of the workers, which are not there yet: nobody holds an old table. */
static void be_quiet(const struct gh_revocations *own)
{
    for (unsigned i = 0; i < own->readers; i++)
        gh_index_quiet(own->index, i);
}

void gh_control_await_past(struct gh_control *control)
{
    struct gh_revocations *own = &control->revocations;
    int64_t until_ms = gh_clock_mono_ms() + PAST_MS;
    while (own->index != NULL && !own->has_past && gh_clock_mono_ms() < until_ms) {
        gh_loop_turn(control->loop, TURN_MS);
        be_quiet(own);
    }
}

/* ---- telling ---- */

static void tell_all(struct gh_control *control)
{
    bool told = true;
    for (unsigned i = 0; i < control->worker_count; i++)
        told = gh_worker_revoked(control->workers[i]) && told;
    control->revocations.untold = !told; /* memory may be there in a moment */
}

static void tell_workers(struct gh_turn_work *work)
{
    struct gh_revocations *own = GH_LIST_ENTRY(work, struct gh_revocations, tell);
    tell_all(GH_LIST_ENTRY(own, struct gh_control, revocations));
}

/* Open streams must hear of silence too: nobody else would ask about them again. */
static void watch(struct gh_deadline *deadline)
{
    struct gh_revocations *own = GH_LIST_ENTRY(deadline, struct gh_revocations, watch);
    struct gh_control *control = GH_LIST_ENTRY(own, struct gh_control, revocations);
    int64_t now_ms = gh_loop_now_ms(control->loop);
    if (own->untold || gh_index_staleness(own->index, now_ms) > FRESH_MS)
        tell_all(control);
    if (now_ms >= own->sweep_at_ms) {
        gh_index_sweep(own->index, gh_loop_wall_s(control->loop) - GH_REVOKED_SLACK_S);
        own->sweep_at_ms = now_ms + SWEEP_MS;
    }
    gh_deadline_set(control->loop, &own->watch, WATCH_MS);
}

void gh_control_measure(struct gh_control *control)
{
    const struct gh_revocations *own = &control->revocations;
    if (own->index == NULL)
        return;
    const struct gh_revocation_gauges gauges = {
        .entries = gh_index_count(own->index),
        .staleness_ms = gh_index_staleness(own->index, gh_clock_mono_ms()),
        .lag_ms = own->lag_ms,
    };
    gh_registry_revocation(control->registry, &gauges);
}

/* ---- completing ---- */

/* What the settings say of those whose tokens a revocation can meet. */
struct reach {
    int64_t leeway, lifetime; /* lifetime 0: without bound */
    bool has_tenant, has_issuer;
};

static void reach_route(struct reach *reach, const struct gh_route *route,
                        const struct gh_revocation *revocation)
{
    if (!gh_str_eq(route->policy.tenant, revocation->tenant))
        return;
    reach->has_tenant = true;
    for (size_t i = 0; i < route->issuer_count; i++) {
        const struct gh_profile *profile = &route->issuers[i]->conf.profile;
        if (revocation->level != GH_REVOKED_TENANT && !gh_str_eq(profile->name, revocation->issuer_name))
            continue;
        bool is_ours = profile->is_ours;
        int64_t longest = is_ours ? 0 : profile->max_lifetime; /* grants and sessions outlive their tokens */
        bool bounded = longest > 0 && (reach->lifetime > 0 || !reach->has_issuer);
        reach->lifetime = !bounded ? 0 : longest > reach->lifetime ? longest : reach->lifetime;
        int64_t leeway = is_ours ? 0 : profile->leeway; /* that clock is ours */
        reach->leeway = leeway > reach->leeway ? leeway : reach->leeway;
        reach->has_issuer = true;
    }
}

/* What was given after an epoch bears the second behind it (issuer.md section 10): another revocation in the
 * same second must end that too. */
static int64_t behind_the_last(const struct gh_control *control, const struct gh_revocation *revocation,
                               int64_t epoch)
{
    struct gh_revocation_key key;
    if (control->revocations.index == NULL || gh_revocation_key(revocation, &key) != GH_OK)
        return epoch;
    int64_t last = gh_index_epoch(control->revocations.index, &key);
    return last < epoch || last == GH_REVOKED_ALWAYS ? epoch : last + 1;
}

/* A foreign issuer's clock may be ahead of ours by as much as is forgiven: its tokens of just now would look
 * younger than the revocation. */
enum gh_reason gh_control_complete(const struct gh_control *control, struct gh_revocation *revocation,
                                   const char **ret_wrong)
{
    const struct gh_site *site = control->snapshot->conf->site;
    int64_t now = gh_clock_wall_us() / 1000000;
    struct reach reach = { 0 };
    for (size_t i = 0; i < site->route_count; i++)
        reach_route(&reach, &site->routes[i], revocation);
    *ret_wrong = NULL;
    if (!reach.has_tenant)
        *ret_wrong = "tenant: no route of the settings has this one";
    else if (!reach.has_issuer)
        *ret_wrong = "issuer: no route of this tenant trusts this one";
    bool is_id = revocation->level == GH_REVOKED_GRANT || revocation->level == GH_REVOKED_TOKEN;
    if (is_id)
        revocation->epoch = GH_REVOKED_ALWAYS;
    else if (revocation->epoch < 0)
        revocation->epoch = now = behind_the_last(control, revocation, now + reach.leeway);
    if (revocation->until < 0)
        revocation->until = reach.lifetime > 0 ? now + reach.lifetime + 2 * reach.leeway : GH_REVOKED_ALWAYS;
    if (*ret_wrong == NULL && !gh_revocation_is_sound(revocation))
        *ret_wrong = "id: is missing, or too long";
    return *ret_wrong == NULL ? GH_OK : GH_SETTINGS_INVALID;
}
