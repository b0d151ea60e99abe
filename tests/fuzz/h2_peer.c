/* fuzz/h2_peer.c: takes the events of an HTTP/2 session as the gateway does, and holds them to their order.
 */
#include "fuzz/h2_peer.h"

#include <stdlib.h>

#include "fuzz/h1_tale.h"

#define STREAM_HIGH (64 * 1024)

/* Small, so that inputs reach them. */
static const struct gh_h2_limits limits = { .streams = 4,
                                            .stream_window = 1024,
                                            .connection_window = 65535,
                                            .fields = 24,
                                            .head = 1024,
                                            .target = 64,
                                            .header_table = 4096,
                                            .continuations = 2,
                                            .requests = 8,
                                            .resets_burst = 4,
                                            .glitches_burst = 8,
                                            .head_overflows = 2,
                                            .acknowledgements = 16,
                                            .stream_high = STREAM_HIGH };

struct peer {
    enum gh_h2_side side;
    enum gh_fuzz_h2_mode mode;
    struct gh_h2 *h2;
    struct gh_fuzz_h2_tale *tale;
    size_t open;
};

/* What came of one stream. */
struct heard {
    struct gh_arena *arena;
    struct gh_buf body; /* told when it is whole */
    size_t untaken;
    bool head, end;
};

static struct heard *heard_new(struct peer *peer)
{
    struct gh_arena *arena = gh_arena_new(0);
    struct heard *heard = GH_ARENA_NEW(arena, struct heard);
    heard->arena = arena;
    peer->open++;
    return heard;
}

static void forget(struct peer *peer, int32_t id)
{
    struct heard *heard = gh_h2_stream_ctx(peer->h2, id);
    if (heard == NULL)
        return;
    gh_h2_taken(peer->h2, id, heard->untaken);
    gh_h2_set_stream_ctx(peer->h2, id, NULL);
    gh_buf_done(&heard->body);
    gh_arena_free(heard->arena);
    peer->open--;
}

static void tell(struct peer *peer, int32_t id, const char *what, int number)
{
    GH_HOLDS(gh_buf_printf(&peer->tale->text, "\n%d %s %d ", (int)id, what, number));
}

/* ---- heads */

/* What is accepted can be sent on over HTTP/1.1, and is the same request there. */
static void check_request(struct gh_arena *arena, const struct gh_h2_head *head)
{
    struct gh_target target;
    struct gh_authority authority;
    struct gh_buf out = { 0 };
    struct gh_h1_head sent = { .method_text = head->method, .target_raw = head->path, .content_length = -1 };
    if (gh_method_read(head->method, &sent.method) != GH_OK || gh_target_read(head->path, &target) != GH_OK ||
        gh_authority_read(arena, head->authority, &authority) != GH_OK)
        return;
    GH_HOLDS(gh_headers_init(&sent.headers, arena, head->headers.count + 1) == GH_OK);
    GH_HOLDS(gh_headers_add(&sent.headers, GH_STR("host"), head->authority) == GH_OK);
    for (size_t i = 0; i < head->headers.count; i++) {
        const struct gh_header *field = &head->headers.at[i];
        if (!gh_str_eq(field->name, GH_STR("host")) && !gh_str_eq(field->name, GH_STR("expect")))
            GH_HOLDS(gh_headers_add(&sent.headers, field->name, field->value) == GH_OK);
    }
    GH_HOLDS(gh_h1_write_request_head(&out, sent.method_text, sent.target_raw, &sent.headers,
                                      gh_fuzz_h1_body(&sent)) == GH_OK);
    gh_fuzz_h1_same(arena, &sent, &out);
}

static void check_head(struct peer *peer, struct gh_arena *arena, const struct gh_h2_head *head)
{
    for (size_t i = 0; i < head->headers.count; i++) {
        GH_HOLDS(gh_header_name_is_legal(head->headers.at[i].name));
        GH_HOLDS(gh_header_value_is_legal(head->headers.at[i].value));
    }
    if (peer->side == GH_H2_SERVER)
        check_request(arena, head);
    else
        GH_HOLDS(head->status >= 100 && head->status <= 599 && head->status != 101);
}

static void tell_head(struct peer *peer, const struct gh_h2_head *head)
{
    gh_str parts[] = { head->method, head->scheme, head->authority, head->path };
    for (size_t i = 0; i < GH_ARRAY_LEN(parts); i++)
        GH_HOLDS(gh_buf_add(&peer->tale->text, parts[i]) && gh_buf_add(&peer->tale->text, GH_STR(" ")));
    for (size_t i = 0; i < head->headers.count; i++) {
        GH_HOLDS(gh_buf_add(&peer->tale->text, head->headers.at[i].name) &&
                 gh_buf_add(&peer->tale->text, GH_STR(":")));
        GH_HOLDS(gh_buf_add(&peer->tale->text, head->headers.at[i].value) &&
                 gh_buf_add(&peer->tale->text, GH_STR("\n")));
    }
}

/* ---- what the server answers: at once, with a body, after an interim head, or not at all */

static void answer(struct peer *peer, int32_t id, bool end, enum gh_reason why)
{
    struct gh_header field = { GH_STR("content-type"), GH_STR("text/plain") };
    struct gh_h2_head head = { .status = 200, .headers = { &field, 1, 1 }, .content_length = -1 };
    struct gh_h2_head hints = { .status = 103, .headers = { &field, 1, 1 }, .content_length = -1 };
    static const char body[STREAM_HIGH + 1];
    if (why != GH_OK) {
        head.status = gh_reason_row(why)->status;
        GH_HOLDS(gh_h2_respond(peer->h2, id, &head, true));
        return;
    }
    switch (id / 2 % 4) {
    case 0:
        (void)!gh_h2_respond(peer->h2, id, &hints, false);
        head.content_length = sizeof(body);
        GH_HOLDS(gh_h2_respond(peer->h2, id, &head, false) &&
                 !gh_h2_send(peer->h2, id, gh_str_of(body, sizeof(body))));
        GH_HOLDS(gh_h2_queued(peer->h2, id) == sizeof(body));
        if (end)
            gh_h2_send_end(peer->h2, id);
        break;
    case 2: /* its body follows when the request is whole */
        GH_HOLDS(gh_h2_respond(peer->h2, id, &head, end));
        break;
    case 1:
        gh_h2_reset(peer->h2, id, GH_INTERNAL);
        forget(peer, id);
        break;
    default:
        GH_HOLDS(gh_h2_respond(peer->h2, id, &head, true));
        break;
    }
}

/* ---- events */

static struct gh_arena *on_begin(void *ctx, int32_t id)
{
    struct peer *peer = ctx;
    struct heard *heard = gh_h2_stream_ctx(peer->h2, id);
    GH_HOLDS(id > 0 && id % 2 == 1 && (heard == NULL) == (peer->side == GH_H2_SERVER));
    if (id == 9) /* one stream that there is no room for */
        return NULL;
    if (heard == NULL) {
        heard = heard_new(peer);
        gh_h2_set_stream_ctx(peer->h2, id, heard);
    }
    GH_HOLDS(!heard->head);
    return heard->arena;
}

static void on_head(void *ctx, int32_t id, const struct gh_h2_head *head, bool end, enum gh_reason why)
{
    struct peer *peer = ctx;
    struct heard *heard = gh_h2_stream_ctx(peer->h2, id);
    GH_HOLDS(heard != NULL && !heard->head && !heard->end);
    heard->head = peer->side == GH_H2_SERVER || head->status >= 200;
    heard->end = end;
    tell(peer, id, "head", (int)why);
    GH_HOLDS(
        gh_buf_printf(&peer->tale->text, "%d %d %lld ", end, head->status, (long long)head->content_length));
    tell_head(peer, head);
    if (why == GH_OK)
        check_head(peer, heard->arena, head);
    if (peer->side == GH_H2_SERVER) {
        answer(peer, id, end, why);
    } else if (why != GH_OK) {
        gh_h2_reset(peer->h2, id, GH_H2_PROTOCOL);
        forget(peer, id);
    }
}

static void on_data(void *ctx, int32_t id, gh_str bytes)
{
    struct peer *peer = ctx;
    struct heard *heard = gh_h2_stream_ctx(peer->h2, id);
    GH_HOLDS(heard != NULL && heard->head && !heard->end);
    GH_HOLDS(gh_buf_add(&heard->body, bytes));
    if (peer->mode == GH_FUZZ_H2_LIVE)
        gh_h2_taken(peer->h2, id, bytes.len);
    else
        heard->untaken += bytes.len;
}

static void on_end(void *ctx, int32_t id)
{
    struct peer *peer = ctx;
    struct heard *heard = gh_h2_stream_ctx(peer->h2, id);
    GH_HOLDS(heard != NULL && heard->head && !heard->end);
    heard->end = true;
    tell(peer, id, "end", 0);
    (void)!gh_h2_send(peer->h2, id, GH_STR("all of it"));
    GH_HOLDS(gh_buf_add(&peer->tale->text, gh_buf_peek(&heard->body)));
    gh_h2_send_end(peer->h2, id);
}

static void on_room(void *ctx, int32_t id)
{
    struct peer *peer = ctx;
    GH_HOLDS(gh_h2_queued(peer->h2, id) < STREAM_HIGH);
}

static void on_closed(void *ctx, int32_t id, enum gh_reason why)
{
    tell(ctx, id, "closed", (int)why);
    forget(ctx, id);
}

static void ask(struct peer *peer, gh_str method);

/* There is room for the request that found none, or GOAWAY came. */
static void on_capacity(void *ctx)
{
    struct peer *peer = ctx;
    peer->tale->goaway = peer->tale->goaway || !gh_h2_can_request(peer->h2);
    if (!peer->tale->goaway)
        ask(peer, GH_STR("GET"));
}

static const struct gh_h2_events events = { .begin = on_begin,
                                            .head = on_head,
                                            .data = on_data,
                                            .end = on_end,
                                            .room = on_room,
                                            .closed = on_closed,
                                            .capacity = on_capacity };

/* ---- the connection */

static void ask(struct peer *peer, gh_str method)
{
    bool post = gh_str_eq(method, GH_STR("POST"));
    struct gh_h2_head head = { method, GH_STR("http"), GH_STR("a"), GH_STR("/"),
                               .content_length = post ? 4 : -1 };
    int32_t id = gh_h2_request(peer->h2, &head, !post);
    if (id == 0)
        return;
    gh_h2_set_stream_ctx(peer->h2, id, heard_new(peer));
    if (post)
        GH_HOLDS(gh_h2_send(peer->h2, id, GH_STR("body")));
}

/* Requests whose answers are the input: without a body, with one, one that is answered without, and one that
 * there is no room for yet. */
static void ask_all(struct peer *peer)
{
    GH_HOLDS(gh_h2_read(peer->h2, GH_STR("\0\0\6\4\0\0\0\0\0\0\3\0\0\0\3"), 0) == GH_OK);
    ask(peer, GH_STR("GET"));
    ask(peer, GH_STR("POST"));
    ask(peer, GH_STR("HEAD"));
    GH_HOLDS(peer->open == 3 && gh_h2_streams(peer->h2) == 3);
    ask(peer, GH_STR("GET"));
    GH_HOLDS(peer->open == 3);
}

static enum gh_reason flush(struct peer *peer)
{
    struct gh_buf out = { 0 };
    enum gh_reason reason = gh_h2_write(peer->h2, &out, 65536);
    gh_buf_done(&out);
    return reason;
}

void gh_fuzz_h2_run(enum gh_h2_side side, enum gh_fuzz_h2_mode mode, gh_str bytes, size_t step,
                    struct gh_fuzz_h2_tale *ret_tale)
{
    struct peer peer = { .side = side, .mode = mode, .tale = ret_tale };
    enum gh_reason reason = GH_OK;
    peer.h2 = gh_h2_new(side, &limits, &events, &peer);
    if (side == GH_H2_CLIENT) {
        ask_all(&peer);
        reason = flush(&peer);
    }
    for (; bytes.len != 0 && reason == GH_OK; bytes = gh_str_skip(bytes, step)) {
        reason = gh_h2_read(peer.h2, gh_str_take(bytes, step), 0);
        if (reason == GH_OK && mode == GH_FUZZ_H2_LIVE)
            reason = flush(&peer);
        if (bytes.len % 64 == 1)
            gh_h2_ping(peer.h2);
    }
    if (mode == GH_FUZZ_H2_LIVE) {
        gh_h2_shutdown(peer.h2);
        GH_HOLDS(reason == GH_OK || gh_h2_read(peer.h2, GH_STR("more"), 0) == reason);
        (void)gh_h2_is_done(peer.h2);
    }
    enum gh_reason last = flush(&peer);
    ret_tale->reason = reason != GH_OK ? reason : last;
    gh_h2_each_stream(peer.h2, on_closed, &peer, GH_CLIENT_GONE);
    GH_HOLDS(peer.open == 0);
    gh_h2_free(peer.h2);
}

void gh_fuzz_h2_frames(gh_str bytes, struct gh_buf *ret_frames)
{
    while (bytes.len >= 4) {
        const unsigned char *at = (const unsigned char *)bytes.ptr;
        gh_str payload = gh_str_take(gh_str_skip(bytes, 4), at[3]);
        const unsigned char header[9] = {
            [2] = (unsigned char)payload.len, [3] = at[0], [4] = at[1], [8] = at[2]
        };
        GH_HOLDS(gh_buf_add(ret_frames, gh_str_of(header, sizeof(header))) &&
                 gh_buf_add(ret_frames, payload));
        bytes = gh_str_skip(bytes, 4 + payload.len);
    }
}
