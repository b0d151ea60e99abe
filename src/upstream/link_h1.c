/* upstream/link_h1.c: a link that speaks HTTP/1.1: one call at a time, used again only when all was in order.
 */
#include <stdlib.h>
#include <sys/socket.h>

#include "base/arena.h"
#include "base/str.h"
#include "upstream/message.h"

#define ARENA_FIRST 2048
/* An idle link that rested longer than this is looked at before it is used: the loop may not have run since
 * its peer closed it. Under load links rest less, and the look is saved. */
#define LOOK_AFTER_MS 200
/* A peer that says Keep-Alive: timeout=5 closes after 5 s; we stop using the link this much earlier. */
#define KEEP_ALIVE_MARGIN_MS 1000

static size_t h1_read(void *ctx, gh_str bytes);
static void h1_fill(void *ctx);
static void h1_ended(void *ctx);
static void h1_closed(void *ctx, enum gh_reason why);
static void take_head(struct gh_link *link, const struct gh_h1_head *head);
static void finish(struct gh_link *link, size_t unread);
static void rest_or_drop(struct gh_link *link, bool reusable);
static void lost(struct gh_link *link, enum gh_reason why);
static bool may_go_again(const struct gh_link *link, const struct gh_call *call, enum gh_reason why);

static const struct gh_conn_events h1_events = {
    .read = h1_read,
    .fill = h1_fill,
    .ended = h1_ended,
    .closed = h1_closed,
};

bool gh_link_h1_open(struct gh_link *link)
{
    const struct gh_upstream_conf *conf = link->endpoint->upstream->conf;
    gh_h1_reader_init(&link->reader, GH_H1_RESPONSE, &link->endpoint->upstream->h1_limits);
    link->arena = gh_arena_new(ARENA_FIRST);
    if (link->arena == NULL)
        return false;
    link->idle_ms = conf->idle_ms;
    gh_conn_set_owner(link->conn, &h1_events, link);
    gh_link_set_state(link, GH_LINK_IDLE);
    return true;
}

void gh_link_h1_done(struct gh_link *link)
{
    gh_h1_reader_done(&link->reader);
    gh_arena_free(link->arena);
}

struct gh_link *gh_link_h1_peek_idle(struct gh_endpoint *endpoint)
{
    int64_t now_ms = gh_loop_now_ms(endpoint->upstream->loop);
    while (!gh_list_is_empty(&endpoint->idle)) {
        struct gh_link *link = GH_LIST_ENTRY(endpoint->idle.next, struct gh_link, idle_place);
        char byte;
        if (now_ms - link->idle_since_ms < LOOK_AFTER_MS ||
            recv(gh_conn_fd(link->conn), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0)
            return link;
        gh_link_drop(link); /* closed, or bytes that nobody asked for */
    }
    return NULL;
}

/* ---- the request ---- */

static bool write_body(struct gh_link *link, struct gh_call *call, gh_str bytes)
{
    struct gh_buf *out = gh_conn_peek_out(link->conn);
    call->untaken += bytes.len;
    call->end_written = call->body_ended;
    /* The queue is flushed without `fill` once it is this long. */
    if (gh_conn_queued(link->conn) + bytes.len >= GH_CONN_HIGH / 2)
        link->flushed = true;
    if (call->request.content_length >= 0)
        return gh_buf_add(out, bytes);
    return (bytes.len == 0 || gh_h1_write_chunk(out, bytes)) &&
           (!call->body_ended || gh_h1_write_last_chunk(out));
}

static bool write_head(struct gh_link *link, struct gh_call *call, struct gh_buf *out)
{
    const struct gh_call_request *request = &call->request;
    struct gh_headers fields;
    struct gh_h1_body body = { .framing = GH_H1_LENGTH };
    if (!request->has_body && request->method != GH_METHOD_POST && request->method != GH_METHOD_PUT &&
        request->method != GH_METHOD_PATCH)
        body.framing = GH_H1_NO_BODY;
    else if (request->has_body && request->content_length < 0)
        body.framing = GH_H1_CHUNKED;
    else if (request->has_body)
        body.length = (uint64_t)request->content_length;
    return gh_request_fields(call, link->arena, true, &fields) == GH_OK &&
           gh_h1_write_request_head(out, gh_method_text(request->method), request->path_and_query, &fields,
                                    body) == GH_OK;
}

static bool write_request(struct gh_link *link, struct gh_call *call)
{
    struct gh_buf *out = gh_conn_peek_out(link->conn);
    if (gh_buf_len(&call->replay) != 0) {
        if (!gh_buf_add(out, gh_buf_peek(&call->replay)))
            return false;
        gh_buf_done(&call->replay);
    } else if (!write_head(link, call, out)) {
        return false;
    }
    bool owes_end = call->request.has_body && call->body_ended && !call->end_written;
    if (gh_buf_len(&call->pending) == 0 && !owes_end)
        return true;
    bool written = write_body(link, call, gh_buf_peek(&call->pending));
    gh_buf_done(&call->pending);
    return written;
}

bool gh_link_h1_start(struct gh_link *link, struct gh_call *call)
{
    gh_link_set_state(link, GH_LINK_BUSY);
    link->call = call;
    link->flushed = link->answered = link->last = false;
    gh_arena_reset(link->arena);
    gh_h1_reader_next(&link->reader);
    gh_h1_reader_expect(&link->reader, call->request.method);
    if (!write_request(link, call)) {
        gh_link_drop(link);
        return false;
    }
    gh_conn_flush_soon(link->conn);
    if (call->paused)
        gh_conn_pause(link->conn, GH_PAUSE_WINDOW);
    if (link->reused)
        GH_COUNT_ADD(link->endpoint->upstream->stats->upstream_reuses, 1);
    gh_call_attach(call, link);
    return true;
}

bool gh_link_h1_body(struct gh_link *link, struct gh_call *call, gh_str bytes)
{
    gh_conn_flush_soon(link->conn);
    return write_body(link, call, bytes);
}

static void h1_fill(void *ctx)
{
    struct gh_link *link = ctx;
    link->flushed = true;
    if (link->state == GH_LINK_BUSY)
        gh_call_taken(link->call, link->call->untaken);
}

/* ---- the response ---- */

static size_t h1_read(void *ctx, gh_str bytes)
{
    struct gh_link *link = ctx;
    struct gh_call *call = link->call;
    gh_str rest = bytes;
    if (link->state != GH_LINK_BUSY) {
        gh_link_drop(link); /* bytes that nobody asked for would be the next caller's answer */
        return bytes.len;
    }
    link->answered = true;
    while (link->state == GH_LINK_BUSY) {
        struct gh_h1_head head;
        gh_str data = GH_STR_NONE;
        enum gh_reason why = GH_OK;
        switch (gh_h1_read(&link->reader, &rest, link->arena, &head, &data, &why)) {
        case GH_H1_NEED_MORE:
            return bytes.len - rest.len;
        case GH_H1_HEAD:
            take_head(link, &head);
            break;
        case GH_H1_DATA:
            gh_call_data(call, data);
            break;
        case GH_H1_END:
            finish(link, rest.len);
            return bytes.len;
        case GH_H1_ERROR:
            lost(link, why);
            break;
        }
        /* With nothing left to read it goes on: the end may follow without bytes of its own. */
        if (link->state == GH_LINK_BUSY && call->paused && rest.len != 0)
            return bytes.len - rest.len;
    }
    return bytes.len;
}

/* Interim heads are dropped; the reader bounds their number and refuses 101. */
static void take_head(struct gh_link *link, const struct gh_h1_head *head)
{
    struct gh_call *call = link->call;
    if (head->status < 200) {
        gh_arena_reset(link->arena);
        return;
    }
    enum gh_reason why = gh_response_fields(&head->headers, link->arena, &call->fields);
    if (why != GH_OK) {
        lost(link, why);
        return;
    }
    int64_t keep_alive_s = gh_response_keep_alive(&head->headers);
    link->last = !head->keep_alive;
    link->idle_ms = link->endpoint->upstream->conf->idle_ms;
    if (keep_alive_s >= 0 && keep_alive_s * 1000 - KEEP_ALIVE_MARGIN_MS < link->idle_ms)
        link->idle_ms = keep_alive_s * 1000 - KEEP_ALIVE_MARGIN_MS;
    bool empty = call->request.method != GH_METHOD_HEAD && (head->status == 204 || head->status == 304);
    const struct gh_call_response response = {
        .status = head->status,
        .headers = &call->fields,
        .content_length = empty ? 0 : head->content_length,
        .endpoint = call->endpoint->index,
    };
    gh_call_head(call, &response);
}

/* The response is whole. Bytes behind it mean that its end is not where its sender thinks: what was read may
 * be cut, so it is no clean end. */
static void finish(struct gh_link *link, size_t unread)
{
    struct gh_call *call = link->call;
    struct gh_endpoint *endpoint = link->endpoint;
    if (unread != 0) {
        lost(link, GH_UPSTREAM_MALFORMED);
        return;
    }
    bool reusable = !link->last && call->body_ended && gh_conn_queued(link->conn) == 0;
    link->call = NULL;
    call->link = NULL;
    rest_or_drop(link, reusable);
    gh_call_leave(call);
    gh_endpoint_serve(endpoint);
    if (link->state == GH_LINK_IDLE && endpoint->idle_count > (size_t)endpoint->upstream->conf->keep_idle)
        gh_link_drop(link);
    gh_call_end(call);
}

static void rest_or_drop(struct gh_link *link, bool reusable)
{
    struct gh_upstream *upstream = link->endpoint->upstream;
    bool wanted = link->endpoint->waiting_count != 0 || (!upstream->closing && link->idle_ms > 0);
    if (!reusable || !wanted) {
        gh_link_drop(link);
        return;
    }
    link->reused = true;
    gh_link_set_state(link, GH_LINK_IDLE);
    gh_conn_resume(link->conn, GH_PAUSE_WINDOW);
}

/* FIN, or close_notify where there is TLS: the only clean end of a body without a length. */
static void h1_ended(void *ctx)
{
    struct gh_link *link = ctx;
    if (link->state != GH_LINK_BUSY) {
        gh_link_drop(link);
        return;
    }
    link->last = true;
    if (gh_h1_reader_until_close(&link->reader))
        finish(link, 0);
    else
        lost(link, GH_UPSTREAM_ABORTED);
}

static void h1_closed(void *ctx, enum gh_reason why)
{
    struct gh_link *link = ctx;
    if (link->state == GH_LINK_BUSY)
        lost(link, gh_link_reason(why));
    else
        gh_link_drop(link);
}

/* ---- the link dies under its call ---- */

static void lost(struct gh_link *link, enum gh_reason why)
{
    struct gh_call *call = link->call;
    struct gh_endpoint *endpoint = link->endpoint;
    bool again = may_go_again(link, call, why);
    if (again && !link->flushed) {
        struct gh_buf *out = gh_conn_peek_out(link->conn);
        call->replay = *out;
        *out = (struct gh_buf){ 0 };
    }
    link->call = NULL;
    call->link = NULL;
    gh_link_drop(link);
    if (again) {
        /* Where one kept link was closed the others are too: the second try shall not meet the next one. */
        GH_LIST_EACH_SAFE (node, &endpoint->idle)
            gh_link_drop(GH_LIST_ENTRY(node, struct gh_link, idle_place));
        gh_call_again(call);
    } else {
        if (call->state == GH_CALL_RUNNING)
            gh_endpoint_failed(endpoint);
        gh_call_fail(call, why);
    }
    gh_endpoint_serve(endpoint);
}

/* A kept link may be closed by its peer at any time. A request that left no byte here was not seen, whatever
 * it is; one that did may have been carried out (RFC 9110 section 9.2.2: "A client SHOULD NOT automatically
 * retry a request with a non-idempotent method"). */
static bool may_go_again(const struct gh_link *link, const struct gh_call *call, enum gh_reason why)
{
    if (!link->reused || link->answered || call->again || why != GH_UPSTREAM_ABORTED)
        return false;
    if (!link->flushed)
        return true;
    enum gh_method method = call->request.method;
    return !call->request.has_body &&
           (method == GH_METHOD_GET || method == GH_METHOD_HEAD || method == GH_METHOD_DELETE);
}
