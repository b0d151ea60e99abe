/* upstream/link_h2.c: a link that speaks HTTP/2: many calls at a time over one session of wire/h2.h. */
#include <stdlib.h>

#include "base/arena.h"
#include "base/str.h"
#include "upstream/message.h"

#define ARENA_FIRST 2048

static size_t h2_read(void *ctx, gh_str bytes);
static void h2_fill(void *ctx);
static void h2_ended(void *ctx);
static void h2_closed(void *ctx, enum gh_reason why);
static struct gh_arena *stream_begin(void *ctx, int32_t stream);
static void stream_head(void *ctx, int32_t stream, const struct gh_h2_head *head, bool end,
                        enum gh_reason why);
static void stream_data(void *ctx, int32_t stream, gh_str bytes);
static void stream_end(void *ctx, int32_t stream);
static void stream_room(void *ctx, int32_t stream);
static void stream_closed(void *ctx, int32_t stream, enum gh_reason why);
static void session_capacity(void *ctx);
static void report_taken(struct gh_link *link);
static void complete(struct gh_call *call);
static void stream_lost(struct gh_link *link, struct gh_call *call, enum gh_reason why);
static void lost(struct gh_link *link, enum gh_reason why);
static void settle(struct gh_link *link);

static const struct gh_conn_events h2_conn_events = {
    .read = h2_read,
    .fill = h2_fill,
    .ended = h2_ended,
    .closed = h2_closed,
};
static const struct gh_h2_events h2_events = {
    stream_begin, stream_head, stream_data, stream_end, stream_room, stream_closed, session_capacity,
};

/* It goes on connecting until the server's SETTINGS tell that it speaks HTTP/2, and how many calls it takes.
 */
bool gh_link_h2_open(struct gh_link *link)
{
    struct gh_upstream *upstream = link->endpoint->upstream;
    link->h2 = gh_h2_new(GH_H2_CLIENT, &upstream->h2_limits, &h2_events, link);
    if (link->h2 == NULL)
        return false;
    gh_conn_set_owner(link->conn, &h2_conn_events, link);
    gh_conn_flush_later(link->conn);
    return true;
}

void gh_link_h2_done(struct gh_link *link)
{
    gh_h2_free(link->h2);
}

struct gh_link *gh_link_h2_peek_free(struct gh_endpoint *endpoint)
{
    GH_LIST_EACH (node, &endpoint->links) {
        struct gh_link *link = GH_LIST_ENTRY(node, struct gh_link, place);
        if (link->state == GH_LINK_SHARED && gh_h2_can_request(link->h2))
            return link;
    }
    return NULL;
}

/* ---- the request ---- */

void gh_link_h2_body(struct gh_link *link, struct gh_call *call, gh_str bytes)
{
    call->untaken += bytes.len;
    call->end_written = call->body_ended;
    if (bytes.len != 0)
        (void)gh_h2_send(link->h2, call->stream, bytes); /* full: the caller is bounded by `taken` */
    if (call->body_ended)
        gh_h2_send_end(link->h2, call->stream);
    gh_conn_flush_later(link->conn);
}

bool gh_link_h2_start(struct gh_link *link, struct gh_call *call)
{
    const struct gh_call_request *request = &call->request;
    struct gh_h2_head head = {
        .method = gh_method_text(request->method),
        .scheme = link->endpoint->target->secure ? GH_STR("https") : GH_STR("http"),
        .authority = link->endpoint->target->authority,
        .path = request->path_and_query,
        .content_length = request->has_body ? request->content_length : -1,
    };
    if (call->arena == NULL)
        call->arena = gh_arena_new(ARENA_FIRST);
    if (call->arena == NULL || gh_request_fields(call, call->arena, false, &head.headers) != GH_OK)
        return false;
    bool end = !request->has_body || (request->content_length == 0 && call->body_ended);
    call->stream = gh_h2_request(link->h2, &head, end);
    if (call->stream <= 0)
        return false;
    gh_h2_set_stream_ctx(link->h2, call->stream, call);
    gh_arena_reset(call->arena); /* the session has copied the head; the answer's comes here */
    gh_list_append(&link->calls, &call->place);
    call->end_written = end;
    call->interim = 0;
    gh_deadline_clear(&link->timer);
    if (link->reused)
        GH_COUNT_ADD(link->endpoint->upstream->stats->upstream_reuses, 1);
    link->reused = true;
    gh_call_attach(call, link);
    if (!end && (gh_buf_len(&call->pending) != 0 || call->body_ended))
        gh_link_h2_body(link, call, gh_buf_peek(&call->pending));
    gh_buf_done(&call->pending);
    gh_conn_flush_later(link->conn);
    return true;
}

static void h2_fill(void *ctx)
{
    struct gh_link *link = ctx;
    enum gh_reason reason = gh_h2_write(link->h2, gh_conn_peek_out(link->conn), GH_CONN_HIGH);
    if (reason != GH_OK) { /* no memory, or the server's framing was at fault */
        lost(link, reason == GH_OUT_OF_MEMORY ? reason : GH_UPSTREAM_MALFORMED);
        return;
    }
    report_taken(link);
    gh_endpoint_serve(link->endpoint); /* streams that were reset are out of the count now */
    if (gh_h2_is_done(link->h2))
        lost(link, GH_UPSTREAM_MALFORMED); /* where calls are left it was we who ended it */
}

/* What the session still holds is not taken. Callbacks may end any call: so each is moved behind the others
 * before it is told, and the round is counted beforehand. */
static void report_taken(struct gh_link *link)
{
    size_t count = 0;
    GH_LIST_EACH (node, &link->calls)
        count++;
    for (; count != 0 && !gh_list_is_empty(&link->calls); count--) {
        struct gh_call *call = GH_LIST_ENTRY(link->calls.next, struct gh_call, place);
        gh_list_remove(&call->place);
        gh_list_append(&link->calls, &call->place);
        if (call->untaken == 0)
            continue;
        size_t queued = gh_h2_queued(link->h2, call->stream);
        gh_call_taken(call, call->untaken > queued ? call->untaken - queued : 0);
    }
}

/* ---- the answer ---- */

static size_t h2_read(void *ctx, gh_str bytes)
{
    struct gh_link *link = ctx;
    enum gh_reason why = gh_h2_read(link->h2, bytes, gh_loop_now_ms(link->endpoint->upstream->loop));
    if (link->state == GH_LINK_DEAD)
        return bytes.len;
    if (link->state == GH_LINK_CONNECTING && gh_h2_can_request(link->h2)) {
        gh_link_set_state(link, GH_LINK_SHARED);
        settle(link);
    }
    if (why != GH_OK) {
        lost(link, why == GH_OUT_OF_MEMORY ? why : GH_UPSTREAM_MALFORMED);
    } else {
        gh_conn_flush_later(link->conn); /* windows, acknowledgements */
        gh_endpoint_serve(link->endpoint);
    }
    return bytes.len;
}

static struct gh_arena *stream_begin(void *ctx, int32_t stream)
{
    struct gh_link *link = ctx;
    struct gh_call *call = gh_h2_stream_ctx(link->h2, stream);
    return call != NULL ? call->arena : NULL;
}

static enum gh_reason reason_of_head(enum gh_reason why)
{
    if (why == GH_OUT_OF_MEMORY || why == GH_UPSTREAM_INTERIM_MANY)
        return why;
    bool large = why == GH_HTTP_HEAD_LARGE || why == GH_HTTP_FIELDS_MANY;
    return large ? GH_UPSTREAM_HEAD_LARGE : GH_UPSTREAM_MALFORMED;
}

static void stream_head(void *ctx, int32_t stream, const struct gh_h2_head *head, bool end,
                        enum gh_reason why)
{
    struct gh_link *link = ctx;
    struct gh_call *call = gh_h2_stream_ctx(link->h2, stream);
    if (call == NULL)
        return;
    if (why == GH_OK && head->status < 200) {
        gh_arena_reset(call->arena);
        bool few = ++call->interim <= (unsigned)link->endpoint->upstream->conf->interim_max;
        if (head->status != 101 && few)
            return;
        why = few ? GH_UPSTREAM_MALFORMED : GH_UPSTREAM_INTERIM_MANY;
    }
    if (why == GH_OK)
        why = gh_response_fields(&head->headers, call->arena, &call->fields);
    if (why != GH_OK) {
        gh_h2_reset(link->h2, stream, GH_H2_PROTOCOL);
        stream_lost(link, call, reason_of_head(why));
        return;
    }
    const struct gh_call_response response = {
        .status = head->status,
        .headers = &call->fields,
        .content_length = end && call->request.method != GH_METHOD_HEAD ? 0 : head->content_length,
        .endpoint = call->endpoint->index,
    };
    gh_call_head(call, &response);
    if (end && call->state == GH_CALL_ANSWERED)
        complete(call);
}

/* While the caller rests at most a window comes: it is kept, and the window stays shut. */
static void stream_data(void *ctx, int32_t stream, gh_str bytes)
{
    struct gh_link *link = ctx;
    struct gh_call *call = gh_h2_stream_ctx(link->h2, stream);
    if (call != NULL && call->paused) {
        if (gh_buf_add(&call->held, bytes))
            return;
        gh_h2_reset(link->h2, stream, GH_OUT_OF_MEMORY);
        stream_lost(link, call, GH_OUT_OF_MEMORY);
    } else if (call != NULL) {
        gh_call_data(call, bytes);
    }
    gh_h2_taken(link->h2, stream, bytes.len);
}

static void stream_end(void *ctx, int32_t stream)
{
    struct gh_link *link = ctx;
    struct gh_call *call = gh_h2_stream_ctx(link->h2, stream);
    if (call != NULL)
        complete(call);
}

/* The answer is whole. A request that is not is of no use any more; a paused caller gets the rest later. */
static void complete(struct gh_call *call)
{
    struct gh_link *link = call->link;
    struct gh_endpoint *endpoint = call->endpoint;
    gh_h2_set_stream_ctx(link->h2, call->stream, NULL);
    if (!call->body_ended || gh_h2_queued(link->h2, call->stream) != 0)
        gh_h2_reset(link->h2, call->stream, GH_CLIENT_GONE);
    gh_h2_taken(link->h2, call->stream, gh_buf_len(&call->held));
    gh_call_leave(call);
    settle(link);
    gh_endpoint_serve(endpoint);
    if (gh_buf_len(&call->held) != 0)
        call->all_held = true;
    else
        gh_call_end(call);
}

/* A resumed call at the end of the turn. */
void gh_link_h2_give(struct gh_call *call)
{
    struct gh_link *link = call->link;
    struct gh_buf held = call->held;
    gh_str bytes = gh_buf_peek(&held);
    int32_t stream = call->stream;
    call->held = (struct gh_buf){ 0 };
    if (bytes.len != 0)
        gh_call_data(call, bytes);
    if (link != NULL && link->state == GH_LINK_SHARED) {
        gh_h2_taken(link->h2, stream, bytes.len);
        gh_conn_flush_later(link->conn);
    }
    gh_buf_done(&held);
    if (call->state == GH_CALL_ANSWERED && call->all_held)
        gh_call_end(call);
}

static void stream_room(void *ctx, int32_t stream)
{
}

static void stream_closed(void *ctx, int32_t stream, enum gh_reason why)
{
    struct gh_link *link = ctx;
    struct gh_call *call = gh_h2_stream_ctx(link->h2, stream);
    if (call != NULL)
        stream_lost(link, call, why == GH_H2_PROTOCOL ? GH_UPSTREAM_MALFORMED : GH_UPSTREAM_ABORTED);
    settle(link);
}

static void session_capacity(void *ctx)
{
    struct gh_link *link = ctx;
    settle(link);
    gh_endpoint_serve(link->endpoint);
}

/* ---- the end of a stream, or of all ---- */

void gh_link_h2_leave(struct gh_link *link, struct gh_call *call)
{
    gh_h2_set_stream_ctx(link->h2, call->stream, NULL);
    gh_h2_reset(link->h2, call->stream, GH_CLIENT_GONE);
    gh_h2_taken(link->h2, call->stream, gh_buf_len(&call->held));
    gh_list_remove(&call->place);
    gh_conn_flush_later(link->conn);
    settle(link);
}

/* The stream is dead already. As on HTTP/1.1: only what may be repeated is, and only once. */
static void stream_lost(struct gh_link *link, struct gh_call *call, enum gh_reason why)
{
    struct gh_endpoint *endpoint = call->endpoint;
    enum gh_method method = call->request.method;
    bool again = call->state == GH_CALL_RUNNING && !call->again && why == GH_UPSTREAM_ABORTED &&
                 !call->request.has_body &&
                 (method == GH_METHOD_GET || method == GH_METHOD_HEAD || method == GH_METHOD_DELETE);
    if (link->state == GH_LINK_SHARED) {
        gh_h2_set_stream_ctx(link->h2, call->stream, NULL);
        gh_h2_taken(link->h2, call->stream, gh_buf_len(&call->held));
    }
    if (call->state == GH_CALL_RUNNING && !again)
        gh_endpoint_failed(endpoint);
    gh_list_remove(&call->place);
    call->link = NULL;
    if (again)
        gh_call_again(call);
    else
        gh_call_fail(call, why);
    gh_endpoint_serve(endpoint);
}

static void lost(struct gh_link *link, enum gh_reason why)
{
    struct gh_endpoint *endpoint = link->endpoint;
    bool connecting = link->state == GH_LINK_CONNECTING;
    if (link->state == GH_LINK_DEAD)
        return;
    if (gh_h2_write(link->h2, gh_conn_peek_out(link->conn), GH_CONN_HIGH) == GH_OK)
        gh_link_finish(link); /* GOAWAY */
    else
        gh_link_drop(link);
    while (!gh_list_is_empty(&link->calls))
        stream_lost(link, GH_LIST_ENTRY(link->calls.next, struct gh_call, place), why);
    if (connecting)
        gh_endpoint_connect_failed(endpoint, link->address, why);
    else
        gh_endpoint_serve(endpoint);
}

static void h2_ended(void *ctx)
{
    lost(ctx, GH_UPSTREAM_ABORTED);
}

static void h2_closed(void *ctx, enum gh_reason why)
{
    lost(ctx, gh_link_reason(why));
}

/* A session without calls rests for a while; one that takes none any more goes at once. */
static void settle(struct gh_link *link)
{
    struct gh_upstream *upstream = link->endpoint->upstream;
    if (link->state != GH_LINK_SHARED || !gh_list_is_empty(&link->calls))
        return;
    bool useless = !gh_h2_can_request(link->h2) && gh_h2_streams(link->h2) == 0;
    int64_t rest_ms = useless || upstream->closing ? 0 : upstream->conf->idle_ms;
    gh_deadline_set(upstream->loop, &link->timer, rest_ms);
}

void gh_link_h2_bye(struct gh_link *link)
{
    gh_h2_shutdown(link->h2);
    lost(link, GH_UPSTREAM_ABORTED);
}
