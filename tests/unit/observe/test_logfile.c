/* observe/test_logfile.c: lines reach their file whole and in order; a destination that takes nothing holds
 * up nobody. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "observe/audit.h"
#include "support/cm.h"

static char folder[64], path[96];

static int set_up(void **state)
{
    (void)snprintf(folder, sizeof(folder), "/tmp/gh-logfile-XXXXXX");
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof(path), "%s/log", folder);
    return 0;
}

static int tear_down(void **state)
{
    char other[128];
    (void)unlink(path);
    (void)snprintf(other, sizeof(other), "%s.1", path);
    (void)unlink(other);
    (void)rmdir(folder);
    return 0;
}

static char *contents(const char *name, size_t *ret_len)
{
    FILE *file = fopen(name, "rb");
    assert_non_null(file);
    char *bytes = calloc(1, 1 << 22);
    *ret_len = fread(bytes, 1, 1 << 22, file);
    (void)fclose(file);
    return bytes;
}

#define LINES 2000

struct producer {
    struct gh_lane *lane;
    unsigned number, refused;
    pthread_t thread;
};

static void *produce(void *arg)
{
    struct producer *producer = arg;
    char line[256];
    for (unsigned i = 0; i < LINES; i++) {
        int len = snprintf(line, sizeof(line), "%u %u %0*d\n", producer->number, i, 20 + (int)(i % 100), 7);
        producer->refused += gh_lane_put(producer->lane, gh_str_of(line, (size_t)len)) ? 0 : 1;
    }
    return NULL;
}

/* Each line whole, those of one producer in their order. */
static void check_lines(char *bytes, size_t len, unsigned producers, unsigned each)
{
    unsigned next[4] = { 0 }, lines = 0;
    gh_str rest = gh_str_of(bytes, len);
    while (rest.ptr != NULL && rest.len > 0) {
        gh_str line = gh_str_cut(&rest, '\n');
        unsigned number, i;
        assert_int_equal(sscanf(line.ptr, "%u %u ", &number, &i), 2);
        assert_true(number < producers && i == next[number]++ && gh_str_ends(line, GH_STR("7")));
        lines++;
    }
    assert_int_equal(lines, producers * each);
}

/* Four threads at once: no line is cut or mixed, those of one thread come in their order. */
static void lines_of_many_threads(void **state)
{
    struct gh_logfile *file = gh_logfile_open(gh_str_from(path));
    struct producer producers[4];
    assert_non_null(file);
    for (unsigned i = 0; i < 4; i++)
        producers[i] = (struct producer){ .lane = gh_logfile_lane(file, 1 << 20), .number = i };
    assert_true(gh_logfile_start(file));
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&producers[i].thread, NULL, produce, &producers[i]), 0);
    for (unsigned i = 0; i < 4; i++) {
        (void)pthread_join(producers[i].thread, NULL);
        assert_int_equal(producers[i].refused, 0);
    }
    gh_logfile_close(file);
    size_t len;
    char *bytes = contents(path, &len);
    check_lines(bytes, len, 4, LINES);
    free(bytes);
}

/* ---- two logs with one destination: both on a pipe, or two processes that append to one file ---- */

static void *produce_all(void *arg)
{
    struct producer *producer = arg;
    char line[256];
    for (unsigned i = 0; i < LINES; i++) {
        int len = snprintf(line, sizeof(line), "%u %u %0*d\n", producer->number, i, 20 + (int)(i % 100), 7);
        while (!gh_lane_put(producer->lane, gh_str_of(line, (size_t)len)))
            (void)sched_yield();
    }
    return NULL;
}

/* The rings are small: lines lie across their ends. */
static void fill_both(struct gh_logfile *files[2])
{
    struct producer producers[2];
    for (unsigned i = 0; i < 2; i++) {
        producers[i] = (struct producer){ .lane = gh_logfile_lane(files[i], 64 * 1024), .number = i };
        assert_true(gh_logfile_start(files[i]));
    }
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&producers[i].thread, NULL, produce_all, &producers[i]), 0);
    for (unsigned i = 0; i < 2; i++)
        (void)pthread_join(producers[i].thread, NULL);
    for (unsigned i = 0; i < 2; i++)
        gh_logfile_close(files[i]);
}

struct reader {
    int fd;
    size_t len;
    char bytes[1 << 20];
};

static void *read_all(void *arg)
{
    struct reader *reader = arg;
    ssize_t got;
    while ((got = read(reader->fd, reader->bytes + reader->len, sizeof(reader->bytes) - reader->len)) > 0)
        reader->len += (size_t)got;
    return NULL;
}

static void two_logs_on_one_pipe(void **state)
{
    int ends[2], kept = dup(STDOUT_FILENO);
    assert_int_equal(pipe(ends), 0);
    (void)fflush(stdout);
    assert_true(dup2(ends[1], STDOUT_FILENO) >= 0);
    struct gh_logfile *files[2] = { gh_logfile_open(GH_STR("stdout")), gh_logfile_open(GH_STR("stdout")) };
    assert_true(dup2(kept, STDOUT_FILENO) >= 0);
    struct reader *reader = calloc(1, sizeof(*reader));
    pthread_t thread;
    assert_non_null(reader);
    reader->fd = ends[0];
    assert_int_equal(pthread_create(&thread, NULL, read_all, reader), 0);
    fill_both(files);
    (void)close(ends[1]);
    (void)pthread_join(thread, NULL);
    check_lines(reader->bytes, reader->len, 2, LINES);
    free(reader);
    (void)close(ends[0]);
    (void)close(kept);
}

static void two_processes_on_one_file(void **state)
{
    struct gh_logfile *files[2] = { gh_logfile_open(gh_str_from(path)), gh_logfile_open(gh_str_from(path)) };
    size_t len;
    fill_both(files);
    char *bytes = contents(path, &len);
    check_lines(bytes, len, 2, LINES);
    free(bytes);
}

/* Opening never waits for somebody who reads. */
static void a_fifo_that_nobody_reads(void **state)
{
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_null(gh_logfile_open(gh_str_from(path)));
    assert_int_equal(errno, ENXIO);
    int end = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    struct gh_logfile *file = gh_logfile_open(gh_str_from(path));
    assert_non_null(file);
    assert_true(gh_lane_put(gh_logfile_lane(file, 64 * 1024), GH_STR("line\n")));
    gh_logfile_close(file);
    char bytes[16];
    assert_int_equal(read(end, bytes, sizeof(bytes)), strlen("line\n"));
    (void)close(end);
}

/* threats.md L3: a pipe that nobody reads. Putting never waits, what has no room is refused whole, and
 * closing ends within its bound. */
static void a_full_pipe_holds_up_nobody(void **state)
{
    int ends[2], kept = dup(STDOUT_FILENO);
    assert_int_equal(pipe(ends), 0);
    (void)fcntl(ends[1], F_SETPIPE_SZ, 4096);
    (void)fflush(stdout);
    assert_true(dup2(ends[1], STDOUT_FILENO) >= 0);
    struct gh_logfile *file = gh_logfile_open(GH_STR("stdout"));
    assert_true(dup2(kept, STDOUT_FILENO) >= 0);
    struct gh_lane *lane = gh_logfile_lane(file, 64 * 1024);
    assert_true(gh_logfile_start(file));
    char line[1000];
    memset(line, 'x', sizeof(line));
    line[999] = '\n';
    unsigned taken = 0, refused = 0;
    for (unsigned i = 0; i < 500; i++) {
        bool put = gh_lane_put(lane, gh_str_of(line, sizeof(line)));
        taken += put ? 1 : 0;
        refused += put ? 0 : 1;
    }
    assert_true(taken >= 60 && refused >= 400);
    gh_logfile_close(file);
    (void)close(ends[1]);
    char bytes[8192];
    size_t whole = 0;
    ssize_t got;
    while ((got = read(ends[0], bytes, sizeof(bytes))) > 0)
        whole += (size_t)got;
    assert_true(whole >= 4000 && whole <= 65536);
    assert_int_equal(whole % sizeof(line), 0); /* no line is cut */
    (void)close(ends[0]);
    (void)close(kept);
}

/* Rotation: the old name is moved away, lines go on in a new file under the name, none is lost. */
static void rotation_loses_nothing(void **state)
{
    char moved[128];
    (void)snprintf(moved, sizeof(moved), "%s.1", path);
    struct gh_logfile *file = gh_logfile_open(gh_str_from(path));
    struct gh_lane *lane = gh_logfile_lane(file, 64 * 1024);
    assert_true(gh_logfile_start(file));
    assert_true(gh_lane_put(lane, GH_STR("before\n")));
    assert_int_equal(rename(path, moved), 0);
    gh_logfile_reopen(file);
    struct stat info;
    for (int i = 0; i < 3000 && stat(path, &info) != 0; i++)
        (void)usleep(1000);
    assert_true(gh_lane_put(lane, GH_STR("after\n")));
    gh_logfile_close(file);
    size_t first, second;
    char *old = contents(moved, &first), *now = contents(path, &second);
    assert_int_equal(first + second, strlen("before\nafter\n"));
    assert_true(gh_str_ends(gh_str_of(now, second), GH_STR("after\n")));
    free(old);
    free(now);
}

static void destinations_that_cannot_be_opened(void **state)
{
    assert_null(gh_logfile_open(GH_STR("/nonexistent/folder/log")));
    assert_int_equal(errno, ENOENT);
    assert_null(gh_logfile_open(gh_str_from(folder)));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(lines_of_many_threads),
        TEST(two_logs_on_one_pipe),
        TEST(two_processes_on_one_file),
        TEST(a_fifo_that_nobody_reads),
        TEST(a_full_pipe_holds_up_nobody),
        TEST(rotation_loses_nothing),
        TEST(destinations_that_cannot_be_opened),
    };
    return cmocka_run_group_tests_name("log files", tests, NULL, NULL);
}
