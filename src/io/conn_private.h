/* io/conn_private.h: what a connection is made of, shared by conn.c (life), conn_in.c and conn_out.c. */
#ifndef GH_IO_CONN_PRIVATE_H
#define GH_IO_CONN_PRIVATE_H

#include <event2/event.h>
#include <event2/event_struct.h>

#include "base/buf.h"
#include "io/conn.h"
#include "io/loop_private.h"

/*  CONNECTING -> HANDSHAKE -> OPEN -> FLUSHING -> LINGERING -> FREED
 *       |            ^  |        ^ |        owner is gone
 *       +------------|--|--------+ |
 *                    +--|----------+   (TLS begins on an accepted stream)
 *  any of the first three -> CLOSED (the owner was told) -> FREED; any -> FREED */
enum gh_conn_state {
    CONN_CONNECTING,
    CONN_HANDSHAKE,
    CONN_OPEN,
    CONN_FLUSHING,
    CONN_LINGERING,
    CONN_CLOSED,
    CONN_FREED
};

/* How the input ended: told to the owner once it has been given all that came before. */
enum gh_conn_end { CONN_END_NONE, CONN_END_CLEAN, CONN_END_BROKEN };

struct gh_conn {
    struct gh_list lingering; /* in loop->lingering once its owner has gone */
    struct gh_loop *loop;
    const struct gh_conn_events *events;
    void *ctx;
    struct gh_tls *tls;
    struct gh_buf early;  /* cipher that was read before TLS began */
    struct gh_buf in;     /* plain, not yet taken by the owner */
    struct gh_buf out;    /* plain, not yet encrypted or sent */
    struct gh_buf cipher; /* encrypted, not yet sent */
    struct gh_turn_work work;
    struct gh_deadline deadline; /* the peer takes bytes (any state), or closes (LINGERING) */
    struct event readable, writable;
    int64_t stall_ms, finish_by_ms;
    size_t discarded; /* input thrown away while finishing */
    int fd;
    enum gh_conn_state state;
    enum gh_conn_end end;
    unsigned pauses;
    bool outgoing;  /* we connected */
    bool stillborn; /* could not begin: told at the end of the turn */
    bool watching_reads, watching_writes;
    bool blocked;      /* the kernel takes no more until `writable` */
    bool write_broken; /* nobody takes our bytes any more, but an answer may still be readable */
    bool give_again;   /* resumed: give `in` at the end of the turn */
    bool end_told;
};

void gh_conn_move(struct gh_conn *conn, enum gh_conn_state to);
/* Stops everything and tells the owner; where the owner is gone, frees. */
void gh_conn_fail(struct gh_conn *conn, enum gh_reason why);
/* Why the peer's disappearance ends this connection. */
enum gh_reason gh_conn_gone(const struct gh_conn *conn);
static inline bool gh_conn_is_live(const struct gh_conn *conn)
{
    return conn->state < CONN_CLOSED;
}

/* conn_in.c */
void gh_conn_on_readable(evutil_socket_t fd, short what, void *arg);
/* Early cipher bytes, kept plain bytes, the end: what can be told without the socket. */
void gh_conn_give_pending(struct gh_conn *conn);
void gh_conn_watch_reads(struct gh_conn *conn);

/* conn_out.c */
void gh_conn_on_writable(evutil_socket_t fd, short what, void *arg);
void gh_conn_on_deadline(struct gh_deadline *deadline);
void gh_conn_flush(struct gh_conn *conn);
/* Sends what the kernel takes of an alert, without waiting. */
void gh_conn_last_words(struct gh_conn *conn);

#endif
