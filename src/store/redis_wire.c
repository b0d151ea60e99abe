/* store/redis_wire.c: the socket to a Redis server, plain or over TLS: each wait ends at a deadline.
 *
 * A name is looked up whenever the store is connected to, so that a server may move. The system's resolver
 * waits as long as resolv.conf says and not as long as our deadline; meanwhile the calls of the store wait,
 * and nothing else does. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/secret.h"
#include "base/str.h"
#include "store/store_redis.h"

static bool connect_to(struct gh_redis_wire *wire, const struct gh_address *address, int64_t deadline_ms);
static bool shake_hands(struct gh_redis_wire *wire, gh_str name, struct gh_tls_context *context,
                        int64_t deadline_ms);

/* ---- failing ---- */

static bool fail(struct gh_redis_wire *wire, const char *what)
{
    (void)snprintf(wire->why, sizeof(wire->why), "%s", what);
    wire->late = false;
    return false;
}

static bool fail_by_errno(struct gh_redis_wire *wire)
{
    bool late = errno == ETIMEDOUT;
    (void)fail(wire, strerror(errno));
    wire->late = late;
    return false;
}

static bool fail_by_tls(struct gh_redis_wire *wire)
{
    (void)snprintf(wire->why, sizeof(wire->why), "TLS: %.*s", GH_STR_FMT(gh_tls_why(wire->tls)));
    wire->late = false;
    return false;
}

/* ---- waiting ---- */

static bool await(struct gh_redis_wire *wire, short events, int64_t deadline_ms)
{
    struct pollfd ready = { .fd = wire->fd, .events = events };
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

/* ---- bytes as they travel ---- */

static bool send_all(struct gh_redis_wire *wire, gh_str bytes, int64_t deadline_ms)
{
    while (bytes.len > 0) {
        ssize_t count = send(wire->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);
        if (count > 0)
            bytes = gh_str_skip(bytes, (size_t)count);
        else if (!is_passing() || !await(wire, POLLOUT, deadline_ms))
            return fail_by_errno(wire);
    }
    return true;
}

static ssize_t receive(struct gh_redis_wire *wire, void *to, size_t cap, int64_t deadline_ms)
{
    for (;;) {
        if (gh_clock_mono_ms() >= deadline_ms) { /* also of what comes without end */
            errno = ETIMEDOUT;
            (void)fail_by_errno(wire);
            return -1;
        }
        ssize_t count = recv(wire->fd, to, cap, 0);
        if (count > 0)
            return count;
        if (count == 0)
            (void)fail(wire, "it closed the connection");
        else if (is_passing() && await(wire, POLLIN, deadline_ms))
            continue;
        else
            (void)fail_by_errno(wire);
        return -1;
    }
}

/* ---- TLS ---- */

static bool send_cipher(struct gh_redis_wire *wire, int64_t deadline_ms)
{
    bool sent = send_all(wire, gh_buf_peek(&wire->cipher), deadline_ms);
    gh_buf_done(&wire->cipher);
    return sent;
}

/* What comes next, into `plain`; and what TLS has to say to it. */
static bool receive_cipher(struct gh_redis_wire *wire, int64_t deadline_ms)
{
    char bytes[16384];
    ssize_t count = receive(wire, bytes, sizeof(bytes), deadline_ms);
    if (count < 0)
        return false;
    gh_str cipher = gh_str_of(bytes, (size_t)count);
    if (gh_tls_read(wire->tls, cipher, &wire->plain, &wire->cipher) != GH_OK) {
        (void)send_cipher(wire, deadline_ms); /* the alert */
        return fail_by_tls(wire);
    }
    return send_cipher(wire, deadline_ms);
}

static bool shake_hands(struct gh_redis_wire *wire, gh_str name, struct gh_tls_context *context,
                        int64_t deadline_ms)
{
    wire->tls = gh_tls_connect(context, name);
    if (wire->tls == NULL)
        return fail(wire, "too little memory for TLS");
    if (gh_tls_start(wire->tls, &wire->cipher) != GH_OK)
        return fail_by_tls(wire);
    if (!send_cipher(wire, deadline_ms))
        return false;
    while (gh_tls_state(wire->tls) == GH_TLS_HANDSHAKE)
        if (!receive_cipher(wire, deadline_ms))
            return false;
    return gh_tls_state(wire->tls) == GH_TLS_OPEN || fail(wire, "it closed the connection");
}

bool gh_redis_wire_write(struct gh_redis_wire *wire, gh_str bytes, int64_t deadline_ms)
{
    if (wire->tls == NULL)
        return send_all(wire, bytes, deadline_ms);
    if (gh_tls_write(wire->tls, bytes, &wire->cipher) != GH_OK)
        return fail_by_tls(wire);
    return send_cipher(wire, deadline_ms);
}

ssize_t gh_redis_wire_read(struct gh_redis_wire *wire, void *to, size_t cap, int64_t deadline_ms)
{
    if (wire->tls == NULL)
        return receive(wire, to, cap, deadline_ms);
    while (gh_buf_len(&wire->plain) == 0) {
        if (gh_tls_state(wire->tls) != GH_TLS_OPEN) {
            (void)fail(wire, "it closed the connection");
            return -1;
        }
        if (!receive_cipher(wire, deadline_ms))
            return -1;
    }
    gh_str bytes = gh_str_take(gh_buf_peek(&wire->plain), cap);
    memcpy(to, bytes.ptr, bytes.len);
    gh_buf_consume(&wire->plain, bytes.len);
    return (ssize_t)bytes.len;
}

/* ---- connecting ---- */

void gh_redis_wire_look_up(const struct gh_redis_peer *peer, struct gh_redis_addresses *ret_addresses)
{
    char text[sizeof(struct sockaddr_storage)];
    ret_addresses->count = 0;
    if (peer->host.len > 0) {
        ret_addresses->count = gh_resolve_now(peer->host, peer->port, ret_addresses->at);
    } else if (peer->path.len + 6 < sizeof(text)) {
        memcpy(text, "unix:", 5);
        memcpy(text + 5, peer->path.ptr, peer->path.len);
        ret_addresses->count =
            gh_address_read(gh_str_of(text, peer->path.len + 5), ret_addresses->at) == GH_OK;
    }
}

bool gh_redis_wire_open(struct gh_redis_wire *wire, const struct gh_redis_addresses *addresses, gh_str name,
                        struct gh_tls_context *tls, int64_t deadline_ms)
{
    (void)fail(wire, "its address was not found");
    for (size_t i = 0; i < addresses->count; i++) {
        /* Each has its share of what is left: the first may be a dead end. */
        int64_t now = gh_clock_mono_ms();
        int64_t until = now + (deadline_ms - now) / (int64_t)(addresses->count - i);
        if (!connect_to(wire, &addresses->at[i], until))
            continue;
        if (tls == NULL || shake_hands(wire, name, tls, until))
            return true;
        gh_redis_wire_close(wire);
    }
    return false;
}

static bool finish_connect(struct gh_redis_wire *wire, int64_t deadline_ms)
{
    int error = 0;
    socklen_t len = sizeof(error);
    if (!await(wire, POLLOUT, deadline_ms) || getsockopt(wire->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
        return false;
    errno = error;
    return error == 0;
}

/* A unix socket whose queue is full answers EAGAIN: there is nothing to wait for. */
static bool connect_to(struct gh_redis_wire *wire, const struct gh_address *address, int64_t deadline_ms)
{
    const int on = 1;
    int family = address->storage.ss_family;
    wire->fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (wire->fd < 0)
        return fail_by_errno(wire);
    if (family != AF_UNIX)
        (void)setsockopt(wire->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (connect(wire->fd, (const struct sockaddr *)&address->storage, address->len) == 0 ||
        (errno == EINPROGRESS && finish_connect(wire, deadline_ms)))
        return true;
    (void)fail_by_errno(wire);
    gh_redis_wire_close(wire);
    return false;
}

/* What was received may be a row. */
void gh_redis_wire_close(struct gh_redis_wire *wire)
{
    if (wire->fd >= 0)
        (void)close(wire->fd);
    gh_tls_free(wire->tls);
    if (wire->plain.base != NULL)
        gh_wipe(wire->plain.base, wire->plain.cap);
    gh_buf_done(&wire->plain);
    gh_buf_done(&wire->cipher);
    wire->fd = -1;
    wire->tls = NULL;
}
