/* store/redis_wire.c: the socket to a Redis server: each wait ends at a deadline.
 *
 * A name is looked up whenever a connection is made, so that a server may move. The system's resolver waits
 * as long as resolv.conf says and not as long as our deadline; meanwhile the calls of the store wait, and
 * nothing else does. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/str.h"
#include "io/resolve.h"
#include "store/store_redis.h"

static bool connect_to(struct gh_redis_wire *wire, const struct gh_address *address, int64_t deadline_ms);

/* ---- plain sockets ---- */

static ssize_t plain_read(struct gh_redis_wire *wire, void *to, size_t cap)
{
    wire->wants = POLLIN;
    return recv(wire->fd, to, cap, 0);
}

static ssize_t plain_write(struct gh_redis_wire *wire, const void *from, size_t len)
{
    wire->wants = POLLOUT;
    return send(wire->fd, from, len, MSG_NOSIGNAL);
}

static const struct gh_redis_transport plain = { .read = plain_read, .write = plain_write };

/* ---- waiting ---- */

/* Until the descriptor is ready for what the wire wants. */
static bool await(struct gh_redis_wire *wire, int64_t deadline_ms)
{
    struct pollfd ready = { .fd = wire->fd, .events = wire->wants };
    for (;;) {
        int64_t left = deadline_ms - gh_clock_mono_ms();
        int count = left > 0 ? poll(&ready, 1, (int)left) : 0;
        if (count > 0)
            return true;
        if (count == 0) {
            errno = ETIMEDOUT;
            return false;
        }
        if (errno != EINTR)
            return false;
    }
}

static bool is_passing(void)
{
    return errno == EAGAIN || errno == EINTR;
}

bool gh_redis_wire_write(struct gh_redis_wire *wire, gh_str bytes, int64_t deadline_ms)
{
    while (bytes.len > 0) {
        ssize_t count = wire->by->write(wire, bytes.ptr, bytes.len);
        if (count > 0)
            bytes = gh_str_skip(bytes, (size_t)count);
        else if (count == 0 || !is_passing() || !await(wire, deadline_ms))
            return false;
    }
    return true;
}

ssize_t gh_redis_wire_read(struct gh_redis_wire *wire, void *to, size_t cap, int64_t deadline_ms)
{
    for (;;) {
        ssize_t count = wire->by->read(wire, to, cap);
        if (count >= 0)
            return count;
        if (!is_passing() || !await(wire, deadline_ms))
            return -1;
    }
}

/* ---- connecting ---- */

bool gh_redis_wire_open(struct gh_redis_wire *wire, const struct gh_redis_place *place, int64_t deadline_ms)
{
    struct gh_address addresses[GH_RESOLVE_MAX];
    char text[sizeof(struct sockaddr_storage)];
    size_t count = 0;
    if (place->host.len > 0) {
        count = gh_resolve_now(place->host, place->port, addresses);
        errno = EADDRNOTAVAIL;
    } else if (place->path.len + 6 < sizeof(text)) {
        memcpy(text, "unix:", 5);
        memcpy(text + 5, place->path.ptr, place->path.len);
        count = gh_address_read(gh_str_of(text, place->path.len + 5), &addresses[0]) == GH_OK;
        errno = EINVAL;
    }
    for (size_t i = 0; i < count; i++)
        if (connect_to(wire, &addresses[i], deadline_ms))
            return true;
    return false;
}

static bool finish_connect(struct gh_redis_wire *wire, int64_t deadline_ms)
{
    int error = 0;
    socklen_t len = sizeof(error);
    wire->wants = POLLOUT;
    if (!await(wire, deadline_ms) || getsockopt(wire->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
        return false;
    errno = error;
    return error == 0;
}

/* A unix socket whose queue is full answers EAGAIN: there is nothing to wait for. */
static bool connect_to(struct gh_redis_wire *wire, const struct gh_address *address, int64_t deadline_ms)
{
    const int on = 1;
    int family = address->storage.ss_family;
    wire->by = &plain;
    wire->fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (wire->fd < 0)
        return false;
    if (family != AF_UNIX)
        (void)setsockopt(wire->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (connect(wire->fd, (const struct sockaddr *)&address->storage, address->len) == 0 ||
        (errno == EINPROGRESS && finish_connect(wire, deadline_ms)))
        return true;
    int error = errno;
    gh_redis_wire_close(wire);
    errno = error;
    return false;
}

void gh_redis_wire_close(struct gh_redis_wire *wire)
{
    if (wire->fd >= 0)
        (void)close(wire->fd);
    wire->fd = -1;
}
