/* io/conn_out.c: how bytes go out: queued during the turn, encrypted and sent once at its end. */
#include <errno.h>
#include <sys/socket.h>

#include "base/str.h"
#include "io/conn_private.h"

/* Encrypted and sent at a time: bounds what the loop's cipher scratch grows to. */
#define SEAL_MAX  (64u * 1024)
#define LINGER_MS 2000

static void connected(struct gh_conn *conn);
static void ask_for_more(struct gh_conn *conn, bool was_blocked);
static bool flush_tls(struct gh_conn *conn, size_t *ret_sent);
static bool send_from(struct gh_conn *conn, struct gh_buf *from, size_t *sent);
static void on_send_error(struct gh_conn *conn);
static void watch_writes(struct gh_conn *conn);
static void flushed(struct gh_conn *conn, size_t sent);

bool gh_conn_write(struct gh_conn *conn, gh_str bytes)
{
    if (!gh_conn_is_live(conn) || conn->write_broken)
        return true;
    if (!gh_buf_add(&conn->out, bytes))
        return false;
    gh_loop_at_end(conn->loop, &conn->work);
    return true;
}

struct gh_buf *gh_conn_peek_out(struct gh_conn *conn)
{
    return &conn->out;
}

void gh_conn_flush_later(struct gh_conn *conn)
{
    if (gh_conn_is_live(conn))
        gh_loop_at_end(conn->loop, &conn->work);
}

void gh_conn_flush_soon(struct gh_conn *conn)
{
    if (gh_conn_is_live(conn))
        gh_loop_soon(conn->loop, &conn->work);
}

bool gh_conn_takes(const struct gh_conn *conn)
{
    return conn->state == CONN_OPEN && !conn->blocked && gh_conn_queued(conn) < GH_CONN_HIGH;
}

size_t gh_conn_queued(const struct gh_conn *conn)
{
    return gh_buf_len(&conn->out) + gh_buf_len(&conn->cipher);
}

void gh_conn_on_writable(evutil_socket_t fd, short what, void *arg)
{
    struct gh_conn *conn = arg;
    struct gh_loop *loop = conn->loop;
    if (conn->state == CONN_CONNECTING) {
        connected(conn);
    } else if (!conn->blocked) { /* all went out since: the registration has served */
        watch_writes(conn);
    } else {
        conn->blocked = false;
        gh_loop_at_end(conn->loop, &conn->work);
    }
    gh_loop_settle(loop);
}

static void connected(struct gh_conn *conn)
{
    int error = 0;
    socklen_t len = sizeof(error);
    if (getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0 || error != 0) {
        gh_conn_fail(conn, GH_UPSTREAM_UNREACHABLE);
        return;
    }
    watch_writes(conn);
    gh_loop_at_end(conn->loop, &conn->work);
    if (conn->tls == NULL) {
        gh_conn_move(conn, CONN_OPEN);
        conn->events->opened(conn->ctx);
        return;
    }
    gh_conn_move(conn, CONN_HANDSHAKE);
    if (gh_tls_start(conn->tls, &conn->cipher) != GH_OK)
        gh_conn_fail(conn, GH_UPSTREAM_TLS);
}

void gh_conn_flush(struct gh_conn *conn)
{
    size_t sent = 0;
    bool was_blocked = conn->watching_writes;
    if (conn->blocked)
        return;
    if (conn->state == CONN_OPEN)
        ask_for_more(conn, was_blocked);
    if (!gh_conn_is_live(conn))
        return;
    if (conn->write_broken) { /* what the owner put into the lent queue meanwhile goes nowhere */
        gh_buf_done(&conn->out);
        return;
    }
    if (conn->tls != NULL ? flush_tls(conn, &sent) : send_from(conn, &conn->out, &sent))
        flushed(conn, sent);
}

static void ask_for_more(struct gh_conn *conn, bool was_blocked)
{
    size_t room_below = was_blocked ? GH_CONN_HIGH / 2 : GH_CONN_HIGH;
    if (conn->events->fill != NULL && gh_conn_queued(conn) < room_below)
        conn->events->fill(conn->ctx);
}

/* False when the connection is gone. */
static bool flush_tls(struct gh_conn *conn, size_t *ret_sent)
{
    for (;;) {
        struct gh_buf *scratch = &conn->loop->scratch->cipher;
        struct gh_buf *to = gh_buf_len(&conn->cipher) != 0 ? &conn->cipher : scratch;
        enum gh_reason why = GH_OK;
        if (conn->state != CONN_HANDSHAKE && gh_buf_len(&conn->out) != 0) {
            gh_str part = gh_str_take(gh_buf_peek(&conn->out), SEAL_MAX);
            why = gh_tls_write(conn->tls, part, to);
            gh_buf_consume(&conn->out, part.len);
        }
        if (conn->state == CONN_FLUSHING && gh_buf_len(&conn->out) == 0)
            gh_tls_close(conn->tls, to);
        if (why != GH_OK) {
            gh_buf_consume(scratch, gh_buf_len(scratch));
            gh_conn_fail(conn, why);
            return false;
        }
        if (!send_from(conn, to, ret_sent))
            return false;
        if (conn->blocked || conn->state == CONN_HANDSHAKE || gh_buf_len(&conn->out) == 0)
            return true;
    }
}

/* One system call. What the kernel does not take stays, in the connection's own queue. */
static bool send_from(struct gh_conn *conn, struct gh_buf *from, size_t *sent)
{
    struct gh_buf *scratch = &conn->loop->scratch->cipher;
    gh_str bytes = gh_buf_peek(from);
    if (bytes.len == 0)
        return true;
    ssize_t took = send(conn->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);
    if (took < 0 && errno != EAGAIN && errno != EINTR) {
        gh_buf_consume(scratch, gh_buf_len(scratch));
        on_send_error(conn);
        return false;
    }
    size_t n = took > 0 ? (size_t)took : 0;
    bool kept = true;
    gh_buf_consume(from, n);
    *sent += n;
    conn->blocked = n < bytes.len;
    if (from == scratch) {
        kept = gh_buf_add(&conn->cipher, gh_buf_peek(scratch));
        gh_buf_consume(scratch, gh_buf_len(scratch));
    }
    if (!kept)
        gh_conn_fail(conn, GH_OUT_OF_MEMORY);
    return kept;
}

/* An upstream that refuses more may have answered before: go on reading, and let the read find the end. */
static void on_send_error(struct gh_conn *conn)
{
    if (!conn->outgoing || conn->end != CONN_END_NONE || conn->state != CONN_OPEN) {
        gh_conn_fail(conn, gh_conn_gone(conn));
        return;
    }
    conn->write_broken = true;
    conn->blocked = false;
    gh_buf_done(&conn->out);
    gh_buf_done(&conn->cipher);
    gh_deadline_clear(&conn->deadline);
    watch_writes(conn);
}

static void watch_writes(struct gh_conn *conn)
{
    if (conn->blocked && !conn->watching_writes) {
        if (event_add(&conn->writable, NULL) == 0)
            conn->watching_writes = true;
        else
            gh_conn_fail(conn, GH_OUT_OF_MEMORY);
    } else if (!conn->blocked && conn->watching_writes) {
        event_del(&conn->writable);
        conn->watching_writes = false;
    }
}

/* After a flush: wait for room, or ask for more, or end. */
static void flushed(struct gh_conn *conn, size_t sent)
{
    watch_writes(conn);
    if (!gh_conn_is_live(conn))
        return;
    gh_buf_trim(&conn->out);
    gh_buf_trim(&conn->cipher);
    if (conn->blocked) {
        int64_t wait = conn->stall_ms;
        if (conn->state == CONN_FLUSHING && gh_loop_now_ms(conn->loop) + wait > conn->finish_by_ms)
            wait = conn->finish_by_ms - gh_loop_now_ms(conn->loop);
        if (conn->stall_ms > 0 && (sent != 0 || !gh_deadline_is_set(&conn->deadline)))
            gh_deadline_set(conn->loop, &conn->deadline, wait);
        return;
    }
    if (conn->state < CONN_FLUSHING) {
        gh_deadline_clear(&conn->deadline);
        if (sent >= GH_CONN_HIGH / 2) /* whoever fills may have stopped because the queue was full */
            gh_loop_at_end(conn->loop, &conn->work);
        return;
    }
    if (conn->state == CONN_LINGERING)
        return;
    shutdown(conn->fd, SHUT_WR);
    if (conn->end != CONN_END_NONE) {
        gh_conn_free(conn);
        return;
    }
    gh_conn_move(conn, CONN_LINGERING);
    gh_deadline_set(conn->loop, &conn->deadline, LINGER_MS);
}

void gh_conn_on_deadline(struct gh_deadline *deadline)
{
    gh_conn_fail(GH_LIST_ENTRY(deadline, struct gh_conn, deadline), GH_HTTP_TIMEOUT_TAKE);
}

void gh_conn_last_words(struct gh_conn *conn)
{
    gh_str bytes = gh_buf_peek(&conn->cipher);
    if (bytes.len != 0 && !conn->blocked &&
        send(conn->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        return; /* nobody hears it */
}
