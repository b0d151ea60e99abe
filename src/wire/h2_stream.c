/* wire/h2_stream.c: our half of the streams of an HTTP/2 session: heads submitted, bodies queued and pulled.
 */
#include "base/blocks.h"
#include "base/str.h"
#include "wire/h2_session.h"

#define NV_MAX 280

/* ---- streams ---- */

struct gh_h2_stream *gh_h2_stream_new(struct gh_h2 *h2, int32_t id)
{
    struct gh_h2_stream *stream = gh_block_take_zeroed(sizeof(*stream));
    if (stream == NULL)
        return NULL;
    stream->h2 = h2;
    stream->id = id;
    stream->head.content_length = -1;
    gh_list_init(&stream->room);
    gh_list_append(&h2->streams, &stream->link);
    h2->stream_count++;
    return stream;
}

void gh_h2_stream_free(struct gh_h2_stream *stream)
{
    gh_list_remove(&stream->link);
    gh_list_remove(&stream->room);
    stream->h2->stream_count--;
    gh_buf_done(&stream->out);
    gh_block_give(stream, sizeof(*stream));
}

struct gh_h2_stream *gh_h2_stream_find(const struct gh_h2 *h2, int32_t id)
{
    return nghttp2_session_get_stream_user_data(h2->session, id);
}

/* A stream that a request has just been submitted on is not known to nghttp2 before its HEADERS went out. */
static struct gh_h2_stream *find_ours(const struct gh_h2 *h2, int32_t id)
{
    struct gh_h2_stream *stream = gh_h2_stream_find(h2, id);
    if (stream != NULL || h2->side == GH_H2_SERVER)
        return stream;
    GH_LIST_EACH (node, &h2->streams) {
        struct gh_h2_stream *other = GH_LIST_ENTRY(node, struct gh_h2_stream, link);
        if (other->id == id)
            return other;
    }
    return NULL;
}

void gh_h2_set_stream_ctx(struct gh_h2 *h2, int32_t id, void *stream_ctx)
{
    struct gh_h2_stream *stream = find_ours(h2, id);
    if (stream != NULL)
        stream->ctx = stream_ctx;
}

void *gh_h2_stream_ctx(const struct gh_h2 *h2, int32_t id)
{
    const struct gh_h2_stream *stream = find_ours(h2, id);
    return stream != NULL ? stream->ctx : NULL;
}

void gh_h2_each_stream(struct gh_h2 *h2, void (*fn)(void *ctx, int32_t stream, enum gh_reason why), void *ctx,
                       enum gh_reason why)
{
    GH_LIST_EACH_SAFE (node, &h2->streams) {
        struct gh_h2_stream *stream = GH_LIST_ENTRY(node, struct gh_h2_stream, link);
        if (!stream->forgotten)
            fn(ctx, stream->id, why);
    }
}

/* ---- heads ---- */

struct fields {
    nghttp2_nv at[NV_MAX];
    size_t count;
};

/* Of a table of 4 KiB: a token or an assertion would push most other fields out. */
#define INDEXED_MAX 512u

/* Values that differ in every message would only push others out of the table; secrets must not enter it. */
static bool is_not_indexed(gh_str name, gh_str value)
{
    static const gh_str names[] = { GH_STR_INIT("authorization"),         GH_STR_INIT("content-length"),
                                    GH_STR_INIT("mcp-session-id"),        GH_STR_INIT("traceparent"),
                                    GH_STR_INIT("x-gatehouse-assertion"), GH_STR_INIT("x-request-id") };
    if (value.len > INDEXED_MAX)
        return true;
    for (size_t i = 0; i < GH_ARRAY_LEN(names); i++)
        if (gh_str_eq(names[i], name))
            return true;
    return false;
}

static void add(struct fields *fields, gh_str name, gh_str value)
{
    if (fields->count == NV_MAX)
        return;
    fields->at[fields->count++] = (nghttp2_nv){
        .name = (uint8_t *)(uintptr_t)name.ptr,
        .value = (uint8_t *)(uintptr_t)(value.len > 0 ? value.ptr : ""),
        .namelen = name.len,
        .valuelen = value.len,
        .flags = is_not_indexed(name, value) ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE,
    };
}

static void add_all(struct fields *fields, const struct gh_headers *headers)
{
    for (size_t i = 0; i < headers->count; i++)
        add(fields, headers->at[i].name, headers->at[i].value);
}

static gh_str decimal(char out[24], int64_t value)
{
    size_t n = 24;
    do {
        out[--n] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    return gh_str_of(out + n, 24 - n);
}

static void add_length(struct fields *fields, const struct gh_h2_head *head, char digits[24])
{
    if (head->content_length >= 0)
        add(fields, GH_STR("content-length"), decimal(digits, head->content_length));
}

bool gh_h2_respond(struct gh_h2 *h2, int32_t id, const struct gh_h2_head *head, bool end)
{
    struct gh_h2_stream *stream = gh_h2_stream_find(h2, id);
    if (stream == NULL || h2->failed != GH_OK)
        return false;
    struct fields fields;
    char status[24], length[24];
    fields.count = 0;
    add(&fields, GH_STR(":status"), decimal(status, head->status));
    add_all(&fields, &head->headers);
    if (head->status < 200)
        return nghttp2_submit_headers(h2->session, NGHTTP2_FLAG_NONE, id, NULL, fields.at, fields.count,
                                      NULL) == 0;
    add_length(&fields, head, length);
    const nghttp2_data_provider provider = { .read_callback = gh_h2_pull };
    stream->answered = true;
    stream->out_end = end;
    return nghttp2_submit_response(h2->session, id, fields.at, fields.count, end ? NULL : &provider) == 0;
}

bool gh_h2_can_request(const struct gh_h2 *h2)
{
    uint32_t max = nghttp2_session_get_remote_settings(h2->session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
    return h2->failed == GH_OK && h2->settings_received && !h2->goaway_received && h2->stream_count < max &&
           !h2->notice_sent && nghttp2_session_check_request_allowed(h2->session) != 0;
}

int32_t gh_h2_request(struct gh_h2 *h2, const struct gh_h2_head *head, bool end)
{
    if (!gh_h2_can_request(h2)) {
        h2->was_full = true;
        return 0;
    }
    struct gh_h2_stream *stream = gh_h2_stream_new(h2, 0);
    if (stream == NULL)
        return 0;
    struct fields fields;
    char length[24];
    fields.count = 0;
    add(&fields, GH_STR(":method"), head->method);
    add(&fields, GH_STR(":scheme"), head->scheme);
    add(&fields, GH_STR(":authority"), head->authority);
    add(&fields, GH_STR(":path"), head->path);
    add_all(&fields, &head->headers);
    add_length(&fields, head, length);
    const nghttp2_data_provider provider = { .read_callback = gh_h2_pull };
    stream->out_end = end;
    stream->id =
        nghttp2_submit_request(h2->session, NULL, fields.at, fields.count, end ? NULL : &provider, stream);
    if (stream->id > 0) {
        stream->answered = true;
        return stream->id;
    }
    gh_h2_stream_free(stream);
    return 0;
}

/* ---- bodies ---- */

static void wake(struct gh_h2_stream *stream)
{
    if (!stream->deferred)
        return;
    stream->deferred = false;
    (void)nghttp2_session_resume_data(stream->h2->session, stream->id);
}

bool gh_h2_send(struct gh_h2 *h2, int32_t id, gh_str bytes)
{
    struct gh_h2_stream *stream = find_ours(h2, id);
    if (stream == NULL || stream->out_end)
        return true;
    if (!gh_buf_add(&stream->out, bytes)) {
        gh_h2_reset(h2, id, GH_OUT_OF_MEMORY); /* bytes are missing: never a clean end */
        return true;
    }
    wake(stream);
    stream->was_high = stream->was_high || gh_buf_len(&stream->out) > h2->limits.stream_high;
    return !stream->was_high;
}

void gh_h2_send_end(struct gh_h2 *h2, int32_t id)
{
    struct gh_h2_stream *stream = find_ours(h2, id);
    if (stream == NULL)
        return;
    stream->out_end = true;
    wake(stream);
}

size_t gh_h2_queued(const struct gh_h2 *h2, int32_t id)
{
    const struct gh_h2_stream *stream = find_ours(h2, id);
    return stream != NULL ? gh_buf_len(&stream->out) : 0;
}

ssize_t gh_h2_pull(nghttp2_session *session, int32_t id, uint8_t *out, size_t len, uint32_t *flags,
                   nghttp2_data_source *source, void *ctx)
{
    struct gh_h2 *h2 = ctx;
    struct gh_h2_stream *stream = gh_h2_stream_find(h2, id);
    if (stream == NULL)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    gh_str queued = gh_str_take(gh_buf_peek(&stream->out), len);
    if (queued.len == 0 && !stream->out_end) {
        stream->deferred = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    if (queued.len > 0)
        memcpy(out, queued.ptr, queued.len);
    gh_buf_consume(&stream->out, queued.len);
    if (gh_buf_len(&stream->out) == 0) {
        gh_buf_trim(&stream->out);
        if (stream->out_end)
            *flags |= NGHTTP2_DATA_FLAG_EOF;
    }
    if (stream->was_high && gh_buf_len(&stream->out) < h2->limits.stream_high / 2) {
        stream->was_high = false;
        if (!gh_list_is_linked(&stream->room))
            gh_list_append(&h2->with_room, &stream->room);
    }
    return (ssize_t)queued.len;
}

/* ---- the end of a stream ---- */

static uint32_t error_code(enum gh_reason why, bool answered)
{
    if (why == GH_OK)
        return answered ? NGHTTP2_NO_ERROR : NGHTTP2_CANCEL;
    if (why == GH_CLIENT_GONE)
        return NGHTTP2_CANCEL;
    if (why == GH_H2_PROTOCOL || why == GH_HTTP_MALFORMED)
        return NGHTTP2_PROTOCOL_ERROR;
    return NGHTTP2_INTERNAL_ERROR;
}

void gh_h2_reset(struct gh_h2 *h2, int32_t id, enum gh_reason why)
{
    struct gh_h2_stream *stream = find_ours(h2, id);
    if (stream == NULL || stream->forgotten)
        return;
    stream->forgotten = true;
    stream->out_end = true;
    gh_buf_consume(&stream->out, gh_buf_len(&stream->out));
    /* Also where its HEADERS have not left: nghttp2 drops them, and closes the stream when it comes to them.
     */
    uint32_t code = h2->side == GH_H2_CLIENT ? (uint32_t)NGHTTP2_CANCEL : error_code(why, stream->answered);
    (void)nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE, id, code);
}

void gh_h2_taken(struct gh_h2 *h2, int32_t id, size_t n)
{
    if (n > 0 && h2->failed == GH_OK)
        (void)nghttp2_session_consume(h2->session, id, n);
}
