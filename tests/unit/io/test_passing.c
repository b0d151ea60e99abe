/* Words with descriptors over a unix socket: whole or not at all, and nothing leaks that was not wanted. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/passing.h"
#include "support/cm.h"

static int pair[2];
static struct gh_passed passed;

static int set_up(void **state)
{
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair);
}

static int tear_down(void **state)
{
    close(pair[0]);
    close(pair[1]);
    return 0;
}

static size_t open_descriptors(void)
{
    size_t count = 0;
    for (int fd = 0; fd < 1024; fd++)
        count += fcntl(fd, F_GETFD) >= 0 ? 1 : 0;
    return count;
}

static void test_words_and_descriptors_arrive(void **state)
{
    struct stat sent, came;
    int fds[GH_PASSED_MAX];
    for (size_t i = 0; i < GH_ARRAY_LEN(fds); i++)
        fds[i] = pair[i % 2];
    assert_false(gh_pass_receive(pair[1], &passed));
    assert_int_equal(errno, EAGAIN);
    assert_true(gh_pass_send(pair[0], "alone", NULL, 0));
    assert_true(gh_pass_send(pair[0], "many", fds, GH_ARRAY_LEN(fds)));
    assert_true(gh_pass_receive(pair[1], &passed));
    assert_string_equal(passed.word, "alone");
    assert_int_equal(passed.count, 0);
    assert_true(gh_pass_receive(pair[1], &passed));
    assert_string_equal(passed.word, "many");
    assert_int_equal(passed.count, GH_PASSED_MAX);
    assert_int_equal(fstat(pair[1], &sent) | fstat(passed.fds[1], &came), 0);
    assert_int_equal(sent.st_ino, came.st_ino);
    assert_int_not_equal(fcntl(passed.fds[252], F_GETFD) & FD_CLOEXEC, 0);
    gh_passed_close(&passed);
    assert_false(gh_pass_send(pair[0], "too many", fds, GH_ARRAY_LEN(fds) + 1));
}

/* A word that is too long is no word; what came with it does not stay open. */
static void test_a_cut_message_leaves_nothing(void **state)
{
    size_t before = open_descriptors();
    int fds[] = { pair[0], pair[1] };
    assert_true(gh_pass_send(pair[0], "a word of more than thirty-one bytes", fds, 2));
    assert_false(gh_pass_receive(pair[1], &passed));
    assert_int_equal(errno, EMSGSIZE);
    assert_int_equal(open_descriptors(), before);
}

static void test_the_end_is_no_word(void **state)
{
    assert_int_equal(shutdown(pair[0], SHUT_WR), 0);
    assert_false(gh_pass_receive(pair[1], &passed));
    assert_int_equal(errno, ECONNRESET);
}

static void test_only_its_owner_connects(void **state)
{
    struct gh_address at;
    struct stat facts;
    char text[64];
    uid_t uid;
    pid_t pid;
    (void)snprintf(text, sizeof(text), "unix:/tmp/gh-passing-%d", (int)getpid());
    assert_int_equal(gh_address_read(gh_str_from(text), &at), GH_OK);
    assert_int_equal(gh_pass_connect(&at, 1000), -1);
    assert_int_equal(errno, ENOENT);
    int door = gh_pass_listen(&at);
    assert_true(door >= 0);
    assert_int_equal(stat(text + 5, &facts), 0);
    assert_int_equal(facts.st_mode & 0777, 0600);
    int near = gh_pass_connect(&at, 1000), far = accept(door, NULL, NULL);
    assert_true(near >= 0 && far >= 0);
    assert_true(gh_pass_peer(far, &uid, &pid));
    assert_int_equal(uid, geteuid());
    assert_int_equal(pid, getpid());
    close(near);
    close(far);
    close(door);
    assert_int_equal(gh_pass_connect(&at, 1000), -1);
    assert_int_equal(errno, ECONNREFUSED);
    door = gh_pass_listen(&at); /* the dead one is replaced */
    assert_true(door >= 0);
    close(door);
    unlink(text + 5);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_words_and_descriptors_arrive),
        CASE(test_a_cut_message_leaves_nothing),
        CASE(test_the_end_is_no_word),
        CASE(test_only_its_owner_connects),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
