/* wire/h2.c: the HTTP/2 session: made, fed, emptied, ended; nghttp2's callbacks become our events. */
#include "wire/h2.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/str.h"
#include "wire/h2_session.h"

/* ---- what nghttp2 tells ---- */

/* Counted here and not when the reset leaves, so that what one read brings is bounded too. */
static int refuse_stream(struct gh_h2 *h2, int32_t id)
{
    gh_h2_guard_reset(h2);
    gh_h2_guard_glitch(h2);
    return nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE, id, NGHTTP2_REFUSED_STREAM);
}

static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *frame, void *ctx)
{
    if (frame->type == NGHTTP2_HEADERS)
        gh_h2_guard_head(ctx, frame->stream_id);
    return 0;
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *ctx)
{
    struct gh_h2 *h2 = ctx;
    int32_t id = frame->hd.stream_id;
    struct gh_h2_stream *stream = gh_h2_stream_find(h2, id);
    if (stream == NULL && h2->side == GH_H2_SERVER) {
        if (frame->headers.cat != NGHTTP2_HCAT_REQUEST)
            return 0;
        if (h2->stream_count >= h2->limits.streams)
            return refuse_stream(h2, id);
        stream = gh_h2_stream_new(h2, id);
        if (stream == NULL)
            return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
        (void)nghttp2_session_set_stream_user_data(session, id, stream);
        h2->request_count++;
    }
    if (stream == NULL)
        return 0;
    stream->head_bytes = stream->head_fields = 0;
    if (stream->head_done) /* trailers: they have the limits of a head of their own */
        return 0;
    stream->head = (struct gh_h2_head){ .content_length = -1 };
    stream->arena = h2->events->begin(h2->ctx, id);
    return stream->arena != NULL ? 0 : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags, void *ctx)
{
    struct gh_h2_stream *stream = gh_h2_stream_find(ctx, frame->hd.stream_id);
    if (stream != NULL)
        gh_h2_head_add(stream, gh_str_of(name, name_len), gh_str_of(value, value_len));
    return 0;
}

/* nghttp2 would pass over these in silence. */
static int on_invalid_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                             size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                             void *ctx)
{
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

static void head_complete(struct gh_h2 *h2, struct gh_h2_stream *stream, bool end)
{
    bool interim = h2->side == GH_H2_CLIENT && stream->fault == GH_OK && stream->head.status < 200;
    stream->head_done = !interim;
    stream->peer_ended = end;
    h2->events->head(h2->ctx, stream->id, &stream->head, end, stream->fault);
}

static void body_complete(struct gh_h2 *h2, struct gh_h2_stream *stream)
{
    stream->peer_ended = true;
    if (!stream->forgotten)
        h2->events->end(h2->ctx, stream->id);
}

/* RFC 9110 section 6.5: trailers are checked like a head, then dropped. Bad ones end the stream, whatever has
 * been made of its request so far; the peer made us do it. */
static void trailers_complete(struct gh_h2 *h2, struct gh_h2_stream *stream)
{
    if (stream->trailer_fault == GH_OK) {
        body_complete(h2, stream);
        return;
    }
    if (!stream->forgotten) {
        h2->events->closed(h2->ctx, stream->id,
                           h2->side == GH_H2_SERVER ? stream->trailer_fault : GH_H2_PROTOCOL);
        gh_h2_reset(h2, stream->id, GH_HTTP_MALFORMED);
    }
    gh_h2_guard_reset(h2);
}

static void took_goaway(struct gh_h2 *h2)
{
    h2->goaway_received = true;
    if (h2->events->capacity != NULL)
        h2->events->capacity(h2->ctx);
}

static int on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *ctx)
{
    struct gh_h2 *h2 = ctx;
    struct gh_h2_stream *stream =
        frame->hd.stream_id != 0 ? gh_h2_stream_find(h2, frame->hd.stream_id) : NULL;
    bool end = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
        if (stream != NULL && !stream->head_done)
            head_complete(h2, stream, end);
        else if (stream != NULL && end && !stream->peer_ended)
            trailers_complete(h2, stream);
        break;
    case NGHTTP2_DATA:
        if (stream != NULL && end && !stream->peer_ended)
            body_complete(h2, stream);
        break;
    case NGHTTP2_RST_STREAM:
        gh_h2_guard_reset(h2);
        if (stream != NULL)
            stream->peer_reset = true;
        break;
    case NGHTTP2_GOAWAY:
        took_goaway(h2);
        break;
    case NGHTTP2_SETTINGS:
        h2->settings_received = true;
        if (h2->was_full && h2->events->capacity != NULL && gh_h2_can_request(h2)) {
            h2->was_full = false;
            h2->events->capacity(h2->ctx);
        }
        break;
    default:
        break;
    }
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *bytes, size_t len,
                   void *ctx)
{
    struct gh_h2 *h2 = ctx;
    struct gh_h2_stream *stream = gh_h2_stream_find(h2, id);
    if (stream == NULL || stream->forgotten)
        gh_h2_taken(h2, id, len);
    else
        h2->events->data(h2->ctx, id, gh_str_of(bytes, len));
    return 0;
}

/* A whole answer to a request that is still coming: the rest is not wanted (RFC 9113 section 8.1). */
static void answered_early(struct gh_h2 *h2, struct gh_h2_stream *stream, uint8_t flags)
{
    bool ended = (flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (h2->side != GH_H2_SERVER || stream == NULL || !ended || stream->peer_ended)
        return;
    stream->reset_after_answer = true;
    (void)nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE, stream->id, NGHTTP2_NO_ERROR);
}

static int on_frame_send(nghttp2_session *session, const nghttp2_frame *frame, void *ctx)
{
    struct gh_h2 *h2 = ctx;
    struct gh_h2_stream *stream = gh_h2_stream_find(h2, frame->hd.stream_id);
    if (frame->hd.type == NGHTTP2_DATA)
        h2->guard.data_sent++;
    if (frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS)
        answered_early(h2, stream, frame->hd.flags);
    if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code != NGHTTP2_NO_ERROR)
        h2->gave_up = true;
    if (frame->hd.type != NGHTTP2_RST_STREAM || frame->rst_stream.error_code == NGHTTP2_REFUSED_STREAM)
        return 0;
    bool ours = stream != NULL && (stream->forgotten || stream->reset_after_answer);
    if (!ours) /* the peer made nghttp2 do it (MadeYouReset) */
        gh_h2_guard_reset(h2);
    return 0;
}

static int on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int error, void *ctx)
{
    struct gh_h2 *h2 = ctx;
    h2->why = nghttp2_strerror(error);
    gh_h2_guard_glitch(h2);
    return 0;
}

static enum gh_reason why_closed(const struct gh_h2 *h2, const struct gh_h2_stream *stream, uint32_t code)
{
    if (h2->side == GH_H2_CLIENT)
        return code == NGHTTP2_NO_ERROR && stream->peer_ended ? GH_OK : GH_UPSTREAM_ABORTED;
    if (stream->peer_reset)
        return GH_CLIENT_GONE;
    return code == NGHTTP2_NO_ERROR ? GH_OK : GH_H2_PROTOCOL;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *ctx)
{
    struct gh_h2 *h2 = ctx;
    struct gh_h2_stream *stream = gh_h2_stream_find(h2, id);
    if (stream == NULL)
        return 0;
    if (!stream->forgotten)
        h2->events->closed(h2->ctx, id, why_closed(h2, stream, code));
    (void)nghttp2_session_set_stream_user_data(session, id, NULL);
    gh_h2_stream_free(stream);
    if (h2->was_full && h2->events->capacity != NULL && gh_h2_can_request(h2)) {
        h2->was_full = false;
        h2->events->capacity(h2->ctx);
    }
    return 0;
}

/* ---- making ---- */

static bool set_callbacks(nghttp2_session_callbacks **ret_callbacks)
{
    nghttp2_session_callbacks *callbacks;
    if (nghttp2_session_callbacks_new(&callbacks) != 0)
        return false;
    nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_invalid_header_callback(callbacks, on_invalid_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame_recv);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_send);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    *ret_callbacks = callbacks;
    return true;
}

static nghttp2_option *new_options(const struct gh_h2_limits *limits)
{
    nghttp2_option *options;
    if (nghttp2_option_new(&options) != 0)
        return NULL;
    nghttp2_option_set_no_auto_window_update(options, 1);
    nghttp2_option_set_no_closed_streams(options, 1);
    nghttp2_option_set_max_outbound_ack(options, limits->acknowledgements);
    nghttp2_option_set_max_settings(options, 32);
    nghttp2_option_set_max_deflate_dynamic_table_size(options, limits->header_table);
    /* Ours is the smaller bucket, so that the peer reads ENHANCE_YOUR_CALM. */
    nghttp2_option_set_stream_reset_rate_limit(options, 1000000, 1000000);
    return options;
}

static bool new_session(struct gh_h2 *h2)
{
    nghttp2_session_callbacks *callbacks = NULL;
    nghttp2_option *options = new_options(&h2->limits);
    int failed = -1;
    if (options != NULL && set_callbacks(&callbacks))
        failed = h2->side == GH_H2_SERVER
                     ? nghttp2_session_server_new3(&h2->session, callbacks, h2, options, &gh_h2_memory)
                     : nghttp2_session_client_new3(&h2->session, callbacks, h2, options, &gh_h2_memory);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_option_del(options);
    return failed == 0;
}

/* RFC 9113 section 5.1.2 makes a stream error of streams beyond the advertised number; nghttp2 ends the
 * connection. So it is told of so many times more, which one read can hardly bring; on the wire stands the
 * number (advertise). */
#define STREAMS_TOLD 64u

static bool send_settings(struct gh_h2 *h2)
{
    const struct gh_h2_limits *limits = &h2->limits;
    nghttp2_settings_entry entries[5] = {
        { NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, limits->stream_window },
        { NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, limits->head },
        { NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, limits->header_table },
        { NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, STREAMS_TOLD * limits->streams },
        { NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1 },
    };
    size_t count = 5;
    if (h2->side == GH_H2_CLIENT) {
        entries[3] = (nghttp2_settings_entry){ NGHTTP2_SETTINGS_ENABLE_PUSH, 0 };
        count = 4;
    }
    return nghttp2_submit_settings(h2->session, NGHTTP2_FLAG_NONE, entries, count) == 0 &&
           nghttp2_session_set_local_window_size(h2->session, NGHTTP2_FLAG_NONE, 0,
                                                 (int32_t)limits->connection_window) == 0;
}

struct gh_h2 *gh_h2_new(enum gh_h2_side side, const struct gh_h2_limits *limits,
                        const struct gh_h2_events *events, void *ctx)
{
    struct gh_h2 *h2 = gh_calloc(1, sizeof(*h2));
    if (h2 == NULL)
        return NULL;
    h2->side = side;
    h2->limits = *limits;
    h2->events = events;
    h2->ctx = ctx;
    h2->why = "";
    gh_list_init(&h2->streams);
    gh_list_init(&h2->with_room);
    gh_h2_guard_init(h2);
    if (new_session(h2) && send_settings(h2))
        return h2;
    gh_h2_free(h2);
    return NULL;
}

void gh_h2_free(struct gh_h2 *h2)
{
    if (h2 == NULL)
        return;
    GH_LIST_EACH_SAFE (node, &h2->streams)
        gh_h2_stream_free(GH_LIST_ENTRY(node, struct gh_h2_stream, link));
    nghttp2_session_del(h2->session);
    free(h2);
}

/* ---- feeding and emptying ---- */

static enum gh_reason fail(struct gh_h2 *h2, enum gh_reason reason)
{
    if (h2->failed != GH_OK)
        return h2->failed;
    h2->failed = reason;
    bool calm = reason == GH_H2_RESETS || reason == GH_H2_GLITCHES || reason == GH_HTTP_TIMEOUT_HEAD;
    uint32_t code = calm ? (uint32_t)NGHTTP2_ENHANCE_YOUR_CALM : (uint32_t)NGHTTP2_PROTOCOL_ERROR;
    (void)nghttp2_session_terminate_session(h2->session, code);
    return reason;
}

void gh_h2_give_up(struct gh_h2 *h2, enum gh_reason why)
{
    (void)fail(h2, why);
}

static void count_requests(struct gh_h2 *h2)
{
    if (h2->limits.requests > 0 && h2->request_count >= h2->limits.requests && !h2->notice_sent)
        gh_h2_shutdown(h2);
    /* What was on its way when the notice went has had its room: the last word. */
    if (h2->limits.requests > 0 && h2->request_count >= (uint64_t)h2->limits.requests + h2->limits.streams)
        gh_h2_shutdown(h2);
}

/* Its queue of acknowledgements is full: the peer asks more than it takes. */
static enum gh_reason reason_of(int error)
{
    if (error == NGHTTP2_ERR_NOMEM)
        return GH_OUT_OF_MEMORY;
    return error == NGHTTP2_ERR_FLOODED ? GH_H2_GLITCHES : GH_H2_PROTOCOL;
}

enum gh_reason gh_h2_read(struct gh_h2 *h2, gh_str bytes, int64_t now_ms)
{
    if (h2->failed != GH_OK) /* nothing is fed after that (CVE-2026-27135) */
        return h2->failed;
    h2->now_ms = now_ms;
    size_t first = gh_h2_guard_ahead(h2);
    enum gh_reason reason = gh_h2_guard_read(h2, bytes);
    if (reason != GH_OK)
        return fail(h2, reason);
    int error = gh_h2_feed(h2, bytes, first);
    if (error != 0) {
        h2->why = nghttp2_strerror(error);
        return fail(h2, reason_of(error));
    }
    reason = gh_h2_guard_verdict(h2);
    if (reason != GH_OK)
        return fail(h2, reason);
    count_requests(h2);
    return GH_OK;
}

static bool tell_room(struct gh_h2 *h2)
{
    struct gh_list *node = gh_list_first(&h2->with_room);
    bool any = node != NULL;
    for (; node != NULL; node = gh_list_first(&h2->with_room)) {
        struct gh_h2_stream *stream = GH_LIST_ENTRY(node, struct gh_h2_stream, room);
        gh_list_remove(node);
        if (!stream->forgotten)
            h2->events->room(h2->ctx, stream->id);
    }
    return any;
}

/* A server's first frame is its SETTINGS (RFC 9113 section 3.4): the number of streams in it becomes ours. */
static void advertise(struct gh_h2 *h2, unsigned char *frame, size_t len)
{
    uint32_t streams = h2->limits.streams;
    for (size_t at = 9; at + 6 <= len; at += 6) {
        if (frame[at] != 0 || frame[at + 1] != NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS)
            continue;
        frame[at + 2] = (unsigned char)(streams >> 24);
        frame[at + 3] = (unsigned char)(streams >> 16);
        frame[at + 4] = (unsigned char)(streams >> 8);
        frame[at + 5] = (unsigned char)streams;
    }
}

static bool add_first_frame(struct gh_h2 *h2, struct gh_buf *out, const uint8_t *bytes, size_t len)
{
    char *copy = gh_buf_reserve(out, len);
    if (copy == NULL)
        return false;
    memcpy(copy, bytes, len);
    advertise(h2, (unsigned char *)copy, len);
    gh_buf_commit(out, len);
    h2->advertised = true;
    return true;
}

enum gh_reason gh_h2_write(struct gh_h2 *h2, struct gh_buf *out, size_t high)
{
    do {
        while (gh_buf_len(out) < high) {
            const uint8_t *bytes;
            ssize_t len = nghttp2_session_mem_send(h2->session, &bytes);
            if (len < 0)
                return fail(h2, GH_OUT_OF_MEMORY);
            if (len == 0)
                break;
            bool first = !h2->advertised && h2->side == GH_H2_SERVER;
            if (!(first ? add_first_frame(h2, out, bytes, (size_t)len)
                        : gh_buf_add(out, gh_str_of(bytes, (size_t)len))))
                return fail(h2, GH_OUT_OF_MEMORY);
        }
    } while (tell_room(h2) && gh_buf_len(out) < high);
    enum gh_reason reason = h2->failed == GH_OK ? gh_h2_guard_verdict(h2) : GH_OK;
    if (h2->failed == GH_OK && reason == GH_OK && h2->gave_up)
        reason = GH_H2_PROTOCOL;
    return reason == GH_OK ? GH_OK : fail(h2, reason);
}

bool gh_h2_is_done(const struct gh_h2 *h2)
{
    bool reads = h2->failed == GH_OK && nghttp2_session_want_read(h2->session) != 0;
    return !reads && nghttp2_session_want_write(h2->session) == 0;
}

void gh_h2_shutdown(struct gh_h2 *h2)
{
    if (h2->failed != GH_OK || h2->goaway_sent)
        return;
    if (!h2->notice_sent && h2->side == GH_H2_SERVER) {
        h2->notice_sent = true;
        (void)nghttp2_submit_shutdown_notice(h2->session);
        return;
    }
    h2->notice_sent = h2->goaway_sent = true;
    (void)nghttp2_submit_goaway(h2->session, NGHTTP2_FLAG_NONE,
                                nghttp2_session_get_last_proc_stream_id(h2->session), NGHTTP2_NO_ERROR, NULL,
                                0);
}

void gh_h2_ping(struct gh_h2 *h2)
{
    (void)nghttp2_submit_ping(h2->session, NGHTTP2_FLAG_NONE, NULL);
}

size_t gh_h2_streams(const struct gh_h2 *h2)
{
    return h2->stream_count;
}

const char *gh_h2_why(const struct gh_h2 *h2)
{
    return h2->why;
}
