/* Connections over a socket pair: what the owner takes, leaves, writes and when it is told of the end. */
#include <errno.h>
#include <netinet/in.h>
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

struct owner {
    struct gh_conn *conn;
    struct gh_buf got;
    size_t take_at_most; /* of one `read`; the rest is left */
    unsigned opened, reads, ended, closed;
    enum gh_reason why;
    bool pause_after, free_in_read;
    size_t fill_left;
};

static struct gh_loop *loop;
static struct owner owner;
static int peer;
static int64_t now_ms = 1000000;

static void on_opened(void *ctx)
{
    ((struct owner *)ctx)->opened++;
}

static size_t on_read(void *ctx, gh_str bytes)
{
    struct owner *me = ctx;
    gh_str taken = gh_str_take(bytes, me->take_at_most);
    me->reads++;
    assert_true(gh_buf_add(&me->got, taken));
    if (me->free_in_read) {
        gh_conn_free(me->conn);
        me->conn = NULL;
    } else if (me->pause_after || taken.len < bytes.len) {
        gh_conn_pause(me->conn, GH_PAUSE_BUFFER);
    }
    return taken.len;
}

static void on_ended(void *ctx)
{
    ((struct owner *)ctx)->ended++;
}

static void on_closed(void *ctx, enum gh_reason why)
{
    struct owner *me = ctx;
    me->closed++;
    me->why = why;
}

static void on_fill(void *ctx)
{
    struct owner *me = ctx;
    static const char block[8192];
    while (me->fill_left != 0 && gh_conn_queued(me->conn) < GH_CONN_HIGH) {
        size_t n = me->fill_left < sizeof(block) ? me->fill_left : sizeof(block);
        assert_true(gh_buf_add(gh_conn_peek_out(me->conn), gh_str_of(block, n)));
        me->fill_left -= n;
    }
}

static const struct gh_conn_events events = {
    .opened = on_opened, .read = on_read, .ended = on_ended, .closed = on_closed, .fill = on_fill
};

static void turn_at(int64_t at_ms)
{
    now_ms = at_ms;
    gh_loop_fake_time(loop, at_ms, 1700000000);
    gh_loop_turn(loop, 0);
}

static void turn(void)
{
    gh_loop_turn(loop, 0);
}

static int set_up(void **state)
{
    int fds[2];
    owner = (struct owner){ .take_at_most = SIZE_MAX };
    loop = gh_loop_new();
    gh_loop_fake_time(loop, now_ms, 1700000000);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    peer = fds[1];
    owner.conn = gh_conn_accepted(loop, fds[0], &events, &owner);
    assert_non_null(owner.conn);
    return 0;
}

static int tear_down(void **state)
{
    gh_conn_free(owner.conn);
    gh_loop_free(loop);
    gh_buf_done(&owner.got);
    if (peer >= 0)
        close(peer);
    return 0;
}

static void peer_says(const char *text)
{
    assert_int_equal(write(peer, text, strlen(text)), strlen(text));
}

static void assert_got(const char *text)
{
    gh_str got = gh_buf_peek(&owner.got);
    assert_int_equal(got.len, strlen(text));
    assert_memory_equal(got.ptr, text, got.len);
}

static size_t peer_takes(size_t most)
{
    static char sink[65536];
    size_t sum = 0;
    while (sum < most) {
        ssize_t n = read(peer, sink, most - sum < sizeof(sink) ? most - sum : sizeof(sink));
        if (n <= 0)
            break;
        sum += (size_t)n;
    }
    return sum;
}

static void test_bytes_arrive(void **state)
{
    peer_says("hello");
    turn();
    assert_got("hello");
    assert_int_equal(owner.opened, 0);
}

static void test_left_bytes_come_again_with_more_behind(void **state)
{
    owner.take_at_most = 2;
    peer_says("abcdef");
    turn();
    assert_got("ab");
    peer_says("gh");
    turn();
    assert_got("ab"); /* paused */
    owner.take_at_most = SIZE_MAX;
    gh_conn_resume(owner.conn, GH_PAUSE_BUFFER);
    assert_got("ab"); /* never from inside the call */
    turn();
    turn();
    assert_got("abcdefgh");
}

static void test_pauses_are_counted_by_reason(void **state)
{
    gh_conn_pause(owner.conn, GH_PAUSE_BUFFER);
    gh_conn_pause(owner.conn, GH_PAUSE_WINDOW);
    peer_says("x");
    turn();
    gh_conn_resume(owner.conn, GH_PAUSE_BUFFER);
    turn();
    assert_got("");
    gh_conn_resume(owner.conn, GH_PAUSE_WINDOW);
    turn();
    turn();
    assert_got("x");
}

static void test_writes_of_a_turn_leave_together(void **state)
{
    char got[16];
    assert_true(gh_conn_write(owner.conn, GH_STR("one")));
    assert_true(gh_conn_write(owner.conn, GH_STR("two")));
    assert_int_equal(read(peer, got, sizeof(got)), -1);
    turn();
    assert_int_equal(read(peer, got, sizeof(got)), 6);
    assert_memory_equal(got, "onetwo", 6);
    assert_int_equal(gh_conn_queued(owner.conn), 0);
}

/* Two connections with an event each in one turn. */
struct answering {
    struct gh_conn *conn;
    struct answering *other;
    int peer;
    bool answered;
};

/* Whoever comes second finds that the answer of the first has left, and what was given to die is dead. */
static bool is_dead;

static void bury(void *ptr)
{
    is_dead = true;
}

static size_t answer(void *ctx, gh_str bytes)
{
    struct answering *me = ctx;
    char got[16];
    if (me->other->answered) {
        assert_int_equal(read(me->other->peer, got, sizeof(got)), 6);
        assert_true(is_dead);
    }
    assert_true(gh_buf_add(gh_conn_peek_out(me->conn), GH_STR("answer")));
    gh_conn_flush_soon(me->conn);
    gh_loop_free_later(loop, bury, me);
    me->answered = true;
    return bytes.len;
}

static const struct gh_conn_events answering_events = { .read = answer, .closed = on_closed };

static void test_what_is_due_soon_does_not_wait_for_the_turn(void **state)
{
    struct answering two[2];
    for (size_t i = 0; i < 2; i++) {
        int fds[2];
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
        two[i] = (struct answering){ .other = &two[1 - i], .peer = fds[1] };
        two[i].conn = gh_conn_accepted(loop, fds[0], &answering_events, &two[i]);
        assert_int_equal(write(fds[1], "?", 1), 1);
    }
    is_dead = false;
    turn();
    for (size_t i = 0; i < 2; i++) {
        assert_true(two[i].answered);
        assert_true(gh_conn_takes(two[i].conn));
        gh_conn_free(two[i].conn);
        assert_false(gh_conn_takes(two[i].conn));
        close(two[i].peer);
    }
}

static void test_partial_writes_go_on(void **state)
{
    enum { SIZE = 3000000 };
    char *big = calloc(1, SIZE);
    size_t sum = 0;
    assert_true(gh_conn_write(owner.conn, gh_str_of(big, SIZE)));
    free(big);
    turn();
    assert_true(gh_conn_queued(owner.conn) > 0);
    for (int i = 0; i < 1000 && sum < SIZE; i++) {
        sum += peer_takes(100000);
        turn();
    }
    assert_int_equal(sum, SIZE);
    assert_int_equal(gh_conn_queued(owner.conn), 0);
}

static void test_fill_is_pulled_while_there_is_room(void **state)
{
    enum { SIZE = 2000000 };
    size_t sum = 0;
    owner.fill_left = SIZE;
    gh_conn_flush_later(owner.conn);
    for (int i = 0; i < 1000 && sum < SIZE; i++) {
        turn();
        assert_true(gh_conn_queued(owner.conn) <= GH_CONN_HIGH + 8192);
        sum += peer_takes(70000);
    }
    assert_int_equal(sum, SIZE);
}

static void block_output(void)
{
    enum { SIZE = 3000000 };
    char *big = calloc(1, SIZE);
    assert_true(gh_conn_write(owner.conn, gh_str_of(big, SIZE)));
    free(big);
    turn();
}

static void test_stall_ends_it_and_progress_saves_it(void **state)
{
    gh_conn_set_stall(owner.conn, 1000);
    int64_t start = now_ms;
    block_output();
    turn_at(start + 900);
    assert_int_equal(owner.closed, 0);
    peer_takes(300000);
    turn_at(start + 950);
    turn_at(start + 1800);
    assert_int_equal(owner.closed, 0);
    turn_at(start + 2100);
    assert_int_equal(owner.closed, 1);
    assert_int_equal(owner.why, GH_HTTP_TIMEOUT_TAKE);
}

static void test_silence_is_no_stall(void **state)
{
    gh_conn_set_stall(owner.conn, 1000);
    assert_true(gh_conn_write(owner.conn, GH_STR("all of it")));
    turn();
    turn_at(now_ms + 100000);
    assert_int_equal(owner.closed, 0);
}

static void test_fin_ends_input_but_not_output(void **state)
{
    char got[8];
    peer_says("last");
    shutdown(peer, SHUT_WR);
    turn();
    turn();
    assert_got("last");
    assert_int_equal(owner.ended, 1);
    assert_int_equal(owner.closed, 0);
    assert_true(gh_conn_write(owner.conn, GH_STR("answer")));
    turn();
    assert_int_equal(read(peer, got, sizeof(got)), 6);
    turn();
    assert_int_equal(owner.ended, 1);
}

static void test_fin_waits_for_a_paused_owner(void **state)
{
    owner.take_at_most = 1;
    peer_says("ab");
    turn();
    gh_conn_resume(owner.conn, GH_PAUSE_BUFFER);
    shutdown(peer, SHUT_WR);
    turn(); /* takes b, and sees the FIN at the earliest in the same turn */
    turn();
    assert_got("ab");
    assert_int_equal(owner.ended, 1);
}

static void test_peer_gone_is_told_once(void **state)
{
    block_output();
    close(peer);
    peer = -1;
    turn();
    turn();
    assert_int_equal(owner.closed + owner.ended, 1);
}

static void test_free_inside_read(void **state)
{
    owner.free_in_read = true;
    owner.take_at_most = 1;
    peer_says("abc");
    turn();
    turn();
    assert_int_equal(owner.reads, 1);
    assert_int_equal(owner.closed, 0);
    assert_int_equal(peer_takes(1), 0);
}

static void test_finish_flushes_then_fin_then_waits(void **state)
{
    enum { SIZE = 1000000 };
    char *big = calloc(1, SIZE), byte;
    assert_true(gh_conn_write(owner.conn, gh_str_of(big, SIZE)));
    free(big);
    gh_conn_finish(owner.conn);
    owner.conn = NULL;
    size_t sum = 0;
    for (int i = 0; i < 1000 && sum < SIZE; i++) {
        turn();
        sum += peer_takes(200000);
    }
    assert_int_equal(sum, SIZE);
    turn();
    assert_int_equal(read(peer, &byte, 1), 0);                /* FIN */
    assert_int_equal(send(peer, "late", 4, MSG_NOSIGNAL), 4); /* lingering: taken and thrown away */
    turn_at(now_ms + 2200);                                   /* patience is over */
    turn();
    assert_int_equal(send(peer, "later", 5, MSG_NOSIGNAL), -1);
    assert_int_equal(owner.reads + owner.ended + owner.closed, 0);
}

static void test_finish_of_a_peer_that_takes_nothing_ends(void **state)
{
    block_output();
    gh_conn_finish(owner.conn);
    owner.conn = NULL;
    turn();
    turn_at(now_ms + 2200);
    turn();
    assert_int_equal(send(peer, "x", 1, MSG_NOSIGNAL), -1);
}

static void test_flood_does_not_starve(void **state)
{
    static char block[200000];
    ssize_t n = write(peer, block, sizeof(block));
    assert_true(n > 65536);
    turn();
    assert_int_equal(owner.reads, 1);
    assert_int_equal(gh_buf_len(&owner.got), 65536);
}

/* ---- over TCP ---- */

static int accepted_fd = -1;

static void on_accepted(void *ctx, int fd, const struct gh_address *from)
{
    char text[GH_ADDRESS_TEXT];
    gh_address_ip_text(from, text);
    assert_string_equal(text, "127.0.0.1");
    accepted_fd = fd;
}

static void test_connect_and_accept(void **state)
{
    struct gh_address at;
    assert_int_equal(gh_address_read(GH_STR("127.0.0.1:0"), &at), GH_OK);
    int fd = gh_listen_open(&at, true);
    assert_true(fd >= 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at.storage, &at.len), 0);
    struct gh_listener *listener = gh_listener_new(loop, fd, on_accepted, NULL);
    struct owner client = { .take_at_most = SIZE_MAX };
    client.conn = gh_conn_connect(loop, (struct sockaddr *)&at.storage, at.len, &events, &client);
    assert_non_null(client.conn);
    assert_true(gh_conn_write(client.conn, GH_STR("early")));
    for (int i = 0; i < 50 && (client.opened == 0 || accepted_fd < 0); i++)
        gh_loop_turn(loop, 20);
    assert_int_equal(client.opened, 1);
    char got[8];
    gh_loop_turn(loop, 20);
    assert_int_equal(read(accepted_fd, got, sizeof(got)), 5);
    /* reset: an upstream that broke off */
    struct linger hard = { .l_onoff = 1 };
    setsockopt(accepted_fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    close(accepted_fd);
    for (int i = 0; i < 50 && client.closed == 0; i++)
        gh_loop_turn(loop, 20);
    assert_int_equal(client.why, GH_UPSTREAM_ABORTED);
    gh_conn_free(client.conn);
    gh_listener_free(listener, true);
    turn();
    /* nobody listens any more */
    client = (struct owner){ .take_at_most = SIZE_MAX };
    client.conn = gh_conn_connect(loop, (struct sockaddr *)&at.storage, at.len, &events, &client);
    assert_int_equal(client.closed, 0);
    for (int i = 0; i < 50 && client.closed == 0; i++)
        gh_loop_turn(loop, 20);
    assert_int_equal(client.why, GH_UPSTREAM_UNREACHABLE);
    gh_conn_free(client.conn);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_bytes_arrive),
        CASE(test_left_bytes_come_again_with_more_behind),
        CASE(test_pauses_are_counted_by_reason),
        CASE(test_writes_of_a_turn_leave_together),
        CASE(test_what_is_due_soon_does_not_wait_for_the_turn),
        CASE(test_partial_writes_go_on),
        CASE(test_fill_is_pulled_while_there_is_room),
        CASE(test_stall_ends_it_and_progress_saves_it),
        CASE(test_silence_is_no_stall),
        CASE(test_fin_ends_input_but_not_output),
        CASE(test_fin_waits_for_a_paused_owner),
        CASE(test_peer_gone_is_told_once),
        CASE(test_free_inside_read),
        CASE(test_finish_flushes_then_fin_then_waits),
        CASE(test_finish_of_a_peer_that_takes_nothing_ends),
        CASE(test_flood_does_not_starve),
        CASE(test_connect_and_accept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
