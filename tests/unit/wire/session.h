/* wire/session.h: an HTTP/2 server session under test, and what it tells: counted. */
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
    .acknowledgements = 128,
    .stream_high = 64 * 1024,
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
    uint32_t goaway, reset_code, streams_told;
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

#endif
