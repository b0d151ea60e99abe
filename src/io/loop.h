/* io/loop.h: one thread's event loop: turns, end-of-turn work, deadlines. Everything here belongs to one
 * thread. */
#ifndef GH_IO_LOOP_H
#define GH_IO_LOOP_H

#include "base/list.h"
#include "gatehouse/types.h"

struct event_base;
struct gh_loop;

/* A turn: events are run, then end-of-turn work (output is flushed), then what was given to
 * gh_loop_free_later dies. So output of one turn leaves in one system call per connection, and nobody asks
 * "did that call free me?". */
struct gh_loop *gh_loop_new(void);
void gh_loop_free(struct gh_loop *loop);
/* Runs until gh_loop_stop was called (from this thread) and returns after the end of that turn. */
void gh_loop_run(struct gh_loop *loop);
void gh_loop_stop(struct gh_loop *loop);
/* One turn: waits for events at most `timeout_ms` (-1: without bound). For tests. */
void gh_loop_turn(struct gh_loop *loop, int timeout_ms);
struct event_base *gh_loop_peek_base(struct gh_loop *loop);
/* Does a connection whose owner has gone still flush, or wait for its peer's end (gh_conn_finish)? */
bool gh_loop_lingers(const struct gh_loop *loop);

/* Read once a turn. */
int64_t gh_loop_now_ms(const struct gh_loop *loop); /* monotonic */
int64_t gh_loop_wall_s(const struct gh_loop *loop); /* since 1970 */
/* Test clock: from now on time is what the test says. */
void gh_loop_fake_time(struct gh_loop *loop, int64_t mono_ms, int64_t wall_s);

/* ---- end of turn ---- */
struct gh_turn_work {
    struct gh_list link; /* gh_turn_work_init before first use */
    void (*run)(struct gh_turn_work *work);
};
void gh_turn_work_init(struct gh_turn_work *work, void (*run)(struct gh_turn_work *work));
/* Runs once at the end of this turn; scheduling it again before that changes nothing. Work may schedule work:
 * it still runs in this turn (the loop goes round a bounded number of times, the rest waits for the next
 * turn). */
void gh_loop_at_end(struct gh_loop *loop, struct gh_turn_work *work);
void gh_turn_work_cancel(struct gh_turn_work *work);
/* Runs sooner: when the socket event that is being handled has been, while what it touched is still in the
 * processor's caches. A turn under load handles a hundred events. Work for the end of the turn is moved here.
 */
void gh_loop_soon(struct gh_loop *loop, struct gh_turn_work *work);
/* Calls free_fn(ptr) when the event has been handled, and all work that was to run soon. */
void gh_loop_free_later(struct gh_loop *loop, void (*free_fn)(void *ptr), void *ptr);

/* ---- deadlines: a coarse wheel (64 ms), O(1) to set and clear, no system call ---- */
struct gh_deadline {
    struct gh_list link; /* gh_deadline_init before first use */
    int64_t at_ms;
    void (*fire)(struct gh_deadline *deadline);
};
void gh_deadline_init(struct gh_deadline *deadline, void (*fire)(struct gh_deadline *deadline));
/* (Re)arms: fires once, never early, at most about 100 ms late. */
void gh_deadline_set(struct gh_loop *loop, struct gh_deadline *deadline, int64_t in_ms);
void gh_deadline_clear(struct gh_deadline *deadline);
static inline bool gh_deadline_is_set(const struct gh_deadline *deadline)
{
    return gh_list_is_linked(&deadline->link);
}

#endif
