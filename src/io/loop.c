/* io/loop.c: a loop's turns: events, deadlines, end-of-turn work, deaths. */
#include "io/loop.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "io/loop_private.h"

/* How often end-of-turn work may call for more of it before events are looked at again. */
#define WORK_ROUNDS 8

static struct event_base *base_new(void);
static void on_alarm(evutil_socket_t fd, short what, void *arg);
static void wait_for_events(struct gh_loop *loop, int timeout_ms);
static void set_alarm(struct gh_loop *loop, int64_t at_ms);
static bool has_work(struct gh_loop *loop);
static void run_work(struct gh_loop *loop);
static void run_deaths(struct gh_loop *loop);

struct gh_loop *gh_loop_new(void)
{
    struct gh_loop *loop = gh_calloc(1, sizeof(*loop));
    if (loop == NULL)
        return NULL;
    gh_list_init(&loop->soon);
    gh_list_init(&loop->work);
    gh_list_init(&loop->lingering);
    gh_wheel_init(&loop->wheel);
    loop->alarm_ms = WHEEL_NEVER;
    loop->time = gh_calloc(1, sizeof(*loop->time));
    loop->scratch = gh_calloc(1, sizeof(*loop->scratch));
    loop->base = base_new();
    if (loop->time == NULL || loop->scratch == NULL || loop->base == NULL)
        goto fail;
    loop->alarm = event_new(loop->base, -1, 0, on_alarm, loop);
    if (loop->alarm == NULL)
        goto fail;
    return loop;
fail:
    gh_loop_free(loop);
    return NULL;
}

/* Without epoll's change list: it is keyed by descriptor number, and loses the registration of a descriptor
 * that was closed and opened anew under its old number within one turn, as libcurl does. It would save
 * little: a connection registers once for reading and pauses lazily. */
static struct event_base *base_new(void)
{
    struct event_config *config = event_config_new();
    if (config == NULL)
        return NULL;
    struct event_base *base = NULL;
    if (event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK) == 0 &&
        event_config_set_flag(config, EVENT_BASE_FLAG_IGNORE_ENV) == 0)
        base = event_base_new_with_config(config);
    event_config_free(config);
    return base;
}

void gh_loop_free(struct gh_loop *loop)
{
    if (loop == NULL)
        return;
    gh_conn_cut_lingering(loop);
    run_deaths(loop);
    while (!gh_list_is_empty(&loop->soon))
        gh_list_remove(gh_list_first(&loop->soon));
    while (!gh_list_is_empty(&loop->work))
        gh_list_remove(gh_list_first(&loop->work));
    gh_wheel_done(&loop->wheel);
    if (loop->alarm != NULL)
        event_free(loop->alarm);
    if (loop->base != NULL)
        event_base_free(loop->base);
    if (loop->scratch != NULL)
        gh_buf_done(&loop->scratch->cipher);
    free(loop->scratch);
    free(loop->time);
    free(loop->dying);
    free(loop);
}

void gh_loop_run(struct gh_loop *loop)
{
    loop->stopping = false;
    while (!loop->stopping)
        gh_loop_turn(loop, -1);
}

void gh_loop_stop(struct gh_loop *loop)
{
    loop->stopping = true;
}

void gh_loop_turn(struct gh_loop *loop, int timeout_ms)
{
    wait_for_events(loop, timeout_ms);
    if (gh_wheel_due_ms(&loop->wheel) != WHEEL_NEVER)
        gh_wheel_run(loop, gh_loop_now_ms(loop));
    run_work(loop);
    run_deaths(loop);
}

/* Time is forgotten before the wait, so that the first who asks after it reads the clock. */
static void wait_for_events(struct gh_loop *loop, int timeout_ms)
{
    int flags = EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY;
    if (timeout_ms == 0 || has_work(loop)) {
        flags |= EVLOOP_NONBLOCK;
    } else {
        int64_t due = loop->time->fake ? WHEEL_NEVER : gh_wheel_due_ms(&loop->wheel);
        int64_t end = timeout_ms < 0 ? WHEEL_NEVER : gh_clock_mono_ms() + timeout_ms;
        int64_t at = due < end ? due : end;
        if (at < loop->alarm_ms)
            set_alarm(loop, at);
    }
    loop->time->mono_known = loop->time->wall_known = loop->time->fake;
    if (event_base_loop(loop->base, flags) < 0)
        abort(); /* epoll itself failed: this thread cannot serve any more */
}

static void set_alarm(struct gh_loop *loop, int64_t at_ms)
{
    int64_t in = at_ms - gh_clock_mono_ms();
    if (in < 0)
        in = 0;
    struct timeval wait = { .tv_sec = in / 1000, .tv_usec = in % 1000 * 1000 };
    if (event_add(loop->alarm, &wait) == 0)
        loop->alarm_ms = at_ms;
}

/* It only ends the wait. An alarm that comes too early (its deadline was moved) costs one empty turn. */
static void on_alarm(evutil_socket_t fd, short what, void *arg)
{
    struct gh_loop *loop = arg;
    loop->alarm_ms = WHEEL_NEVER;
}

static bool has_work(struct gh_loop *loop)
{
    return !gh_list_is_empty(&loop->soon) || !gh_list_is_empty(&loop->work);
}

static void run_list(struct gh_list *list)
{
    struct gh_list now;
    struct gh_list *node;
    gh_list_init(&now);
    gh_list_prepend(list, &now);
    gh_list_remove(list); /* the nodes now hang on `now`, and new work starts a new list */
    while ((node = gh_list_first(&now)) != NULL) {
        struct gh_turn_work *work = GH_LIST_ENTRY(node, struct gh_turn_work, link);
        gh_list_remove(node);
        work->run(work);
    }
}

static void run_work(struct gh_loop *loop)
{
    for (int round = 0; round < WORK_ROUNDS && has_work(loop); round++) {
        run_list(&loop->soon);
        run_list(&loop->work);
    }
}

void gh_loop_settle(struct gh_loop *loop)
{
    for (int round = 0; round < WORK_ROUNDS && !gh_list_is_empty(&loop->soon); round++)
        run_list(&loop->soon);
    run_deaths(loop);
}

/* A death may bring others: they are appended and die in the same turn. */
static void run_deaths(struct gh_loop *loop)
{
    for (size_t i = 0; i < loop->dying_count; i++) {
        struct gh_dying dying = loop->dying[i];
        dying.free_fn(dying.ptr);
    }
    loop->dying_count = 0;
}

struct event_base *gh_loop_peek_base(struct gh_loop *loop)
{
    return loop->base;
}

int64_t gh_loop_now_ms(const struct gh_loop *loop)
{
    struct gh_turn_time *time = loop->time;
    if (!time->mono_known) {
        time->mono_ms = gh_clock_mono_ms();
        time->mono_known = true;
    }
    return time->mono_ms;
}

int64_t gh_loop_wall_s(const struct gh_loop *loop)
{
    struct gh_turn_time *time = loop->time;
    if (!time->wall_known) {
        time->wall_s = gh_clock_wall_us() / 1000000;
        time->wall_known = true;
    }
    return time->wall_s;
}

void gh_loop_fake_time(struct gh_loop *loop, int64_t mono_ms, int64_t wall_s)
{
    *loop->time = (struct gh_turn_time){
        .mono_known = true, .wall_known = true, .fake = true, .mono_ms = mono_ms, .wall_s = wall_s
    };
}

void gh_turn_work_init(struct gh_turn_work *work, void (*run)(struct gh_turn_work *work))
{
    gh_list_init(&work->link);
    work->run = run;
}

void gh_loop_at_end(struct gh_loop *loop, struct gh_turn_work *work)
{
    if (!gh_list_is_linked(&work->link))
        gh_list_append(&loop->work, &work->link);
}

void gh_loop_soon(struct gh_loop *loop, struct gh_turn_work *work)
{
    gh_list_remove(&work->link);
    gh_list_append(&loop->soon, &work->link);
}

void gh_turn_work_cancel(struct gh_turn_work *work)
{
    gh_list_remove(&work->link);
}

void gh_loop_free_later(struct gh_loop *loop, void (*free_fn)(void *ptr), void *ptr)
{
    if (loop->dying_count == loop->dying_cap) {
        size_t cap = loop->dying_cap == 0 ? 64 : loop->dying_cap * 2;
        struct gh_dying *grown = gh_realloc(loop->dying, cap * sizeof(*grown));
        if (grown == NULL)
            return; /* out of memory: the object leaks, which is safe, where freeing it now is not */
        loop->dying = grown;
        loop->dying_cap = cap;
    }
    loop->dying[loop->dying_count++] = (struct gh_dying){ .free_fn = free_fn, .ptr = ptr };
}
