/* front/h2.c: HTTP/2 on a client connection: many exchanges side by side; implements the sink by the session
 * of wire. */
#include <stdlib.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/pace.h"
#include "base/str.h"
#include "front/client.h"
#include "wire/h2.h"

/* Between the two steps of a graceful GOAWAY: what is on its way to us meanwhile is still served. */
#define GOAWAY_STEP_MS 1000
/* With so many bytes of a body lying here the client may be waiting for us, not we for it. */
#define UNTAKEN_EXCUSE 1024

struct h2 {
    struct gh_client *client;
    struct gh_h2 *session;
    size_t open;            /* exchanges */
    struct stream *heading; /* its header block is not complete */
    struct gh_turn_work frames;
};

struct stream {
    struct h2 *h2;
    struct gh_exchange *x;
    int32_t id;
    size_t untaken;
    bool body_ended;
    struct gh_pace body, answer;
    struct gh_deadline watch; /* header block, body, answer: whatever is due */
};

static const struct gh_sink sink;
static void end_connection(struct gh_client *client, enum gh_reason why);

static struct stream *of(const struct gh_exchange *x)
{
    return x->sink_ctx;
}

/* Frames are made while the answer is still near the processor, sent once for all that a turn answers. */
static void flush_later(struct h2 *h2)
{
    if (h2->client->conn == NULL)
        return;
    gh_loop_soon(h2->client->front->with.loop, &h2->frames);
    gh_conn_flush_later(h2->client->conn);
}

/* ---- the connection's own timer: idle, or the second step of GOAWAY ---- */

static void idle(struct gh_deadline *deadline)
{
    struct gh_client *client = GH_LIST_ENTRY(deadline, struct gh_client, deadline);
    struct h2 *h2 = client->state;
    gh_h2_shutdown(h2->session);
    gh_client_deadline(client, idle, GOAWAY_STEP_MS);
    flush_later(h2);
}

static void count_open(struct h2 *h2, bool opened)
{
    h2->open += opened ? 1 : (size_t)-1;
    if (h2->client->conn == NULL || h2->client->front->draining)
        return;
    if (h2->open == 0)
        gh_client_deadline(h2->client, idle, h2->client->front->conf.limits.idle_ms);
    else if (opened && h2->open == 1)
        gh_deadline_clear(&h2->client->deadline);
}

/* ---- streams ---- */

static void free_exchange(void *ptr)
{
    gh_exchange_free(ptr);
}

/* The stream is over for us, whatever is still queued of its answer. */
static void forget(struct stream *stream)
{
    struct h2 *h2 = stream->h2;
    gh_h2_taken(h2->session, stream->id, stream->untaken);
    stream->untaken = 0;
    if (h2->heading == stream)
        h2->heading = NULL;
    gh_deadline_clear(&stream->watch);
    gh_h2_set_stream_ctx(h2->session, stream->id, NULL);
    count_open(h2, false);
    gh_loop_free_later(h2->client->front->with.loop, free_exchange, stream->x);
}

/* ---- what is due of a stream: its header block, its body, that its answer is taken ---- */

/* How often a stream is looked at while something is due: a tenth of the shortest of its times. */
static int64_t look_ms(const struct gh_front_limits *limits)
{
    return (limits->body_idle_ms < limits->stall_ms ? limits->body_idle_ms : limits->stall_ms) / 10;
}

static bool is_body_due(const struct stream *stream)
{
    return stream->x->has_body && !stream->body_ended && stream->x->state == GH_EXCHANGE_NEW;
}

static bool is_body_late(struct stream *stream, const struct gh_front_limits *limits, int64_t now)
{
    uint64_t came = stream->x->bytes_in;
    if (!is_body_due(stream))
        return false;
    if (stream->untaken >= UNTAKEN_EXCUSE) {
        gh_pace_begin(&stream->body, came, now);
        return false;
    }
    return gh_pace_is_still(&stream->body, came, limits->body_idle_ms, now) ||
           gh_pace_is_slow(&stream->body, came, limits->body_idle_ms, limits->body_min_rate, now);
}

static bool is_answer_late(struct stream *stream, const struct gh_front_limits *limits, size_t queued,
                           int64_t now)
{
    uint64_t sent = stream->x->bytes_out - queued;
    if (queued == 0) {
        gh_pace_begin(&stream->answer, sent, now);
        return false;
    }
    return gh_pace_is_still(&stream->answer, sent,
                            stream->x->is_event_stream ? limits->sse_stall_ms : limits->stall_ms, now);
}

/* Nothing else can be said on the connection before that block ends, so all of it ends. */
static void head_is_late(struct stream *stream)
{
    struct gh_client *client = stream->h2->client;
    gh_h2_give_up(stream->h2->session, GH_HTTP_TIMEOUT_HEAD);
    end_connection(client, GH_HTTP_TIMEOUT_HEAD);
}

static void look(struct gh_deadline *deadline)
{
    struct stream *stream = GH_LIST_ENTRY(deadline, struct stream, watch);
    struct h2 *h2 = stream->h2;
    struct gh_exchange *x = stream->x;
    const struct gh_front_limits *limits = &h2->client->front->conf.limits;
    size_t queued = gh_h2_queued(h2->session, stream->id);
    int64_t now = gh_loop_now_ms(x->loop);
    if (h2->heading == stream) {
        head_is_late(stream);
        return;
    }
    bool body_late = is_body_late(stream, limits, now);
    bool answer_late = is_answer_late(stream, limits, queued, now);
    if (answer_late && x->state == GH_EXCHANGE_DONE) {
        gh_h2_reset(h2->session, stream->id, GH_HTTP_TIMEOUT_TAKE);
        forget(stream);
    } else if (answer_late || body_late) {
        gh_exchange_give_up(x, answer_late ? GH_HTTP_TIMEOUT_TAKE : GH_HTTP_TIMEOUT_BODY);
    } else if (queued > 0 || is_body_due(stream)) {
        gh_deadline_set(x->loop, &stream->watch, look_ms(limits));
    }
    flush_later(h2);
}

/* ---- streams as the session tells of them ---- */

static struct gh_arena *on_begin(void *ctx, int32_t id)
{
    struct h2 *h2 = ctx;
    struct gh_front *front = h2->client->front;
    struct gh_exchange *x = gh_exchange_new(front->with.loop, front->with.observer);
    struct stream *stream = x != NULL ? GH_ARENA_NEW(x->arena, struct stream) : NULL;
    if (stream == NULL) {
        gh_exchange_free(x);
        return NULL;
    }
    *stream = (struct stream){ .h2 = h2, .x = x, .id = id };
    gh_deadline_init(&stream->watch, look);
    x->sink = &sink;
    x->sink_ctx = stream;
    x->version = GH_HTTP_2;
    x->client_ip = gh_str_from(h2->client->ip);
    x->handler = front->with.handler;
    x->handler_ctx = front->with.handler_ctx;
    gh_h2_set_stream_ctx(h2->session, id, stream);
    h2->heading = stream;
    count_open(h2, true);
    return x->arena;
}

static void on_head(void *ctx, int32_t id, const struct gh_h2_head *head, bool end, enum gh_reason why)
{
    struct h2 *h2 = ctx;
    struct stream *stream = gh_h2_stream_ctx(h2->session, id);
    if (stream == NULL)
        return;
    struct gh_exchange *x = stream->x;
    int64_t now = gh_loop_now_ms(x->loop);
    h2->heading = NULL;
    gh_deadline_clear(&stream->watch);
    gh_pace_begin(&stream->body, 0, now);
    gh_pace_begin(&stream->answer, 0, now);
    const struct gh_facts facts = {
        .method = head->method,
        .target = head->path,
        .authority = head->authority,
        .scheme = head->scheme,
        .headers = &head->headers,
        .content_length = end ? 0 : head->content_length,
        .has_body = !end,
        .version = GH_HTTP_2,
    };
    enum gh_reason reason = gh_facts_fill(x, h2->client, &facts);
    if (why != GH_OK || reason != GH_OK) {
        gh_exchange_refuse(x, why != GH_OK ? why : reason, NULL);
        return;
    }
    if (!end)
        gh_deadline_set(x->loop, &stream->watch, look_ms(&h2->client->front->conf.limits));
    gh_exchange_start(x);
}

static void on_data(void *ctx, int32_t id, gh_str bytes)
{
    struct h2 *h2 = ctx;
    struct stream *stream = gh_h2_stream_ctx(h2->session, id);
    if (stream == NULL) {
        gh_h2_taken(h2->session, id, bytes.len);
        return;
    }
    stream->untaken += bytes.len;
    gh_exchange_body(stream->x, bytes, false);
}

static void on_end(void *ctx, int32_t id)
{
    struct h2 *h2 = ctx;
    struct stream *stream = gh_h2_stream_ctx(h2->session, id);
    if (stream == NULL)
        return;
    stream->body_ended = true;
    gh_exchange_body(stream->x, GH_STR_NONE, true);
}

static void on_room(void *ctx, int32_t id)
{
    struct h2 *h2 = ctx;
    struct stream *stream = gh_h2_stream_ctx(h2->session, id);
    if (stream != NULL)
        gh_exchange_room(stream->x);
}

static void on_stream_closed(void *ctx, int32_t id, enum gh_reason why)
{
    struct h2 *h2 = ctx;
    struct stream *stream = gh_h2_stream_ctx(h2->session, id);
    if (stream == NULL)
        return;
    /* Who leaves in the middle of a header block has asked for nothing; a block that is at fault is an event.
     */
    if (h2->heading != stream || why != GH_CLIENT_GONE)
        gh_exchange_gone(stream->x, why == GH_OK ? GH_CLIENT_GONE : why);
    forget(stream);
}

static const struct gh_h2_events session_events = {
    .begin = on_begin,
    .head = on_head,
    .data = on_data,
    .end = on_end,
    .room = on_room,
    .closed = on_stream_closed,
};

/* ---- the sink ---- */

static void sink_head(struct gh_exchange *x, const struct gh_response *response, bool end)
{
    struct stream *stream = of(x);
    const struct gh_h2_head head = {
        .status = response->status,
        .headers = response->headers,
        .content_length = response->status == 204 ? -1 : response->content_length,
    };
    if (!gh_h2_respond(stream->h2->session, stream->id, &head, end))
        gh_h2_reset(stream->h2->session, stream->id, GH_INTERNAL);
    flush_later(stream->h2);
}

static bool sink_data(struct gh_exchange *x, gh_str bytes)
{
    struct stream *stream = of(x);
    bool room = gh_h2_send(stream->h2->session, stream->id, bytes);
    if (!gh_deadline_is_set(&stream->watch)) {
        gh_pace_begin(&stream->answer, x->bytes_out - bytes.len, gh_loop_now_ms(x->loop));
        gh_deadline_set(x->loop, &stream->watch, look_ms(&stream->h2->client->front->conf.limits));
    }
    flush_later(stream->h2);
    return room;
}

static void sink_end(struct gh_exchange *x)
{
    struct stream *stream = of(x);
    gh_h2_send_end(stream->h2->session, stream->id);
    flush_later(stream->h2);
}

static void sink_abort(struct gh_exchange *x, enum gh_reason why)
{
    struct stream *stream = of(x);
    gh_h2_reset(stream->h2->session, stream->id, why);
    forget(stream);
    flush_later(stream->h2);
}

static void sink_taken(struct gh_exchange *x, size_t n)
{
    struct stream *stream = of(x);
    size_t taken = n < stream->untaken ? n : stream->untaken;
    stream->untaken -= taken;
    gh_h2_taken(stream->h2->session, stream->id, taken);
    flush_later(stream->h2);
}

static const struct gh_sink sink = {
    .head = sink_head, .data = sink_data, .end = sink_end, .abort = sink_abort, .taken = sink_taken
};

/* ---- the connection ---- */

static void count_cut(struct gh_client *client, enum gh_reason why)
{
    struct gh_worker_stats *stats = client->front->with.observer->stats;
    const struct h2 *h2 = client->state;
    if (why == GH_H2_RESETS)
        GH_COUNT_ADD(stats->h2_cut_resets, 1);
    if (why == GH_H2_GLITCHES)
        GH_COUNT_ADD(stats->h2_cut_glitches, 1);
    gh_exchange_connection_ended(client->front->with.observer, why, gh_str_from(client->ip));
    gh_log(GH_LOG_WARN, "HTTP/2 connection cut", GH_FIELD("client", gh_str_from(client->ip)),
           GH_FIELD("reason", gh_str_from(gh_reason_row(why)->slug)),
           GH_FIELD("why", gh_str_from(gh_h2_why(h2->session))));
}

/* What is still to be said (GOAWAY) goes out, then the connection ends. */
static void end_connection(struct gh_client *client, enum gh_reason why)
{
    struct h2 *h2 = client->state;
    if (gh_h2_write(h2->session, gh_conn_peek_out(client->conn), GH_CONN_HIGH) != GH_OK)
        why = GH_H2_PROTOCOL;
    gh_client_close(client, why, true);
}

/* Header blocks are complete in one piece nearly always: the others get a timer. */
static void watch_heading(struct h2 *h2)
{
    if (h2->heading != NULL && !gh_deadline_is_set(&h2->heading->watch))
        gh_deadline_set(h2->heading->x->loop, &h2->heading->watch, h2->client->front->conf.limits.head_ms);
}

static size_t on_read(void *ctx, gh_str bytes)
{
    struct gh_client *client = ctx;
    struct h2 *h2 = client->state;
    enum gh_reason reason = gh_h2_read(h2->session, bytes, gh_loop_now_ms(client->front->with.loop));
    if (client->conn == NULL)
        return bytes.len;
    if (reason != GH_OK) {
        count_cut(client, reason);
        end_connection(client, reason);
    } else {
        watch_heading(h2);
        flush_later(h2);
    }
    return bytes.len;
}

static void on_fill(void *ctx)
{
    struct gh_client *client = ctx;
    struct h2 *h2 = client->state;
    if (h2 == NULL)
        return;
    enum gh_reason reason = gh_h2_write(h2->session, gh_conn_peek_out(client->conn), GH_CONN_HIGH);
    if (client->conn == NULL)
        return;
    if (reason != GH_OK) {
        count_cut(client, reason);
        end_connection(client, reason);
    } else if (gh_h2_is_done(h2->session)) {
        gh_client_close(client, GH_OK, true);
    }
}

static void make_frames(struct gh_turn_work *work)
{
    struct h2 *h2 = GH_LIST_ENTRY(work, struct h2, frames);
    if (gh_conn_takes(h2->client->conn))
        on_fill(h2->client);
}

static void on_closed(void *ctx, enum gh_reason why)
{
    gh_client_close(ctx, why, false);
}

static const struct gh_conn_events events = { .read = on_read, .fill = on_fill, .closed = on_closed };

static void free_session(void *ptr)
{
    gh_h2_free(ptr);
}

static void cut(struct gh_client *client, enum gh_reason why)
{
    struct h2 *h2 = client->state;
    client->protocol = NULL;
    client->state = NULL;
    gh_h2_each_stream(h2->session, on_stream_closed, h2, why == GH_OK ? GH_CLIENT_GONE : why);
    gh_turn_work_cancel(&h2->frames);
    gh_loop_free_later(client->front->with.loop, free_session, h2->session);
    gh_loop_free_later(client->front->with.loop, free, h2);
}

static void drain(struct gh_client *client)
{
    struct h2 *h2 = client->state;
    gh_h2_shutdown(h2->session);
    gh_client_deadline(client, idle, GOAWAY_STEP_MS);
    flush_later(h2);
}

const struct gh_protocol gh_protocol_h2 = { .events = &events, .cut = cut, .drain = drain };

static struct gh_h2_limits limits_of(const struct gh_front_limits *from)
{
    return (struct gh_h2_limits){
        .streams = (uint32_t)from->h2_streams,
        .stream_window = (uint32_t)from->h2_stream_window,
        .connection_window = (uint32_t)from->h2_connection_window,
        .fields = (uint32_t)from->fields,
        .head = (uint32_t)from->head,
        .target = (uint32_t)from->request_line,
        .header_table = (uint32_t)from->h2_header_table,
        .continuations = (uint32_t)from->h2_continuations,
        .requests = (uint32_t)from->h2_requests,
        .resets_burst = (uint32_t)from->h2_resets_burst,
        .resets_per_s = (uint32_t)from->h2_resets_per_s,
        .glitches_burst = (uint32_t)from->h2_glitches_burst,
        .glitches_per_s = (uint32_t)from->h2_glitches_per_s,
        .head_overflows = (uint32_t)from->h2_head_overflows,
        .acknowledgements = (uint32_t)from->h2_acknowledgements,
        .stream_high = (size_t)from->stream_buffer,
    };
}

bool gh_h2_begin(struct gh_client *client)
{
    struct h2 *h2 = gh_calloc(1, sizeof(*h2));
    if (h2 == NULL)
        return false;
    const struct gh_h2_limits limits = limits_of(&client->front->conf.limits);
    h2->client = client;
    gh_turn_work_init(&h2->frames, make_frames);
    h2->session = gh_h2_new(GH_H2_SERVER, &limits, &session_events, h2);
    if (h2->session == NULL) {
        free(h2);
        return false;
    }
    client->state = h2;
    client->protocol = &gh_protocol_h2;
    /* Streams are watched one by one; the connection waits for the most patient of them. */
    const struct gh_front_limits *front = &client->front->conf.limits;
    if (front->sse_stall_ms > front->stall_ms)
        gh_conn_set_stall(client->conn, front->sse_stall_ms);
    gh_conn_set_owner(client->conn, &events, client);
    gh_client_deadline(client, idle, client->front->conf.limits.idle_ms);
    gh_conn_flush_later(client->conn);
    return true;
}
