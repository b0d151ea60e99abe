/* exchange/exchange.h: one request with its response: facts, arena, verdict, and the two tables that join
 * front and handler. */
#ifndef GH_EXCHANGE_EXCHANGE_H
#define GH_EXCHANGE_EXCHANGE_H

#include "base/arena.h"
#include "gatehouse/policy.h"
#include "io/loop.h"
#include "observe/audit.h"
#include "observe/metrics.h"

struct gh_exchange;

enum gh_http_version { GH_HTTP_1_0, GH_HTTP_1_1, GH_HTTP_2 };

struct gh_response {
    int status; /* 200 and above */
    struct gh_headers
        headers; /* lower-case names; no framing fields (content-length, transfer-encoding, connection) */
    int64_t content_length; /* -1: not known, the body is streamed */
};

/* What the front offers to whoever handles the exchange. */
struct gh_sink {
    /* Once. `end`: no body follows. */
    void (*head)(struct gh_exchange *x, const struct gh_response *response, bool end);
    /* Copies. False: more than enough is queued; pause the source until handler->room is called. */
    bool (*data)(struct gh_exchange *x, gh_str bytes);
    void (*end)(struct gh_exchange *x);
    /* The response cannot be completed: the client must see that (RST_STREAM, or the connection is cut). */
    void (*abort)(struct gh_exchange *x, enum gh_reason why);
    /* n more bytes of the request body have been used up: the client may send as many again. */
    void (*taken)(struct gh_exchange *x, size_t n);
};

/* What handles exchanges. Runs from the loop; after the exchange ended (gh_exchange_end, _abort, _gone) no
 * call comes. */
struct gh_handler {
    void (*start)(struct gh_exchange *x);
    /* A piece of the request body, lent; `end` with the last (maybe empty) piece. At most 64 KiB come without
     * `taken`. */
    void (*body)(struct gh_exchange *x, gh_str bytes, bool end);
    /* The response queue has room again. */
    void (*room)(struct gh_exchange *x);
    /* The client is gone, or the front gave up on it. The handler lets go of everything. */
    void (*gone)(struct gh_exchange *x, enum gh_reason why);
};

/* What a worker gives to all its exchanges. */
struct gh_observer {
    struct gh_arena_pool *arenas;
    struct gh_worker_stats *stats;
    struct gh_lane *audit;           /* NULL: audit is off */
    struct gh_route_stats *no_route; /* exchanges that reached no route */
};

enum gh_exchange_state { GH_EXCHANGE_NEW, GH_EXCHANGE_HEAD_SENT, GH_EXCHANGE_DONE };

struct gh_exchange {
    struct gh_arena *arena;
    struct gh_loop *loop;
    const struct gh_observer *observer;

    /* The request: filled by the front, then read-only. */
    enum gh_method method; /* GH_METHOD_COUNT: none could be read */
    enum gh_http_version version;
    bool trusted_peer; /* the socket's other end is this machine or one of trusted_proxies */
    bool secure;       /* came over TLS, or a trusted proxy says so */
    struct gh_target target;
    struct gh_authority authority;
    struct gh_headers headers;
    int64_t content_length; /* -1: not known */
    bool has_body;
    gh_str client_ip;
    bool shared_source; /* an address that many users share: it has no budget of its own */
    int64_t peer_uid;   /* who connected to a unix socket; -1: not known */
    gh_str sni;
    uint64_t connection_id;          /* for budgets per connection */
    struct gh_budget *verify_budget; /* of the connection: spent by failed verifications; may be NULL */
    char request_id[33];

    /* The two tables. */
    const struct gh_sink *sink;
    void *sink_ctx;
    const struct gh_handler *handler;
    void *handler_ctx;
    void *handler_state; /* the handler's own, per exchange */

    /* The verdict: written by the handler. */
    const struct gh_policy *policy;
    const struct gh_principal *principal;
    const struct gh_audit_act *act; /* NULL: no issuer's */
    struct gh_route_stats *route_stats;
    bool is_quiet; /* no audit line: health, metrics, and refusals of which one has been written down */
    struct gh_strs needed;               /* scopes of the call, beside the route's; of the policy */
    gh_str rpc_id, rpc_method, rpc_name; /* of the message, where its body was read; in the arena */
    gh_str rpc_rule, rpc_arguments;      /* what decided about it, and a digest, where one is wanted */
    gh_str by;                           /* who asked at the admin listener, or empty */
    enum gh_reason reason;
    const char *stage;
    int64_t retry_after_s; /* where it is known better than the reason's row knows; 0: it is not */
    int status;

    /* Kept by exchange.c. */
    enum gh_exchange_state state;
    bool is_event_stream;
    uint64_t bytes_in, bytes_out;
    int64_t started_wall_us, started_ns, verify_ns, upstream_ns;
};

/* Made by the front: fills identity, times, and the arena. NULL when out of memory. */
struct gh_exchange *gh_exchange_new(struct gh_loop *loop, const struct gh_observer *observer);
/* After it ended; the arena dies with it. */
void gh_exchange_free(struct gh_exchange *x);

/* ---- for handlers: wrap the sink, keep the state, and write audit and metrics once, when it ends ---- */
void gh_exchange_head(struct gh_exchange *x, const struct gh_response *response, bool end);
bool gh_exchange_data(struct gh_exchange *x, gh_str bytes);
void gh_exchange_end(struct gh_exchange *x);
/* Before the head: answers with the reason's row instead. After it: sink->abort. */
void gh_exchange_abort(struct gh_exchange *x, enum gh_reason why);
/* The answer of a reason row: status, fixed JSON body, challenge where the policy has one, CORS where the
 * origin is allowed, Retry-After for 429 and 503. `allow` is for 405, else NULL. Ends the exchange. */
void gh_exchange_refuse(struct gh_exchange *x, enum gh_reason why, const char *allow);
/* What a browser's script may read of an answer. */
extern const gh_str gh_exposed_headers;
/* A whole small answer; adds nothing but content-length. Ends the exchange. */
void gh_exchange_answer(struct gh_exchange *x, int status, const struct gh_headers *headers, gh_str body);

/* ---- for the front ---- */
/* A connection that ended before, or beside, any exchange: counted and written down like one, without a
 * request. */
void gh_exchange_connection_ended(const struct gh_observer *observer, enum gh_reason why, gh_str client_ip);
void gh_exchange_start(struct gh_exchange *x);
void gh_exchange_body(struct gh_exchange *x, gh_str bytes, bool end);
void gh_exchange_room(struct gh_exchange *x);
/* The client vanished or the front gave up. Harmless when the exchange is done already. */
void gh_exchange_gone(struct gh_exchange *x, enum gh_reason why);
/* The front gives up on a client that is still there: it is answered or cut, and the handler lets go. */
void gh_exchange_give_up(struct gh_exchange *x, enum gh_reason why);

#endif
