/* io/watch.c: one libevent event behind gh_watch. */
#include "io/watch.h"

#include <event2/event.h>
#include <stdlib.h>

#include "base/arena.h"

struct gh_watch {
    struct gh_loop *loop;
    struct event *event;
    int fd;
    void (*run)(void *ctx, int fd, unsigned ready);
    void *ctx;
};

static void on_event(evutil_socket_t fd, short what, void *arg);
static void free_watch(void *ptr);

struct gh_watch *gh_watch_new(struct gh_loop *loop, int fd, void (*run)(void *ctx, int fd, unsigned ready),
                              void *ctx)
{
    struct gh_watch *watch = gh_calloc(1, sizeof(*watch));
    if (watch == NULL)
        return NULL;
    *watch = (struct gh_watch){ .loop = loop, .fd = fd, .run = run, .ctx = ctx };
    watch->event = event_new(gh_loop_peek_base(loop), fd, EV_PERSIST, on_event, watch);
    if (watch->event == NULL) {
        free(watch);
        return NULL;
    }
    return watch;
}

bool gh_watch_set(struct gh_watch *watch, unsigned what, int64_t in_ms)
{
    short kind =
        (short)(((what & GH_WATCH_READ) != 0 ? EV_READ : 0) | ((what & GH_WATCH_WRITE) != 0 ? EV_WRITE : 0));
    (void)event_del(watch->event);
    if (kind == 0 && in_ms < 0)
        return true;
    /* Waiting for a descriptor goes on; a time alone comes once. */
    short persist = watch->fd >= 0 && in_ms < 0 ? EV_PERSIST : 0;
    struct timeval wait = { .tv_sec = in_ms / 1000, .tv_usec = in_ms % 1000 * 1000 };
    return event_assign(watch->event, gh_loop_peek_base(watch->loop), watch->fd, (short)(kind | persist),
                        on_event, watch) == 0 &&
           event_add(watch->event, in_ms >= 0 ? &wait : NULL) == 0;
}

static void on_event(evutil_socket_t fd, short what, void *arg)
{
    struct gh_watch *watch = arg;
    unsigned ready =
        ((what & EV_READ) != 0 ? GH_WATCH_READ : 0) | ((what & EV_WRITE) != 0 ? GH_WATCH_WRITE : 0);
    watch->run(watch->ctx, fd, ready);
}

void gh_watch_free(struct gh_watch *watch)
{
    if (watch == NULL)
        return;
    (void)event_del(watch->event);
    gh_loop_free_later(watch->loop, free_watch, watch);
}

static void free_watch(void *ptr)
{
    struct gh_watch *watch = ptr;
    event_free(watch->event);
    free(watch);
}
