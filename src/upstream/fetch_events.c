/* upstream/fetch_events.c: libcurl's sockets and its timer as events of the control loop. */
#include <event2/event.h>

#include "base/arena.h"
#include "upstream/fetch_private.h"

static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *of_socket);
static int set_timer(CURLM *multi, long timeout_ms, void *ctx);
static void on_socket(evutil_socket_t fd, short what, void *arg);
static void on_timer(evutil_socket_t fd, short what, void *arg);
static void free_event(void *ptr);

bool gh_fetch_events_start(struct gh_fetcher *fetcher)
{
    fetcher->timer = event_new(gh_loop_peek_base(fetcher->loop), -1, 0, on_timer, fetcher);
    return fetcher->timer != NULL &&
           curl_multi_setopt(fetcher->multi, CURLMOPT_SOCKETFUNCTION, watch_socket) == CURLM_OK &&
           curl_multi_setopt(fetcher->multi, CURLMOPT_SOCKETDATA, fetcher) == CURLM_OK &&
           curl_multi_setopt(fetcher->multi, CURLMOPT_TIMERFUNCTION, set_timer) == CURLM_OK &&
           curl_multi_setopt(fetcher->multi, CURLMOPT_TIMERDATA, fetcher) == CURLM_OK;
}

void gh_fetch_events_stop(struct gh_fetcher *fetcher)
{
    if (fetcher->timer != NULL)
        event_free(fetcher->timer);
    fetcher->timer = NULL;
}

/* libcurl says what it waits for on a socket, and when it has done with it. */
static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *of_socket)
{
    struct gh_fetcher *fetcher = ctx;
    struct event *event = of_socket;
    if (event != NULL)
        (void)event_del(event);
    if (what == CURL_POLL_REMOVE) {
        if (event != NULL) {
            (void)curl_multi_assign(fetcher->multi, fd, NULL);
            gh_loop_free_later(fetcher->loop, free_event, event);
        }
        return 0;
    }
    int kind = EV_PERSIST | ((what & CURL_POLL_IN) != 0 ? EV_READ : 0) |
               ((what & CURL_POLL_OUT) != 0 ? EV_WRITE : 0);
    struct event_base *base = gh_loop_peek_base(fetcher->loop);
    if (event == NULL) {
        event = event_new(base, fd, (short)kind, on_socket, fetcher);
        if (event == NULL)
            return -1;
        (void)curl_multi_assign(fetcher->multi, fd, event);
    } else {
        (void)event_assign(event, base, fd, (short)kind, on_socket, fetcher);
    }
    return event_add(event, NULL) == 0 ? 0 : -1;
}

static void free_event(void *ptr)
{
    event_free(ptr);
}

static int set_timer(CURLM *multi, long timeout_ms, void *ctx)
{
    struct gh_fetcher *fetcher = ctx;
    if (timeout_ms < 0)
        return event_del(fetcher->timer) == 0 ? 0 : -1;
    struct timeval wait = { .tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000 };
    return event_add(fetcher->timer, &wait) == 0 ? 0 : -1;
}

static void on_socket(evutil_socket_t fd, short what, void *arg)
{
    struct gh_fetcher *fetcher = arg;
    int ready =
        ((what & EV_READ) != 0 ? CURL_CSELECT_IN : 0) | ((what & EV_WRITE) != 0 ? CURL_CSELECT_OUT : 0);
    int running;
    (void)curl_multi_socket_action(fetcher->multi, fd, ready, &running);
    gh_fetch_collect(fetcher);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct gh_fetcher *fetcher = arg;
    int running;
    (void)curl_multi_socket_action(fetcher->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    gh_fetch_collect(fetcher);
}
