/* io/conn_in.c: how bytes come in: one read per readable event into the loop's scratch, through TLS, to the
 * owner. */
#include <errno.h>
#include <sys/socket.h>

#include "base/str.h"
#include "io/conn_private.h"

/* What a peer may still send to a connection that is being finished. */
#define DISCARD_MAX (256u * 1024)

static bool wants_reads(const struct gh_conn *conn);
static void receive(struct gh_conn *conn);
static void on_error(struct gh_conn *conn, int error);
static void on_fin(struct gh_conn *conn);
static void discard(struct gh_conn *conn, size_t len);
static void take_cipher(struct gh_conn *conn, gh_str bytes);
static void take_plain(struct gh_conn *conn, gh_str bytes);
static void give_kept(struct gh_conn *conn);
static void end_input(struct gh_conn *conn, enum gh_conn_end end);
static void tell_end(struct gh_conn *conn);

void gh_conn_on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct gh_conn *conn = arg;
    struct gh_loop *loop = conn->loop;
    if (wants_reads(conn)) {
        receive(conn);
    } else {
        event_del(&conn->readable);
        conn->watching_reads = false;
    }
    gh_loop_settle(loop);
}

static void receive(struct gh_conn *conn)
{
    char *scratch = conn->loop->scratch->read;
    ssize_t got = recv(conn->fd, scratch, SCRATCH_READ, 0);
    if (got < 0)
        on_error(conn, errno);
    else if (got == 0)
        on_fin(conn);
    else if (conn->state >= CONN_FLUSHING)
        discard(conn, (size_t)got);
    else if (conn->tls != NULL)
        take_cipher(conn, gh_str_of(scratch, (size_t)got));
    else
        take_plain(conn, gh_str_of(scratch, (size_t)got));
}

/* Input waits while the owner is busy, while it leaves too much lying, and while the peer does not take the
 * answers that its input provokes inside TLS (key updates, alerts). */
static bool wants_reads(const struct gh_conn *conn)
{
    return gh_conn_is_live(conn) && conn->state != CONN_CONNECTING && conn->end == CONN_END_NONE &&
           conn->pauses == 0 && gh_buf_len(&conn->in) < GH_CONN_HIGH &&
           (gh_buf_len(&conn->cipher) < GH_CONN_HIGH || conn->state >= CONN_FLUSHING);
}

void gh_conn_watch_reads(struct gh_conn *conn)
{
    if (conn->watching_reads || !wants_reads(conn))
        return;
    if (event_add(&conn->readable, NULL) == 0)
        conn->watching_reads = true;
    else
        gh_loop_at_end(conn->loop, &conn->work); /* out of memory in libevent: tried again next turn */
}

static void on_error(struct gh_conn *conn, int error)
{
    if (error == EAGAIN || error == EINTR)
        return;
    /* A server may answer and reset: what it said before is still given, even if the owner is paused now. */
    if (conn->outgoing && gh_buf_len(&conn->in) != 0)
        end_input(conn, CONN_END_BROKEN);
    else
        gh_conn_fail(conn, gh_conn_gone(conn));
}

/* RFC 8446 section 6.1: without close_notify the end of the stream may be an attacker's cut. */
static void on_fin(struct gh_conn *conn)
{
    if (conn->state == CONN_LINGERING)
        gh_conn_free(conn);
    else if (conn->state == CONN_HANDSHAKE)
        gh_conn_fail(conn, conn->outgoing ? GH_UPSTREAM_TLS : GH_CLIENT_GONE);
    else
        end_input(conn, conn->tls != NULL || conn->write_broken ? CONN_END_BROKEN : CONN_END_CLEAN);
}

static void discard(struct gh_conn *conn, size_t len)
{
    conn->discarded += len;
    if (conn->discarded > DISCARD_MAX)
        gh_conn_free(conn);
}

static void take_cipher(struct gh_conn *conn, gh_str bytes)
{
    struct gh_scratch *scratch = conn->loop->scratch;
    size_t len = 0;
    enum gh_reason why =
        gh_tls_feed(conn->tls, bytes, scratch->plain, sizeof(scratch->plain), &len, &conn->cipher);
    if (gh_buf_len(&conn->cipher) != 0)
        gh_loop_at_end(conn->loop, &conn->work);
    if (conn->state == CONN_HANDSHAKE && gh_tls_state(conn->tls) != GH_TLS_HANDSHAKE && why == GH_OK) {
        gh_conn_move(conn, CONN_OPEN);
        gh_loop_at_end(conn->loop, &conn->work);
        conn->events->opened(conn->ctx);
    }
    if (len != 0 && conn->state == CONN_OPEN)
        take_plain(conn, gh_str_of(scratch->plain, len));
    if (!gh_conn_is_live(conn) || conn->state >= CONN_FLUSHING)
        return;
    if (why != GH_OK) {
        gh_conn_last_words(conn);
        gh_conn_fail(conn, why);
    } else if (gh_tls_state(conn->tls) == GH_TLS_CLOSED) {
        end_input(conn, CONN_END_CLEAN);
    }
}

static void take_plain(struct gh_conn *conn, gh_str bytes)
{
    if (conn->pauses != 0 || gh_buf_len(&conn->in) != 0) {
        if (!gh_buf_add(&conn->in, bytes))
            gh_conn_fail(conn, GH_OUT_OF_MEMORY);
        else
            give_kept(conn);
        return;
    }
    size_t taken = conn->events->read(conn->ctx, bytes);
    if (gh_conn_is_live(conn) && conn->state < CONN_FLUSHING &&
        !gh_buf_add(&conn->in, gh_str_skip(bytes, taken)))
        gh_conn_fail(conn, GH_OUT_OF_MEMORY);
}

static void give_kept(struct gh_conn *conn)
{
    if (conn->pauses != 0 || conn->state != CONN_OPEN || gh_buf_len(&conn->in) == 0)
        return;
    size_t taken = conn->events->read(conn->ctx, gh_buf_peek(&conn->in));
    if (conn->state != CONN_OPEN && conn->state != CONN_HANDSHAKE)
        return; /* finished or freed in there, and `in` with it */
    gh_buf_consume(&conn->in, taken);
    gh_buf_trim(&conn->in);
}

static void end_input(struct gh_conn *conn, enum gh_conn_end end)
{
    conn->end = end;
    if (conn->watching_reads)
        event_del(&conn->readable);
    conn->watching_reads = false;
    if (conn->state < CONN_FLUSHING)
        tell_end(conn);
}

static void tell_end(struct gh_conn *conn)
{
    if (conn->end == CONN_END_NONE || conn->end_told || conn->pauses != 0 || conn->state != CONN_OPEN)
        return;
    conn->end_told = true;
    if (conn->end == CONN_END_CLEAN && conn->events->ended != NULL)
        conn->events->ended(conn->ctx);
    else
        gh_conn_fail(conn, gh_conn_gone(conn));
}

void gh_conn_give_pending(struct gh_conn *conn)
{
    if (gh_buf_len(&conn->early) != 0 && conn->tls != NULL) {
        struct gh_buf early = conn->early;
        conn->early = (struct gh_buf){ 0 };
        while (gh_buf_len(&early) != 0 && conn->state < CONN_FLUSHING) {
            gh_str part = gh_str_take(gh_buf_peek(&early), SCRATCH_READ);
            take_cipher(conn, part);
            gh_buf_consume(&early, part.len);
        }
        gh_buf_done(&early);
    }
    if (!conn->give_again || conn->pauses != 0)
        return;
    conn->give_again = false;
    give_kept(conn);
    tell_end(conn);
}
