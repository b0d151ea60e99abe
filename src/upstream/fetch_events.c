/* upstream/fetch_events.c: libcurl's sockets and its timer as events of the control loop. */
#include "io/watch.h"
#include "upstream/fetch_private.h"

static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *of_socket);
static int set_timer(CURLM *multi, long timeout_ms, void *ctx);
static void on_socket(void *ctx, int fd, unsigned ready);
static void on_timer(void *ctx, int fd, unsigned ready);

bool gh_fetch_events_start(struct gh_fetcher *fetcher)
{
    fetcher->timer = gh_watch_new(fetcher->loop, -1, on_timer, fetcher);
    return fetcher->timer != NULL &&
           curl_multi_setopt(fetcher->multi, CURLMOPT_SOCKETFUNCTION, watch_socket) == CURLM_OK &&
           curl_multi_setopt(fetcher->multi, CURLMOPT_SOCKETDATA, fetcher) == CURLM_OK &&
           curl_multi_setopt(fetcher->multi, CURLMOPT_TIMERFUNCTION, set_timer) == CURLM_OK &&
           curl_multi_setopt(fetcher->multi, CURLMOPT_TIMERDATA, fetcher) == CURLM_OK;
}

void gh_fetch_events_stop(struct gh_fetcher *fetcher)
{
    gh_watch_free(fetcher->timer);
    fetcher->timer = NULL;
}

/* libcurl says what it waits for on a socket, and when it has done with it. */
static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *of_socket)
{
    struct gh_fetcher *fetcher = ctx;
    struct gh_watch *watch = of_socket;
    if (what == CURL_POLL_REMOVE) {
        (void)curl_multi_assign(fetcher->multi, fd, NULL);
        gh_watch_free(watch);
        return 0;
    }
    if (watch == NULL) {
        watch = gh_watch_new(fetcher->loop, fd, on_socket, fetcher);
        if (watch == NULL)
            return -1;
        (void)curl_multi_assign(fetcher->multi, fd, watch);
    }
    unsigned wanted =
        ((what & CURL_POLL_IN) != 0 ? GH_WATCH_READ : 0) | ((what & CURL_POLL_OUT) != 0 ? GH_WATCH_WRITE : 0);
    return gh_watch_set(watch, wanted, -1) ? 0 : -1;
}

static int set_timer(CURLM *multi, long timeout_ms, void *ctx)
{
    struct gh_fetcher *fetcher = ctx;
    if (fetcher->timer == NULL)
        return 0;
    return gh_watch_set(fetcher->timer, 0, timeout_ms) ? 0 : -1;
}

static void on_socket(void *ctx, int fd, unsigned ready)
{
    struct gh_fetcher *fetcher = ctx;
    int what = ((ready & GH_WATCH_READ) != 0 ? CURL_CSELECT_IN : 0) |
               ((ready & GH_WATCH_WRITE) != 0 ? CURL_CSELECT_OUT : 0);
    int running;
    (void)curl_multi_socket_action(fetcher->multi, fd, what, &running);
    gh_fetch_collect(fetcher);
}

static void on_timer(void *ctx, int fd, unsigned ready)
{
    struct gh_fetcher *fetcher = ctx;
    int running;
    (void)curl_multi_socket_action(fetcher->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    gh_fetch_collect(fetcher);
}
