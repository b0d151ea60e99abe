/* io/conn.h: one stream socket in one loop, with TLS or without: bytes in by event, bytes out at the end of
 * the turn. */
#ifndef GH_IO_CONN_H
#define GH_IO_CONN_H

#include <sys/socket.h>

#include "io/loop.h"
#include "io/tls.h"

struct gh_conn;

/* All run from the loop, never from inside a call on the conn. After `closed` nothing more comes. */
struct gh_conn_events {
    /* Connected, and with TLS the handshake is done. Not called for a plain accepted conn. */
    void (*opened)(void *ctx);
    /* Plain bytes, lent for the call. Returns how many were taken; the rest is kept and given again, with
     * more behind it, after gh_conn_resume or when more arrives. Taking less than all implies that the callee
     * paused the conn. */
    size_t (*read)(void *ctx, gh_str bytes);
    /* The output queue is about to be flushed, or has room again: produce more by gh_conn_write (pull; may be
     * NULL). Called while fewer than GH_CONN_HIGH bytes are queued. */
    void (*fill)(void *ctx);
    /* The peer will send no more (FIN, or with TLS close_notify): input ended cleanly. Output still works.
     * May be NULL: then it is `closed`. */
    void (*ended)(void *ctx);
    /* Gone: GH_CLIENT_GONE or, where we connected, GH_UPSTREAM_ABORTED (reset, or TLS ended without
     * close_notify), GH_UPSTREAM_UNREACHABLE (connect failed), GH_TLS_FAILED, GH_UPSTREAM_TLS,
     * GH_HTTP_TIMEOUT_TAKE (the peer did not take pending bytes in time), GH_OUT_OF_MEMORY. The owner frees
     * it by gh_conn_free. */
    void (*closed)(void *ctx, enum gh_reason why);
};

#define GH_CONN_HIGH (64 * 1024)

/* Takes the socket over (non-blocking, close-on-exec already set). */
struct gh_conn *gh_conn_accepted(struct gh_loop *loop, int fd, const struct gh_conn_events *events,
                                 void *ctx);
/* Starts connecting; `opened` or `closed` follows. NULL when no socket could be had. */
struct gh_conn *gh_conn_connect(struct gh_loop *loop, const struct sockaddr *address, socklen_t len,
                                const struct gh_conn_events *events, void *ctx);
/* From now on the stream is TLS. Server side may hand over bytes that were read already. Call before any
 * write, and on the connect side before `opened`. Owns the session. */
void gh_conn_start_tls(struct gh_conn *conn, struct gh_tls *tls, gh_str already_read);
/* Closes without a word, at once; frees at the end of the turn. No event comes any more. NULL is fine. */
void gh_conn_free(struct gh_conn *conn);
/* Flushes what is queued, says close_notify and FIN, waits a bounded time (2 s) for the peer, then frees. The
 * owner forgets the conn with this call; no event comes any more. */
void gh_conn_finish(struct gh_conn *conn);

/* Queues bytes (copied) and schedules a flush at the end of the turn. False when out of memory: free the
 * conn. */
bool gh_conn_write(struct gh_conn *conn, gh_str bytes) GH_MUST_USE;
/* Lends the plain output queue, for writers that append to a gh_buf; call gh_conn_flush_later after. */
struct gh_buf *gh_conn_peek_out(struct gh_conn *conn);
/* Schedules `fill` and flush for the end of this turn. */
void gh_conn_flush_later(struct gh_conn *conn);
/* The same for the end of the event that is being handled: one system call more where several events of a
 * turn write, but what is sent is still near the processor. */
void gh_conn_flush_soon(struct gh_conn *conn);
/* Is the peer taking what is queued, and would `fill` be asked for more? */
bool gh_conn_takes(const struct gh_conn *conn);
/* Bytes queued and not yet taken by the kernel, cipher text included. */
size_t gh_conn_queued(const struct gh_conn *conn);

/* Stops reading: nothing more is given to `read`. Counted by reason, runs when no reason is left. */
enum gh_pause { GH_PAUSE_BUFFER = 1, GH_PAUSE_WINDOW = 2, GH_PAUSE_TURN = 4 };
void gh_conn_pause(struct gh_conn *conn, enum gh_pause reason);
void gh_conn_resume(struct gh_conn *conn, enum gh_pause reason);

/* How long queued output may stand without the peer taking a byte; then closed(GH_HTTP_TIMEOUT_TAKE). 0: no
 * bound. */
void gh_conn_set_stall(struct gh_conn *conn, int64_t ms);
/* NULL for a plain one. */
const struct gh_tls *gh_conn_peek_tls(const struct gh_conn *conn);
/* Replaces events and context: the next owner of a pooled connection. */
void gh_conn_set_owner(struct gh_conn *conn, const struct gh_conn_events *events, void *ctx);
int gh_conn_fd(const struct gh_conn *conn);

#endif
