/* io/loop_private.h: what a loop is made of, shared by loop.c, deadline.c and the connections that borrow its
 * scratch. */
#ifndef GH_IO_LOOP_PRIVATE_H
#define GH_IO_LOOP_PRIVATE_H

#include <event2/event.h>

#include "base/buf.h"
#include "io/loop.h"

/* A slot is 64 ms, so the wheel turns once in about 33 s; what lies beyond waits in the slot it falls in and
 * is looked at once each turn of the wheel. */
#define WHEEL_SHIFT 6
#define WHEEL_SLOTS 512u
#define WHEEL_NEVER INT64_MAX

struct gh_wheel {
    struct gh_list slots[WHEEL_SLOTS];
    uint64_t used[WHEEL_SLOTS / 64]; /* bit set: the slot may hold something */
    int64_t hand;                    /* the first slot number (ms >> shift) not yet looked at */
    int64_t next;                    /* no deadline stands in a slot before this one; WHEEL_NEVER: none */
};
void gh_wheel_init(struct gh_wheel *wheel);
void gh_wheel_done(struct gh_wheel *wheel);
/* When the wheel must be run again, in ms; WHEEL_NEVER when it is empty. */
int64_t gh_wheel_due_ms(const struct gh_wheel *wheel);
void gh_wheel_run(struct gh_loop *loop, int64_t now_ms);

/* Lent to one connection for one read or one flush: a thousand idle connections share these bytes. */
#define SCRATCH_READ (64u * 1024)
#define SCRATCH_PLAIN                                                                                        \
    (SCRATCH_READ + 20u * 1024) /* plain is never longer than its cipher; one kept record more */
struct gh_scratch {
    char read[SCRATCH_READ];
    char plain[SCRATCH_PLAIN];
    struct gh_buf cipher; /* empty between flushes, its memory stays */
};

/* Read at most once a turn, and only in turns in which somebody asks. */
struct gh_turn_time {
    bool mono_known, wall_known, fake;
    int64_t mono_ms, wall_s;
};

struct gh_dying {
    void (*free_fn)(void *ptr);
    void *ptr;
};

struct gh_loop {
    struct event_base *base;
    struct event *alarm; /* the only libevent timer: the next deadline, or the end of a test's turn */
    int64_t alarm_ms;    /* when it goes off; WHEEL_NEVER: not armed */
    struct gh_turn_time *time;
    struct gh_list soon, work;
    struct gh_dying *dying;
    size_t dying_count, dying_cap;
    struct gh_scratch *scratch;
    struct gh_wheel wheel;
    struct gh_list lingering; /* conns whose owner has gone: they flush, then free themselves */
    bool stopping;
};

/* After a socket event, with nothing of it in use any more: soon work, then deaths. */
void gh_loop_settle(struct gh_loop *loop);

/* conn.c: at the end of the loop nobody waits for their peers any more. */
void gh_conn_cut_lingering(struct gh_loop *loop);

#endif
