/* io/listen.c: listening sockets, and accepting from them a bounded number at a time. */
#include "io/listen.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/arena.h"

#define BACKLOG          4096
#define ACCEPTS_PER_TURN 16
#define REST_MS          100

struct gh_listener {
    struct gh_loop *loop;
    int fd;
    bool close_fd, gone;
    struct event *ready;
    struct gh_deadline rest;
    void (*accepted)(void *ctx, int fd, const struct gh_address *peer);
    void *ctx;
};

static bool set_options(int fd, int family, bool reuseport);
static int bind_to(int fd, const struct gh_address *address);
static bool is_dead_socket(const struct gh_address *address);
static void on_ready(evutil_socket_t fd, short what, void *arg);
static void on_rested(struct gh_deadline *rest);
static void bury(void *ptr);

int gh_listen_open(const struct gh_address *address, bool reuseport)
{
    return gh_listen_open_as(address, SOCK_STREAM, reuseport);
}

int gh_listen_open_as(const struct gh_address *address, int type, bool reuseport)
{
    int family = address->storage.ss_family;
    int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (!set_options(fd, family, reuseport) || bind_to(fd, address) != 0 || listen(fd, BACKLOG) != 0) {
        int why = errno;
        close(fd);
        errno = why;
        return -1;
    }
    return fd;
}

int gh_listen_open_private(const struct gh_address *address, int type)
{
    mode_t before = umask(0177);
    int fd = gh_listen_open_as(address, type, false);
    int why = errno;
    (void)umask(before);
    errno = why;
    return fd;
}

bool gh_listen_make_private(const struct gh_address *address)
{
    struct sockaddr_un un;
    struct stat facts;
    char itself[64]; /* not its name once more, which could lead elsewhere by then */
    if (address->storage.ss_family != AF_UNIX)
        return true;
    memcpy(&un, &address->storage, sizeof(un));
    int fd = open(un.sun_path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return false;
    (void)snprintf(itself, sizeof(itself), "/proc/self/fd/%d", fd);
    bool closed = fstat(fd, &facts) == 0 && S_ISSOCK(facts.st_mode) &&
                  ((facts.st_mode & 077) == 0 || chmod(itself, 0600) == 0);
    (void)close(fd);
    return closed;
}

/* Linux hands TCP_NODELAY down from the listening socket to what is accepted: one system call per listener
 * instead of one per connection. */
void gh_listen_set_nodelay(int fd)
{
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

static bool set_options(int fd, int family, bool reuseport)
{
    int on = 1;
    if (family == AF_UNIX)
        return true;
    gh_listen_set_nodelay(fd);
    if (family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) != 0)
        return false;
    if (reuseport && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) != 0)
        return false;
    return setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0;
}

static int bind_to(int fd, const struct gh_address *address)
{
    const struct sockaddr *at = (const struct sockaddr *)&address->storage;
    if (bind(fd, at, address->len) == 0)
        return 0;
    if (errno != EADDRINUSE || address->storage.ss_family != AF_UNIX)
        return -1;
    if (!is_dead_socket(address)) {
        errno = EADDRINUSE;
        return -1;
    }
    struct sockaddr_un un;
    memcpy(&un, &address->storage, sizeof(un));
    if (unlink(un.sun_path) != 0)
        return -1;
    return bind(fd, at, address->len);
}

/* A socket file that nobody listens on any more refuses; anything else is somebody's. A file that is no
 * socket refuses too. */
static bool is_dead_socket(const struct gh_address *address)
{
    struct sockaddr_un un;
    struct stat facts;
    memcpy(&un, &address->storage, sizeof(un));
    if (lstat(un.sun_path, &facts) != 0 || !S_ISSOCK(facts.st_mode))
        return false;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    bool dead =
        connect(fd, (const struct sockaddr *)&address->storage, address->len) != 0 && errno == ECONNREFUSED;
    close(fd);
    return dead;
}

struct gh_listener *gh_listener_new(struct gh_loop *loop, int fd,
                                    void (*accepted)(void *ctx, int fd, const struct gh_address *peer),
                                    void *ctx)
{
    struct gh_listener *listener = gh_calloc(1, sizeof(*listener));
    if (listener == NULL)
        return NULL;
    *listener = (struct gh_listener){ .loop = loop, .fd = fd, .accepted = accepted, .ctx = ctx };
    gh_deadline_init(&listener->rest, on_rested);
    listener->ready = event_new(gh_loop_peek_base(loop), fd, EV_READ | EV_PERSIST, on_ready, listener);
    if (listener->ready == NULL || event_add(listener->ready, NULL) != 0)
        goto fail;
    return listener;
fail:
    bury(listener);
    return NULL;
}

void gh_listener_free(struct gh_listener *listener, bool close_fd)
{
    if (listener == NULL)
        return;
    listener->gone = true;
    listener->close_fd = close_fd;
    gh_deadline_clear(&listener->rest);
    event_del(listener->ready);
    gh_loop_free_later(listener->loop, bury, listener);
}

static void bury(void *ptr)
{
    struct gh_listener *listener = ptr;
    if (listener->ready != NULL)
        event_free(listener->ready);
    if (listener->close_fd)
        close(listener->fd);
    free(listener);
}

/* Errors of the connection that was waiting are accept(2)'s own; only a lack of resources makes us rest. */
static bool is_shortage(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
    struct gh_listener *listener = arg;
    for (int i = 0; i < ACCEPTS_PER_TURN && !listener->gone; i++) {
        struct gh_address peer = { .len = sizeof(peer.storage) };
        int got =
            accept4(listener->fd, (struct sockaddr *)&peer.storage, &peer.len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (got >= 0) {
            listener->accepted(listener->ctx, got, &peer);
            continue;
        }
        if (is_shortage(errno)) {
            event_del(listener->ready);
            gh_deadline_set(listener->loop, &listener->rest, REST_MS);
            return;
        }
        if (errno == EAGAIN)
            return;
    }
}

static void on_rested(struct gh_deadline *rest)
{
    struct gh_listener *listener = GH_LIST_ENTRY(rest, struct gh_listener, rest);
    if (event_add(listener->ready, NULL) != 0)
        gh_deadline_set(listener->loop, rest, REST_MS);
}
