/* io/conn.c: the life of a connection: made, connected, paused, finished, freed. */
#include "io/conn.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/str.h"
#include "io/conn_private.h"

/* How long flushing may go on while the peer takes a little now and then, and how long without any. */
#define FINISH_MS       30000
#define FINISH_STALL_MS 2000

static void run(struct gh_turn_work *work);
static void stop(struct gh_conn *conn);
static void bury(void *ptr);

static struct gh_conn *conn_new(struct gh_loop *loop, int fd, const struct gh_conn_events *events, void *ctx)
{
    struct gh_conn *conn = gh_calloc(1, sizeof(*conn));
    if (conn == NULL)
        return NULL;
    gh_list_init(&conn->lingering);
    conn->loop = loop;
    conn->events = events;
    conn->ctx = ctx;
    conn->fd = fd;
    gh_turn_work_init(&conn->work, run);
    gh_deadline_init(&conn->deadline, gh_conn_on_deadline);
    event_assign(&conn->readable, loop->base, fd, EV_READ | EV_PERSIST, gh_conn_on_readable, conn);
    event_assign(&conn->writable, loop->base, fd, EV_WRITE | EV_PERSIST, gh_conn_on_writable, conn);
    return conn;
}

struct gh_conn *gh_conn_accepted(struct gh_loop *loop, int fd, const struct gh_conn_events *events, void *ctx)
{
    struct gh_conn *conn = conn_new(loop, fd, events, ctx);
    if (conn == NULL)
        return NULL;
    conn->state = CONN_OPEN;
    gh_conn_watch_reads(conn);
    return conn;
}

struct gh_conn *gh_conn_connect(struct gh_loop *loop, const struct sockaddr *address, socklen_t len,
                                const struct gh_conn_events *events, void *ctx)
{
    int on = 1;
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return NULL;
    if (address->sa_family != AF_UNIX)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    struct gh_conn *conn = conn_new(loop, fd, events, ctx);
    if (conn == NULL) {
        close(fd);
        return NULL;
    }
    conn->state = CONN_CONNECTING;
    conn->outgoing = true;
    conn->stillborn = connect(fd, address, len) != 0 && errno != EINPROGRESS;
    if (!conn->stillborn && event_add(&conn->writable, NULL) == 0)
        conn->watching_writes = true;
    else
        conn->stillborn = true;
    if (conn->stillborn)
        gh_loop_at_end(loop, &conn->work);
    return conn;
}

void gh_conn_start_tls(struct gh_conn *conn, struct gh_tls *tls, gh_str already_read)
{
    conn->tls = tls;
    if (conn->state == CONN_OPEN)
        gh_conn_move(conn, CONN_HANDSHAKE);
    if (!gh_str_is_empty(already_read) && !gh_buf_add(&conn->early, already_read))
        conn->stillborn = true;
    gh_loop_at_end(conn->loop, &conn->work);
}

/* End-of-turn work: what was asked for during the turn is done once. */
static void run(struct gh_turn_work *work)
{
    struct gh_conn *conn = GH_LIST_ENTRY(work, struct gh_conn, work);
    if (conn->stillborn) {
        gh_conn_fail(conn, conn->outgoing ? GH_UPSTREAM_UNREACHABLE : GH_OUT_OF_MEMORY);
        return;
    }
    if (conn->state == CONN_CONNECTING)
        return;
    gh_conn_give_pending(conn);
    if (gh_conn_is_live(conn))
        gh_conn_flush(conn);
    if (gh_conn_is_live(conn))
        gh_conn_watch_reads(conn);
}

void gh_conn_move(struct gh_conn *conn, enum gh_conn_state to)
{
#define TO(state) (1u << (state))
    static const unsigned legal[] = {
        [CONN_CONNECTING] = TO(CONN_HANDSHAKE) | TO(CONN_OPEN) | TO(CONN_CLOSED) | TO(CONN_FREED),
        [CONN_HANDSHAKE] = TO(CONN_OPEN) | TO(CONN_CLOSED) | TO(CONN_FREED),
        [CONN_OPEN] = TO(CONN_HANDSHAKE) | TO(CONN_FLUSHING) | TO(CONN_CLOSED) | TO(CONN_FREED),
        [CONN_FLUSHING] = TO(CONN_LINGERING) | TO(CONN_FREED),
        [CONN_LINGERING] = TO(CONN_FREED),
        [CONN_CLOSED] = TO(CONN_FREED),
        [CONN_FREED] = 0,
    };
#undef TO
    assert((legal[conn->state] >> to & 1) != 0);
    conn->state = to;
}

enum gh_reason gh_conn_gone(const struct gh_conn *conn)
{
    return conn->outgoing ? GH_UPSTREAM_ABORTED : GH_CLIENT_GONE;
}

void gh_conn_fail(struct gh_conn *conn, enum gh_reason why)
{
    if (!gh_conn_is_live(conn))
        return;
    if (conn->state == CONN_FLUSHING || conn->state == CONN_LINGERING) {
        gh_conn_free(conn);
        return;
    }
    stop(conn);
    gh_conn_move(conn, CONN_CLOSED);
    conn->events->closed(conn->ctx, why);
}

static void stop(struct gh_conn *conn)
{
    if (conn->watching_reads)
        event_del(&conn->readable);
    if (conn->watching_writes)
        event_del(&conn->writable);
    conn->watching_reads = conn->watching_writes = false;
    gh_deadline_clear(&conn->deadline);
    gh_turn_work_cancel(&conn->work);
}

void gh_conn_free(struct gh_conn *conn)
{
    if (conn == NULL || conn->state == CONN_FREED)
        return;
    stop(conn);
    gh_list_remove(&conn->lingering);
    gh_conn_move(conn, CONN_FREED);
    gh_loop_free_later(conn->loop, bury, conn);
}

static void bury(void *ptr)
{
    struct gh_conn *conn = ptr;
    gh_tls_free(conn->tls);
    gh_buf_done(&conn->early);
    gh_buf_done(&conn->in);
    gh_buf_done(&conn->out);
    gh_buf_done(&conn->cipher);
    close(conn->fd);
    free(conn);
}

void gh_conn_finish(struct gh_conn *conn)
{
    if (conn->state != CONN_OPEN || conn->write_broken) {
        gh_conn_free(conn);
        return;
    }
    gh_conn_move(conn, CONN_FLUSHING);
    gh_list_append(&conn->loop->lingering, &conn->lingering);
    conn->events = NULL;
    conn->pauses = 0;
    gh_buf_done(&conn->in);
    conn->finish_by_ms = gh_loop_now_ms(conn->loop) + FINISH_MS;
    if (conn->stall_ms == 0 || conn->stall_ms > FINISH_MS)
        conn->stall_ms = FINISH_STALL_MS;
    if (!gh_deadline_is_set(&conn->deadline))
        gh_deadline_set(conn->loop, &conn->deadline, conn->stall_ms);
    gh_loop_at_end(conn->loop, &conn->work);
}

bool gh_loop_lingers(const struct gh_loop *loop)
{
    return !gh_list_is_empty(&loop->lingering);
}

void gh_conn_cut_lingering(struct gh_loop *loop)
{
    GH_LIST_EACH_SAFE (node, &loop->lingering)
        gh_conn_free(GH_LIST_ENTRY(node, struct gh_conn, lingering));
}

/* Lazy: the descriptor stays registered, and leaves only if bytes do arrive during the pause. A short pause
 * costs no system call. */
void gh_conn_pause(struct gh_conn *conn, enum gh_pause reason)
{
    conn->pauses |= (unsigned)reason;
}

void gh_conn_resume(struct gh_conn *conn, enum gh_pause reason)
{
    if (conn->pauses == 0 || !gh_conn_is_live(conn))
        return;
    conn->pauses &= ~(unsigned)reason;
    if (conn->pauses != 0)
        return;
    conn->give_again = true;
    gh_loop_at_end(conn->loop, &conn->work);
}

void gh_conn_set_stall(struct gh_conn *conn, int64_t ms)
{
    conn->stall_ms = ms;
    if (conn->blocked && ms > 0)
        gh_deadline_set(conn->loop, &conn->deadline, ms);
    else if (conn->blocked)
        gh_deadline_clear(&conn->deadline);
}

const struct gh_tls *gh_conn_peek_tls(const struct gh_conn *conn)
{
    return conn->tls;
}

void gh_conn_set_owner(struct gh_conn *conn, const struct gh_conn_events *events, void *ctx)
{
    conn->events = events;
    conn->ctx = ctx;
}

int gh_conn_fd(const struct gh_conn *conn)
{
    return conn->fd;
}
