/* upstream/test_h2.c: calls over HTTP/2: one connection for many, windows, limits of the server, its ways to
 * end. */
#include "notes.h"

#define STREAMS_MAX 64

/* A server's side of a session: it notes requests, and answers when told. */
struct peer {
    struct world *w;
    struct gh_h2 *h2;
    struct gh_arena *arena;
    int fd;
    size_t count;
    bool takes; /* opens windows as bodies come */
    struct request {
        int32_t stream;
        char method[8], path[64], authority[64];
        size_t body;
        bool ended, reset;
    } at[STREAMS_MAX];
};

static struct request *request_of(struct peer *peer, int32_t stream)
{
    for (size_t i = 0; i < peer->count; i++)
        if (peer->at[i].stream == stream)
            return &peer->at[i];
    fail_msg("no stream %d", stream);
    abort();
}
static struct gh_arena *peer_begin(void *ctx, int32_t stream)
{
    struct peer *peer = ctx;
    return peer->arena;
}
static void peer_head(void *ctx, int32_t stream, const struct gh_h2_head *head, bool end, enum gh_reason why)
{
    struct peer *peer = ctx;
    assert_true(peer->count < STREAMS_MAX);
    assert_int_equal(why, GH_OK);
    assert_null(gh_headers_find(&head->headers, GH_STR("host")));
    struct request *request = &peer->at[peer->count++];
    *request = (struct request){ .stream = stream, .ended = end };
    snprintf(request->method, sizeof(request->method), "%.*s", GH_STR_FMT(head->method));
    snprintf(request->path, sizeof(request->path), "%.*s", GH_STR_FMT(head->path));
    snprintf(request->authority, sizeof(request->authority), "%.*s", GH_STR_FMT(head->authority));
}
static void peer_data(void *ctx, int32_t stream, gh_str bytes)
{
    struct peer *peer = ctx;
    request_of(peer, stream)->body += bytes.len;
    if (peer->takes)
        gh_h2_taken(peer->h2, stream, bytes.len);
}
static void peer_end(void *ctx, int32_t stream)
{
    request_of(ctx, stream)->ended = true;
}
static void peer_room(void *ctx, int32_t stream)
{
}
static void peer_closed(void *ctx, int32_t stream, enum gh_reason why)
{
    request_of(ctx, stream)->reset = why != GH_OK;
}
static const struct gh_h2_events peer_events = { .begin = peer_begin,
                                                 .head = peer_head,
                                                 .data = peer_data,
                                                 .end = peer_end,
                                                 .room = peer_room,
                                                 .closed = peer_closed };

static void pump(struct peer *peer)
{
    static char bytes[65536];
    for (int i = 0; i < 8; i++) {
        struct gh_buf out = { 0 };
        ssize_t got = recv(peer->fd, bytes, sizeof(bytes), 0);
        if (got > 0)
            (void)!gh_h2_read(peer->h2, gh_str_of(bytes, (size_t)got), gh_loop_now_ms(peer->w->loop));
        (void)!gh_h2_write(peer->h2, &out, 1 << 20);
        gh_str send_this = gh_buf_peek(&out);
        if (send_this.len != 0)
            assert_int_equal(send(peer->fd, send_this.ptr, send_this.len, MSG_NOSIGNAL), send_this.len);
        gh_buf_done(&out);
        turns(peer->w, 2);
    }
}
static struct peer *peer_accept(struct world *w, size_t server, uint32_t streams)
{
    struct peer *peer = calloc(1, sizeof(*peer));
    const struct gh_h2_limits limits = {
        .streams = streams,
        .stream_window = 65536,
        .connection_window = 1 << 20,
        .fields = 100,
        .head = 32768,
        .target = 8192,
        .header_table = 4096,
        .continuations = 8,
        .resets_burst = 1000,
        .resets_per_s = 40,
        .glitches_burst = 1000,
        .glitches_per_s = 33,
        .head_overflows = 10,
        .acknowledgements = 128,
        .stream_high = 64 * 1024,
    };
    peer->w = w;
    peer->takes = true;
    peer->fd = server_accept(w, server);
    assert_true(peer->fd >= 0);
    peer->arena = gh_arena_new(0);
    peer->h2 = gh_h2_new(GH_H2_SERVER, &limits, &peer_events, peer);
    pump(peer);
    return peer;
}
static void peer_free(struct peer *peer)
{
    if (peer->fd >= 0)
        close(peer->fd);
    gh_h2_free(peer->h2);
    gh_arena_free(peer->arena);
    free(peer);
}
static void respond(struct peer *peer, size_t i, int status, const char *type, const char *body, bool end)
{
    struct gh_header field = { GH_STR_INIT("content-type"), gh_str_from(type) };
    const struct gh_h2_head head = { .status = status, .headers = { &field, 1, 1 }, .content_length = -1 };
    assert_true(gh_h2_respond(peer->h2, peer->at[i].stream, &head, false));
    gh_h2_send(peer->h2, peer->at[i].stream, gh_str_from(body));
    if (end)
        gh_h2_send_end(peer->h2, peer->at[i].stream);
    pump(peer);
}

static struct world *h2_world(size_t servers)
{
    struct world *w = world_new(servers);
    w->conf.http = GH_UPSTREAM_HTTP2;
    return w;
}

static void many_calls_share_one_connection(void **state)
{
    struct world *w = h2_world(1);
    world_open(w);
    struct note *notes[20];
    char body[20][16];
    for (int i = 0; i < 20; i++) { /* all before there is a connection */
        snprintf(body[i], sizeof(body[i]), "call %02d", i);
        notes[i] = call_post(w, body[i]);
    }
    struct peer *peer = peer_accept(w, 0, 100);
    assert_int_equal(peer->count, 20);
    assert_string_equal(peer->at[0].method, "POST");
    assert_string_equal(peer->at[0].path, "/mcp");
    assert_int_equal(strncmp(peer->at[0].authority, "127.0.0.1:", 10), 0);
    for (size_t i = 20; i-- > 0;) { /* the last first */
        assert_true(peer->at[i].ended);
        assert_int_equal(peer->at[i].body, 7);
        respond(peer, i, 200, "text/plain", body[i], true);
        assert_int_equal(notes[i]->taken, 7);
        expect_answer(notes[i], 200, body[i]);
    }
    struct note *empty = call_get(w); /* a head that ends the answer */
    pump(peer);
    const struct gh_h2_head head = { .status = 202, .content_length = -1 };
    assert_true(gh_h2_respond(peer->h2, peer->at[20].stream, &head, true));
    pump(peer);
    expect_answer(empty, 202, "");
    assert_int_equal(w->stats.upstream_connects, 1);
    assert_int_equal(w->stats.upstream_reuses, 20);
    pass(w, 61000); /* nobody needs it any more */
    pump(peer);
    assert_true(server_sees_close(w, peer->fd));
    peer_free(peer);
    world_free(w);
}

static void streams_beyond_the_servers_limit_get_another_connection(void **state)
{
    struct world *w = h2_world(1);
    w->conf.max_connections = 2;
    world_open(w);
    struct note *first = call_get(w);
    struct peer *a = peer_accept(w, 0, 2);
    struct note *notes[5];
    for (int i = 0; i < 5; i++)
        notes[i] = call_get(w);
    pump(a);
    assert_int_equal(a->count, 2);
    struct peer *b = peer_accept(w, 0, 2);
    assert_int_equal(b->count, 2); /* and two wait */
    respond(a, 0, 200, "text/plain", "first", true);
    expect_answer(first, 200, "first");
    pump(a);
    assert_int_equal(a->count, 3); /* the first of those who waited */
    for (size_t i = 1; i < 3; i++)
        respond(a, i, 200, "text/plain", "a", true);
    for (size_t i = 0; i < 2; i++)
        respond(b, i, 200, "text/plain", "b", true);
    pump(a);
    pump(b);
    assert_int_equal(a->count + b->count, 6);
    respond(a->count == 4 ? a : b, a->count == 4 ? 3 : 2, 200, "text/plain", "c", true);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(notes[i]->ends, 1);
        free(notes[i]);
    }
    assert_int_equal(w->stats.upstream_connects, 2);
    peer_free(a);
    peer_free(b);
    world_free(w);
}

static void a_paused_call_shuts_its_window_alone(void **state)
{
    struct world *w = h2_world(1);
    world_open(w);
    struct note *slow = call_get(w), *fast = call_get(w);
    slow->pause_on_data = true;
    struct peer *peer = peer_accept(w, 0, 100);
    static char lots[200000];
    memset(lots, 'x', sizeof(lots) - 1);
    respond(peer, 0, 200, "text/event-stream", lots, true);
    assert_true(slow->len > 0 && slow->len <= 65536);
    size_t before = slow->len;
    pump(peer);
    assert_int_equal(slow->len, before);
    assert_true(gh_h2_queued(peer->h2, peer->at[0].stream) >= 200000 - 65536 - 1);
    respond(peer, 1, 200, "text/plain", "fast", true);
    expect_answer(fast, 200, "fast");
    slow->pause_on_data = false;
    gh_call_resume(slow->call);
    assert_int_equal(slow->len, before); /* not from inside the call */
    for (int i = 0; i < 6; i++)
        pump(peer);
    assert_int_equal(slow->len, sizeof(lots) - 1);
    assert_int_equal(slow->ends, 1);
    free(slow);
    /* An answer that came whole while its caller rested survives its connection. */
    slow = call_get(w);
    slow->pause_on_data = true;
    pump(peer);
    respond(peer, 2, 200, "text/plain", "one", false);
    gh_h2_send(peer->h2, peer->at[2].stream, GH_STR("two"));
    gh_h2_send_end(peer->h2, peer->at[2].stream);
    pump(peer);
    assert_int_equal(slow->len, 3);
    close(peer->fd);
    peer->fd = -1;
    turns(w, 4);
    gh_call_resume(slow->call);
    turns(w, 4);
    expect_answer(slow, 200, "onetwo");
    peer_free(peer);
    world_free(w);
}

static void an_upload_waits_for_the_window(void **state)
{
    struct world *w = h2_world(1);
    world_open(w);
    struct note *note = call_with(w, &(struct gh_call_request){ .method = GH_METHOD_POST,
                                                                .path_and_query = GH_STR("/mcp"),
                                                                .headers = &no_headers,
                                                                .has_body = true,
                                                                .endpoint = -1,
                                                                .content_length = -1 });
    struct peer *peer = peer_accept(w, 0, 100);
    peer->takes = false;
    static char piece[65536];
    gh_call_body(note->call, gh_str_of(piece, sizeof(piece)), false);
    pump(peer);
    assert_int_equal(note->taken, 65536 - (65536 - peer->at[0].body));
    gh_call_body(note->call, gh_str_of(piece, 30000), true);
    pump(peer);
    size_t stuck = note->taken;
    assert_true(stuck <= 65536);
    assert_false(peer->at[0].ended);
    peer->takes = true;
    gh_h2_taken(peer->h2, peer->at[0].stream, peer->at[0].body);
    pump(peer);
    pump(peer);
    assert_int_equal(peer->at[0].body, 65536 + 30000);
    assert_true(peer->at[0].ended);
    assert_int_equal(note->taken, 65536 + 30000);
    respond(peer, 0, 200, "text/plain", "ok", true);
    expect_answer(note, 200, "ok");
    peer_free(peer);
    world_free(w);
}

static void a_cancelled_call_resets_its_stream_alone(void **state)
{
    struct world *w = h2_world(1);
    world_open(w);
    struct note *stays = call_get(w);
    struct peer *peer = peer_accept(w, 0, 100);
    struct note *notes[4];
    for (int i = 0; i < 4; i++)
        notes[i] = call_get(w);
    gh_call_cancel(notes[0]->call); /* before its head left */
    pump(peer);
    assert_int_equal(peer->count, 4);
    gh_call_cancel(notes[1]->call); /* sent */
    notes[2]->cancel_on_head = true;
    notes[3]->cancel_on_data = true;
    pump(peer);
    assert_true(peer->at[1].reset);
    respond(peer, 2, 200, "text/plain", "two", false);
    respond(peer, 3, 200, "text/plain", "three", false);
    pump(peer);
    assert_true(peer->at[2].reset && peer->at[3].reset);
    struct note *paused = call_get(w);
    paused->pause_on_data = true;
    pump(peer);
    respond(peer, 4, 200, "text/plain", "four", false);
    gh_h2_send(peer->h2, peer->at[4].stream, GH_STR("more"));
    pump(peer);
    assert_int_equal(paused->len, 4);
    gh_call_cancel(paused->call);
    struct note *early = call_with(w, &(struct gh_call_request){ .method = GH_METHOD_POST,
                                                                 .path_and_query = GH_STR("/mcp"),
                                                                 .headers = &no_headers,
                                                                 .has_body = true,
                                                                 .endpoint = -1,
                                                                 .content_length = 100 });
    pump(peer);
    respond(peer, 5, 413, "text/plain", "large", true); /* an early answer: the rest is not wanted */
    expect_answer(early, 413, "large");
    pump(peer);
    respond(peer, 0, 200, "text/plain", "still here", true);
    expect_answer(stays, 200, "still here");
    assert_int_equal(w->stats.upstream_connects, 1);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(notes[i]->ends + notes[i]->fails, 0);
        free(notes[i]);
    }
    free(paused);
    peer_free(peer);
    world_free(w);
}

static void what_breaks_is_never_a_clean_end(void **state)
{
    struct world *w = h2_world(1);
    w->conf.eject_after = 0;
    world_open(w);
    struct note *reset = call_post(w, "abc"), *half = call_post(w, "abc"), *cut = call_post(w, "abc");
    struct peer *peer = peer_accept(w, 0, 100);
    gh_h2_reset(peer->h2, peer->at[0].stream, GH_INTERNAL); /* before an answer */
    respond(peer, 1, 200, "text/event-stream", "data: 1\n\n", false);
    gh_h2_reset(peer->h2, peer->at[1].stream, GH_INTERNAL); /* in the middle of one */
    pump(peer);
    expect_fail(reset, GH_UPSTREAM_ABORTED);
    assert_int_equal(half->len, 9);
    expect_fail(half, GH_UPSTREAM_ABORTED);
    assert_int_equal(cut->fails, 0);
    respond(peer, 2, 200, "text/plain", "not all", false);
    close(peer->fd); /* all at once */
    peer->fd = -1;
    turns(w, 4);
    expect_fail(cut, GH_UPSTREAM_ABORTED);
    peer_free(peer);
    /* No HTTP/2 at all. */
    struct note *none = call_post(w, "abc");
    int fd = server_accept(w, 0);
    server_send(w, fd, "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    turns(w, 4);
    expect_fail(none, GH_UPSTREAM_MALFORMED);
    assert_true(server_sees_close(w, fd));
    close(fd);
    world_free(w);
}

/* RFC 9110 section 15: "The status code of a response is a three-digit integer code"; "Values outside the
 * range 100..599 are invalid". 099 is no interim head to nghttp2, and a head below 200 is no final one to us:
 * its body came first. */
static void a_status_out_of_range_fails_the_call(void **state)
{
    static const char *const statuses[] = { "000", "099", "600", "999", "200" };
    static const char settings[] = "\0\0\0\4\0\0\0\0\0", head[] = "\0\0\5\1\4\0\0\0\1\x48\3";
    static const char body[] = "\0\0\2\0\1\0\0\0\1hi";
    for (size_t i = 0; i < GH_ARRAY_LEN(statuses); i++) {
        struct world *w = h2_world(1);
        world_open(w);
        struct note *note = call_get(w);
        int fd = server_accept(w, 0);
        assert_int_equal(send(fd, settings, sizeof(settings) - 1, MSG_NOSIGNAL), 9);
        turns(w, 4); /* now the request leaves */
        assert_int_equal(send(fd, head, sizeof(head) - 1, MSG_NOSIGNAL), 11);
        assert_int_equal(send(fd, statuses[i], 3, MSG_NOSIGNAL), 3);
        assert_int_equal(send(fd, body, sizeof(body) - 1, MSG_NOSIGNAL), 11);
        turns(w, 6);
        if (strcmp(statuses[i], "200") == 0)
            expect_answer(note, 200, "hi");
        else
            expect_fail(note, GH_UPSTREAM_MALFORMED);
        close(fd);
        world_free(w);
    }
}

static void goaway_lets_calls_end_and_sends_new_ones_elsewhere(void **state)
{
    struct world *w = h2_world(1);
    world_open(w);
    struct note *old = call_get(w);
    struct peer *a = peer_accept(w, 0, 100);
    gh_h2_shutdown(a->h2);
    pump(a);
    gh_h2_shutdown(a->h2);
    pump(a);
    struct note *new = call_get(w);
    struct peer *b = peer_accept(w, 0, 100);
    assert_int_equal(b->count, 1);
    respond(a, 0, 200, "text/plain", "old", true);
    respond(b, 0, 200, "text/plain", "new", true);
    expect_answer(old, 200, "old");
    expect_answer(new, 200, "new");
    pass(w, 200);
    pump(a);
    assert_true(server_sees_close(w, a->fd));
    peer_free(a);
    peer_free(b);
    world_free(w);
}

static void a_get_is_repeated_once_on_another_connection(void **state)
{
    struct world *w = h2_world(1);
    world_open(w);
    struct note *get = call_get(w);
    struct peer *peer = peer_accept(w, 0, 100);
    assert_int_equal(peer->count, 1);
    close(peer->fd);
    peer->fd = -1;
    peer_free(peer);
    peer = peer_accept(w, 0, 100);
    assert_int_equal(peer->count, 1);
    respond(peer, 0, 200, "text/plain", "second", true);
    expect_answer(get, 200, "second");
    peer_free(peer);
    world_free(w);
}

static void timers_hold_here_too(void **state)
{
    struct world *w = h2_world(1);
    world_open(w);
    struct note *silent = call_get(w), *stalled = call_get(w), *stream = call_get(w);
    struct peer *peer = peer_accept(w, 0, 100);
    respond(peer, 1, 200, "text/plain", "a", false);
    respond(peer, 2, 200, "text/event-stream", "a", false);
    pass(w, 31000);
    expect_fail(stalled, GH_UPSTREAM_TIMEOUT);
    pass(w, 31000);
    expect_fail(silent, GH_UPSTREAM_TIMEOUT);
    pump(peer);
    assert_true(peer->at[0].reset && peer->at[1].reset && !peer->at[2].reset);
    gh_h2_send_end(peer->h2, peer->at[2].stream);
    pump(peer);
    expect_answer(stream, 200, "a");
    peer_free(peer);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_calls_share_one_connection),
        cmocka_unit_test(streams_beyond_the_servers_limit_get_another_connection),
        cmocka_unit_test(a_paused_call_shuts_its_window_alone),
        cmocka_unit_test(an_upload_waits_for_the_window),
        cmocka_unit_test(a_cancelled_call_resets_its_stream_alone),
        cmocka_unit_test(what_breaks_is_never_a_clean_end),
        cmocka_unit_test(a_status_out_of_range_fails_the_call),
        cmocka_unit_test(goaway_lets_calls_end_and_sends_new_ones_elsewhere),
        cmocka_unit_test(a_get_is_repeated_once_on_another_connection),
        cmocka_unit_test(timers_hold_here_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
