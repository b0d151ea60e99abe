/* store/store.h: the store port: rows with versions, atomic commits, and the revocation log; asynchronous,
 * with drivers behind it. */
#ifndef GH_STORE_STORE_H
#define GH_STORE_STORE_H

#include "gatehouse/effects.h"
#include "gatehouse/rate.h"
#include "io/mailbox.h"
#include "io/tls.h"

/* One store, shared by all threads of the process. Drivers: SQLite (store_sqlite.c), Redis (store_redis.c).
 */
struct gh_store;

struct gh_store_conf {
    gh_str url;          /* "sqlite:PATH", "sqlite::memory:", or as gh_redis_place_read has it */
    int64_t queue_max;   /* calls that wait; beyond: GH_OVERLOADED */
    int64_t busy_ms;     /* how long a lock of another process is waited for; then GH_STORE_DOWN */
    int64_t sweep_s;     /* how often expired rows and log entries are deleted */
    int64_t log_poll_ms; /* how often appends of other processes are looked for */
    /* Redis: */
    gh_str password_file, sentinel_password_file; /* empty: none */
    gh_str ca_file, certificate_file, key_file;   /* TLS; empty: the system's, no certificate */
    int64_t timeout_ms;                           /* how long an answer is waited for, a connection too */
    int64_t replicas;                             /* so many must have what is acknowledged */
    int64_t replica_wait_ms;                      /* how long that is waited for */
};
/* What an address says; GH_OK, GH_OUT_OF_MEMORY, or GH_SETTINGS_INVALID: *ret_allowed says what would be
 * right.
 */
struct gh_store_place {
    bool tls, sentinel;
    struct gh_strs hosts; /* that are spoken to, in the arena; none: a file, a unix socket */
};
GH_MUST_USE enum gh_reason gh_store_url_read(struct gh_arena *arena, gh_str url,
                                             struct gh_store_place *ret_place, const char **ret_allowed);
/* As gh_tls_client_context. */
GH_MUST_USE enum gh_reason gh_store_tls(const struct gh_store_conf *conf, struct gh_tls_context **ret_context,
                                        char **ret_why);

/* Opens and migrates; on failure a strdup'd text says why, for the operator: GH_SETTINGS_INVALID (url, a file
 * that others may read or write), GH_STORE_DOWN, GH_OUT_OF_MEMORY. */
GH_MUST_USE enum gh_reason gh_store_open(const struct gh_store_conf *conf, struct gh_store **ret_store,
                                         char **ret_why);
/* Starts the driver's thread: until then calls wait. False when it cannot be. */
bool gh_store_start(struct gh_store *store) GH_MUST_USE;
/* Before that, in its place: runs what waits, on this thread, which may take as long as the store does.
 * Later: nothing. */
void gh_store_run_early(struct gh_store *store);
/* Waits for what is running. Clients are freed before: calls that still wait have nobody to answer and are
 * dropped. The mailboxes of clients and follower are freed after. */
void gh_store_close(struct gh_store *store);

/* What one thread uses: answers come as letters to its mailbox. */
struct gh_store_client;
struct gh_store_client *gh_store_client_new(struct gh_store *store, struct gh_mailbox *mailbox);
/* Calls under way never answer. */
void gh_store_client_free(struct gh_store_client *client);

struct gh_store_answer {
    enum gh_reason
        reason;          /* GH_OK; GH_STORE_CONFLICT: a precondition did not hold, nothing was written, read
                            again and decide again; GH_STORE_DOWN, GH_STORE_MALFORMED: not durable, and after a crash
                            all of it          may be there or nothing; GH_OVERLOADED; GH_OUT_OF_MEMORY */
    struct gh_rows rows; /* of a read: one per key in the order asked, version 0 where there is none; of a
                            list: in the order of keys. Lent for the call of `done` */
    uint64_t position;   /* of a commit: of its last entry in the log; 0: it appended none */
    struct gh_rate_answer rate; /* of a take */
};
typedef void (*gh_store_done)(void *ctx, const struct gh_store_answer *answer);

/* All copy what they are given; `done` runs from the loop, exactly once, never inside the call. NULL when out
 * of memory: `done` never runs. `now` (seconds since 1970) decides which rows have expired: those count as
 * absent. */
struct gh_store_call;
struct gh_store_call *gh_store_read(struct gh_store_client *client, gh_str tenant, struct gh_strs keys,
                                    int64_t now, gh_store_done done, void *ctx);
/* Rows whose key begins with `prefix` and sorts behind `after` (empty: from the first), at most `limit`. */
struct gh_store_call *gh_store_list(struct gh_store_client *client, gh_str tenant, gh_str prefix,
                                    gh_str after, size_t limit, int64_t now, gh_store_done done, void *ctx);
/* All or nothing, durable when GH_OK comes (threats.md X7). Revocations are appended to the log in the same
 * step; the follower of this process is told before `done` runs. */
struct gh_store_call *gh_store_commit(struct gh_store_client *client, gh_str tenant,
                                      const struct gh_effects *effects, int64_t now, gh_store_done done,
                                      void *ctx);
/* Of what a rate limit has left (gh_rate_grant), by the clock of the store. Counted in one step that nothing
 * comes between, and not durable: a power loss or a failover may forget some, and nobody waits for a disk or
 * for replicas. `key` is gh_rate_key's. */
struct gh_store_call *gh_store_take(struct gh_store_client *client, gh_str tenant, gh_str key,
                                    const struct gh_rate_ask *ask, gh_store_done done, void *ctx);
/* Who asked is gone: no `done`. A commit happens all the same. */
void gh_store_cancel(struct gh_store_call *call);

/* ---- the log ---- */

/* A position orders the entries of one store; 0 is before the first. */
struct gh_store_log_entry {
    uint64_t position;
    int64_t appended_ms;             /* since 1970 */
    struct gh_revocation revocation; /* lent */
};
/* Every entry from the first that still matters, in order, those of other processes too: first the past, then
 * as they come, as letters to the mailbox. `caught_up` runs when the past has been told, and then again and
 * again, several times a second, as long as looks find the store in order: what has been told is complete as
 * of `as_of_ms` (monotonic). `trouble` runs when the store begins to fail, with words for the operator, and
 * with GH_OK when it has been well again for a while; `warning` when it works and something is wrong all the
 * same. One follower per process: the control thread. */
struct gh_store_follower {
    void (*entry)(void *ctx, const struct gh_store_log_entry *entry);
    void (*caught_up)(void *ctx, int64_t as_of_ms);
    void (*trouble)(void *ctx, enum gh_reason reason, gh_str why);
    void (*warning)(void *ctx, gh_str why);
    void *ctx;
};
/* Once, before or after the first calls. */
void gh_store_follow(struct gh_store *store, struct gh_mailbox *mailbox,
                     const struct gh_store_follower *follower);

#endif
