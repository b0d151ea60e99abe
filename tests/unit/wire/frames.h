/* wire/frames.h: feeds a session under test raw frames, and reads those that it says. */
#ifndef GH_TEST_FRAMES_H
#define GH_TEST_FRAMES_H

#include "session.h"

/* ---- frames ---- */

static inline void put(struct session *s, const void *bytes, size_t len)
{
    assert_true(gh_buf_add(&s->in, gh_str_of(bytes, len)));
}

static inline void put_frame(struct session *s, unsigned type, unsigned flags, uint32_t stream,
                             gh_str payload)
{
    const uint32_t part[9] = { (uint32_t)payload.len >> 16,
                               (uint32_t)payload.len >> 8,
                               (uint32_t)payload.len,
                               type,
                               flags,
                               stream >> 24,
                               stream >> 16,
                               stream >> 8,
                               stream };
    unsigned char head[9];
    for (size_t i = 0; i < 9; i++)
        head[i] = (unsigned char)part[i];
    put(s, head, sizeof(head));
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
        for (size_t at = 0; at < (size_t)frame[2]; at += 6)
            if (payload[at + 1] == 3)
                s->streams_told = u32_at(payload + at + 2);
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
