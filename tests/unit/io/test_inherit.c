/* Sockets that somebody else opened: found by their variables, told apart, matched with addresses. */
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/inherit.h"
#include "io/listen.h"
#include "support/cm.h"

static struct gh_inherited set;

static int tear_down(void **state)
{
    gh_inherited_done(&set);
    return 0;
}

static int open_any(const char *text, int type, struct gh_address *ret_at)
{
    assert_int_equal(gh_address_read(gh_str_from(text), ret_at), GH_OK);
    int fd = gh_listen_open_as(ret_at, type, ret_at->storage.ss_family != AF_UNIX);
    assert_true(fd >= 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&ret_at->storage, &ret_at->len), 0);
    return fd;
}

static void test_a_socket_counts_once(void **state)
{
    struct gh_address at;
    int fd = open_any("127.0.0.1:0", SOCK_STREAM, &at), again = dup(fd);
    assert_true(gh_inherited_add(&set, fd) && gh_inherited_add(&set, again));
    assert_int_equal(set.count, 1);
    assert_int_equal(fcntl(again, F_GETFD), -1); /* closed */
    assert_int_equal(gh_inherited_take(&set, &at, SOCK_STREAM), fd);
    assert_int_equal(gh_inherited_take(&set, &at, SOCK_STREAM), -1);
    close(fd);
}

static void test_every_queue_of_an_address_is_found(void **state)
{
    struct gh_address at;
    enum { QUEUES = 40 };
    bool seen[1024] = { false };
    assert_true(gh_inherited_add(&set, open_any("127.0.0.1:0", SOCK_STREAM, &at)));
    for (int i = 1; i < QUEUES; i++)
        assert_true(gh_inherited_add(&set, gh_listen_open(&at, true)));
    for (int i = 0; i < QUEUES; i++) {
        int fd = gh_inherited_take(&set, &at, SOCK_STREAM);
        assert_true(fd >= 0 && fd < 1024 && !seen[fd]);
        seen[fd] = true;
        close(fd);
    }
    assert_int_equal(set.count, 0);
}

static void test_address_and_type_must_fit(void **state)
{
    struct gh_address at, at_unix, other;
    char text[64], wrong[64];
    (void)snprintf(text, sizeof(text), "unix:/tmp/gh-inherit-%d", (int)getpid());
    (void)snprintf(wrong, sizeof(wrong), "unix:/tmp/gh-inherit-%d.other", (int)getpid());
    assert_true(gh_inherited_add(&set, open_any("127.0.0.1:0", SOCK_STREAM, &at)));
    assert_true(gh_inherited_add(&set, open_any(text, SOCK_SEQPACKET, &at_unix)));
    assert_int_equal(gh_inherited_take(&set, &at_unix, SOCK_STREAM), -1);
    assert_int_equal(gh_address_read(gh_str_from(wrong), &other), GH_OK);
    assert_int_equal(gh_inherited_take(&set, &other, SOCK_SEQPACKET), -1);
    assert_int_equal(gh_address_read(GH_STR("127.0.0.1:1"), &other), GH_OK);
    assert_int_equal(gh_inherited_take(&set, &other, SOCK_STREAM), -1);
    int fd = gh_inherited_take(&set, &at_unix, SOCK_SEQPACKET);
    assert_true(fd >= 0);
    close(fd);
    fd = gh_inherited_take(&set, &at, SOCK_STREAM);
    assert_true(fd >= 0);
    close(fd);
    unlink(text + 5);
}

static void test_what_does_not_listen_is_closed(void **state)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(gh_inherited_add(&set, fd));
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    assert_true(gh_inherited_add(&set, -1));
    assert_int_equal(set.count, 0);
}

/* ---- as the service manager leaves them: 3 and 4 listen, 5 does not ---- */

static int check_found(const struct gh_address *first, const struct gh_address *second)
{
    int nodelay = 0;
    socklen_t len = sizeof(nodelay);
    if (!gh_inherited_from_environment(&set) || set.count != 2)
        return 11;
    if (getenv("LISTEN_PID") != NULL || getenv("LISTEN_FDS") != NULL)
        return 12;
    if (gh_inherited_take(&set, second, SOCK_STREAM) != 4 || gh_inherited_take(&set, first, SOCK_STREAM) != 3)
        return 13;
    if ((fcntl(3, F_GETFD) & FD_CLOEXEC) == 0 || (fcntl(3, F_GETFL) & O_NONBLOCK) == 0)
        return 14;
    if (getsockopt(3, IPPROTO_TCP, TCP_NODELAY, &nodelay, &len) != 0 || nodelay == 0)
        return 15;
    setenv("LISTEN_PID", "1", 1); /* meant for another process */
    setenv("LISTEN_FDS", "3", 1);
    if (!gh_inherited_from_environment(&set) || set.count != 0)
        return 16;
    setenv("LISTEN_FDS", "-1", 1);
    return gh_inherited_from_environment(&set) && set.count == 0 ? 0 : 17;
}

static void be_the_service(const struct gh_address *first, int one, const struct gh_address *second, int two)
{
    char pid[16];
    int high[] = { fcntl(one, F_DUPFD, 50), fcntl(two, F_DUPFD, 50),
                   fcntl(socket(AF_INET, SOCK_STREAM, 0), F_DUPFD, 50) };
    for (int i = 0; i < 3; i++)
        if (dup2(high[i], 3 + i) < 0)
            _exit(10);
    (void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
    setenv("LISTEN_PID", pid, 1);
    setenv("LISTEN_FDS", "3", 1);
    int wrong = check_found(first, second);
    gh_inherited_done(&set);
    _exit(wrong);
}

static void test_the_service_managers_variables(void **state)
{
    struct gh_address first, second;
    int one = open_any("127.0.0.1:0", SOCK_STREAM, &first);
    int two = open_any("127.0.0.1:0", SOCK_STREAM, &second), status;
    pid_t child = fork();
    if (child == 0)
        be_the_service(&first, one, &second, two);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    close(one);
    close(two);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, NULL, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_a_socket_counts_once),           CASE(test_every_queue_of_an_address_is_found),
        CASE(test_address_and_type_must_fit),      CASE(test_what_does_not_listen_is_closed),
        CASE(test_the_service_managers_variables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
