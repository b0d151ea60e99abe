/* app/worker.c: the worker thread and the letters it reads. */
#include "app/worker.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/loglane.h"
#include "base/blocks.h"
#include "base/log.h"
#include "base/str.h"
#include "io/address.h"
#include "wire/h2.h"

struct gh_worker {
    struct gh_worker_new with;
    pthread_t thread;
    bool started;
    struct gh_loop *loop;
    struct gh_mailbox *mailbox;
    struct gh_gateway *gateway;
    struct gh_store_client *store;
    struct gh_issuer_server *issuer; /* NULL without a store */
    struct gh_signals *signals;
    struct gh_dispatch dispatch;
    struct gh_front *front;
    struct gh_snapshot *snapshot;
    struct gh_observer observer;
    struct gh_arena_pool arenas;
    struct gh_gateway_ports ports;
    struct gh_issuer_ports issuer_ports;
    bool revoked_told; /* atomic: a letter about it is on its way */
};

/* ---- letters to the worker: one struct for all, the kind says what counts ---- */

enum kind {
    TELL_SNAPSHOT,
    TELL_LISTEN,
    TELL_KEYS,
    TELL_SIGNING,
    TELL_KEY_CAME,
    TELL_INTROSPECTED,
    TELL_FETCHED,
    TELL_HEARD,
    TELL_REVOKED,
    TELL_DRAIN,
    TELL_STOP
};

struct tell {
    struct gh_letter letter; /* first */
    enum kind kind;
    struct gh_snapshot *snapshot; /* a reference */
    size_t index;
    int fd;
    uint32_t slot;
    struct gh_keys_view view;       /* with a reference */
    struct gh_issuer_keys *signing; /* a reference */
    uint64_t ticket;
    enum gh_reason reason;
    int64_t max_age_s;
    struct gh_signal_outcome outcome; /* its id is the answer */
    gh_str answer;                    /* behind this struct */
};

static void discard_tell(struct gh_letter *letter)
{
    struct tell *tell = (struct tell *)letter;
    gh_snapshot_unref(tell->snapshot);
    gh_jwks_unref(tell->view.set);
    gh_issuer_keys_unref(tell->signing);
    if (tell->fd >= 0)
        (void)close(tell->fd);
    free(tell);
}

static void take_snapshot(struct gh_worker *worker, struct gh_snapshot *snapshot)
{
    struct gh_snapshot *old = worker->snapshot;
    worker->snapshot = gh_snapshot_ref(snapshot);
    gh_front_configure(worker->front, &snapshot->conf->front);
    for (size_t i = 0; i < snapshot->conf->front.listener_count; i++)
        gh_front_set_tls(worker->front, i,
                         snapshot->tls[i] != NULL ? gh_tls_context_ref(snapshot->tls[i]) : NULL);
    gh_gateway_set_site(worker->gateway, snapshot->conf->site);
    if (worker->issuer != NULL)
        gh_issuer_server_set_site(worker->issuer, snapshot->conf->issuer_site);
    gh_signals_set_site(worker->signals, &snapshot->conf->signals);
    gh_snapshot_unref(old);
}

static void take_listener(struct gh_worker *worker, struct tell *tell)
{
    struct gh_tls_context *tls = worker->snapshot->tls[tell->index];
    if (tls != NULL)
        tls = gh_tls_context_ref(tls);
    if (gh_front_listen(worker->front, tell->index, tell->fd, tls)) {
        tell->fd = -1;
        return;
    }
    gh_tls_context_unref(tls);
    gh_log(GH_LOG_ERROR, "a listening socket could not be used: out of memory");
}

static void say_drained(void *ctx);

static void open_tell(struct gh_letter *letter, void *owner)
{
    struct gh_worker *worker = owner;
    struct tell *tell = (struct tell *)letter;
    switch (tell->kind) {
    case TELL_SNAPSHOT:
        take_snapshot(worker, tell->snapshot);
        break;
    case TELL_LISTEN:
        take_listener(worker, tell);
        break;
    case TELL_KEYS:
        gh_gateway_set_keys(worker->gateway, tell->slot, &tell->view);
        tell->view.set = NULL;
        break;
    case TELL_SIGNING:
        if (worker->issuer != NULL)
            gh_issuer_server_set_keys(worker->issuer, tell->answer, gh_issuer_keys_ref(tell->signing));
        break;
    case TELL_KEY_CAME:
        gh_gateway_key_came(worker->gateway, tell->ticket);
        break;
    case TELL_INTROSPECTED:
        gh_gateway_introspected(worker->gateway, tell->ticket, tell->reason, tell->answer);
        break;
    case TELL_FETCHED:
        gh_issuer_server_fetched(worker->issuer, tell->ticket,
                                 &(struct gh_issuer_fetched){ tell->reason, tell->answer, tell->max_age_s });
        break;
    case TELL_HEARD:
        tell->outcome.id = tell->answer;
        gh_signals_heard(worker->signals, tell->ticket, &tell->outcome);
        break;
    case TELL_REVOKED:
        __atomic_store_n(&worker->revoked_told, false,
                         __ATOMIC_SEQ_CST); /* what comes from now on tells anew */
        gh_gateway_revoked(worker->gateway);
        break;
    case TELL_DRAIN:
        gh_front_drain(worker->front, true, say_drained, worker);
        break;
    case TELL_STOP:
        gh_loop_stop(worker->loop);
        break;
    }
    discard_tell(letter);
}

static bool post(struct gh_worker *worker, const struct tell *what)
{
    struct tell *tell = gh_malloc(sizeof(*tell) + what->answer.len);
    if (tell == NULL)
        return false;
    *tell = *what;
    tell->letter = (struct gh_letter){ .open = open_tell, .discard = discard_tell };
    if (what->answer.len > 0)
        memcpy(tell + 1, what->answer.ptr, what->answer.len);
    tell->answer = gh_str_of(tell + 1, what->answer.len);
    gh_mailbox_post(worker->mailbox, &tell->letter);
    return true;
}

bool gh_worker_snapshot(struct gh_worker *worker, struct gh_snapshot *snapshot)
{
    const struct tell tell = { .kind = TELL_SNAPSHOT, .snapshot = gh_snapshot_ref(snapshot), .fd = -1 };
    if (post(worker, &tell))
        return true;
    gh_snapshot_unref(snapshot);
    return false;
}

bool gh_worker_listen(struct gh_worker *worker, size_t index, int fd)
{
    return post(worker, &(struct tell){ .kind = TELL_LISTEN, .index = index, .fd = fd });
}

bool gh_worker_keys(struct gh_worker *worker, uint32_t slot, const struct gh_keys_view *view)
{
    if (post(worker, &(struct tell){ .kind = TELL_KEYS, .slot = slot, .view = *view, .fd = -1 }))
        return true;
    gh_jwks_unref(view->set);
    return false;
}

bool gh_worker_signing(struct gh_worker *worker, gh_str issuer, struct gh_issuer_keys *keys)
{
    if (post(worker, &(struct tell){ .kind = TELL_SIGNING, .signing = keys, .answer = issuer, .fd = -1 }))
        return true;
    gh_issuer_keys_unref(keys);
    return false;
}

bool gh_worker_key_came(struct gh_worker *worker, uint64_t ticket)
{
    return post(worker, &(struct tell){ .kind = TELL_KEY_CAME, .ticket = ticket, .fd = -1 });
}

bool gh_worker_introspected(struct gh_worker *worker, uint64_t ticket, enum gh_reason reason, gh_str answer)
{
    return post(
        worker,
        &(struct tell){
            .kind = TELL_INTROSPECTED, .ticket = ticket, .reason = reason, .answer = answer, .fd = -1 });
}

bool gh_worker_revoked(struct gh_worker *worker)
{
    if (__atomic_exchange_n(&worker->revoked_told, true, __ATOMIC_SEQ_CST))
        return true;
    if (post(worker, &(struct tell){ .kind = TELL_REVOKED, .fd = -1 }))
        return true;
    __atomic_store_n(&worker->revoked_told, false, __ATOMIC_SEQ_CST);
    return false;
}

bool gh_worker_fetched(struct gh_worker *worker, uint64_t ticket, const struct gh_issuer_fetched *fetched)
{
    return post(worker, &(struct tell){ .kind = TELL_FETCHED,
                                        .ticket = ticket,
                                        .reason = fetched->reason,
                                        .max_age_s = fetched->max_age_s,
                                        .answer = fetched->body,
                                        .fd = -1 });
}

bool gh_worker_heard(struct gh_worker *worker, uint64_t ticket, const struct gh_signal_outcome *outcome)
{
    return post(
        worker,
        &(struct tell){
            .kind = TELL_HEARD, .ticket = ticket, .outcome = *outcome, .answer = outcome->id, .fd = -1 });
}

bool gh_worker_drain(struct gh_worker *worker)
{
    return post(worker, &(struct tell){ .kind = TELL_DRAIN, .fd = -1 });
}

/* ---- letters from the worker ---- */

enum question { ASK_KEY, ASK_INTROSPECTION, ASK_DOCUMENT, ASK_SIGN_IN, ASK_SIGNAL, SAY_DRAINED };

struct ask {
    struct gh_letter letter; /* first */
    enum question question;
    struct gh_worker *worker;
    uint32_t slot;
    uint64_t ticket;
    bool suspect;
    char source[GH_ADDRESS_TEXT]; /* with a NUL; longer than any address */
    gh_str text; /* behind this struct: the kid, the token, the URL, what is asked of a provider, a signal */
};

static void discard_ask(struct gh_letter *letter)
{
    struct ask *ask = (struct ask *)letter;
    gh_wipe(ask + 1, ask->text.len);
    free(ask);
}

static void open_ask(struct gh_letter *letter, void *control)
{
    struct ask *ask = (struct ask *)letter;
    const struct gh_worker_new *with = &ask->worker->with;
    switch (ask->question) {
    case ASK_KEY:
        with->want_key(control, ask->worker, ask->slot, ask->text, ask->ticket);
        break;
    case ASK_INTROSPECTION:
        with->introspect(control, ask->worker,
                         &(struct gh_worker_question){ ask->slot, ask->text, ask->ticket, ask->suspect });
        break;
    case ASK_DOCUMENT:
        with->fetch(control, ask->worker, ask->text, gh_str_from(ask->source), ask->ticket);
        break;
    case ASK_SIGN_IN:
        with->sign_in(control, ask->worker, ask->text, ask->ticket);
        break;
    case ASK_SIGNAL:
        with->hear(control, ask->worker, ask->text, ask->ticket);
        break;
    case SAY_DRAINED:
        with->drained(control, ask->worker);
        break;
    }
    discard_ask(letter);
}

static bool ask(struct gh_worker *worker, const struct ask *what)
{
    struct ask *letter = gh_malloc(sizeof(*letter) + what->text.len);
    if (letter == NULL)
        return false;
    *letter = *what;
    letter->letter = (struct gh_letter){ .open = open_ask, .discard = discard_ask };
    letter->worker = worker;
    if (what->text.len > 0)
        memcpy(letter + 1, what->text.ptr, what->text.len);
    letter->text = gh_str_of(letter + 1, what->text.len);
    gh_mailbox_post(worker->with.control, &letter->letter);
    return true;
}

static bool want_key(void *ctx, uint32_t slot, gh_str kid, uint64_t ticket)
{
    return ask(ctx, &(struct ask){ .question = ASK_KEY, .slot = slot, .ticket = ticket, .text = kid });
}

static bool introspect(void *ctx, uint32_t slot, gh_str token, uint64_t ticket, bool suspect)
{
    return ask(ctx, &(struct ask){ .question = ASK_INTROSPECTION,
                                   .slot = slot,
                                   .ticket = ticket,
                                   .suspect = suspect,
                                   .text = token });
}

static bool fetch(void *ctx, gh_str url, gh_str source, uint64_t ticket)
{
    struct ask what = { .question = ASK_DOCUMENT, .ticket = ticket, .text = url };
    if (source.len >= sizeof(what.source))
        return false;
    if (source.len > 0)
        memcpy(what.source, source.ptr, source.len);
    return ask(ctx, &what);
}

static bool sign_in(void *ctx, gh_str asked, uint64_t ticket)
{
    return ask(ctx, &(struct ask){ .question = ASK_SIGN_IN, .ticket = ticket, .text = asked });
}

static bool hear(void *ctx, gh_str signal, uint64_t ticket)
{
    return ask(ctx, &(struct ask){ .question = ASK_SIGNAL, .ticket = ticket, .text = signal });
}

static void say_drained(void *ctx)
{
    if (!ask(ctx, &(struct ask){ .question = SAY_DRAINED }))
        gh_log(GH_LOG_ERROR, "a worker has drained but could not say so: out of memory");
}

/* ---- life ---- */

static void *run(void *arg)
{
    struct gh_worker *worker = arg;
    sigset_t all;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_BLOCK, &all, NULL); /* signals are the control thread's */
    gh_loglane_set(worker->with.log);
    gh_loop_run(worker->loop);
    gh_front_free(worker->front);
    worker->front = NULL;
    gh_loop_turn(worker->loop, 0); /* what was to be freed later is freed */
    gh_issuer_server_free(worker->issuer);
    worker->issuer = NULL;
    gh_signals_free(worker->signals);
    worker->signals = NULL;
    gh_gateway_free(worker->gateway);
    worker->gateway = NULL;
    gh_loop_turn(worker->loop, 0);
    gh_blocks_done();
    return NULL;
}

static bool build_issuer(struct gh_worker *worker)
{
    const struct gh_worker_new *with = &worker->with;
    worker->issuer_ports = (struct gh_issuer_ports){ .ctx = worker, .fetch = fetch, .sign_in = sign_in };
    const struct gh_issuer_new issuer = { .loop = worker->loop,
                                          .store = worker->store,
                                          .index = with->revocations,
                                          .ports = &worker->issuer_ports,
                                          .offload = with->offload,
                                          .limits = with->limits,
                                          .passwords = with->passwords,
                                          .mailbox = worker->mailbox,
                                          .registry = with->registry,
                                          .worker = with->index };
    worker->issuer = gh_issuer_server_new(&issuer);
    return worker->issuer != NULL;
}

static bool build(struct gh_worker *worker)
{
    const struct gh_worker_new *with = &worker->with;
    worker->loop = gh_loop_new();
    worker->mailbox = worker->loop != NULL ? gh_mailbox_new(worker->loop, worker) : NULL;
    if (worker->mailbox == NULL)
        return false;
    worker->observer = (struct gh_observer){ .stats = gh_registry_worker_stats(with->registry, with->index),
                                             .audit = with->audit,
                                             .arenas = &worker->arenas,
                                             .no_route = with->no_route };
    worker->ports =
        (struct gh_gateway_ports){ .ctx = worker, .want_key = want_key, .introspect = introspect };
    worker->store = with->store != NULL ? gh_store_client_new(with->store, worker->mailbox) : NULL;
    if (with->store != NULL && worker->store == NULL)
        return false;
    const struct gh_gateway_new gateway = { .loop = worker->loop,
                                            .ports = &worker->ports,
                                            .offload = with->offload,
                                            .mailbox = worker->mailbox,
                                            .registry = with->registry,
                                            .streams = with->streams,
                                            .worker = with->index,
                                            .index = with->revocations,
                                            .store = worker->store };
    worker->gateway = gh_gateway_new(&gateway);
    if (with->store != NULL && !build_issuer(worker))
        return false;
    const struct gh_signals_new signals = { .ask = hear, .ctx = worker };
    worker->signals = gh_signals_new(&signals);
    worker->dispatch = (struct gh_dispatch){ .gateway = worker->gateway,
                                             .issuer = worker->issuer,
                                             .signals = worker->signals };
    const struct gh_front_new front = { .loop = worker->loop,
                                        .observer = &worker->observer,
                                        .sources = with->sources,
                                        .handler = &gh_dispatch_handler,
                                        .handler_ctx = &worker->dispatch };
    worker->front = gh_front_new(&front);
    return worker->gateway != NULL && worker->signals != NULL && worker->front != NULL;
}

struct gh_worker *gh_worker_new(const struct gh_worker_new *with)
{
    struct gh_worker *worker = gh_calloc(1, sizeof(*worker));
    if (worker == NULL)
        return NULL;
    worker->with = *with;
    if (build(worker))
        return worker;
    gh_worker_free(worker);
    return NULL;
}

bool gh_worker_start(struct gh_worker *worker)
{
    worker->started = pthread_create(&worker->thread, NULL, run, worker) == 0;
    return worker->started;
}

void gh_worker_free(struct gh_worker *worker)
{
    if (worker == NULL)
        return;
    if (worker->started) {
        while (!post(worker, &(struct tell){ .kind = TELL_STOP, .fd = -1 }))
            (void)usleep(1000); /* without memory for one letter there is nothing better than trying again */
        (void)pthread_join(worker->thread, NULL);
    }
    gh_front_free(worker->front);
    gh_issuer_server_free(worker->issuer);
    gh_signals_free(worker->signals);
    gh_gateway_free(worker->gateway); /* it may have asked the store something */
    gh_store_client_free(worker->store);
    gh_snapshot_unref(worker->snapshot);
    gh_mailbox_free(worker->mailbox);
    gh_loop_free(worker->loop);
    gh_arena_pool_done(&worker->arenas);
    free(worker);
}
