/* Connections under TLS in one loop, a server and a client of ours: talk, ends, early bytes, refusals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/str.h"
#include "io/address.h"
#include "io/conn.h"
#include "io/listen.h"
#include "support/certs.h"

struct owner {
    struct gh_conn *conn;
    struct gh_buf got;
    unsigned opened, ended, closed;
    enum gh_reason why;
    bool pause;
};

static struct gh_identity *house;
static struct gh_tls_context *server, *client;
static struct gh_ticket_keys *tickets;
static struct gh_loop *loop;
static struct owner front, back; /* front accepts, back connects */
static struct gh_listener *listener;
static gh_str name_asked;
static struct gh_address at;

static void on_opened(void *ctx)
{
    struct owner *me = ctx;
    me->opened++;
    assert_int_equal(gh_tls_state(gh_conn_peek_tls(me->conn)), GH_TLS_OPEN);
}

static size_t on_read(void *ctx, gh_str bytes)
{
    struct owner *me = ctx;
    assert_int_equal(me->opened, 1);
    if (me->pause) {
        gh_conn_pause(me->conn, GH_PAUSE_WINDOW);
        return 0;
    }
    assert_true(gh_buf_add(&me->got, bytes));
    return bytes.len;
}

static void on_ended(void *ctx)
{
    ((struct owner *)ctx)->ended++;
}

static void on_closed(void *ctx, enum gh_reason why)
{
    ((struct owner *)ctx)->closed++;
    ((struct owner *)ctx)->why = why;
}

static const struct gh_conn_events events = {
    .opened = on_opened, .read = on_read, .ended = on_ended, .closed = on_closed
};

static void on_accepted(void *ctx, int fd, const struct gh_address *peer)
{
    front.conn = gh_conn_accepted(loop, fd, &events, &front);
    gh_conn_start_tls(front.conn, gh_tls_accept(server), GH_STR_NONE);
}

static void turns_until(const unsigned *what)
{
    for (int i = 0; i < 200 && *what == 0; i++)
        gh_loop_turn(loop, 10);
    assert_int_not_equal(*what, 0);
}

static void turns_until_got(struct owner *who, size_t len)
{
    for (int i = 0; i < 1000 && gh_buf_len(&who->got) < len; i++)
        gh_loop_turn(loop, 10);
    assert_int_equal(gh_buf_len(&who->got), len);
}

static void dial(gh_str name)
{
    back.conn = gh_conn_connect(loop, (struct sockaddr *)&at.storage, at.len, &events, &back);
    assert_non_null(back.conn);
    gh_conn_start_tls(back.conn, gh_tls_connect(client, name), GH_STR_NONE);
}

static int set_up_all(void **state)
{
    struct gh_tls_context *contexts[2] = { NULL, NULL };
    char *why = NULL;
    house = gh_identity_new(
        &(struct gh_identity_plan){ .name = "house", .san = "DNS:house.example", .ca = true });
    tickets = gh_ticket_keys_new();
    struct gh_tls_pair pair = { gh_str_from(house->cert_file), gh_str_from(house->key_file) };
    struct gh_tls_server_conf front_conf = { .pairs = &pair, .pair_count = 1, .h2 = true };
    struct gh_tls_client_conf back_conf = { .ca_file = gh_str_from(house->cert_file), .h2 = true };
    assert_int_equal(gh_tls_server_context(&front_conf, tickets, &contexts[0], &why), GH_OK);
    assert_int_equal(gh_tls_client_context(&back_conf, &contexts[1], &why), GH_OK);
    server = contexts[0];
    client = contexts[1];
    name_asked = GH_STR("house.example");
    return 0;
}

static int tear_down_all(void **state)
{
    gh_tls_context_unref(server);
    gh_tls_context_unref(client);
    gh_ticket_keys_free(tickets);
    gh_identity_free(house);
    return 0;
}

static int set_up(void **state)
{
    front = back = (struct owner){ 0 };
    loop = gh_loop_new();
    assert_int_equal(gh_address_read(GH_STR("127.0.0.1:0"), &at), GH_OK);
    int fd = gh_listen_open(&at, true);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at.storage, &at.len), 0);
    listener = gh_listener_new(loop, fd, on_accepted, NULL);
    assert_non_null(listener);
    return 0;
}

static int tear_down(void **state)
{
    gh_conn_free(front.conn);
    gh_conn_free(back.conn);
    gh_listener_free(listener, true);
    gh_loop_free(loop);
    gh_buf_done(&front.got);
    gh_buf_done(&back.got);
    return 0;
}

static void test_talk(void **state)
{
    enum { SIZE = 2000000 };
    char *text = malloc(SIZE);
    for (int i = 0; i < SIZE; i++)
        text[i] = (char)(i * 13 % 253);
    dial(name_asked);
    assert_true(gh_conn_write(back.conn, gh_str_of(text, SIZE))); /* before it is open */
    turns_until(&back.opened);
    assert_true(gh_str_eq(gh_tls_alpn(gh_conn_peek_tls(back.conn)), GH_STR("h2")));
    turns_until_got(&front, SIZE);
    assert_memory_equal(gh_buf_peek(&front.got).ptr, text, SIZE);
    assert_true(gh_conn_write(front.conn, gh_str_of(text, 70000)));
    turns_until_got(&back, 70000);
    assert_memory_equal(gh_buf_peek(&back.got).ptr, text, 70000);
    assert_int_equal(gh_conn_queued(front.conn) + gh_conn_queued(back.conn), 0);
    free(text);
}

static void test_a_paused_owner_gets_all_later(void **state)
{
    static char text[500000];
    dial(name_asked);
    turns_until(&back.opened);
    turns_until(&front.opened);
    front.pause = true;
    assert_true(gh_conn_write(back.conn, gh_str_of(text, sizeof(text))));
    for (int i = 0; i < 50; i++)
        gh_loop_turn(loop, 1);
    assert_int_equal(gh_buf_len(&front.got), 0);
    front.pause = false;
    gh_conn_resume(front.conn, GH_PAUSE_WINDOW);
    turns_until_got(&front, sizeof(text));
}

static void test_finish_says_close_notify(void **state)
{
    dial(name_asked);
    turns_until(&back.opened);
    turns_until(&front.opened);
    assert_true(gh_conn_write(front.conn, GH_STR("last words")));
    gh_conn_finish(front.conn);
    front.conn = NULL;
    turns_until(&back.ended);
    turns_until_got(&back, 10);
    assert_int_equal(back.closed, 0);
    gh_conn_finish(back.conn);
    back.conn = NULL;
    for (int i = 0; i < 5; i++)
        gh_loop_turn(loop, 10);
}

static void test_a_cut_is_no_clean_end(void **state)
{
    dial(name_asked);
    turns_until(&back.opened);
    turns_until(&front.opened);
    gh_conn_free(front.conn); /* FIN without close_notify */
    front.conn = NULL;
    turns_until(&back.closed);
    assert_int_equal(back.why, GH_UPSTREAM_ABORTED);
    assert_int_equal(back.ended, 0);
}

static void test_a_wrong_name_closes_both(void **state)
{
    dial(GH_STR("mouse.example"));
    turns_until(&back.closed);
    turns_until(&front.closed);
    assert_int_equal(back.why, GH_UPSTREAM_TLS);
    assert_int_equal(front.why, GH_TLS_FAILED);
    assert_int_equal(back.opened, 0);
    assert_true(gh_str_contains(gh_tls_why(gh_conn_peek_tls(back.conn)), GH_STR("mismatch")));
    assert_true(gh_str_contains(gh_tls_why(gh_conn_peek_tls(front.conn)), GH_STR("alert")));
}

/* A PROXY header in front: what was read behind it belongs to TLS. */
static size_t read_header_then_tls(void *ctx, gh_str bytes)
{
    struct owner *me = ctx;
    size_t header = gh_str_find(bytes, '\n') + 1;
    gh_conn_set_owner(me->conn, &events, me);
    gh_conn_start_tls(me->conn, gh_tls_accept(server), gh_str_skip(bytes, header));
    return bytes.len;
}

static const struct gh_conn_events header_events = { .opened = on_opened,
                                                     .read = read_header_then_tls,
                                                     .closed = on_closed };

static void test_bytes_read_before_tls(void **state)
{
    int fds[2];
    struct gh_buf flight = { 0 }, plain = { 0 };
    char bytes[4096];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    front.conn = gh_conn_accepted(loop, fds[0], &header_events, &front);
    struct gh_tls *tls = gh_tls_connect(client, name_asked);
    assert_true(gh_buf_add(&flight, GH_STR("PROXY UNKNOWN\r\n")));
    assert_int_equal(gh_tls_start(tls, &flight), GH_OK);
    for (int i = 0; i < 20 && gh_buf_len(&front.got) == 0; i++) {
        gh_str all = gh_buf_peek(&flight);
        assert_int_equal(write(fds[1], all.ptr, all.len), (ssize_t)all.len);
        gh_buf_consume(&flight, all.len);
        gh_loop_turn(loop, 10);
        ssize_t n = read(fds[1], bytes, sizeof(bytes));
        if (n > 0)
            assert_int_equal(gh_tls_read(tls, gh_str_of(bytes, (size_t)n), &plain, &flight), GH_OK);
        if (gh_tls_state(tls) == GH_TLS_OPEN && front.opened == 0)
            assert_int_equal(gh_tls_write(tls, GH_STR("hello"), &flight), GH_OK);
    }
    assert_true(gh_str_starts(gh_buf_peek(&front.got), GH_STR("hello")));
    gh_tls_free(tls);
    gh_buf_done(&flight);
    gh_buf_done(&plain);
    close(fds[1]);
}

static void test_plain_http_to_a_tls_port(void **state)
{
    struct gh_address to = at;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to.storage, to.len), 0);
    assert_int_equal(write(fd, "GET / HTTP/1.1\r\n\r\n", 18), 18);
    turns_until(&front.closed);
    assert_int_equal(front.why, GH_TLS_FAILED);
    assert_true(gh_str_contains(gh_tls_why(gh_conn_peek_tls(front.conn)), GH_STR("http request")));
    close(fd);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_talk),
        CASE(test_a_paused_owner_gets_all_later),
        CASE(test_finish_says_close_notify),
        CASE(test_a_cut_is_no_clean_end),
        CASE(test_a_wrong_name_closes_both),
        CASE(test_bytes_read_before_tls),
        CASE(test_plain_http_to_a_tls_port),
    };
    return cmocka_run_group_tests(tests, set_up_all, tear_down_all);
}
