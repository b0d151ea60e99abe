/* upstream/test_call.c: calls over kept connections: both bodies streamed, pausing, cancelling, timers,
 * retries. */
#include "notes.h"

#define OK_EMPTY "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
#define OK_HELLO "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 5\r\n\r\nhello"

/* One call, answered by `answer`: the connection for the next one. */
static int warm(struct world *w)
{
    struct note *note = call_get(w);
    int fd = server_accept(w, 0);
    server_read(w, fd, "\r\n\r\n");
    server_send(w, fd, OK_EMPTY);
    expect_answer(note, 200, "");
    return fd;
}

static void a_call_is_one_request(void **state)
{
    struct world *w = world_new(1);
    world_open(w);
    struct note *note = call_post(w, "{\"a\":1}");
    int fd = server_accept(w, 0);
    char *want = NULL;
    assert_true(asprintf(&want,
                         "POST /mcp HTTP/1.1\r\nhost: 127.0.0.1:%u\r\ncontent-length: 7\r\n\r\n{\"a\":1}",
                         w->servers[0].port) > 0);
    assert_string_equal(server_read(w, fd, "}"), want);
    free(want);
    assert_int_equal(note->taken, 7);
    server_send(w, fd, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\n" OK_HELLO);
    assert_int_equal(note->content_length, 5);
    assert_string_equal(note->type, "text/plain");
    expect_answer(note, 200, "hello");
    assert_int_equal(w->stats.upstream_connects, 1);
    close(fd);
    world_free(w);
}

static void connections_are_kept_and_the_last_used_is_used_first(void **state)
{
    struct world *w = world_new(1);
    world_open(w);
    struct note *a = call_get(w), *b = call_get(w);
    int fd_a = server_accept(w, 0), fd_b = server_accept(w, 0);
    server_send(w, fd_a, OK_EMPTY);
    server_send(w, fd_b, OK_EMPTY);
    expect_answer(a, 200, "");
    expect_answer(b, 200, "");
    for (int i = 0; i < 5; i++) {
        server_read(w, fd_b, "\r\n\r\n");
        struct note *note = call_get(w);
        turns(w, 2);
        server_send(w, fd_b, OK_HELLO);
        expect_answer(note, 200, "hello");
    }
    assert_int_equal(w->stats.upstream_connects, 2);
    assert_int_equal(w->stats.upstream_reuses, 5);
    pass(w, 61000);
    assert_true(server_sees_close(w, fd_a));
    assert_true(server_sees_close(w, fd_b));
    close(fd_a);
    close(fd_b);
    world_free(w);
}

static void the_server_says_how_long_it_keeps_a_connection(void **state)
{
    struct world *w = world_new(1);
    world_open(w);
    struct note *note = call_get(w);
    int fd = server_accept(w, 0);
    server_send(w, fd, "HTTP/1.1 200 OK\r\nkeep-alive: timeout=5, max=100\r\ncontent-length: 0\r\n\r\n");
    expect_answer(note, 200, "");
    pass(w, 3500);
    assert_false(server_sees_close(w, fd));
    struct note *second = call_get(w);
    turns(w, 2);
    assert_int_equal(w->stats.upstream_reuses, 1);
    server_send(w, fd, "HTTP/1.1 200 OK\r\nkeep-alive: timeout=5\r\ncontent-length: 0\r\n\r\n");
    expect_answer(second, 200, "");
    pass(w, 4200);
    assert_true(server_sees_close(w, fd));
    close(fd);
    world_free(w);
}

static void bodies_stream_both_ways(void **state)
{
    struct world *w = world_new(1);
    world_open(w);
    struct note *note = call_with(w, &(struct gh_call_request){ .method = GH_METHOD_POST,
                                                                .path_and_query = GH_STR("/mcp?x=1"),
                                                                .headers = &no_headers,
                                                                .has_body = true,
                                                                .endpoint = -1,
                                                                .content_length = -1 });
    gh_call_body(note->call, GH_STR("one"), false); /* before there is a connection */
    int fd = server_accept(w, 0);
    server_read(w, fd, "transfer-encoding: chunked\r\n\r\n3\r\none\r\n");
    assert_int_equal(note->taken, 3);
    server_send(w, fd,
                "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
                "6\r\ndata: \r\n");
    assert_int_equal(note->status, 200);
    assert_int_equal(note->len, 6);
    gh_call_body(note->call, GH_STR("two"), false);
    gh_call_body(note->call, GH_STR_NONE, true);
    assert_string_equal(server_read(w, fd, "0\r\n\r\n"), "3\r\ntwo\r\n0\r\n\r\n");
    assert_int_equal(note->taken, 6);
    pass(w, 600000); /* an event stream may be silent */
    server_send(w, fd, "3\r\n1\n\n\r\n");
    assert_int_equal(note->len, 9);
    server_send(w, fd, "0\r\n\r\n");
    expect_answer(note, 200, "data: 1\n\n");
    note = call_get(w);
    turns(w, 2);
    assert_int_equal(w->stats.upstream_reuses, 1);
    server_send(w, fd, OK_HELLO);
    expect_answer(note, 200, "hello");
    close(fd);
    world_free(w);
}

static void an_upload_waits_for_the_socket(void **state)
{
    struct world *w = world_new(1);
    world_open(w);
    static char piece[65536];
    memset(piece, 'x', sizeof(piece));
    struct note *note = call_with(w, &(struct gh_call_request){ .method = GH_METHOD_POST,
                                                                .path_and_query = GH_STR("/mcp"),
                                                                .headers = &no_headers,
                                                                .has_body = true,
                                                                .endpoint = -1,
                                                                .content_length = 256 * 65536 });
    int fd = server_accept(w, 0);
    size_t given = 0, got = 0;
    for (int i = 0; i < 200; i++) { /* the server reads nothing: the caller gets stuck */
        if (given - note->taken < 65536 && given < 256 * 65536) {
            gh_call_body(note->call, gh_str_of(piece, sizeof(piece)), given + 65536 == 256 * 65536);
            given += 65536;
        }
        turns(w, 1);
    }
    assert_true(given < 256 * 65536);
    assert_true(given - note->taken >= 65536);
    static char sunk[1 << 20];
    for (int i = 0; i < 20000 && got < 256 * 65536; i++) {
        ssize_t n = recv(fd, sunk, sizeof(sunk), 0);
        got += n > 0 ? (size_t)n : 0;
        if (given - note->taken < 65536 && given < 256 * 65536) {
            gh_call_body(note->call, gh_str_of(piece, sizeof(piece)), given + 65536 == 256 * 65536);
            given += 65536;
        }
        gh_loop_turn(w->loop, 0);
    }
    assert_true(got > 256 * 65536); /* with the head */
    turns(w, 2);
    assert_int_equal(note->taken, 256 * 65536);
    server_send(w, fd, OK_HELLO);
    expect_answer(note, 200, "hello");
    close(fd);
    world_free(w);
}

static void a_paused_call_gets_nothing(void **state)
{
    struct world *w = world_new(1);
    world_open(w);
    struct note *note = call_get(w);
    note->pause_on_data = true;
    int fd = server_accept(w, 0);
    server_send(w, fd, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n3\r\ntwo\r\n");
    assert_int_equal(note->len, 3);
    server_send(w, fd, "5\r\nthree\r\n0\r\n\r\n");
    pass(w, 600000); /* whoever does not read cannot complain of silence */
    assert_int_equal(note->len, 3);
    note->pause_on_data = false;
    gh_call_resume(note->call);
    assert_int_equal(note->len, 3); /* not from inside the call */
    turns(w, 3);
    expect_answer(note, 200, "onetwothree");
    note = call_get(w); /* the connection is kept, and no pause with it */
    turns(w, 2);
    server_send(w, fd, OK_HELLO);
    expect_answer(note, 200, "hello");
    assert_int_equal(w->stats.upstream_connects, 1);
    close(fd);
    world_free(w);
}

static void the_end_comes_to_a_paused_call_that_has_all(void **state)
{
    struct world *w = world_new(1);
    world_open(w);
    struct note *note = call_get(w);
    note->pause_on_data = true;
    int fd = server_accept(w, 0);
    server_send(w, fd, OK_HELLO);
    expect_answer(note, 200, "hello");
    note = call_get(w);
    turns(w, 2);
    server_send(w, fd, OK_HELLO);
    expect_answer(note, 200, "hello");
    assert_int_equal(w->stats.upstream_reuses, 1);
    close(fd);
    world_free(w);
}

static void a_cancelled_call_says_no_more(void **state)
{
    struct world *w = world_new(1);
    w->conf.max_connections = 1;
    world_open(w);
    struct note *notes[8];
    /* Before it began, in the turn of its start; the connection is for the next. */
    notes[0] = call_get(w);
    gh_call_cancel(notes[0]->call);
    turns(w, 3);
    /* Waiting behind another. */
    notes[1] = call_get(w);
    notes[2] = call_get(w);
    int fd = server_accept(w, 0);
    server_read(w, fd, "\r\n\r\n");
    gh_call_cancel(notes[2]->call);
    /* Sent. */
    gh_call_cancel(notes[1]->call);
    assert_true(server_sees_close(w, fd));
    close(fd);
    /* From inside `head` and `data`, with the rest of the answer there. */
    for (int i = 3; i < 5; i++) {
        notes[i] = call_get(w);
        notes[i]->cancel_on_head = i == 3;
        notes[i]->cancel_on_data = i == 4;
        fd = server_accept(w, 0);
        server_send(w, fd, OK_HELLO);
        assert_true(server_sees_close(w, fd));
        assert_int_equal(notes[i]->len, i == 3 ? 0 : 5);
        close(fd);
    }
    /* Paused, with bytes waiting. */
    notes[5] = call_get(w);
    notes[5]->pause_on_data = true;
    fd = server_accept(w, 0);
    server_send(w, fd, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n3\r\ntwo\r\n");
    gh_call_resume(notes[5]->call);
    gh_call_cancel(notes[5]->call);
    turns(w, 3);
    assert_true(server_sees_close(w, fd));
    close(fd);
    /* Failing, and not yet told. */
    close(w->servers[0].listener);
    w->servers[0].listener = -1;
    notes[6] = call_with(w, &(struct gh_call_request){ .method = GH_METHOD_GET,
                                                       .path_and_query = GH_STR("/mcp"),
                                                       .headers = &no_headers,
                                                       .endpoint = 7 });
    gh_call_cancel(notes[6]->call);
    notes[7] = call_post(w, "abc");
    gh_call_body(notes[7]->call, GH_STR("more than was announced"), true);
    gh_call_cancel(notes[7]->call);
    turns(w, 5);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(notes[i]->ends + notes[i]->fails, 0);
        free(notes[i]);
    }
    world_free(w);
}

static void timers(void **state)
{
    struct world *w = world_new(1);
    world_open(w);
    struct note *note = call_post(w, "abc"); /* no byte in time */
    int fd = server_accept(w, 0);
    pass(w, 59000);
    assert_int_equal(note->fails, 0);
    pass(w, 1500);
    expect_fail(note, GH_UPSTREAM_TIMEOUT);
    assert_true(server_sees_close(w, fd));
    close(fd);
    note = call_with(w, &(struct gh_call_request){ .method = GH_METHOD_GET,
                                                   .path_and_query = GH_STR("/mcp"),
                                                   .headers = &no_headers,
                                                   .endpoint = -1,
                                                   .first_byte_ms = 500 });
    fd = server_accept(w, 0);
    pass(w, 700);
    expect_fail(note, GH_UPSTREAM_TIMEOUT);
    close(fd);
    note = call_get(w); /* an answer that stops, and is no event stream */
    fd = server_accept(w, 0);
    server_send(w, fd, "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc");
    pass(w, 29000);
    server_send(w, fd, "d");
    pass(w, 29000);
    assert_int_equal(note->fails, 0);
    pass(w, 1500);
    expect_fail(note, GH_UPSTREAM_TIMEOUT);
    close(fd);
    world_free(w);
}

static void a_kept_connection_that_was_closed_is_replaced(void **state)
{
    struct world *w = world_new(1);
    world_open(w);
    /* Seen before the call. */
    close(warm(w));
    turns(w, 2);
    struct note *note = call_post(w, "abc");
    int fd = server_accept(w, 0);
    server_read(w, fd, "abc");
    server_send(w, fd, OK_HELLO);
    expect_answer(note, 200, "hello");
    /* Closed while the loop was busy elsewhere: found in the turn of the call, before a byte left. */
    close(fd);
    note = call_post(w, "again");
    fd = server_accept(w, 0);
    server_read(w, fd, "again");
    server_send(w, fd, OK_HELLO);
    assert_int_equal(note->taken, 5);
    expect_answer(note, 200, "hello");
    /* The same after a rest: looked at. */
    gh_loop_fake_time(w->loop, gh_loop_now_ms(w->loop) + 5000, 1700000005);
    close(fd);
    note = call_post(w, "once");
    fd = server_accept(w, 0);
    server_read(w, fd, "once");
    server_send(w, fd, OK_HELLO);
    expect_answer(note, 200, "hello");
    close(fd);
    world_free(w);
}

static void only_what_may_be_repeated_is_repeated(void **state)
{
    struct world *w = world_new(1);
    world_open(w);
    /* A POST that was seen is not sent again. */
    int fd = warm(w);
    struct note *note = call_post(w, "abc");
    server_read(w, fd, "abc");
    close(fd);
    turns(w, 5);
    expect_fail(note, GH_UPSTREAM_ABORTED);
    assert_int_equal(server_accept(w, 0), -1);
    /* A GET is, once. */
    fd = warm(w);
    note = call_get(w);
    server_read(w, fd, "\r\n\r\n");
    close(fd);
    fd = server_accept(w, 0);
    server_read(w, fd, "GET /mcp HTTP/1.1\r\n");
    server_reset(w, fd);
    expect_fail(note, GH_UPSTREAM_ABORTED);
    assert_int_equal(server_accept(w, 0), -1);
    /* Not after the first byte of an answer. */
    fd = warm(w);
    note = call_get(w);
    server_read(w, fd, "\r\n\r\n");
    server_send(w, fd, "H");
    close(fd);
    turns(w, 5);
    expect_fail(note, GH_UPSTREAM_ABORTED);
    /* Not on a connection of its own. */
    note = call_get(w);
    fd = server_accept(w, 0);
    server_read(w, fd, "\r\n\r\n");
    close(fd);
    turns(w, 5);
    expect_fail(note, GH_UPSTREAM_ABORTED);
    assert_int_equal(server_accept(w, 0), -1);
    world_free(w);
}

static void a_body_is_as_long_as_announced(void **state)
{
    struct world *w = world_new(1);
    world_open(w);
    static const char *const wrong[] = { "toolong", "ab" };
    for (int i = 0; i < 2; i++) {
        int fd = warm(w);
        struct note *note = call_with(w, &(struct gh_call_request){ .method = GH_METHOD_POST,
                                                                    .path_and_query = GH_STR("/mcp"),
                                                                    .headers = &no_headers,
                                                                    .has_body = true,
                                                                    .endpoint = -1,
                                                                    .content_length = 3 });
        gh_call_body(note->call, gh_str_from(wrong[i]), true);
        assert_int_equal(note->fails, 0); /* later */
        turns(w, 3);
        expect_fail(note, GH_INTERNAL);
        assert_true(server_sees_close(w, fd));
        close(fd);
    }
    world_free(w);
}

static void an_early_answer_ends_the_call(void **state)
{
    struct world *w = world_new(1);
    world_open(w);
    struct note *note = call_with(w, &(struct gh_call_request){ .method = GH_METHOD_POST,
                                                                .path_and_query = GH_STR("/mcp"),
                                                                .headers = &no_headers,
                                                                .has_body = true,
                                                                .endpoint = -1,
                                                                .content_length = 1000 });
    gh_call_body(note->call, GH_STR("begin"), false);
    int fd = server_accept(w, 0);
    server_read(w, fd, "begin");
    server_send(w, fd, "HTTP/1.1 413 Content Too Large\r\ncontent-length: 3\r\n\r\nbig");
    expect_answer(note, 413, "big");
    assert_true(server_sees_close(w, fd)); /* half a request is on it */
    close(fd);
    world_free(w);
}

static void a_call_may_start_from_the_end_of_another(void **state)
{
    struct world *w = world_new(1);
    world_open(w);
    struct note *first = call_get(w);
    first->again = w;
    int fd = server_accept(w, 0);
    server_read(w, fd, "\r\n\r\n");
    server_send(w, fd, OK_HELLO);
    struct note *second = first->next;
    expect_answer(first, 200, "hello");
    server_read(w, fd, "\r\n\r\n");
    server_send(w, fd, OK_EMPTY);
    expect_answer(second, 200, "");
    assert_int_equal(w->stats.upstream_connects, 1);
    close(fd);
    world_free(w);
}

static void a_pool_given_back_lets_its_calls_end(void **state)
{
    struct world *w = world_new(1);
    world_open(w);
    struct note *a = call_get(w), *b = call_get(w);
    int fd_a = server_accept(w, 0), fd_b = server_accept(w, 0);
    server_send(w, fd_b, OK_EMPTY);
    expect_answer(b, 200, "");
    gh_upstream_free(w->upstream);
    w->upstream = NULL;
    assert_true(server_sees_close(w, fd_b));
    server_send(w, fd_a, OK_HELLO);
    expect_answer(a, 200, "hello");
    assert_true(server_sees_close(w, fd_a));
    close(fd_a);
    close(fd_b);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_is_one_request),
        cmocka_unit_test(connections_are_kept_and_the_last_used_is_used_first),
        cmocka_unit_test(the_server_says_how_long_it_keeps_a_connection),
        cmocka_unit_test(bodies_stream_both_ways),
        cmocka_unit_test(an_upload_waits_for_the_socket),
        cmocka_unit_test(a_paused_call_gets_nothing),
        cmocka_unit_test(the_end_comes_to_a_paused_call_that_has_all),
        cmocka_unit_test(a_cancelled_call_says_no_more),
        cmocka_unit_test(timers),
        cmocka_unit_test(a_kept_connection_that_was_closed_is_replaced),
        cmocka_unit_test(only_what_may_be_repeated_is_repeated),
        cmocka_unit_test(a_body_is_as_long_as_announced),
        cmocka_unit_test(an_early_answer_ends_the_call),
        cmocka_unit_test(a_call_may_start_from_the_end_of_another),
        cmocka_unit_test(a_pool_given_back_lets_its_calls_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
