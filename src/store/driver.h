/* store/driver.h: what the port (store.c) and the drivers behind it share: calls, log lines, and the table of
 * functions that a driver is. */
#ifndef GH_STORE_DRIVER_H
#define GH_STORE_DRIVER_H

#include "base/arena.h"
#include "store/store.h"

enum gh_store_kind { GH_STORE_READ, GH_STORE_LIST, GH_STORE_COMMIT, GH_STORE_TAKE };

/* One line for the log on its way there, or from there. */
struct gh_log_line {
    uint64_t position;
    int64_t appended_ms, until;
    gh_str line; /* gh_revocation_write's */
};

/* What was asked, all of it in the call's own arena, and what is answered. The client's thread makes it and
 * gets it back by letter; between the two it is the driver's. */
struct gh_store_call {
    struct gh_letter letter; /* first */
    struct gh_list link;     /* among its client's calls; the client's thread only */
    struct gh_store_call *next;
    struct gh_mailbox *mailbox;
    struct gh_arena *arena;
    gh_store_done done; /* NULL: cancelled; the client's thread only */
    void *ctx;
    bool orphaned; /* its client is gone: nobody to answer; under the store's lock */

    enum gh_store_kind kind;
    gh_str tenant;
    int64_t now;
    struct gh_strs keys;  /* read */
    gh_str prefix, after; /* list */
    size_t limit;
    const struct gh_precondition *preconditions; /* commit */
    const struct gh_write *writes;
    const struct gh_log_line *lines;
    size_t precondition_count, write_count, line_count;
    gh_str key; /* take */
    struct gh_rate_ask ask;

    struct gh_store_answer answer;
};

#define GH_LOG_BATCH 256
struct gh_log_batch {
    struct gh_log_line at[GH_LOG_BATCH];
    size_t count;
};

/* All run on the store's one thread, and may block. */
struct gh_store_driver {
    /* As gh_store_open, on the thread that calls it. */
    enum gh_reason (*open)(const struct gh_store_conf *conf, void **ret_self, char **ret_why);
    void (*close)(void *self);
    /* Answers each call of the chain. Commits may share one durable step, but each is judged by itself. */
    void (*run)(void *self, struct gh_store_call *first);
    /* Is the store in order? *ret_changed: something may have been appended by another process since the last
     * time. */
    enum gh_reason (*look)(void *self, bool *ret_changed);
    /* The entries behind a position, in order; lines are copied into the arena. */
    enum gh_reason (*tail)(void *self, uint64_t after, struct gh_arena *arena,
                           struct gh_log_batch *ret_batch);
    /* Deletes some of what has expired; *ret_more: there is more. */
    enum gh_reason (*sweep)(void *self, int64_t now_s, bool *ret_more);
    /* What the last failure was, for the operator; lent until the next call. */
    const char *(*why)(void *self);
    /* What is wrong although all works, once: asked behind each look, lent until the next call. NULL:
     * nothing, or nothing ever. */
    const char *(*warning)(void *self);
};

extern const struct gh_store_driver gh_store_sqlite, gh_store_redis;

#endif
