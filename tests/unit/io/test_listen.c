/* Listening sockets: opened, accepted from in bounded turns, resting when descriptors run out. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/str.h"
#include "io/listen.h"

static struct gh_loop *loop;
static struct gh_listener *listener;
static unsigned accepted;
static int kept[64];

static void on_accepted(void *ctx, int fd, const struct gh_address *peer)
{
    int nodelay = 0;
    socklen_t len = sizeof(nodelay);
    assert_int_not_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
    assert_int_not_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
    if (peer->storage.ss_family == AF_INET) {
        assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &nodelay, &len), 0);
        assert_int_equal(nodelay, 1);
    }
    assert_in_range(accepted, 0, GH_ARRAY_LEN(kept) - 1);
    kept[accepted++] = fd;
}

static int set_up(void **state)
{
    accepted = 0;
    listener = NULL;
    loop = gh_loop_new();
    gh_loop_fake_time(loop, 1000000, 0);
    return 0;
}

static int tear_down(void **state)
{
    gh_listener_free(listener, true);
    gh_loop_free(loop);
    while (accepted > 0)
        close(kept[--accepted]);
    return 0;
}

static int open_any(struct gh_address *ret_at)
{
    assert_int_equal(gh_address_read(GH_STR("127.0.0.1:0"), ret_at), GH_OK);
    int fd = gh_listen_open(ret_at, true);
    assert_true(fd >= 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&ret_at->storage, &ret_at->len), 0);
    return fd;
}

static int dial(const struct gh_address *at)
{
    int fd = socket(at->storage.ss_family, SOCK_STREAM, 0);
    if (connect(fd, (const struct sockaddr *)&at->storage, at->len) == 0)
        return fd;
    close(fd);
    return -1;
}

static void test_a_turn_accepts_a_bounded_number(void **state)
{
    struct gh_address at;
    int clients[20];
    listener = gh_listener_new(loop, open_any(&at), on_accepted, NULL);
    for (int i = 0; i < 20; i++)
        clients[i] = dial(&at);
    gh_loop_turn(loop, 0);
    assert_int_equal(accepted, 16);
    gh_loop_turn(loop, 0);
    assert_int_equal(accepted, 20);
    for (int i = 0; i < 20; i++)
        close(clients[i]);
}

static void test_workers_share_a_port(void **state)
{
    struct gh_address at;
    int one = open_any(&at), two = gh_listen_open(&at, true);
    assert_true(two >= 0);
    assert_int_equal(gh_listen_open(&at, false), -1);
    assert_int_equal(errno, EADDRINUSE);
    close(one);
    close(two);
}

static void test_it_rests_when_descriptors_run_out(void **state)
{
    struct gh_address at;
    struct rlimit before, tight;
    listener = gh_listener_new(loop, open_any(&at), on_accepted, NULL);
    int client = dial(&at), highest = dup(client);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    tight = before;
    tight.rlim_cur = (rlim_t)highest;
    close(highest);
    for (int fd; (fd = open("/dev/null", O_RDONLY)) >= 0;) /* fill the gaps below */
        if (fd >= (int)tight.rlim_cur) {
            close(fd);
            break;
        }
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
    gh_loop_turn(loop, 0);
    assert_int_equal(accepted, 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    gh_loop_turn(loop, 0); /* resting: not even tried */
    assert_int_equal(accepted, 0);
    gh_loop_fake_time(loop, 1000200, 0);
    gh_loop_turn(loop, 0);
    gh_loop_turn(loop, 0);
    assert_int_equal(accepted, 1);
    close(client);
}

static void test_unix_sockets_replace_the_dead_only(void **state)
{
    char text[64];
    struct gh_address at;
    (void)snprintf(text, sizeof(text), "unix:/tmp/gh-listen-%d.sock", (int)getpid());
    assert_int_equal(gh_address_read(gh_str_from(text), &at), GH_OK);
    int fd = gh_listen_open(&at, false);
    assert_true(fd >= 0);
    assert_int_equal(gh_listen_open(&at, false), -1); /* alive */
    assert_int_equal(errno, EADDRINUSE);
    close(fd);
    listener = gh_listener_new(loop, gh_listen_open(&at, false), on_accepted, NULL);
    int client = dial(&at);
    assert_true(client >= 0);
    gh_loop_turn(loop, 0);
    assert_int_equal(accepted, 1);
    close(client);
    unlink(text + 5);
    fd = open(text + 5, O_WRONLY | O_CREAT | O_EXCL, 0600); /* refuses as a dead one does */
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(gh_listen_open(&at, false), -1);
    assert_int_equal(errno, EADDRINUSE);
    assert_int_equal(unlink(text + 5), 0);
}

/* One that somebody else made with rights for others. */
static void test_a_socket_is_made_private(void **state)
{
    char text[64];
    struct gh_address at;
    struct stat facts;
    (void)snprintf(text, sizeof(text), "unix:/tmp/gh-private-%d.sock", (int)getpid());
    assert_int_equal(gh_address_read(gh_str_from(text), &at), GH_OK);
    assert_false(gh_listen_make_private(&at)); /* not there */
    int fd = gh_listen_open(&at, false);
    assert_int_equal(chmod(text + 5, 0660), 0);
    if (geteuid() == 0) { /* who may not change it, is told so */
        assert_int_equal(seteuid(65534), 0);
        bool done = gh_listen_make_private(&at);
        assert_int_equal(seteuid(0), 0);
        assert_false(done);
    }
    assert_true(gh_listen_make_private(&at));
    assert_int_equal(stat(text + 5, &facts), 0);
    assert_int_equal(facts.st_mode & 0777, 0600);
    close(fd);
    assert_int_equal(unlink(text + 5), 0);
    assert_int_equal(symlink("/tmp", text + 5), 0);
    assert_false(gh_listen_make_private(&at)); /* no socket, and nothing behind it is touched */
    assert_int_equal(unlink(text + 5), 0);
    assert_int_equal(gh_address_read(GH_STR("127.0.0.1:1"), &at), GH_OK);
    assert_true(gh_listen_make_private(&at)); /* has no mode */
}

/* What is wrong is said as it is. */
static void test_why_it_cannot_listen(void **state)
{
    struct gh_address at;
    assert_int_equal(gh_address_read(GH_STR("192.0.2.1:1"), &at), GH_OK); /* documentation: nobody's */
    assert_int_equal(gh_listen_open(&at, false), -1);
    assert_int_equal(errno, EADDRNOTAVAIL);
    assert_int_equal(gh_address_read(GH_STR("unix:/nowhere/at/all"), &at), GH_OK);
    assert_int_equal(gh_listen_open(&at, false), -1);
    assert_int_equal(errno, ENOENT);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_a_turn_accepts_a_bounded_number),   CASE(test_workers_share_a_port),
        CASE(test_it_rests_when_descriptors_run_out), CASE(test_unix_sockets_replace_the_dead_only),
        CASE(test_a_socket_is_made_private),          CASE(test_why_it_cannot_listen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
