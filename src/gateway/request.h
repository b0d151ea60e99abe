/* gateway/request.h: what the stages share: one exchange on its way through the gateway. Private to this
 * folder. */
#ifndef GH_GATEWAY_REQUEST_H
#define GH_GATEWAY_REQUEST_H

#include "gatehouse/endpoint.h"
#include "gatehouse/list.h"
#include "gatehouse/session.h"
#include "gateway/gateway.h"
#include "gateway/offenders.h"
#include "gateway/rates.h"
#include "gateway/verdict.h"

/* What a worker holds of one issuer's keys. */
struct keys_here {
    struct gh_keys_view view;
    uint64_t published; /* counts publications: a verdict remembers under which it was last confirmed */
};

/* Who was told of a step-up lately. */
struct gh_told {
    uint64_t hash;
    int64_t until;
};
#define GH_TOLD_MAX 1024u

struct gh_gateway {
    struct gh_gateway_new with;
    struct gh_worker_stats *stats;
    struct gh_site *site;
    struct gh_verdicts *verdicts;
    struct gh_sealer *sealer; /* this worker's */
    struct keys_here *keys;   /* GH_KEYRING_SLOTS of them */
    struct gh_map upstreams;  /* of struct upstream_here, by target pointer */
    struct gh_map waiting;    /* of struct gh_request, by ticket */
    uint64_t last_ticket;
    struct gh_list requests; /* all that are open */
    struct gh_offenders *offenders;
    struct gh_rates *rates;
    struct gh_rpc_scanner *scanner; /* of bodies, since the first that had to be read */
    struct gh_rpc_limits scanner_limits;
    struct gh_map turnstiles; /* of struct gh_turnstile, by connection */
    size_t bodies_held;       /* bytes in whole bodies */
    struct gh_told told[GH_TOLD_MAX];
};

/* Where a request goes on when an answer comes. */
enum gh_next {
    GH_NEXT, /* the next stage */
    GH_WAIT, /* something will call gh_request_run; the same stage runs again */
    GH_DONE, /* answered: the exchange has ended */
};

/* How far verification has come; authn.c owns it. */
enum authn_step {
    AUTHN_READ,      /* nothing yet */
    AUTHN_KEY_ASKED, /* waits for the control thread */
    AUTHN_TURN,      /* waits until earlier checks of its connection, which is broke, have come back */
    AUTHN_OFFLOADED, /* waits for a signature */
    AUTHN_ASKED,     /* waits for introspection */
};

/* What is done with an answer that may hold lists; lists.c owns it. */
enum list_mode { LIST_NONE, LIST_BODY, LIST_EVENTS };
struct list_here {
    enum list_mode mode;
    struct gh_buf held;      /* of the gateway's pool: the body so far, or the event */
    struct gh_buf leaving;   /* of the pool too: what may be shown, as the client has room for it */
    bool is_whole;           /* nothing comes behind that */
    struct gh_response head; /* LIST_BODY: it leaves with the body */
    struct gh_event_finder finder;
};

struct gh_request {
    struct gh_exchange *x;
    struct gh_gateway *gateway;
    struct gh_site *site; /* a reference: the snapshot it began under, or was rebound to */
    const struct gh_route *route;
    struct gh_list link; /* in gateway->requests */
    unsigned stage;
    bool running, ended;
    bool wants_metadata; /* the path is that of the route's document */
    bool is_message;     /* ... or that where clients of an HTTP+SSE server send their messages */

    /* authn */
    enum authn_step authn;
    bool awaits; /* what that step waits for has not come */
    gh_str token_text;
    struct gh_token token;
    const struct gh_issuer *issuer;
    uint64_t keys_seen;       /* the publication in which the key was found */
    bool renewing;            /* the answer is open, its token is asked about again */
    struct gh_arena *renewed; /* holds the principal since then; NULL: the verdict does */
    bool was_broke;           /* the budget of failed checks was spent: this one was checked behind others */
    struct gh_list turn;      /* in a turnstile while it waits there */
    struct gh_key *key;       /* a reference while the signature is checked */
    struct gh_verdict *verdict;
    unsigned char verdict_key[GH_VERDICT_KEY];
    struct gh_map_node ticket_node; /* in gateway->waiting */
    uint64_t ticket;                /* 0: waits for nothing */
    enum gh_reason answer_reason;   /* of the offloaded signature or the introspection */
    gh_str answer;                  /* introspection: in the arena */
    struct gh_deadline wait_deadline;
    int64_t verify_started_ns;

    struct gh_rate_waiter rate_waiter; /* linked while the stage waits */
    struct gh_rate_cell **rates;       /* the verdict's, and behind them references to those of its call */
    size_t rate_count, rates_lent;     /* the first so many are the verdict's */
    uint32_t rates_of_call;            /* which of the route's limits count what is called, besides */

    /* session */
    gh_str session_sealed, session_id; /* the client's text and what it holds; ptr NULL: it sent none */
    int endpoint; /* that made the session, or -1: any; since the answer's head: that which answers */
    gh_str message_target;                      /* HTTP+SSE: path and query that the message goes to */
    struct gh_endpoint_reader *endpoint_reader; /* HTTP+SSE: of the stream, since its head */

    /* body, forward, relay */
    struct gh_buf body; /* what came before the call was started, or the whole body */
    bool body_ended;
    bool method_compared, name_compared; /* fields that repeat the body; with the method those of arguments */
    bool asks_for_list;                  /* says its body */
    struct list_here list;
    struct gh_call *call;
    /* The snapshot whose names and paths the call's head is made of: held until the head has left, whatever
     * the request itself is rebound to. */
    struct gh_site *call_site;
    int64_t call_started_ns;
    struct gh_deadline expiry;     /* an open stream ends with its token */
    struct gh_deadline keepalive;  /* comments on event boundaries */
    int64_t keepalive_ms;          /* until the next one */
    struct gh_stream_place stream; /* an event stream is counted */
    unsigned sse_tail;             /* line ends at the end of what was relayed: 2 is a boundary */
    char sse_last;                 /* the last byte relayed */
    uint64_t body_seen;
};

/* Runs stages until one waits or is done. */
void gh_request_run(struct gh_request *r);
/* Answers with the reason's row; returns GH_DONE. */
enum gh_next gh_request_refuse(struct gh_request *r, enum gh_reason why);
/* The same with an Allow header. */
enum gh_next gh_request_refuse_method(struct gh_request *r, const char *allow);
/* Lets go of call, verdict, site. The request itself dies with the exchange's arena, at the end of the turn.
 */
void gh_request_let_go(struct gh_request *r);
/* A ticket under which an answer finds the request again; false when out of memory. */
bool gh_request_take_ticket(struct gh_request *r);
struct gh_request *gh_request_by_ticket(struct gh_gateway *gateway, uint64_t ticket);

/* ---- the stages, one file each ---- */
enum gh_next gh_stage_route(struct gh_request *r);
enum gh_next gh_stage_wellknown(struct gh_request *r);
enum gh_next gh_stage_authn(struct gh_request *r);
enum gh_next gh_stage_revocation(struct gh_request *r);
enum gh_next gh_stage_authz(struct gh_request *r);
enum gh_next gh_stage_body(struct gh_request *r);
enum gh_next gh_stage_rate(struct gh_request *r);
enum gh_next gh_stage_session(struct gh_request *r);
enum gh_next gh_stage_forward(struct gh_request *r);
enum gh_next gh_stage_relay(struct gh_request *r);

/* authn.c: the wait for keys, a signature or an introspection took too long. */
void gh_authn_expired(struct gh_deadline *deadline);
enum gh_next gh_authn_wait(struct gh_request *r, enum authn_step step);
void gh_authn_resume(struct gh_request *r, enum gh_reason reason);
/* The signature is good: claims, binding, principal. */
enum gh_next gh_authn_judge(struct gh_request *r);
/* check.c: the signature with r->key; goes on with gh_authn_judge. */
enum gh_next gh_check_signature(struct gh_request *r);
enum gh_next gh_check_done(struct gh_request *r, enum gh_reason reason);
/* A token seen for the first time that was no good: costs connection and address, and is refused. */
enum gh_next gh_check_failed(struct gh_request *r, enum gh_reason reason);
/* Have this connection or its address failed too often of late? */
bool gh_check_is_broke(struct gh_request *r);
void gh_check_free_turnstiles(struct gh_gateway *gateway);
/* step_up.c: the principal lacks a scope of r's route: its issuer, if it is ours and the route wants it, is
 * told. */
void gh_step_up(struct gh_request *r);
/* call.c: GH_OK, or a GH_RPC_ reason; GH_SCOPE_MISSING with the exchange's `needed`. */
GH_MUST_USE enum gh_reason gh_call_decide(struct gh_request *r);
/* mirror.c: GH_OK, or GH_RPC_HEADERS: header fields that repeat the message say something else. Sets
 * r->method_compared and name_compared. */
GH_MUST_USE enum gh_reason gh_mirror_check(struct gh_request *r, const struct gh_rpc_message *message);
/* rate.c */
void gh_rate_go_on(struct gh_rate_waiter *waiter);
/* Which limits count a call of the tool. */
void gh_rate_note_tool(struct gh_request *r, gh_str tool);
/* Gives back what the request holds. */
void gh_rate_done(struct gh_request *r);
/* The cells that count r's principal at r's route; false when out of memory. */
bool gh_rate_find_cells(struct gh_request *r, struct gh_verdict *verdict) GH_MUST_USE;
/* authz.c */
struct gh_stream_limits gh_stream_limits_of(const struct gh_site *site);
/* renew.c: an introspected token of an open answer. */
void gh_renew(struct gh_request *r);
void gh_renew_answered(struct gh_request *r, enum gh_reason reason, gh_str answer);
/* session.c: the upstream's own id into the request's head; the sealed one into the answer's, or
 * GH_UPSTREAM_MALFORMED. */
GH_MUST_USE enum gh_reason gh_session_add(struct gh_request *r, struct gh_headers *headers);
GH_MUST_USE enum gh_reason gh_session_relay(struct gh_request *r, const struct gh_call_response *from,
                                            struct gh_headers *headers);
/* A text of r->endpoint, sealed for the principal and the route under that purpose; r->endpoint is set when
 * it opens. GH_SESSION_UNKNOWN, GH_OUT_OF_MEMORY. */
GH_MUST_USE enum gh_reason gh_session_seal_text(struct gh_request *r, gh_str purpose, gh_str text,
                                                gh_str *ret_sealed);
GH_MUST_USE enum gh_reason gh_session_open_text(struct gh_request *r, gh_str purpose, gh_str sealed,
                                                gh_str *ret_text);
/* http_sse.c: routes whose server speaks HTTP+SSE (MCP 2024-11-05). Where a message goes; GH_SESSION_UNKNOWN
 * for what this principal was not given here. */
GH_MUST_USE enum gh_reason gh_http_sse_open(struct gh_request *r);
/* An answer's head: a stream is read from now on. GH_UPSTREAM_ENDPOINT for what is none. */
GH_MUST_USE enum gh_reason gh_http_sse_begin(struct gh_request *r, const struct gh_call_response *from,
                                             struct gh_response *to);
/* A piece of that stream on its way to gh_relay_pass. */
void gh_http_sse_data(struct gh_request *r, gh_str bytes);
/* assertion.c: the identity of r's verdict as a signed JWT for r's route, in the exchange's arena. GH_OK,
 * GH_TOKEN_EXPIRED, GH_OUT_OF_MEMORY, GH_INTERNAL. */
GH_MUST_USE enum gh_reason gh_assertion_for(struct gh_request *r, gh_str *ret_assertion);
/* body.c */
void gh_forward_body(struct gh_request *r, gh_str bytes, bool end);
/* relay.c */
extern const struct gh_call_events gh_relay_events;
void gh_relay_room(struct gh_request *r);
void gh_relay_expired(struct gh_deadline *deadline);
/* Bytes of an answer's body, on their way to the client; those that may leave as they are: false when the
 * client has no room for more, and the upstream rests. */
void gh_relay_pass(struct gh_request *r, gh_str bytes);
bool gh_relay_send(struct gh_request *r, gh_str bytes);
/* lists.c: of an answer: its head, which may change; its body and its end where r->list.mode is set; what is
 * held is let go. GH_LIST_UNREADABLE: it may hold a list in a way that is not read. */
GH_MUST_USE enum gh_reason gh_lists_enter(struct gh_request *r, struct gh_response *to);
void gh_lists_data(struct gh_request *r, gh_str bytes);
void gh_lists_end(struct gh_request *r);
/* What may be shown leaves as far as there is room; behind it r may be let go. False unless there is room for
 * more. */
bool gh_lists_leave(struct gh_request *r);
void gh_lists_done(struct gh_request *r);
/* events.c: GH_OK, or GH_STREAMS_MANY for an answer that would be one stream too many. */
GH_MUST_USE enum gh_reason gh_events_enter(struct gh_request *r, const struct gh_headers *headers);
void gh_events_begin(struct gh_request *r, const struct gh_response *response);
void gh_events_follow(struct gh_request *r, gh_str bytes);
void gh_events_keepalive(struct gh_deadline *deadline);
/* gateway.c: this worker's pool for a target, made at first use. */
struct gh_upstream *gh_gateway_upstream(struct gh_gateway *gateway, struct gh_upstream_target *target);
void gh_gateway_free_upstreams(struct gh_gateway *gateway);
/* Drops pools whose target the present site does not name. */
void gh_gateway_prune_upstreams(struct gh_gateway *gateway);

#endif
