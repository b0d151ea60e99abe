/* wire/h2.h: one HTTP/2 session (nghttp2 inside), server or client: bytes in, events out, bytes out; no
 * sockets, no clock. */
#ifndef GH_WIRE_H2_H
#define GH_WIRE_H2_H

#include "base/buf.h"
#include "gatehouse/http.h"

enum gh_h2_side { GH_H2_SERVER, GH_H2_CLIENT };

struct gh_h2_limits {
    uint32_t streams;           /* 100: advertised; more are refused and count as glitches */
    uint32_t stream_window;     /* 64 KiB */
    uint32_t connection_window; /* 1 MiB */
    uint32_t fields;            /* 100 per head, cookie crumbs count */
    uint32_t head;              /* 32 KiB counting 32 per field (64 KiB for responses) */
    uint32_t target;            /* 8 KiB */
    uint32_t header_table;      /* 4 KiB */
    uint32_t continuations;     /* 8 */
    uint32_t requests;          /* 10,000 per connection, then graceful GOAWAY; 0: no bound */
    uint32_t resets_burst,
        resets_per_s; /* 200 + 40/s, the peer's resets and those it provoked from us together */
    uint32_t glitches_burst, glitches_per_s; /* 1,000 + 33/s */
    uint32_t head_overflows;                 /* 10 streams reset for header limits cut the connection */
    uint32_t acknowledgements;               /* 128 that wait for a peer that does not read */
    size_t stream_high;                      /* 64 KiB queued on a stream: gh_h2_send says so */
};

/* A request head (status 0) or a response head. Slices live in the arena that the event got or the caller
 * has. */
struct gh_h2_head {
    gh_str method, scheme, authority, path;
    int status;
    struct gh_headers headers;
    int64_t content_length; /* -1: none given; checked against DATA by the session */
};

struct gh_h2;

/* All run from inside gh_h2_read (or _write for `room` and `closed`). The callee may call anything on the
 * session but gh_h2_free, which it defers to the end of the turn. */
struct gh_h2_events {
    /* An arena for the head of this stream: the callee makes it (an exchange's), or NULL to refuse the
     * stream. It is used until `head` or `closed`. */
    struct gh_arena *(*begin)(void *ctx, int32_t stream);
    /* A whole head. Server: a request; `why` is GH_OK, or the reason to answer with when the head itself is
     * at fault in a way that deserves an answer (GH_HTTP_HEAD_LARGE, GH_HTTP_FIELDS_MANY, GH_HTTP_MALFORMED,
     * GH_HTTP_TARGET_LONG). Client: a response, 1xx included. */
    void (*head)(void *ctx, int32_t stream, const struct gh_h2_head *head, bool end, enum gh_reason why);
    /* Lent. The window stays closed until gh_h2_taken. */
    void (*data)(void *ctx, int32_t stream, gh_str bytes);
    /* The peer's half is complete (also when `head` said end: not called then). Trailers were checked and
     * dropped. */
    void (*end)(void *ctx, int32_t stream);
    /* The queue of gh_h2_send fell under half of limits.stream_high after it was over. */
    void (*room)(void *ctx, int32_t stream);
    /* The stream is over: GH_OK when both halves ended, GH_CLIENT_GONE when the peer reset it, GH_H2_PROTOCOL
     * when its framing was at fault (on the server side the reason of a head for bad trailers),
     * GH_UPSTREAM_ABORTED on the client side for refused and reset streams.
     * After it the id is dead. */
    void (*closed)(void *ctx, int32_t stream, enum gh_reason why);
    /* Client side: the server takes no new streams (GOAWAY), or its advertised number is used up and then
     * free again. */
    void (*capacity)(void *ctx);
};

/* NULL when out of memory. */
struct gh_h2 *gh_h2_new(enum gh_h2_side side, const struct gh_h2_limits *limits,
                        const struct gh_h2_events *events, void *ctx);
void gh_h2_free(struct gh_h2 *h2);

/* Feeds received bytes. GH_OK; else the connection must end after what gh_h2_write still gives (GOAWAY):
 * GH_H2_PROTOCOL, GH_H2_RESETS, GH_H2_GLITCHES (both ENHANCE_YOUR_CALM), GH_OUT_OF_MEMORY. Nothing is fed
 * after that. */
GH_MUST_USE enum gh_reason gh_h2_read(struct gh_h2 *h2, gh_str bytes, int64_t now_ms);
/* Appends frames to `out` until it holds `high` bytes or there is nothing to send. */
GH_MUST_USE enum gh_reason gh_h2_write(struct gh_h2 *h2, struct gh_buf *out, size_t high);
/* GOAWAY with an error, as after a failed gh_h2_read: what gh_h2_write still gives, then the end. */
void gh_h2_give_up(struct gh_h2 *h2, enum gh_reason why);
/* Nothing to read or write any more: after GOAWAY and the last stream, or after an error was flushed. */
bool gh_h2_is_done(const struct gh_h2 *h2);
/* Graceful: GOAWAY with the highest id, and on the second call with the last one taken. New streams are
 * refused then. */
void gh_h2_shutdown(struct gh_h2 *h2);
void gh_h2_ping(struct gh_h2 *h2);
/* Streams open now. */
size_t gh_h2_streams(const struct gh_h2 *h2);
/* Why gh_h2_read failed, for the log; static. */
const char *gh_h2_why(const struct gh_h2 *h2);

/* Calls fn for each stream that is not over, as `closed` would; for a session that is about to be freed. */
void gh_h2_each_stream(struct gh_h2 *h2, void (*fn)(void *ctx, int32_t stream, enum gh_reason why), void *ctx,
                       enum gh_reason why);
void gh_h2_set_stream_ctx(struct gh_h2 *h2, int32_t stream, void *stream_ctx);
void *gh_h2_stream_ctx(const struct gh_h2 *h2, int32_t stream);

/* Client: opens a stream; the headers are copied. 0 when none can be opened now (wait for `capacity`). `end`:
 * no body. */
int32_t gh_h2_request(struct gh_h2 *h2, const struct gh_h2_head *head, bool end);
/* Not before the server's SETTINGS: what is opened beyond its number would be refused, and a POST is lost
 * then.
 */
bool gh_h2_can_request(const struct gh_h2 *h2);
/* Server. Interim (1xx) heads too. False when the stream is gone or memory is out. */
bool gh_h2_respond(struct gh_h2 *h2, int32_t stream, const struct gh_h2_head *head, bool end) GH_MUST_USE;
/* Body bytes of our half, copied. False: more than limits.stream_high is queued now (they were taken all the
 * same). */
bool gh_h2_send(struct gh_h2 *h2, int32_t stream, gh_str bytes);
void gh_h2_send_end(struct gh_h2 *h2, int32_t stream);
size_t gh_h2_queued(const struct gh_h2 *h2, int32_t stream);
/* RST_STREAM: NO_ERROR after a complete answer with the request unread, CANCEL, INTERNAL_ERROR: by reason.
 * `closed` is not called for it. */
void gh_h2_reset(struct gh_h2 *h2, int32_t stream, enum gh_reason why);
/* n bytes of `data` were used up: opens the stream's and the connection's window. Call it for dead streams
 * too. */
void gh_h2_taken(struct gh_h2 *h2, int32_t stream, size_t n);

#endif
