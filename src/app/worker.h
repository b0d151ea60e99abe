/* app/worker.h: one worker thread: a loop with a gateway and a front; told everything by letters. */
#ifndef GH_APP_WORKER_H
#define GH_APP_WORKER_H

#include "app/snapshot.h"
#include "front/dispatch.h"
#include "gateway/gateway.h"

struct gh_worker;

/* A token to be introspected. */
struct gh_worker_question {
    uint32_t slot;
    gh_str token;
    uint64_t ticket;
    bool suspect;
};

struct gh_worker_new {
    unsigned index;
    struct gh_mailbox *control; /* where questions go; its owner is the struct below's ctx */
    struct gh_registry *registry;
    struct gh_offload *offload, *passwords;
    struct gh_limits *limits; /* of managed issuers */
    struct gh_sources *sources;
    struct gh_streams *streams;
    struct gh_lane *audit; /* NULL: off */
    struct gh_lane *log;   /* NULL: standard error */
    struct gh_route_stats *no_route;
    struct gh_store *store;       /* NULL: none, and so no managed issuer */
    struct gh_index *revocations; /* NULL: there is no store */
    /* Run on the control thread, as answers to letters of the worker. */
    void (*want_key)(void *control, struct gh_worker *worker, uint32_t slot, gh_str kid, uint64_t ticket);
    void (*introspect)(void *control, struct gh_worker *worker, const struct gh_worker_question *question);
    void (*fetch)(void *control, struct gh_worker *worker, gh_str url, gh_str source, uint64_t ticket);
    void (*sign_in)(void *control, struct gh_worker *worker, gh_str asked, uint64_t ticket);
    void (*hear)(void *control, struct gh_worker *worker, gh_str signal, uint64_t ticket);
    void (*drained)(void *control, struct gh_worker *worker);
};

struct gh_worker *gh_worker_new(const struct gh_worker_new *with);
/* Starts the thread. */
bool gh_worker_start(struct gh_worker *worker) GH_MUST_USE;
/* Asks the loop to stop, joins the thread, frees. */
void gh_worker_free(struct gh_worker *worker);

/* Letters. False when out of memory: nothing was sent. */
bool gh_worker_snapshot(struct gh_worker *worker, struct gh_snapshot *snapshot) GH_MUST_USE;
/* After the first snapshot: accept from fd (owned by the worker from then on) under listener `index`. */
bool gh_worker_listen(struct gh_worker *worker, size_t index, int fd) GH_MUST_USE;
/* The view's reference is taken over (also on failure). */
bool gh_worker_keys(struct gh_worker *worker, uint32_t slot, const struct gh_keys_view *view) GH_MUST_USE;
/* The reference is taken over (also on failure). */
bool gh_worker_signing(struct gh_worker *worker, gh_str issuer, struct gh_issuer_keys *keys) GH_MUST_USE;
bool gh_worker_key_came(struct gh_worker *worker, uint64_t ticket) GH_MUST_USE;
bool gh_worker_introspected(struct gh_worker *worker, uint64_t ticket, enum gh_reason reason, gh_str answer)
    GH_MUST_USE;
/* The index of revocations has changed, or has not been told anything for long. Told again before it has
 * looked, it looks once. */
bool gh_worker_revoked(struct gh_worker *worker) GH_MUST_USE;
bool gh_worker_fetched(struct gh_worker *worker, uint64_t ticket, const struct gh_issuer_fetched *fetched)
    GH_MUST_USE;
/* What came of a signal. */
bool gh_worker_heard(struct gh_worker *worker, uint64_t ticket, const struct gh_signal_outcome *outcome)
    GH_MUST_USE;
/* Graceful end: no new connections, running exchanges finish; `drained` follows. */
bool gh_worker_drain(struct gh_worker *worker) GH_MUST_USE;

#endif
