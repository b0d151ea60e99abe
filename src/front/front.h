/* front/front.h: listeners and client connections of one worker: HTTP/1.1 and HTTP/2 glue, handed on as
 * exchanges. */
#ifndef GH_FRONT_FRONT_H
#define GH_FRONT_FRONT_H

#include "exchange/exchange.h"
#include "io/listen.h"
#include "io/tls.h"

/* Limits and timers of threats.md section 8; owned by the snapshot. Sizes in bytes, times in milliseconds. */
struct gh_front_limits {
    int64_t request_line, head, fields, chunk_extensions;
    int64_t unread_body;   /* of a body that nobody wants: more ends the connection */
    int64_t stream_buffer; /* bytes on their way on one exchange, each direction */
    int64_t h2_streams, h2_stream_window, h2_connection_window, h2_header_table, h2_continuations,
        h2_requests, h2_acknowledgements;
    int64_t h2_resets_burst, h2_resets_per_s, h2_glitches_burst, h2_glitches_per_s, h2_head_overflows;
    int64_t connections_per_ip, connections; /* of one address, of all: over all workers */
    int64_t handshake_ms, head_ms, body_idle_ms, body_min_rate, stall_ms, sse_stall_ms, idle_ms, drain_ms;
};

struct gh_listen_conf {
    gh_str address_text;
    struct gh_address address;
    const struct gh_tls_pair *pairs; /* none: plain HTTP */
    size_t pair_count;
    bool proxy_protocol;
    bool own_user; /* at a unix socket: for the user that we are, and root */
};

/* Which fields trusted proxies speak by. */
enum gh_forwarded_by { GH_FORWARDED_BY_X, GH_FORWARDED_BY_RFC7239 };

struct gh_front_conf {
    const struct gh_listen_conf *listeners;
    size_t listener_count;
    struct gh_cidrs trusted_proxies, shared_sources;
    enum gh_forwarded_by forwarded_by;
    struct gh_front_limits limits;
};

/* Connections per client address and in all, shared by all workers: the one table with a lock, touched at
 * accept and close only. */
struct gh_sources;
struct gh_sources *gh_sources_new(void);
void gh_sources_free(struct gh_sources *sources);

struct gh_front;
struct gh_front_new {
    struct gh_loop *loop;
    const struct gh_observer *observer;
    struct gh_sources *sources;
    const struct gh_handler *handler; /* for every exchange */
    void *handler_ctx;
};
struct gh_front *gh_front_new(const struct gh_front_new *with);
/* Connections are cut. */
void gh_front_free(struct gh_front *front);
/* Settings for connections accepted from now on; slices must live until the next call. */
void gh_front_configure(struct gh_front *front, const struct gh_front_conf *conf);
/* Accepts from fd under listener number `index` of the conf; `tls` (a reference, taken) NULL for plain HTTP.
 * The front owns fd. */
bool gh_front_listen(struct gh_front *front, size_t index, int fd, struct gh_tls_context *tls) GH_MUST_USE;
/* The new certificates of listener `index`, for handshakes from now on. */
void gh_front_set_tls(struct gh_front *front, size_t index, struct gh_tls_context *tls);
/* Stops accepting (closing the sockets or not), sends GOAWAY and Connection: close, ends idle connections;
 * `drained` is called from the loop when no connection is left, at the latest after limits.drain_ms, when the
 * rest is cut. */
void gh_front_drain(struct gh_front *front, bool close_sockets, void (*drained)(void *ctx), void *ctx);
size_t gh_front_connections(const struct gh_front *front);

#endif
