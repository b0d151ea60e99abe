/* upstream/pool.h: what the files of this folder share: one worker's endpoints, links (connections) and
 * calls.
 */
#ifndef GH_UPSTREAM_POOL_H
#define GH_UPSTREAM_POOL_H

#include "base/list.h"
#include "upstream/health.h"
#include "upstream/target.h"
#include "wire/h1.h"
#include "wire/h2.h"

/* What an endpoint speaks; over TLS with GH_UPSTREAM_AUTO the first handshake tells. */
enum gh_protocol { GH_PROTOCOL_UNKNOWN, GH_PROTOCOL_H1, GH_PROTOCOL_H2 };

struct gh_endpoint {
    struct gh_upstream *upstream;
    const struct gh_target_endpoint *target;
    int index;
    enum gh_protocol protocol;
    size_t address_at;      /* tried first: the last one that worked */
    struct gh_list links;   /* all, in whatever state */
    struct gh_list idle;    /* HTTP/1.1, free; the last used one first */
    struct gh_list waiting; /* calls without a link, oldest first */
    size_t link_count, connecting, idle_count, waiting_count;
    size_t outstanding; /* calls waiting or running here: what balancing compares */
    struct gh_health health;
    struct gh_deadline probe_timer;
    struct gh_call *probe;
    bool probe_ok;
    size_t probe_bytes;
};

struct gh_upstream {
    struct gh_loop *loop;
    struct gh_upstream_target *target;
    const struct gh_upstream_conf *conf; /* the target's */
    struct gh_health_conf health_conf;
    struct gh_h1_limits h1_limits;
    struct gh_h2_limits h2_limits;
    struct gh_worker_stats *stats;
    size_t refs; /* the owner, each call, each link */
    bool closing;
    size_t turn; /* where balancing begins to look: equals are served in turn */
    struct gh_endpoint endpoints[];
};

/*   CONNECTING -> IDLE <-> BUSY        HTTP/1.1: one call at a time
 *   CONNECTING -> SHARED               HTTP/2: many calls
 *   any -> DEAD                        freed at the end of the turn */
enum gh_link_state { GH_LINK_CONNECTING, GH_LINK_IDLE, GH_LINK_BUSY, GH_LINK_SHARED, GH_LINK_DEAD };

struct gh_link {
    struct gh_list place;      /* in endpoint->links */
    struct gh_list idle_place; /* in endpoint->idle */
    struct gh_endpoint *endpoint;
    struct gh_conn *conn;
    enum gh_link_state state;
    size_t address;
    struct gh_deadline timer; /* connecting, then idle */
    int64_t idle_ms;          /* ours, or less where the peer said Keep-Alive: timeout */
    int64_t idle_since_ms;
    bool reused; /* it has carried a call before this one */

    /* HTTP/1.1 */
    struct gh_call *call;
    struct gh_h1_reader reader;
    struct gh_arena *arena; /* of the response head */
    bool flushed;           /* bytes of this call may have left */
    bool answered;          /* bytes of an answer to this call came */
    bool last;              /* the response said that the connection ends with it */

    /* HTTP/2 */
    struct gh_h2 *h2;
    struct gh_list calls;
};

/*   WAITING -> RUNNING -> ANSWERED -> DEAD       `fail` comes at the end of the turn: FAILING
 *      ^----------'  once more on another link */
enum gh_call_state { GH_CALL_WAITING, GH_CALL_RUNNING, GH_CALL_ANSWERED, GH_CALL_FAILING, GH_CALL_DEAD };

struct gh_call {
    struct gh_list place; /* in endpoint->waiting or link->calls */
    struct gh_upstream *upstream;
    struct gh_endpoint *endpoint; /* NULL: none could be had */
    struct gh_link *link;
    struct gh_call_request request;
    struct gh_headers given; /* request.headers */
    const struct gh_call_events *events;
    void *ctx;
    enum gh_call_state state;
    bool queued;              /* in endpoint->waiting */
    bool body_ended;          /* the caller gave all of it */
    bool end_written;         /* and it was framed for a link, or lies in `replay` */
    bool paused;              /* by the caller */
    bool again;               /* on its second link: there is no third */
    bool trial;               /* let through to an endpoint that is out */
    bool event_stream;        /* of the answer */
    bool is_probe;            /* goes to its endpoint whatever is thought of it */
    int64_t body_given;       /* of content_length */
    size_t untaken;           /* body bytes on their way, not yet reported by `taken` */
    struct gh_buf pending;    /* body bytes that came before there was a link */
    struct gh_buf replay;     /* framed bytes of this call that never left a link that died */
    uint64_t tried;           /* endpoints that could not be reached, by bit */
    size_t connects;          /* addresses of the present endpoint that failed */
    struct gh_headers fields; /* of the answer */
    struct gh_deadline timer;
    struct gh_turn_work later; /* delivers `verdict`, or what was `held` */
    enum gh_reason verdict;    /* until then: of the last connection attempt */

    /* HTTP/2 */
    int32_t stream;
    unsigned interim;
    struct gh_arena *arena; /* of the response head */
    struct gh_buf held;     /* came while the caller rested */
    bool all_held;          /* and the end behind it: the stream is over */
};

/* ---- pool.c: endpoints ---- */
/* Finds the call an endpoint, and a link or a place in the queue. Else the reason to fail it with. */
GH_MUST_USE enum gh_reason gh_pool_place(struct gh_call *call);
/* Gives waiting calls the links that are free, and opens as many as are needed and allowed. */
void gh_endpoint_serve(struct gh_endpoint *endpoint);
/* A connection attempt came to nothing: the calls that waited for it try the next address or endpoint. */
void gh_endpoint_connect_failed(struct gh_endpoint *endpoint, size_t address, enum gh_reason why);
void gh_endpoint_failed(struct gh_endpoint *endpoint);
void gh_upstream_unref(struct gh_upstream *upstream);

/* ---- probe.c: active health ---- */
void gh_probe_init(struct gh_endpoint *endpoint);
void gh_probe_stop(struct gh_endpoint *endpoint);

/* ---- link.c: a connection's life, whatever it speaks ---- */
/* False when no socket or memory could be had. */
bool gh_link_connect(struct gh_endpoint *endpoint) GH_MUST_USE;
void gh_link_set_state(struct gh_link *link, enum gh_link_state state);
/* Does no call need it? */
bool gh_link_is_spare(const struct gh_link *link);
/* Closes at once. The link stays readable until the end of the turn. */
void gh_link_drop(struct gh_link *link);
/* Closes when what is queued has left. */
void gh_link_finish(struct gh_link *link);
/* What a conn's end means for a call. */
enum gh_reason gh_link_reason(enum gh_reason why);

/* ---- link_h1.c: a link that speaks HTTP/1.1 ---- */
/* False when out of memory. */
bool gh_link_h1_open(struct gh_link *link) GH_MUST_USE;
void gh_link_h1_done(struct gh_link *link);
/* An idle link that is still open, or NULL; those found closed are dropped. */
struct gh_link *gh_link_h1_peek_idle(struct gh_endpoint *endpoint);
/* False when out of memory: the link is dropped, the call is without one. */
bool gh_link_h1_start(struct gh_link *link, struct gh_call *call) GH_MUST_USE;
bool gh_link_h1_body(struct gh_link *link, struct gh_call *call, gh_str bytes) GH_MUST_USE;

/* ---- link_h2.c: a link that speaks HTTP/2 ---- */
bool gh_link_h2_open(struct gh_link *link) GH_MUST_USE;
void gh_link_h2_done(struct gh_link *link);
/* A session that takes one more call, or NULL. */
struct gh_link *gh_link_h2_peek_free(struct gh_endpoint *endpoint);
/* False when out of memory: the call is without a link. */
bool gh_link_h2_start(struct gh_link *link, struct gh_call *call) GH_MUST_USE;
void gh_link_h2_body(struct gh_link *link, struct gh_call *call, gh_str bytes);
/* Gives a resumed caller what was held. */
void gh_link_h2_give(struct gh_call *call);
void gh_link_h2_leave(struct gh_link *link, struct gh_call *call);
/* GOAWAY, and away. */
void gh_link_h2_bye(struct gh_link *link);

/* ---- call.c: a call's life ---- */
struct gh_call *gh_call_new(struct gh_upstream *upstream, const struct gh_call_request *request,
                            const struct gh_call_events *events, void *ctx);
void gh_call_go(struct gh_call *call);
void gh_call_set_state(struct gh_call *call, enum gh_call_state state);
void gh_call_attach(struct gh_call *call, struct gh_link *link);
/* Out of the endpoint's lists and counts, whatever happens to its link. */
void gh_call_leave(struct gh_call *call);
/* Off its link: an HTTP/1.1 link cannot be used again, an HTTP/2 stream is reset. */
void gh_call_abandon(struct gh_call *call);
/* The link died under it: to another one. */
void gh_call_again(struct gh_call *call);
/* It left its link or never had one; the caller is told at the end of the turn. */
void gh_call_fail(struct gh_call *call, enum gh_reason why);
/* These run the caller's callbacks: after them the call may be dead and its link dropped. */
void gh_call_head(struct gh_call *call, const struct gh_call_response *response);
void gh_call_data(struct gh_call *call, gh_str bytes);
void gh_call_end(struct gh_call *call);
/* Reports n of what is on its way. */
void gh_call_taken(struct gh_call *call, size_t n);

#endif
