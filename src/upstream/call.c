/* upstream/call.c: the life of one call: start, body, pause, cancel, and the events its caller gets. */
#include "upstream/pool.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/blocks.h"
#include "base/str.h"

static void sent(struct gh_call *call);
static void call_timer(struct gh_deadline *deadline);
static void call_verdict(struct gh_turn_work *work);
static void call_free(void *ptr);

struct gh_call *gh_call_start(struct gh_upstream *upstream, const struct gh_call_request *request,
                              const struct gh_call_events *events, void *ctx)
{
    struct gh_call *call = gh_call_new(upstream, request, events, ctx);
    if (call != NULL)
        gh_call_go(call);
    return call;
}

struct gh_call *gh_call_new(struct gh_upstream *upstream, const struct gh_call_request *request,
                            const struct gh_call_events *events, void *ctx)
{
    struct gh_call *call = gh_block_take_zeroed(sizeof(*call));
    if (call == NULL)
        return NULL;
    call->upstream = upstream;
    call->request = *request;
    call->given = *request->headers;
    call->request.headers = &call->given;
    call->events = events;
    call->ctx = ctx;
    call->body_ended = !request->has_body;
    gh_list_init(&call->place);
    gh_deadline_init(&call->timer, call_timer);
    gh_turn_work_init(&call->later, call_verdict);
    upstream->refs++;
    return call;
}

void gh_call_go(struct gh_call *call)
{
    enum gh_reason why = gh_pool_place(call);
    if (why != GH_OK)
        gh_call_fail(call, why);
}

void gh_call_set_state(struct gh_call *call, enum gh_call_state state)
{
    static const unsigned char legal[] = {
        [GH_CALL_WAITING] = 1 << GH_CALL_RUNNING | 1 << GH_CALL_FAILING | 1 << GH_CALL_DEAD,
        [GH_CALL_RUNNING] =
            1 << GH_CALL_WAITING | 1 << GH_CALL_ANSWERED | 1 << GH_CALL_FAILING | 1 << GH_CALL_DEAD,
        [GH_CALL_ANSWERED] = 1 << GH_CALL_FAILING | 1 << GH_CALL_DEAD,
        [GH_CALL_FAILING] = 1 << GH_CALL_DEAD,
        [GH_CALL_DEAD] = 0,
    };
    if ((legal[call->state] >> state & 1) == 0)
        abort();
    call->state = state;
    if (state == GH_CALL_FAILING || state == GH_CALL_DEAD) {
        gh_call_leave(call);
        gh_buf_done(&call->pending);
        gh_buf_done(&call->replay);
        gh_buf_done(&call->held);
    }
    if (state == GH_CALL_DEAD) {
        gh_turn_work_cancel(&call->later);
        gh_loop_free_later(call->upstream->loop, call_free, call);
    }
}

static void call_free(void *ptr)
{
    struct gh_call *call = ptr;
    gh_upstream_unref(call->upstream);
    gh_arena_free(call->arena);
    gh_block_give(call, sizeof(*call));
}

/* ---- towards the endpoint ---- */

void gh_call_leave(struct gh_call *call)
{
    struct gh_endpoint *endpoint = call->endpoint;
    gh_deadline_clear(&call->timer);
    call->link = NULL;
    if (endpoint == NULL)
        return;
    if (gh_list_is_linked(&call->place))
        gh_list_remove(&call->place);
    if (call->queued)
        endpoint->waiting_count--;
    call->queued = false;
    if (call->trial) {
        call->trial = false;
        gh_health_trial_over(&endpoint->health);
    }
    endpoint->outstanding--;
    call->endpoint = NULL;
}

/* An answer has begun and goes on. Silence in an event stream means that nothing happened; in any other body,
 * that something is wrong. */
static void awake(struct gh_call *call)
{
    if (call->state == GH_CALL_ANSWERED && !call->event_stream && !call->paused && call->body_ended &&
        call->upstream->conf->stall_ms > 0)
        gh_deadline_set(call->upstream->loop, &call->timer, call->upstream->conf->stall_ms);
}

void gh_call_attach(struct gh_call *call, struct gh_link *link)
{
    gh_call_set_state(call, GH_CALL_RUNNING);
    call->link = link;
    if (call->body_ended)
        sent(call);
}

/* The request is out whole: the wait for the first byte of the answer begins. */
static void sent(struct gh_call *call)
{
    int64_t ms = call->request.first_byte_ms;
    if (call->state == GH_CALL_RUNNING)
        gh_deadline_set(call->upstream->loop, &call->timer,
                        ms > 0 ? ms : call->upstream->conf->first_byte_ms);
    else
        awake(call);
}

void gh_call_again(struct gh_call *call)
{
    call->again = true;
    if (gh_buf_len(&call->replay) != 0)
        call->request.endpoint = call->endpoint->index; /* the framed head names this host */
    gh_call_leave(call);
    gh_call_set_state(call, GH_CALL_WAITING);
    gh_call_go(call);
}

/* ---- towards the caller ---- */

/* An endpoint that answers is well, whatever it answers: a status is the business of the two ends. */
void gh_call_head(struct gh_call *call, const struct gh_call_response *response)
{
    call->event_stream = gh_headers_media_type_is(response->headers, GH_STR("text/event-stream"));
    gh_health_succeeded(&call->endpoint->health);
    call->trial = false;
    gh_deadline_clear(&call->timer);
    gh_call_set_state(call, GH_CALL_ANSWERED);
    awake(call);
    call->events->head(call->ctx, response);
}

void gh_call_data(struct gh_call *call, gh_str bytes)
{
    awake(call);
    call->events->data(call->ctx, bytes);
}

void gh_call_end(struct gh_call *call)
{
    gh_call_set_state(call, GH_CALL_DEAD);
    call->events->end(call->ctx);
}

void gh_call_taken(struct gh_call *call, size_t n)
{
    call->untaken -= n;
    if (n != 0)
        call->events->taken(call->ctx, n);
}

/* At the end of the turn, so that no call on the pool ever runs its caller. */
void gh_call_fail(struct gh_call *call, enum gh_reason why)
{
    call->verdict = why;
    gh_call_set_state(call, GH_CALL_FAILING);
    gh_loop_at_end(call->upstream->loop, &call->later);
}

static void call_verdict(struct gh_turn_work *work)
{
    struct gh_call *call = GH_LIST_ENTRY(work, struct gh_call, later);
    if (call->state != GH_CALL_FAILING) {
        if (!call->paused)
            gh_link_h2_give(call);
        return;
    }
    gh_call_set_state(call, GH_CALL_DEAD);
    call->events->fail(call->ctx, call->verdict);
}

static void call_timer(struct gh_deadline *deadline)
{
    struct gh_call *call = GH_LIST_ENTRY(deadline, struct gh_call, timer);
    struct gh_endpoint *endpoint = call->endpoint;
    if (call->state == GH_CALL_WAITING) {
        gh_call_fail(call, GH_UPSTREAM_BUSY);
        return;
    }
    if (call->state == GH_CALL_RUNNING)
        gh_endpoint_failed(endpoint);
    gh_call_abandon(call);
    gh_call_fail(call, GH_UPSTREAM_TIMEOUT);
    gh_endpoint_serve(endpoint);
}

void gh_call_abandon(struct gh_call *call)
{
    struct gh_link *link = call->link;
    if (link == NULL)
        return;
    call->link = NULL;
    if (link->state == GH_LINK_SHARED)
        gh_link_h2_leave(link, call);
    else
        gh_link_drop(link);
}

/* ---- the caller's side ---- */

void gh_call_body(struct gh_call *call, gh_str bytes, bool end)
{
    if (call->body_ended || call->state == GH_CALL_FAILING || call->state == GH_CALL_DEAD)
        return;
    int64_t total = call->body_given + (int64_t)bytes.len, length = call->request.content_length;
    call->body_given = total;
    call->body_ended = end;
    /* Anything but the announced number of bytes would be read as part of the next request. */
    enum gh_reason why = GH_OK;
    if (length >= 0 && (total > length || (end && total != length)))
        why = GH_INTERNAL;
    else if (call->link == NULL)
        why = gh_buf_add(&call->pending, bytes) ? GH_OK : GH_OUT_OF_MEMORY;
    else if (call->link->state == GH_LINK_SHARED)
        gh_link_h2_body(call->link, call, bytes);
    else if (!gh_link_h1_body(call->link, call, bytes))
        why = GH_OUT_OF_MEMORY;
    if (why != GH_OK) {
        gh_call_abandon(call);
        gh_call_fail(call, why);
    } else if (end && call->link != NULL) {
        sent(call);
    }
}

void gh_call_pause(struct gh_call *call)
{
    if (call->paused)
        return;
    call->paused = true;
    if (call->state == GH_CALL_ANSWERED)
        gh_deadline_clear(&call->timer);
    if (call->link != NULL && call->link->state == GH_LINK_BUSY)
        gh_conn_pause(call->link->conn, GH_PAUSE_WINDOW);
}

void gh_call_resume(struct gh_call *call)
{
    if (!call->paused)
        return;
    call->paused = false;
    awake(call);
    if (gh_buf_len(&call->held) != 0)
        gh_loop_at_end(call->upstream->loop, &call->later);
    else if (call->link != NULL && call->link->state == GH_LINK_BUSY)
        gh_conn_resume(call->link->conn, GH_PAUSE_WINDOW);
}

void gh_call_cancel(struct gh_call *call)
{
    struct gh_endpoint *endpoint = call->endpoint;
    if (call->state == GH_CALL_DEAD)
        return;
    gh_call_abandon(call);
    gh_call_set_state(call, GH_CALL_DEAD);
    if (endpoint != NULL)
        gh_endpoint_serve(endpoint);
}
