/* wire/session.h: an HTTP/2 server session under test: raw frames go in at a made-up time, what it says and
 * tells is counted. */
#ifndef GH_TEST_SESSION_H
#define GH_TEST_SESSION_H

#include <stdlib.h>

#include "base/arena.h"
#include "support/cm.h"
#include "wire/h2.h"

enum {
    DATA,
    HEADERS,
    PRIORITY,
    RST_STREAM,
    SETTINGS,
    PUSH_PROMISE,
    PING,
    GOAWAY,
    WINDOW_UPDATE,
    CONTINUATION
};
enum { END_STREAM = 1, ACK = 1, END_HEADERS = 4, PADDED = 8 };
enum { NO_ERROR, PROTOCOL_ERROR, CANCEL = 8, ENHANCE_YOUR_CALM = 11, REFUSED_STREAM = 7 };

/* threats.md section 8. */
static const struct gh_h2_limits session_limits = {
    .streams = 100,
    .stream_window = 64 * 1024,
    .connection_window = 1024 * 1024,
    .fields = 100,
    .head = 32 * 1024,
    .target = 8 * 1024,
    .header_table = 4096,
    .continuations = 8,
    .requests = 0,
    .resets_burst = 200,
    .resets_per_s = 40,
    .glitches_burst = 1000,
    .glitches_per_s = 33,
    .head_overflows = 10,
};

/* What the peer does with a request once its head is there. */
enum session_answer { ANSWER_NEVER, ANSWER_AT_ONCE, ANSWER_WITH_BODY };

struct session {
    struct gh_h2 *h2;
    struct gh_arena *arena;
    struct gh_buf in;
    int64_t now_ms;
    enum session_answer answer;
    enum gh_reason reason; /* what feeding or emptying came to */

    /* what it told */
    size_t heads, faulty, ended, closed, body;
    enum gh_reason why, closed_why; /* the last */
    size_t fields;                  /* of the last head */

    /* what it said */
    size_t frames, resets, refused, acks, pings, answers, data;
    bool said_goaway;
    uint32_t goaway, reset_code;
    int32_t last_stream; /* of GOAWAY */
    size_t most_queued;
};

/* ---- its events ---- */

/* One header block at a time: those before are done with. */
static inline struct gh_arena *session_begin(void *ctx, int32_t stream)
{
    struct session *s = ctx;
    gh_arena_reset(s->arena);
    return s->arena;
}

static inline void session_head(void *ctx, int32_t stream, const struct gh_h2_head *head, bool end,
                                enum gh_reason why)
{
    struct session *s = ctx;
    s->heads++;
    s->faulty += why != GH_OK;
    s->ended += end;
    s->why = why;
    s->fields = head->headers.count;
    const struct gh_h2_head ok = { .status = why == GH_OK ? 200 : 431, .content_length = -1 };
    if (s->answer == ANSWER_NEVER && why == GH_OK)
        return;
    assert_true(gh_h2_respond(s->h2, stream, &ok, s->answer != ANSWER_WITH_BODY));
    if (s->answer == ANSWER_WITH_BODY)
        (void)gh_h2_send(s->h2, stream, GH_STR("data: 1\n\n"));
}

static inline void session_data(void *ctx, int32_t stream, gh_str bytes)
{
    struct session *s = ctx;
    s->body += bytes.len;
    gh_h2_taken(s->h2, stream, bytes.len);
}

static inline void session_end(void *ctx, int32_t stream)
{
    ((struct session *)ctx)->ended++;
}

static inline void session_room(void *ctx, int32_t stream)
{
}

static inline void session_closed(void *ctx, int32_t stream, enum gh_reason why)
{
    struct session *s = ctx;
    s->closed++;
    s->closed_why = why;
}

static const struct gh_h2_events session_events = { .begin = session_begin,
                                                    .head = session_head,
                                                    .data = session_data,
                                                    .end = session_end,
                                                    .room = session_room,
                                                    .closed = session_closed };

/* ---- frames ---- */

static inline void put(struct session *s, const void *bytes, size_t len)
{
    assert_true(gh_buf_add(&s->in, gh_str_of(bytes, len)));
}

static inline void put_u32(struct session *s, uint32_t value)
{
    const unsigned char bytes[4] = { (unsigned char)(value >> 24), (unsigned char)(value >> 16),
                                     (unsigned char)(value >> 8), (unsigned char)value };
    put(s, bytes, sizeof(bytes));
}

static inline void put_frame(struct session *s, unsigned type, unsigned flags, uint32_t stream,
                             gh_str payload)
{
    const unsigned char head[5] = { (unsigned char)(payload.len >> 16), (unsigned char)(payload.len >> 8),
                                    (unsigned char)payload.len, (unsigned char)type, (unsigned char)flags };
    put(s, head, sizeof(head));
    put_u32(s, stream);
    if (payload.len != 0)
        put(s, payload.ptr, payload.len);
}

/* A frame whose payload is one number. */
static inline void put_number(struct session *s, unsigned type, uint32_t stream, uint32_t value)
{
    const unsigned char bytes[4] = { (unsigned char)(value >> 24), (unsigned char)(value >> 16),
                                     (unsigned char)(value >> 8), (unsigned char)value };
    put_frame(s, type, 0, stream, gh_str_of(bytes, sizeof(bytes)));
}

/* ---- header blocks: literals without indexing (RFC 7541 section 6.2.2) ---- */

struct block {
    char bytes[64 * 1024];
    size_t len;
};

static inline void block_text(struct block *block, const char *text, size_t len)
{
    size_t rest = len;
    if (len < 127) {
        block->bytes[block->len++] = (char)len;
    } else {
        block->bytes[block->len++] = 127;
        for (rest -= 127; rest >= 128; rest >>= 7)
            block->bytes[block->len++] = (char)((rest & 127) | 128);
        block->bytes[block->len++] = (char)rest;
    }
    memcpy(block->bytes + block->len, text, len);
    block->len += len;
}

static inline void block_field(struct block *block, const char *name, const char *value)
{
    block->bytes[block->len++] = 0;
    block_text(block, name, strlen(name));
    block_text(block, value, strlen(value));
}

/* A value of n times x. */
static inline void block_long(struct block *block, const char *name, size_t n)
{
    static char value[64 * 1024];
    memset(value, 'x', n);
    block->bytes[block->len++] = 0;
    block_text(block, name, strlen(name));
    block_text(block, value, n);
}

static inline void block_begin(struct block *block)
{
    block->len = 0;
    block_field(block, ":method", "POST");
    block_field(block, ":scheme", "https");
    block_field(block, ":authority", "a.example");
    block_field(block, ":path", "/mcp");
}

static inline gh_str block_all(const struct block *block)
{
    return gh_str_of(block->bytes, block->len);
}

static inline void put_request(struct session *s, uint32_t stream, bool end)
{
    static struct block block;
    block_begin(&block);
    put_frame(s, HEADERS, END_HEADERS | (end ? END_STREAM : 0), stream, block_all(&block));
}

/* ---- what it says ---- */

static inline uint32_t u32_at(const unsigned char *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static inline void note(struct session *s, const unsigned char *frame)
{
    const unsigned char *payload = frame + 9;
    bool ack = (frame[4] & ACK) != 0;
    s->frames++;
    switch (frame[3]) {
    case HEADERS:
        s->answers++;
        break;
    case DATA:
        s->data++;
        break;
    case RST_STREAM:
        s->resets++;
        s->reset_code = u32_at(payload);
        s->refused += s->reset_code == REFUSED_STREAM;
        break;
    case SETTINGS:
        s->acks += ack;
        break;
    case PING:
        s->pings += ack;
        break;
    case GOAWAY:
        s->said_goaway = true;
        s->last_stream = (int32_t)(u32_at(payload) & 0x7fffffff);
        s->goaway = u32_at(payload + 4);
        break;
    default:
        break;
    }
}

/* Takes all that it has to say, as a socket that never blocks would. */
static inline void hear(struct session *s)
{
    struct gh_buf out = { 0 };
    enum gh_reason reason = gh_h2_write(s->h2, &out, SIZE_MAX);
    if (s->reason == GH_OK)
        s->reason = reason;
    gh_str rest = gh_buf_peek(&out);
    s->most_queued = rest.len > s->most_queued ? rest.len : s->most_queued;
    while (rest.len >= 9) {
        const unsigned char *frame = (const unsigned char *)rest.ptr;
        size_t len = 9 + ((size_t)frame[0] << 16 | (size_t)frame[1] << 8 | frame[2]);
        assert_true(len <= rest.len);
        note(s, frame);
        rest = gh_str_skip(rest, len);
    }
    gh_buf_done(&out);
}

/* Feeds what was put, in pieces of `step` bytes, and hears the answers. */
static inline enum gh_reason feed_by(struct session *s, size_t step)
{
    gh_str rest = gh_buf_peek(&s->in);
    while (rest.len != 0 && s->reason == GH_OK) {
        gh_str piece = gh_str_take(rest, step);
        s->reason = gh_h2_read(s->h2, piece, s->now_ms);
        rest = gh_str_skip(rest, piece.len);
        hear(s);
    }
    gh_buf_consume(&s->in, gh_buf_len(&s->in));
    return s->reason;
}

static inline enum gh_reason feed(struct session *s)
{
    return feed_by(s, SIZE_MAX);
}

/* A client's preface, and windows so wide that only what a test sets itself can shut them. */
static inline struct session *session_new(const struct gh_h2_limits *limits)
{
    struct session *s = calloc(1, sizeof(*s));
    assert_non_null(s);
    s->now_ms = 1000000;
    s->arena = gh_arena_new(0);
    s->h2 = gh_h2_new(GH_H2_SERVER, limits, &session_events, s);
    assert_non_null(s->h2);
    put(s, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24);
    put_frame(s, SETTINGS, 0, 0, GH_STR_NONE);
    put_number(s, WINDOW_UPDATE, 0, 1 << 30);
    assert_int_equal(feed(s), GH_OK);
    assert_int_equal(s->acks, 1);
    return s;
}

static inline void session_free(struct session *s)
{
    gh_h2_free(s->h2);
    gh_buf_done(&s->in);
    gh_arena_free(s->arena);
    free(s);
}

#endif
