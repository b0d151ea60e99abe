/* store/store.c: the store's thread and the queue in front of it: calls in batches, the log, the sweeping. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/str.h"
#include "store/store_private.h"
#include "store/store_redis.h"

/* Answers of one batch leave together: commits share a durable step, and nobody waits for many of them. */
#define BATCH_MAX 128u

/* Where more has expired than one sweep deletes, the next comes that soon: calls come between. */
#define SWEEP_AGAIN_MS 20

static void *run(void *arg);
static bool wait_for_work(struct gh_store *store, struct gh_store_call **ret_batch);
static void run_batch(struct gh_store *store, struct gh_store_call *batch);
static void sweep(struct gh_store *store, int64_t now_ms);

/* ---- opening and closing ---- */

static const struct gh_store_driver *driver_of(gh_str url)
{
    if (gh_str_starts(url, GH_STR("sqlite:")))
        return &gh_store_sqlite;
    return gh_str_starts(url, GH_STR("redis")) ? &gh_store_redis : NULL;
}

/* A unix socket has no host. */
static enum gh_reason list_hosts(struct gh_arena *arena, const struct gh_redis_place *from,
                                 struct gh_store_place *place)
{
    gh_str *hosts = gh_arena_calloc(arena, GH_REDIS_SENTINELS, sizeof(*hosts));
    if (hosts == NULL)
        return GH_OUT_OF_MEMORY;
    place->tls = from->tls;
    place->sentinel = from->sentinel_count > 0;
    size_t count = 0;
    if (from->server.host.len > 0)
        hosts[count++] = from->server.host;
    for (size_t i = 0; i < from->sentinel_count; i++)
        hosts[count++] = from->sentinels[i].host;
    place->hosts = (struct gh_strs){ hosts, count };
    return GH_OK;
}

enum gh_reason gh_store_url_read(struct gh_arena *arena, gh_str url, struct gh_store_place *ret_place,
                                 const char **ret_allowed)
{
    struct gh_redis_place redis = { 0 };
    const struct gh_store_driver *driver = driver_of(url);
    *ret_place = (struct gh_store_place){ 0 };
    *ret_allowed = "sqlite:PATH, sqlite::memory:, " GH_REDIS_ALLOWED;
    if (driver == NULL || url.len <= strlen("sqlite:"))
        return GH_SETTINGS_INVALID;
    if (driver != &gh_store_redis)
        return GH_OK;
    enum gh_reason reason = gh_redis_place_read(arena, url, &redis, ret_allowed);
    return reason == GH_OK ? list_hosts(arena, &redis, ret_place) : reason;
}

enum gh_reason gh_store_tls(const struct gh_store_conf *conf, struct gh_tls_context **ret_context,
                            char **ret_why)
{
    const struct gh_tls_client_conf tls = { .ca_file = conf->ca_file,
                                            .certificate_file = conf->certificate_file,
                                            .key_file = conf->key_file,
                                            .no_alpn = true };
    return gh_tls_client_context(&tls, ret_context, ret_why);
}

static void init_queue(struct gh_store *store)
{
    pthread_condattr_t attributes;
    pthread_mutex_init(&store->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&store->more, &attributes);
    pthread_condattr_destroy(&attributes);
    store->last = &store->first;
}

enum gh_reason gh_store_open(const struct gh_store_conf *conf, struct gh_store **ret_store, char **ret_why)
{
    const struct gh_store_driver *driver = driver_of(conf->url);
    if (driver == NULL) {
        *ret_why = strdup("no such kind of store; allowed: sqlite:PATH, " GH_REDIS_ALLOWED);
        return GH_SETTINGS_INVALID;
    }
    struct gh_store *store = gh_calloc(1, sizeof(*store));
    if (store == NULL)
        return GH_OUT_OF_MEMORY;
    store->conf = *conf;
    /* The texts are the caller's, and the driver keeps its own. */
    store->conf.url = store->conf.password_file = store->conf.sentinel_password_file = GH_STR_NONE;
    store->conf.ca_file = store->conf.certificate_file = store->conf.key_file = GH_STR_NONE;
    store->driver = driver;
    init_queue(store);
    enum gh_reason reason = driver->open(conf, &store->self, ret_why);
    if (reason == GH_OK)
        *ret_store = store;
    else
        gh_store_close(store);
    return reason;
}

/* Signals belong to the control thread. */
bool gh_store_start(struct gh_store *store)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    store->started = pthread_create(&store->thread, NULL, run, store) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (store->started)
        pthread_setname_np(store->thread, "gh-store");
    return store->started;
}

void gh_store_close(struct gh_store *store)
{
    if (store == NULL)
        return;
    pthread_mutex_lock(&store->lock);
    store->stopping = true;
    pthread_cond_broadcast(&store->more);
    pthread_mutex_unlock(&store->lock);
    if (store->started)
        pthread_join(store->thread, NULL);
    while (store->first != NULL) {
        struct gh_store_call *call = store->first;
        store->first = call->next;
        gh_store_call_free(call);
    }
    if (store->self != NULL)
        store->driver->close(store->self);
    pthread_cond_destroy(&store->more);
    pthread_mutex_destroy(&store->lock);
    free(store);
}

/* ---- the thread ---- */

static void *run(void *arg)
{
    struct gh_store *store = arg;
    struct gh_store_call *batch;
    store->sweep_at_ms = gh_clock_mono_ms();
    while (wait_for_work(store, &batch)) {
        if (batch != NULL)
            run_batch(store, batch);
        int64_t now = gh_clock_mono_ms();
        gh_follow_turn(store, now);
        if (now >= store->sweep_at_ms)
            sweep(store, now);
    }
    return NULL;
}

static int64_t due_ms(const struct gh_store *store)
{
    int64_t follow = gh_follow_due_ms(store);
    return follow < store->sweep_at_ms ? follow : store->sweep_at_ms;
}

/* Reads whose asker is gone are left out; their commits happen all the same. */
static struct gh_store_call *take_batch(struct gh_store *store)
{
    struct gh_store_call *batch = NULL, **last = &batch;
    for (size_t taken = 0; taken < BATCH_MAX && store->first != NULL;) {
        struct gh_store_call *call = store->first;
        store->first = call->next;
        store->queued--;
        if (call->orphaned && call->kind != GH_STORE_COMMIT) {
            gh_store_call_free(call);
            continue;
        }
        *last = call;
        last = &call->next;
        taken++;
    }
    *last = NULL;
    if (store->first == NULL)
        store->last = &store->first;
    return batch;
}

/* False when the thread is to end. */
static bool wait_for_work(struct gh_store *store, struct gh_store_call **ret_batch)
{
    pthread_mutex_lock(&store->lock);
    int64_t due;
    while (!store->stopping && store->first == NULL && (due = due_ms(store)) > gh_clock_mono_ms()) {
        const struct timespec until = { .tv_sec = due / 1000, .tv_nsec = due % 1000 * 1000000 };
        (void)pthread_cond_timedwait(&store->more, &store->lock, &until);
    }
    bool goes_on = !store->stopping;
    *ret_batch = goes_on ? take_batch(store) : NULL;
    pthread_mutex_unlock(&store->lock);
    return goes_on;
}

static void post_answers(struct gh_store *store, struct gh_store_call *batch)
{
    pthread_mutex_lock(&store->lock); /* its client may be going at this moment */
    for (struct gh_store_call *call = batch, *next; call != NULL; call = next) {
        next = call->next;
        if (call->orphaned)
            gh_store_call_free(call);
        else
            gh_mailbox_post(call->mailbox, &call->letter);
    }
    pthread_mutex_unlock(&store->lock);
}

/* Who hears that a revocation is durable relies on this process knowing it. */
static void doubt_untold(const struct gh_store *store, struct gh_store_call *batch)
{
    for (struct gh_store_call *call = batch; call != NULL; call = call->next)
        if (call->answer.position > store->follow.position)
            call->answer = (struct gh_store_answer){ .reason = GH_STORE_DOWN };
}

static void run_batch(struct gh_store *store, struct gh_store_call *batch)
{
    store->driver->run(store->self, batch);
    int64_t now = gh_clock_mono_ms();
    bool appended = false;
    for (const struct gh_store_call *call = batch; call != NULL; call = call->next) {
        appended = appended || call->answer.position != 0;
        gh_follow_outcome(store, call->answer.reason, now);
    }
    if (appended && !gh_follow_appended(store, now))
        doubt_untold(store, batch);
    post_answers(store, batch);
}

void gh_store_run_early(struct gh_store *store)
{
    if (store->started)
        return;
    pthread_mutex_lock(&store->lock);
    struct gh_store_call *batch = take_batch(store);
    pthread_mutex_unlock(&store->lock);
    if (batch != NULL)
        run_batch(store, batch);
}

static void sweep(struct gh_store *store, int64_t now_ms)
{
    bool more = false;
    enum gh_reason reason = store->driver->sweep(store->self, gh_clock_wall_us() / 1000000, &more);
    gh_follow_outcome(store, reason, now_ms);
    store->sweep_at_ms = now_ms + (reason == GH_OK && more ? SWEEP_AGAIN_MS : store->conf.sweep_s * 1000);
}
