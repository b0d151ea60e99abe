/* front/h1.c: HTTP/1.1 on a client connection: one exchange after the other; implements the sink by the h1
 * codec. */
#include <stdlib.h>
#include <sys/socket.h>

#include "base/arena.h"
#include "base/pace.h"
#include "base/str.h"
#include "front/client.h"

/* How long an idle connection of a draining process waits for a request that is on its way. */
#define DRAIN_IDLE_MS 1000

enum h1_state {
    H1_IDLE,    /* between messages */
    H1_HEAD,    /* a head has begun */
    H1_BODY,    /* the handler has the exchange, its body is coming */
    H1_ANSWER,  /* the request is complete, the answer is not */
    H1_DRAIN,   /* the answer is complete, the request is not */
    H1_CLOSING, /* the last answer is on its way */
};

struct h1 {
    struct gh_client *client;
    enum h1_state state;
    struct gh_h1_limits limits;
    struct gh_h1_reader reader;
    struct gh_exchange *x;
    bool keep_alive, chunked, until_close, blocked, answered;
    bool lossy;    /* memory ran out under the answer: bytes are missing in it */
    size_t buffer; /* limits.stream_buffer: of a body on its way to the handler, of an answer to the client */
    size_t untaken, drained;
    uint64_t body_seen;
    struct gh_pace body;
};

static const struct gh_sink sink;

static struct h1 *of(const struct gh_exchange *x)
{
    return x->sink_ctx;
}

/* ---- deadlines: one at a time, chosen by state ---- */

static void late(struct gh_deadline *deadline);
static void forget_exchange(struct h1 *h1);

static void set_deadline(struct h1 *h1, int64_t ms)
{
    gh_client_deadline(h1->client, late, ms);
}

/* Its next bytes are due, and its rate is measured from here. */
static void expect_body(struct h1 *h1)
{
    gh_pace_begin(&h1->body, h1->body_seen, gh_loop_now_ms(h1->client->front->with.loop));
    set_deadline(h1, h1->client->front->conf.limits.body_idle_ms);
}

static void set_state(struct h1 *h1, enum h1_state state)
{
    const struct gh_front_limits *limits = &h1->client->front->conf.limits;
    h1->state = state;
    switch (state) {
    case H1_IDLE:
        set_deadline(h1, limits->idle_ms);
        break;
    case H1_HEAD:
        set_deadline(h1, limits->head_ms);
        break;
    case H1_BODY:
    case H1_DRAIN:
        h1->body_seen = 0;
        expect_body(h1);
        break;
    case H1_ANSWER: /* silence of the handler is its own affair; an unread answer is the conn's stall timer's
                     */
    case H1_CLOSING:
        gh_deadline_clear(&h1->client->deadline);
        break;
    }
}

static void late_body(struct h1 *h1)
{
    h1->keep_alive = false;
    if (h1->answered || h1->x == NULL) {
        gh_client_close(h1->client, GH_HTTP_TIMEOUT_BODY, false);
        return;
    }
    gh_exchange_give_up(h1->x, GH_HTTP_TIMEOUT_BODY);
    if (h1->client->conn != NULL)
        set_state(h1, H1_CLOSING);
}

/* Nothing has come for a while: the client may be waiting for us, not we for it. */
static void silent_body(struct h1 *h1)
{
    if (h1->untaken >= h1->buffer / 2)
        expect_body(h1);
    else
        late_body(h1);
}

/* False when it drips: the exchange is over then. */
static bool body_came(struct h1 *h1, size_t len)
{
    const struct gh_front_limits *limits = &h1->client->front->conf.limits;
    h1->body_seen += len;
    if (gh_pace_is_slow(&h1->body, h1->body_seen, limits->body_idle_ms, limits->body_min_rate,
                        gh_loop_now_ms(h1->client->front->with.loop))) {
        late_body(h1);
        return false;
    }
    gh_deadline_set(h1->client->front->with.loop, &h1->client->deadline, limits->body_idle_ms);
    return true;
}

/* What is answered and cannot go on is sent, then the connection ends. */
static void settle(struct h1 *h1)
{
    if (h1->client->conn == NULL || h1->state != H1_CLOSING)
        return;
    forget_exchange(h1);
    gh_client_close(h1->client, GH_OK, true);
}

static void late(struct gh_deadline *deadline)
{
    struct gh_client *client = GH_LIST_ENTRY(deadline, struct gh_client, deadline);
    struct h1 *h1 = client->state;
    switch (h1->state) {
    case H1_HEAD:
        h1->keep_alive = false;
        gh_exchange_refuse(h1->x, GH_HTTP_TIMEOUT_HEAD, NULL);
        break;
    case H1_BODY:
    case H1_DRAIN:
        silent_body(h1);
        break;
    case H1_IDLE:
    case H1_ANSWER:
    case H1_CLOSING:
        gh_client_close(client, GH_CLIENT_GONE, true);
        break;
    }
    settle(h1);
}

/* ---- one exchange begins and ends ---- */

static bool begin_exchange(struct h1 *h1)
{
    struct gh_front *front = h1->client->front;
    h1->x = gh_exchange_new(front->with.loop, front->with.observer);
    if (h1->x == NULL)
        return false;
    h1->x->sink = &sink;
    h1->x->sink_ctx = h1;
    h1->x->version = GH_HTTP_1_1;
    h1->x->client_ip = gh_str_from(h1->client->ip);
    h1->x->handler = front->with.handler;
    h1->x->handler_ctx = front->with.handler_ctx;
    h1->keep_alive = h1->answered = h1->blocked = h1->chunked = h1->lossy = false;
    h1->untaken = h1->drained = 0;
    set_state(h1, H1_HEAD);
    return true;
}

static void free_exchange(void *ptr)
{
    gh_exchange_free(ptr);
}

static void forget_exchange(struct h1 *h1)
{
    if (h1->x != NULL)
        gh_loop_free_later(h1->client->front->with.loop, free_exchange, h1->x);
    h1->x = NULL;
}

/* Both halves are done: the next message, or the end. */
static void finish_exchange(struct h1 *h1)
{
    forget_exchange(h1);
    if (!h1->keep_alive || h1->client->front->draining) {
        set_state(h1, H1_CLOSING);
        gh_client_close(h1->client, GH_OK, true);
        return;
    }
    gh_h1_reader_next(&h1->reader);
    gh_conn_set_stall(h1->client->conn, h1->client->front->conf.limits.stall_ms);
    set_state(h1, H1_IDLE);
    gh_conn_pause(h1->client->conn,
                  GH_PAUSE_TURN); /* and at once resumed: what came meanwhile is given again */
    gh_conn_resume(h1->client->conn, GH_PAUSE_TURN);
}

static void answer_complete(struct h1 *h1)
{
    h1->answered = true;
    h1->untaken = 0; /* nobody will take the rest: it is read to its end, or the connection ends */
    switch (h1->state) {
    case H1_ANSWER:
        finish_exchange(h1);
        break;
    case H1_BODY:
        set_state(h1, H1_DRAIN);
        gh_conn_resume(h1->client->conn, GH_PAUSE_WINDOW);
        break;
    case H1_HEAD: /* refused before or by its head: what follows cannot be told from the next message */
        set_state(h1, H1_CLOSING);
        break;
    case H1_IDLE:
    case H1_DRAIN:
    case H1_CLOSING:
        break;
    }
}

/* ---- the sink ---- */

/* HTTP/1.1 says at once when this answer is the last one here. */
static enum gh_reason with_close(struct gh_exchange *x, const struct gh_headers *from, struct gh_headers *to)
{
    enum gh_reason reason = gh_headers_init(to, x->arena, from->count + 1);
    for (size_t i = 0; reason == GH_OK && i < from->count; i++)
        reason = gh_headers_add(to, from->at[i].name, from->at[i].value);
    return reason == GH_OK ? gh_headers_add(to, GH_STR("connection"), GH_STR("close")) : reason;
}

static struct gh_h1_body framing_of(const struct gh_exchange *x, const struct gh_response *response, bool end)
{
    struct gh_h1_body body = { .framing = GH_H1_LENGTH, .length = 0 };
    if (response->content_length >= 0)
        body.length = (uint64_t)response->content_length;
    else if (!end)
        body.framing = x->version == GH_HTTP_1_0 ? GH_H1_NO_BODY : GH_H1_CHUNKED;
    if (response->status == 204 || response->status == 304)
        body.framing = GH_H1_NO_BODY;
    return body;
}

static void sink_head(struct gh_exchange *x, const struct gh_response *response, bool end)
{
    struct h1 *h1 = of(x);
    struct gh_conn *conn = h1->client->conn;
    const struct gh_h1_body body = framing_of(x, response, end);
    h1->chunked = body.framing == GH_H1_CHUNKED;
    bool never_a_body = response->status == 204 || response->status == 304;
    h1->until_close = body.framing == GH_H1_NO_BODY && !end && !never_a_body;
    if (h1->until_close || h1->client->front->draining)
        h1->keep_alive = false;
    if (x->is_event_stream)
        gh_conn_set_stall(conn, h1->client->front->conf.limits.sse_stall_ms);
    struct gh_headers headers = response->headers;
    enum gh_reason reason = h1->keep_alive ? GH_OK : with_close(x, &response->headers, &headers);
    if (reason == GH_OK)
        reason = gh_h1_write_response_head(gh_conn_peek_out(conn), response->status, &headers, body);
    if (reason != GH_OK)
        h1->keep_alive = false; /* nothing was written: the client sees the connection end */
    gh_conn_flush_later(conn);
    if (end)
        answer_complete(h1);
}

static bool sink_data(struct gh_exchange *x, gh_str bytes)
{
    struct h1 *h1 = of(x);
    struct gh_conn *conn = h1->client->conn;
    struct gh_buf *out = gh_conn_peek_out(conn);
    if (bytes.len > 0 && !(h1->chunked ? gh_h1_write_chunk(out, bytes) : gh_buf_add(out, bytes)))
        h1->lossy = true;
    gh_conn_flush_later(conn);
    h1->blocked = gh_conn_queued(conn) >= h1->buffer;
    return !h1->blocked;
}

static void sink_abort(struct gh_exchange *x, enum gh_reason why);

static void sink_end(struct gh_exchange *x)
{
    struct h1 *h1 = of(x);
    if (h1->lossy) { /* never a clean end */
        sink_abort(x, GH_OUT_OF_MEMORY);
        return;
    }
    if (h1->chunked && !gh_h1_write_last_chunk(gh_conn_peek_out(h1->client->conn)))
        h1->keep_alive = false;
    gh_conn_flush_later(h1->client->conn);
    answer_complete(h1);
}

/* A cut is all that HTTP/1.1 has to say "not complete": no last chunk, too few bytes, and the connection
 * goes. */
static void sink_abort(struct gh_exchange *x, enum gh_reason why)
{
    struct h1 *h1 = of(x);
    forget_exchange(h1);
    set_state(h1, H1_CLOSING);
    if (h1->until_close) /* here a FIN would be a clean end: reset instead */
        (void)setsockopt(gh_conn_fd(h1->client->conn), SOL_SOCKET, SO_LINGER, &(struct linger){ 1, 0 },
                         sizeof(struct linger));
    gh_client_close(h1->client, why, !h1->until_close);
}

static void sink_taken(struct gh_exchange *x, size_t n)
{
    struct h1 *h1 = of(x);
    bool was_full = h1->untaken >= h1->buffer / 2;
    h1->untaken -= n < h1->untaken ? n : h1->untaken;
    if (!was_full || h1->untaken >= h1->buffer / 2)
        return;
    gh_conn_resume(h1->client->conn, GH_PAUSE_WINDOW);
    if (h1->state == H1_BODY)
        expect_body(h1); /* it had to wait for us */
}

static const struct gh_sink sink = {
    .head = sink_head, .data = sink_data, .end = sink_end, .abort = sink_abort, .taken = sink_taken
};

/* ---- reading ---- */

static void refuse(struct h1 *h1, enum gh_reason why)
{
    h1->keep_alive = false;
    gh_exchange_refuse(h1->x, why, NULL);
}

static void start_exchange(struct h1 *h1, const struct gh_h1_head *head)
{
    struct gh_exchange *x = h1->x;
    const struct gh_facts facts = {
        .method = head->method_text,
        .target = head->target_raw,
        .headers = &head->headers,
        .content_length = head->chunked              ? -1
                          : head->content_length < 0 ? 0
                                                     : head->content_length,
        .has_body = head->chunked || head->content_length > 0,
        .version = head->minor_version == 0 ? GH_HTTP_1_0 : GH_HTTP_1_1,
    };
    enum gh_reason reason = gh_facts_fill(x, h1->client, &facts);
    if (reason != GH_OK) {
        refuse(h1, reason);
        return;
    }
    /* Who asks before sending a body may never send it: an answer given at once is the last one here. */
    h1->keep_alive = head->keep_alive && !head->expect_continue;
    set_state(h1, x->has_body ? H1_BODY : H1_ANSWER);
    gh_exchange_start(x);
    if (h1->state == H1_BODY)
        h1->keep_alive = head->keep_alive;
    if (h1->state == H1_BODY && head->expect_continue)
        if (!gh_conn_write(h1->client->conn, GH_STR("HTTP/1.1 100 Continue\r\n\r\n")))
            gh_client_close(h1->client, GH_OUT_OF_MEMORY, false);
}

static void take_data(struct h1 *h1, gh_str data)
{
    if (!body_came(h1, data.len))
        return;
    if (h1->state == H1_DRAIN) {
        h1->drained += data.len;
        if ((int64_t)h1->drained > h1->client->front->conf.limits.unread_body) { /* threats.md H10 */
            h1->keep_alive = false;
            set_state(h1, H1_CLOSING);
        }
        return;
    }
    h1->untaken += data.len;
    if (h1->untaken >= h1->buffer)
        gh_conn_pause(h1->client->conn, GH_PAUSE_WINDOW);
    gh_exchange_body(h1->x, data, false);
}

static void take_end(struct h1 *h1)
{
    if (h1->state == H1_DRAIN) {
        finish_exchange(h1);
        return;
    }
    if (h1->state != H1_BODY)
        return;
    set_state(h1, H1_ANSWER);
    gh_exchange_body(h1->x, GH_STR_NONE, true);
}

/* One event of the codec; false when nothing more can be read now. */
static bool read_one(struct h1 *h1, gh_str *input)
{
    struct gh_h1_head head;
    gh_str data;
    enum gh_reason reason = GH_OK;
    switch (gh_h1_read(&h1->reader, input, h1->x->arena, &head, &data, &reason)) {
    case GH_H1_NEED_MORE:
        return false;
    case GH_H1_HEAD:
        start_exchange(h1, &head);
        return true;
    case GH_H1_DATA:
        take_data(h1, data);
        /* The end of a body needs no bytes: it must not wait for some that never come. */
        return h1->untaken < h1->buffer || input->len == 0 || h1->state == H1_DRAIN;
    case GH_H1_END:
        take_end(h1);
        return true;
    case GH_H1_ERROR:
        h1->keep_alive = false;
        if (h1->state == H1_HEAD)
            refuse(h1, reason);
        else if (h1->state == H1_BODY)
            gh_exchange_give_up(h1->x, reason);
        if (h1->client->conn != NULL)
            set_state(h1, H1_CLOSING);
        return false;
    }
    return false;
}

static bool is_reading(const struct h1 *h1)
{
    return h1->state == H1_IDLE || h1->state == H1_HEAD || h1->state == H1_BODY || h1->state == H1_DRAIN;
}

static size_t on_read(void *ctx, gh_str bytes)
{
    struct gh_client *client = ctx;
    struct h1 *h1 = client->state;
    gh_str rest = bytes;
    while (client->conn != NULL && is_reading(h1) && (rest.len > 0 || h1->state != H1_IDLE)) {
        if (h1->state == H1_IDLE && !begin_exchange(h1)) {
            gh_client_close(client, GH_OUT_OF_MEMORY, false);
            return bytes.len;
        }
        if (!read_one(h1, &rest))
            break;
    }
    settle(h1);
    if (client->conn == NULL)
        return bytes.len;
    /* What is pipelined stays with the conn until its turn: reading goes on, so that a client that leaves is
     * seen. */
    return bytes.len - rest.len;
}

static void on_fill(void *ctx)
{
    struct gh_client *client = ctx;
    struct h1 *h1 = client->state;
    if (h1 == NULL || !h1->blocked || gh_conn_queued(client->conn) >= h1->buffer)
        return;
    h1->blocked = false;
    if (h1->x != NULL)
        gh_exchange_room(h1->x);
}

static void on_closed(void *ctx, enum gh_reason why)
{
    gh_client_close(ctx, why, false);
}

static const struct gh_conn_events events = { .read = on_read, .fill = on_fill, .closed = on_closed };

/* ---- as a protocol ---- */

static void cut(struct gh_client *client, enum gh_reason why)
{
    struct h1 *h1 = client->state;
    if (h1->x != NULL && h1->state != H1_HEAD)
        gh_exchange_gone(h1->x, why);
    forget_exchange(h1);
    gh_h1_reader_done(&h1->reader);
    gh_loop_free_later(client->front->with.loop, free, h1);
    client->state = NULL;
    client->protocol = NULL;
}

/* RFC 9112 section 9.5: a connection that is idle for us may have a request under way. It is still answered,
 * and told that it is the last. */
static void drain(struct gh_client *client)
{
    struct h1 *h1 = client->state;
    h1->keep_alive = false;
    if (h1->state == H1_IDLE)
        set_deadline(h1, DRAIN_IDLE_MS);
}

const struct gh_protocol gh_protocol_h1 = { .events = &events, .cut = cut, .drain = drain };

bool gh_h1_begin(struct gh_client *client)
{
    struct h1 *h1 = gh_calloc(1, sizeof(*h1));
    if (h1 == NULL)
        return false;
    const struct gh_front_limits *limits = &client->front->conf.limits;
    h1->limits = (struct gh_h1_limits){
        .start_line = (size_t)limits->request_line,
        .head = (size_t)limits->head,
        .fields = (size_t)limits->fields,
        .chunk_extensions = (size_t)limits->chunk_extensions,
    };
    gh_h1_reader_init(&h1->reader, GH_H1_REQUEST, &h1->limits);
    h1->client = client;
    h1->buffer = (size_t)limits->stream_buffer;
    client->state = h1;
    client->protocol = &gh_protocol_h1;
    gh_conn_set_owner(client->conn, &events, client);
    set_state(h1, H1_IDLE);
    return true;
}
