/* gateway/pipeline.c: the table of stages, in the order a request lives them, and the one place that decides
 * what is next. */
#include "base/arena.h"
#include "base/str.h"
#include "gateway/request.h"

struct stage {
    const char *name;
    enum gh_next (*run)(struct gh_request *r);
};

static const struct stage pipeline[] = {
    { "route", gh_stage_route },           /* host and path -> tenant, route, policy; 404, 421; Origin    */
    { "wellknown", gh_stage_wellknown },   /* protected-resource metadata and preflights; answers         */
    { "authn", gh_stage_authn },           /* credential -> principal; 401 and challenge; may wait        */
    { "revocation", gh_stage_revocation }, /* reads the index in memory; never waits */
    { "body", gh_stage_body },             /* only where the body is held whole: waits for its end        */
    { "authz", gh_stage_authz },           /* principal and route -> allow, or 403; method and media type */
    { "rate", gh_stage_rate },             /* has each limit something left, or 429; may wait             */
    { "session", gh_stage_session },       /* a sealed session id -> endpoint and its own id, or 404      */
    { "forward", gh_stage_forward },       /* head and body to a peer                                     */
    { "relay", gh_stage_relay },           /* the answer back, piece by piece; waits                      */
};

void gh_request_run(struct gh_request *r)
{
    if (r->running || r->ended)
        return;
    r->running = true;
    enum gh_next next = GH_NEXT;
    while (next == GH_NEXT && r->stage < GH_ARRAY_LEN(pipeline)) {
        r->x->stage = pipeline[r->stage].name;
        next = pipeline[r->stage].run(r);
        if (next == GH_NEXT)
            r->stage++;
    }
    r->running = false;
    if (next == GH_DONE)
        gh_request_let_go(r);
}

enum gh_next gh_request_refuse(struct gh_request *r, enum gh_reason why)
{
    gh_exchange_refuse(r->x, why, NULL);
    return GH_DONE;
}

enum gh_next gh_request_refuse_method(struct gh_request *r, const char *allow)
{
    gh_exchange_refuse(r->x, GH_HTTP_METHOD_REFUSED, allow);
    return GH_DONE;
}

/* ---- beginning and end ---- */

static void give_up_ticket(struct gh_request *r)
{
    if (r->ticket == 0)
        return;
    gh_map_remove(&r->gateway->waiting, &r->ticket_node);
    r->ticket = 0;
}

void gh_request_let_go(struct gh_request *r)
{
    if (r->ended)
        return;
    r->ended = true;
    r->x->handler_state = NULL;
    give_up_ticket(r);
    if (r->call != NULL)
        gh_call_cancel(r->call);
    r->call = NULL;
    gh_list_remove(&r->turn);
    gh_rate_done(r);
    gh_deadline_clear(&r->wait_deadline);
    gh_deadline_clear(&r->expiry);
    gh_deadline_clear(&r->keepalive);
    if (r->route != NULL && r->route->body_whole)
        r->gateway->bodies_held -= gh_buf_len(&r->body);
    gh_buf_done(&r->body);
    gh_lists_done(r);
    gh_endpoint_reader_free(r->endpoint_reader);
    gh_streams_leave(r->gateway->with.streams, &r->stream);
    gh_key_unref(r->key);
    gh_verdict_unref(r->verdict);
    gh_arena_free(r->renewed);
    gh_list_remove(&r->link);
    gh_site_unref(r->site);
    gh_site_unref(r->call_site);
}

static void start(struct gh_exchange *x)
{
    struct gh_gateway *gateway = x->handler_ctx;
    struct gh_request *r = gateway->site != NULL ? GH_ARENA_NEW(x->arena, struct gh_request) : NULL;
    if (r == NULL) {
        gh_exchange_refuse(x, gateway->site != NULL ? GH_OUT_OF_MEMORY : GH_SHUTTING_DOWN, NULL);
        return;
    }
    r->x = x;
    r->gateway = gateway;
    r->site = gh_site_ref(gateway->site);
    r->body_ended = !x->has_body;
    gh_list_init(&r->turn);
    gh_rate_waiter_init(&r->rate_waiter, gh_rate_go_on);
    gh_deadline_init(&r->wait_deadline, gh_authn_expired);
    gh_deadline_init(&r->expiry, gh_relay_expired);
    gh_deadline_init(&r->keepalive, gh_events_keepalive);
    gh_list_append(&gateway->requests, &r->link);
    x->handler_state = r;
    gh_request_run(r);
}

static void body(struct gh_exchange *x, gh_str bytes, bool end)
{
    struct gh_request *r = x->handler_state;
    if (r != NULL)
        gh_forward_body(r, bytes, end);
}

static void room(struct gh_exchange *x)
{
    struct gh_request *r = x->handler_state;
    if (r != NULL)
        gh_relay_room(r);
}

static void gone(struct gh_exchange *x, enum gh_reason why)
{
    struct gh_request *r = x->handler_state;
    if (r != NULL)
        gh_request_let_go(r);
}

const struct gh_handler gh_gateway_handler = { .start = start, .body = body, .room = room, .gone = gone };

/* ---- tickets ---- */

bool gh_request_take_ticket(struct gh_request *r)
{
    r->ticket = ++r->gateway->last_ticket;
    r->ticket_node.key = gh_str_of(&r->ticket, sizeof(r->ticket));
    if (gh_map_add(&r->gateway->waiting, &r->ticket_node))
        return true;
    r->ticket = 0;
    return false;
}

struct gh_request *gh_request_by_ticket(struct gh_gateway *gateway, uint64_t ticket)
{
    struct gh_map_node *node = gh_map_find(&gateway->waiting, gh_str_of(&ticket, sizeof(ticket)));
    if (node == NULL)
        return NULL;
    struct gh_request *r = GH_MAP_ENTRY(node, struct gh_request, ticket_node);
    give_up_ticket(r);
    return r;
}
