/* upstream/test_pool.c: which endpoint a call goes to: balance, ejection, trials, probes, queues,
 * credentials. */
#include <fcntl.h>
#include <sys/stat.h>

#include "notes.h"

#define OK_EMPTY "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"

static void stop(struct world *w, size_t server)
{
    close(w->servers[server].listener);
    w->servers[server].listener = -1;
}

/* The same port again. */
static void start(struct world *w, size_t server)
{
    struct sockaddr_in at = { .sin_family = AF_INET,
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                              .sin_port = htons(w->servers[server].port) };
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(fd, 16), 0);
    w->servers[server].listener = fd;
}

static void answer(struct world *w, size_t server, struct note *note, int status)
{
    int fd = server_accept(w, server);
    assert_true(fd >= 0);
    char text[128];
    snprintf(text, sizeof(text), "HTTP/1.1 %d X\r\nconnection: close\r\ncontent-length: 0\r\n\r\n", status);
    server_send(w, fd, text);
    if (note != NULL) {
        assert_int_equal(note->endpoint, server);
        expect_answer(note, status, "");
    }
    close(fd);
}

static void the_least_busy_endpoint_gets_the_call(void **state)
{
    struct world *w = world_new(3);
    world_open(w);
    struct note *notes[9];
    int fds[9], count[3] = { 0 };
    for (int i = 0; i < 9; i++)
        notes[i] = call_get(w);
    turns(w, 3);
    for (size_t s = 0; s < 3; s++)
        for (int fd; (fd = accept4(w->servers[s].listener, NULL, NULL, SOCK_NONBLOCK)) >= 0; count[s]++)
            fds[s * 3 + (size_t)count[s]] = fd;
    assert_int_equal(count[0], 3);
    assert_int_equal(count[1], 3);
    assert_int_equal(count[2], 3);
    server_send(w, fds[3], OK_EMPTY); /* one of the second server's ends: the next call is its */
    struct note *next = call_get(w);
    turns(w, 2);
    server_send(w, fds[3], OK_EMPTY);
    assert_int_equal(next->endpoint, 1);
    expect_answer(next, 200, "");
    for (int i = 0; i < 9; i++) {
        if (i != 3)
            server_send(w, fds[i], OK_EMPTY);
        close(fds[i]);
    }
    for (int i = 0; i < 9; i++)
        expect_answer(notes[i], 200, "");
    world_free(w);
}

static void a_bound_call_goes_where_it_must(void **state)
{
    struct world *w = world_new(3);
    world_open(w);
    for (int i = 0; i < 6; i++) {
        struct gh_call_request request = {
            .method = GH_METHOD_GET, .path_and_query = GH_STR("/mcp"), .headers = &no_headers, .endpoint = 2
        };
        answer(w, 2, call_with(w, &request), 200);
        request.endpoint = 3;
        struct note *none = call_with(w, &request);
        assert_int_equal(none->fails, 0);
        turns(w, 2);
        expect_fail(none, GH_UPSTREAM_UNREACHABLE);
    }
    world_free(w);
}

static void a_refused_connection_tries_the_next_endpoint(void **state)
{
    struct world *w = world_new(2);
    w->conf.eject_after = 3;
    world_open(w);
    stop(w, 0);
    for (int i = 0; i < 8; i++)
        answer(w, 1, call_post(w, "abc"), 200); /* a POST too: nobody saw a byte of it */
    assert_int_equal(gh_upstream_up(w->upstream), 1);
    /* Only three calls met the dead one before it was out. */
    assert_int_equal(w->stats.upstream_connects, 8 + 3);
    /* It is back when its time is over and it answers. */
    start(w, 0);
    pass(w, 10500);
    assert_int_equal(gh_upstream_up(w->upstream), 2);
    int first = 0;
    for (int i = 0; i < 4; i++) {
        struct note *note = call_get(w);
        turns(w, 3);
        int fd = accept4(w->servers[0].listener, NULL, NULL, SOCK_NONBLOCK);
        first += fd >= 0;
        if (fd >= 0) {
            server_send(w, fd, OK_EMPTY);
            expect_answer(note, 200, "");
            close(fd);
        } else {
            answer(w, 1, note, 200);
        }
    }
    assert_true(first >= 1);
    world_free(w);
}

static void when_all_are_out_one_call_at_a_time_finds_out(void **state)
{
    struct world *w = world_new(1);
    w->conf.eject_after = 1;
    world_open(w);
    stop(w, 0);
    struct note *note = call_get(w);
    turns(w, 5);
    expect_fail(note, GH_UPSTREAM_UNREACHABLE);
    assert_int_equal(gh_upstream_up(w->upstream), 0);
    start(w, 0);
    /* It is back: the first call through finds it, those beside it fail at once and cost it nothing. */
    struct note *trial = call_get(w), *beside = call_get(w);
    turns(w, 3);
    expect_fail(beside, GH_UPSTREAM_UNREACHABLE);
    answer(w, 0, trial, 200);
    assert_int_equal(gh_upstream_up(w->upstream), 1);
    assert_int_equal(w->stats.upstream_connects, 2);
    /* A trial that is cancelled lets another go. */
    stop(w, 0);
    note = call_get(w);
    turns(w, 5);
    expect_fail(note, GH_UPSTREAM_UNREACHABLE);
    start(w, 0);
    trial = call_get(w);
    gh_call_cancel(trial->call);
    free(trial);
    answer(w, 0, call_get(w), 503); /* any status is a sign of life */
    assert_int_equal(gh_upstream_up(w->upstream), 1);
    world_free(w);
}

static void a_hanging_connect_ends_in_time(void **state)
{
    struct world *w = world_new(1);
    world_open(w);
    int fill[4]; /* a full backlog: connects hang */
    stop(w, 0);
    start(w, 0);
    assert_int_equal(listen(w->servers[0].listener, 0), 0);
    struct sockaddr_in at = { .sin_family = AF_INET,
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                              .sin_port = htons(w->servers[0].port) };
    for (int i = 0; i < 4; i++) {
        fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)!connect(fill[i], (struct sockaddr *)&at, sizeof(at));
    }
    struct note *note = call_post(w, "abc");
    turns(w, 5);
    pass(w, 1500);
    assert_int_equal(note->fails, 0);
    pass(w, 700);
    expect_fail(note, GH_UPSTREAM_TIMEOUT);
    for (int i = 0; i < 4; i++)
        close(fill[i]);
    world_free(w);
}

static void the_queue_is_bounded(void **state)
{
    struct world *w = world_new(1);
    w->conf.max_connections = 2;
    world_open(w);
    struct note *notes[6];
    for (int i = 0; i < 6; i++)
        notes[i] = call_get(w);
    int a = server_accept(w, 0), b = server_accept(w, 0);
    assert_true(a >= 0 && b >= 0);
    assert_int_equal(server_accept(w, 0), -1);
    assert_int_equal(notes[4]->fails + notes[5]->fails, 2); /* two run, two wait */
    server_send(w, a, OK_EMPTY);
    assert_int_equal(notes[0]->ends + notes[1]->ends, 1);
    assert_int_equal(w->stats.upstream_reuses, 1); /* the first that waited */
    pass(w, 2500);
    expect_fail(notes[3], GH_UPSTREAM_BUSY); /* the other waited long enough */
    server_send(w, a, OK_EMPTY);
    server_send(w, b, OK_EMPTY);
    for (int i = 0; i < 3; i++)
        expect_answer(notes[i], 200, "");
    expect_fail(notes[4], GH_UPSTREAM_BUSY);
    expect_fail(notes[5], GH_UPSTREAM_BUSY);
    close(a);
    close(b);
    world_free(w);
}

static void few_idle_connections_are_kept(void **state)
{
    struct world *w = world_new(1);
    w->conf.keep_idle = 1;
    world_open(w);
    struct note *a = call_get(w), *b = call_get(w);
    int fd_a = server_accept(w, 0), fd_b = server_accept(w, 0);
    server_send(w, fd_a, OK_EMPTY);
    server_send(w, fd_b, OK_EMPTY);
    expect_answer(a, 200, "");
    expect_answer(b, 200, "");
    assert_int_equal(server_sees_close(w, fd_a) + server_sees_close(w, fd_b), 1);
    close(fd_a);
    close(fd_b);
    world_free(w);
}

static void probes_take_endpoints_out_and_bring_them_back(void **state)
{
    struct world *w = world_new(2);
    w->conf.health_path = GH_STR("/healthz");
    w->conf.health_interval_ms = 1000;
    w->conf.eject_after = 2;
    world_open(w);
    for (int round = 0; round < 3; round++) { /* the first is unwell, the second is well */
        pass(w, 1200);
        for (size_t s = 0; s < 2; s++) {
            int fd = server_accept(w, s);
            server_read(w, fd, "GET /healthz HTTP/1.1\r\n");
            server_send(w, fd,
                        s == 0 ? "HTTP/1.1 503 X\r\nconnection: close\r\ncontent-length: 3\r\n\r\nbad"
                               : "HTTP/1.1 200 X\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok");
            close(fd);
        }
    }
    assert_int_equal(gh_upstream_up(w->upstream), 1);
    answer(w, 1, call_get(w), 200);
    answer(w, 1, call_get(w), 200);
    pass(w, 1200);
    answer(w, 0, NULL, 200);
    answer(w, 1, NULL, 200);
    assert_int_equal(gh_upstream_up(w->upstream), 2);
    world_free(w);
}

static void the_credential_is_the_gateways(void **state)
{
    char path[] = "/tmp/gh-credential-XXXXXX", *why = NULL;
    int file = mkstemp(path);
    assert_int_equal(write(file, "Bearer s3cret\n", 14), 14);
    close(file);
    struct world *w = world_new(1);
    w->conf.credential_header = GH_STR("authorization");
    w->conf.credential_file = gh_str_from(path);
    chmod(path, 0604);
    assert_int_equal(gh_upstream_target_new(&w->conf, &w->target, &why), GH_SETTINGS_INVALID);
    assert_non_null(strstr(why, "others"));
    free(why);
    chmod(path, 0600);
    world_open(w);
    struct gh_header fields[] = { { GH_STR_INIT("authorization"), GH_STR_INIT("Bearer of-the-client") },
                                  { GH_STR_INIT("host"), GH_STR_INIT("elsewhere") },
                                  { GH_STR_INIT("accept"), GH_STR_INIT("*/*") } };
    struct gh_headers headers = { fields, 3, 3 };
    struct note *note = call_with(w, &(struct gh_call_request){ .method = GH_METHOD_DELETE,
                                                                .headers = &headers,
                                                                .path_and_query = GH_STR("/mcp"),
                                                                .endpoint = -1 });
    int fd = server_accept(w, 0);
    char *want = NULL;
    assert_true(asprintf(&want,
                         "DELETE /mcp HTTP/1.1\r\nhost: 127.0.0.1:%u\r\naccept: */*\r\n"
                         "authorization: Bearer s3cret\r\n\r\n",
                         w->servers[0].port) > 0);
    assert_string_equal(server_read(w, fd, "\r\n\r\n"), want);
    free(want);
    server_send(w, fd, OK_EMPTY);
    expect_answer(note, 200, "");
    close(fd);
    unlink(path);
    world_free(w);
}

static void health_is_a_matter_of_events_and_time(void **state)
{
    const struct gh_health_conf conf = { .eject_after = 2, .eject_ms = 1000 };
    struct gh_health health = { 0 };
    int64_t now = 5000, out = 1000;
    gh_health_failed(&health, &conf, now);
    assert_true(gh_health_is_up(&health, now));
    gh_health_succeeded(&health);
    gh_health_failed(&health, &conf, now);
    assert_true(gh_health_is_up(&health, now)); /* only failures in a row count */
    for (int i = 0; i < 8; i++) {               /* longer each time, up to 32-fold */
        gh_health_failed(&health, &conf, now);
        assert_false(gh_health_is_up(&health, now + out - 1));
        assert_true(gh_health_is_up(&health, now + out));
        now += out;
        out = out < 32000 ? out * 2 : out;
    }
    assert_true(gh_health_try(&health, now));
    assert_false(gh_health_try(&health, now + 999));
    assert_true(gh_health_try(&health, now + 1000));
    gh_health_trial_over(&health);
    assert_true(gh_health_try(&health, now + 1000));
    gh_health_succeeded(&health);
    gh_health_probed(&health, &conf, false, now);
    assert_true(gh_health_is_up(&health, now));
    gh_health_probed(&health, &conf, false, now);
    assert_false(gh_health_is_up(&health, now + 1000000));
    gh_health_succeeded(&health); /* a call's luck does not overrule the probe */
    assert_false(gh_health_is_up(&health, now));
    gh_health_probed(&health, &conf, true, now);
    assert_true(gh_health_is_up(&health, now));
}

/* Whichever allocation fails, the caller gets one outcome, and the pool goes on. */
static void memory_may_run_out_anywhere(void **state)
{
    unsigned failed = 0, answered = 0;
    for (unsigned long n = 1; n < 40; n++) {
        struct world *w = world_new(1);
        w->conf.eject_after = 0;
        world_open(w);
        const struct gh_call_request request = { .method = GH_METHOD_POST,
                                                 .path_and_query = GH_STR("/mcp"),
                                                 .headers = &no_headers,
                                                 .has_body = true,
                                                 .endpoint = -1,
                                                 .content_length = -1 };
        struct note *note = calloc(1, sizeof(*note));
        answer(w, 0, call_get(w), 200); /* the loop has its own memory from now on */
        gh_alloc_fail_at(n);
        note->call = gh_call_start(w->upstream, &request, &note_events, note);
        if (note->call != NULL)
            gh_call_body(note->call, GH_STR("abc"), false);
        int fd = note->call != NULL ? server_accept(w, 0) : -1;
        for (int next; (next = accept4(w->servers[0].listener, NULL, NULL, SOCK_NONBLOCK)) >= 0; fd = next)
            close(fd); /* the pool gave that one up and opened another */
        turns(w, 3);
        if (fd >= 0 && note->fails == 0) {
            gh_call_body(note->call, GH_STR("def"), true);
            static const char text[] = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n";
            (void)!send(fd, text, sizeof(text) - 1, MSG_NOSIGNAL);
            turns(w, 3);
            (void)!send(fd, "0\r\n\r\n", 5, MSG_NOSIGNAL);
            turns(w, 3);
        }
        gh_alloc_fail_at(0);
        pass(w, 61000); /* what hangs would end here, and must not */
        assert_int_equal(note->ends + note->fails, note->call != NULL);
        if (note->fails != 0)
            assert_int_not_equal(note->why, GH_UPSTREAM_TIMEOUT);
        failed += note->fails;
        answered += note->ends;
        free(note);
        if (fd >= 0)
            close(fd);
        answer(w, 0, call_get(w), 200);
        world_free(w);
    }
    assert_true(failed > 5 && answered > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_least_busy_endpoint_gets_the_call),
        cmocka_unit_test(a_bound_call_goes_where_it_must),
        cmocka_unit_test(a_refused_connection_tries_the_next_endpoint),
        cmocka_unit_test(when_all_are_out_one_call_at_a_time_finds_out),
        cmocka_unit_test(a_hanging_connect_ends_in_time),
        cmocka_unit_test(the_queue_is_bounded),
        cmocka_unit_test(few_idle_connections_are_kept),
        cmocka_unit_test(probes_take_endpoints_out_and_bring_them_back),
        cmocka_unit_test(the_credential_is_the_gateways),
        cmocka_unit_test(health_is_a_matter_of_events_and_time),
        cmocka_unit_test(memory_may_run_out_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
