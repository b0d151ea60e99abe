/* A server that answers what it likes (threats.md X5): each reply of a wrong shape or size is a store that is
 * down, and a right one behind it is taken. */
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/str.h"
#include "unit/store/world.h"

/* To each thing that comes in, the next answer goes out; behind the last one it hangs up. The lock is held as
 * long as a connection lives. */
static struct {
    pthread_mutex_t lock;
    int listener;
    pthread_t thread;
    const char *answers[8];
    size_t flood; /* bytes instead of the last answer's own */
} mock;

#define SHA    "$40\r\n0123456789012345678901234567890123456789\r\n"
#define LOADS  SHA SHA SHA SHA SHA SHA
#define NOPERM "-NOPERM this user has no permissions\r\n"
#define STORE                                                                                                \
    "*3\r\n$32\r\n0123456789abcdef0123456789abcdef\r\n$16\r\n1700000000000000\r\n$"                          \
    "16\r\n1700000000000000\r\n"
#define SERVER(version, more)                                                                                \
    "redis_version:" version                                                                                 \
    "\r\nredis_mode:standalone\r\ncluster_enabled:0\r\nloading:0\r\nrole:master\r\n"                         \
    "maxmemory_policy:noeviction\r\naof_enabled:1\r\n" more
#define HISTORY "master_replid:0123456789012345678901234567890123456789\r\n"

static char info[1024]; /* a bulk of it */

static void say_server(const char *text)
{
    pthread_mutex_lock(&mock.lock);
    (void)snprintf(info, sizeof(info), "$%zu\r\n%s\r\n", strlen(text), text);
    pthread_mutex_unlock(&mock.lock);
}

static void send_answer(int fd, const char *text, bool is_last)
{
    static const char zeros[65536];
    (void)!send(fd, text, strlen(text), MSG_NOSIGNAL);
    for (size_t sent = 0; is_last && sent < mock.flood; sent += sizeof(zeros))
        if (send(fd, zeros, sizeof(zeros), MSG_NOSIGNAL) < 0)
            return;
}

static void *serve(void *arg)
{
    char bytes[65536];
    int fd;
    (void)arg;
    while ((fd = accept(mock.listener, NULL, NULL)) >= 0) {
        pthread_mutex_lock(&mock.lock);
        for (size_t i = 0; mock.answers[i] != NULL && recv(fd, bytes, sizeof(bytes), 0) > 0; i++)
            send_answer(fd, mock.answers[i], mock.answers[i + 1] == NULL);
        (void)close(fd);
        pthread_mutex_unlock(&mock.lock);
    }
    return NULL;
}

static void listen_on_path(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", world.path);
    (void)snprintf(world.url, sizeof(world.url), "redis+unix://%s", world.path);
    mock.listener = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(mock.listener, (struct sockaddr *)&address, sizeof(address)), 0);
}

static void listen_on_port(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(address);
    mock.listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(mock.listener, (struct sockaddr *)&address, len), 0);
    assert_int_equal(getsockname(mock.listener, (struct sockaddr *)&address, &len), 0);
    (void)snprintf(world.url, sizeof(world.url), "redis://127.0.0.1:%u", ntohs(address.sin_port));
}

static int start_mock_on(void (*listens)(void))
{
    (void)make_world();
    memset(&mock, 0, sizeof(mock));
    pthread_mutex_init(&mock.lock, NULL);
    listens();
    world.conf.url = gh_str_from(world.url);
    assert_int_equal(listen(mock.listener, 8), 0);
    say_server(SERVER("7.0.15", HISTORY));
    return pthread_create(&mock.thread, NULL, serve, NULL);
}

static int start_mock(void **state)
{
    (void)state;
    return start_mock_on(listen_on_path);
}

static int start_mock_at_port(void **state)
{
    (void)state;
    return start_mock_on(listen_on_port);
}

static int end_mock(void **state)
{
    if (world.store != NULL)
        close_store();
    (void)shutdown(mock.listener, SHUT_RDWR);
    (void)pthread_join(mock.thread, NULL);
    (void)close(mock.listener);
    return tear_down(state);
}

static void answer_with(const char *const *answers, size_t count)
{
    pthread_mutex_lock(&mock.lock);
    memset(mock.answers, 0, sizeof(mock.answers));
    memcpy(mock.answers, answers, count * sizeof(*answers));
    pthread_mutex_unlock(&mock.lock);
}

static void flood_with(size_t bytes)
{
    pthread_mutex_lock(&mock.lock);
    mock.flood = bytes;
    pthread_mutex_unlock(&mock.lock);
}

static void assert_refused(enum gh_reason reason, const char *words)
{
    struct gh_store *store = NULL;
    char *why = NULL;
    assert_int_equal(gh_store_open(&world.conf, &store, &why), reason);
    if (why == NULL || strstr(why, words) == NULL)
        fail_msg("it says: %s", why != NULL ? why : "nothing");
    free(why);
}

/* ---- at the start ---- */

static void assert_taken(void)
{
    const char *const answers[] = { info, NOPERM, LOADS, STORE };
    say_server(SERVER("7.0.15", HISTORY));
    answer_with(answers, 4);
    open_store();
    close_store();
}

static void what_a_server_says_of_itself_decides(void **state)
{
    static const struct {
        const char *text;
        enum gh_reason reason;
        const char *words;
    } servers[] = {
        { SERVER("6.2.14", HISTORY), GH_SETTINGS_INVALID, "at least 7" },
        { SERVER("x", HISTORY), GH_SETTINGS_INVALID, "at least 7" },
        { "", GH_SETTINGS_INVALID, "at least 7" },
        { "redis_version:7.0.15\r\nredis_mode:sentinel\r\n", GH_SETTINGS_INVALID, "Sentinel" },
        { "redis_version:7.0.15\r\n", GH_SETTINGS_INVALID, "Sentinel" },
        { "redis_version:7.0.15\r\nredis_mode:standalone\r\ncluster_enabled:1\r\n", GH_SETTINGS_INVALID,
          "Cluster" },
        { "redis_version:7.0.15\r\nredis_mode:standalone\r\ncluster_enabled:0\r\nloading:1\r\n",
          GH_STORE_DOWN, "loading" },
        { SERVER("7.0.15", ""), GH_STORE_DOWN, "history" },
        { SERVER("7.0.15", "master_replid:%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d\r\n"), GH_STORE_DOWN,
          "history" },
    };
    (void)state;
    for (size_t i = 0; i < GH_ARRAY_LEN(servers); i++) {
        const char *const answers[] = { info, NOPERM, LOADS, STORE };
        say_server(servers[i].text);
        answer_with(answers, 4);
        assert_refused(servers[i].reason, servers[i].words);
    }
    assert_taken();
}

static void a_server_may_be_elsewhere(void **state)
{
    (void)state;
    assert_taken();
    (void)snprintf(world.url, sizeof(world.url), "redis://127.0.0.1:1");
    world.conf.url = gh_str_from(world.url);
    assert_refused(GH_STORE_DOWN, "Connection refused");
    (void)snprintf(world.url, sizeof(world.url), "redis://nowhere.invalid");
    world.conf.url = gh_str_from(world.url);
    assert_refused(GH_STORE_DOWN, "the server did not let us connect");
}

static void what_is_no_protocol_is_refused(void **state)
{
    static const char *const garbage[] = {
        "HTTP/1.1 400 Bad Request\r\n\r\n",
        "$-2\r\n",
        "$99999999999999999999\r\n",
        "*99999999\r\n",
        "*-2\r\n",
        "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n",
        ":x\r\n",
        "*2\r\n$1\r\na\r\n",
        "$5\r\nabc",
        ":1\r\n",
        "$-1\r\n",
        "*0\r\n",
        "-ERR\r\n",
        "",
    };
    (void)state;
    for (size_t i = 0; i < GH_ARRAY_LEN(garbage); i++) {
        answer_with(&garbage[i], 1);
        assert_refused(GH_STORE_DOWN, "the server");
    }
    assert_taken();
}

static void an_endless_reply_is_cut(void **state)
{
    const char *const answers[] = { "$400000000\r\n" };
    (void)state;
    flood_with(400000000);
    answer_with(answers, 1);
    assert_refused(GH_STORE_DOWN, "more than 16 MiB");
    flood_with(0);
    assert_taken();
}

static void each_step_of_the_start_must_be_answered_right(void **state)
{
    static const char *const wrong[][5] = {
        { info, NOPERM, SHA SHA "$1\r\nx\r\n" SHA SHA },
        { info, NOPERM, "-OOM\r\n-OOM\r\n-OOM\r\n-OOM\r\n-OOM\r\n" },
        { info, NOPERM, LOADS, ":1\r\n" },
        { info, NOPERM, LOADS, "*1\r\n:1\r\n" },
        { info, NOPERM, LOADS, "*3\r\n$1\r\na\r\n:1\r\n:1\r\n" },
        { info, NOPERM, LOADS, "*2\r\n$32\r\n0123456789abcdef0123456789abcdef\r\n:1\r\n" },
        { info, NOPERM, LOADS, "*3\r\n$32\r\n0123456789abcdef0123456789abcdef\r\n$1\r\n0\r\n:1\r\n" },
        { info, NOPERM, LOADS, "*3\r\n$32\r\n0123456789abcdef0123456789abcdef\r\n:1\r\n$1\r\n0\r\n" },
        { info, NOPERM, LOADS, "*3\r\n$32\r\n0123456789abcdef0123456789abcdef\r\n$2\r\n1x\r\n:1\r\n" },
        { info, NOPERM, LOADS, "$4\r\nback\r\n" },
        { info, NOPERM, LOADS, "$5\r\nmoved\r\n" },
    };
    (void)state;
    for (size_t i = 0; i < GH_ARRAY_LEN(wrong); i++) {
        answer_with(wrong[i], 5);
        assert_refused(GH_STORE_DOWN, "the server");
    }
    assert_taken();
}

/* ---- later ---- */

/* What is asked before the thread starts comes first, before its own looks and sweeps. */
static void open_waiting(void)
{
    char *why = NULL;
    assert_int_equal(gh_store_open(&world.conf, &world.store, &why), GH_OK);
    world.client = gh_store_client_new(world.store, world.mailbox);
}

static void a_read_is_answered_right_or_not_at_all(void **state)
{
    static const struct {
        const char *answer;
        enum gh_reason reason;
    } reads[] = {
        { "*1\r\n$6\r\n1:0:{}\r\n", GH_OK },
        { "*1\r\n$-1\r\n", GH_OK },
        { "*1\r\n$5\r\n1:0{}\r\n", GH_STORE_MALFORMED },
        { "*1\r\n:1\r\n", GH_STORE_MALFORMED },
        { "*2\r\n$-1\r\n$-1\r\n", GH_STORE_DOWN },
        { "*0\r\n", GH_STORE_DOWN },
        { "*-1\r\n", GH_STORE_DOWN },
        { ":1\r\n", GH_STORE_DOWN },
        { "+OK\r\n", GH_STORE_DOWN },
        { "$5\r\nother\r\n", GH_STORE_DOWN },
        { "$5\r\nmoved\r\n", GH_STORE_DOWN },
        { "-MOVED 1 127.0.0.1:1\r\n", GH_STORE_DOWN },
        { "-LOADING Redis is loading the dataset in memory\r\n", GH_STORE_DOWN },
        { "-NOAUTH Authentication required.\r\n", GH_STORE_DOWN },
        { "-OOM command not allowed\r\n", GH_STORE_DOWN },
    };
    (void)state;
    for (size_t i = 0; i < GH_ARRAY_LEN(reads); i++) {
        const char *const answers[] = { info, NOPERM, LOADS, STORE, reads[i].answer };
        const gh_str key = GH_STR_INIT("a");
        struct answer kept = { 0 };
        answer_with(answers, 5);
        open_waiting();
        struct gh_store_call *call =
            gh_store_read(world.client, GH_STR("acme"), (struct gh_strs){ &key, 1 }, NOW, keep_answer, &kept);
        assert_true(gh_store_start(world.store));
        assert_int_equal(await(&kept, call).reason, reads[i].reason);
        close_store();
    }
}

static void a_commit_is_answered_right_or_not_at_all(void **state)
{
    static const struct {
        const char *answer;
        enum gh_reason reason;
    } commits[] = {
        { "$16\r\n1700000000000001\r\n", GH_OK },
        { "$8\r\nconflict\r\n", GH_STORE_CONFLICT },
        { "$9\r\nmalformed\r\n", GH_STORE_MALFORMED },
        { "$4\r\nback\r\n", GH_STORE_DOWN },
        { "$5\r\nother\r\n", GH_STORE_DOWN },
        { "$5\r\nmoved\r\n", GH_STORE_DOWN },
        { "$2\r\nok\r\n", GH_STORE_DOWN },
        { "$16\r\n1600000000000001\r\n", GH_STORE_DOWN },
        { "*0\r\n", GH_STORE_DOWN },
        { "$-1\r\n", GH_STORE_DOWN },
        { ":0\r\n", GH_STORE_DOWN },
    };
    (void)state;
    for (size_t i = 0; i < GH_ARRAY_LEN(commits); i++) {
        const char *const answers[] = { info, NOPERM, LOADS, STORE, commits[i].answer };
        struct gh_effects effects = { 0 };
        struct answer kept = { 0 };
        answer_with(answers, 5);
        open_waiting();
        assert_int_equal(gh_effects_write(&effects, GH_STR("a"), GH_STR("{}"), 0), GH_OK);
        struct gh_store_call *call =
            gh_store_commit(world.client, GH_STR("acme"), &effects, NOW, keep_answer, &kept);
        assert_true(gh_store_start(world.store));
        assert_int_equal(await(&kept, call).reason, commits[i].reason);
        close_store();
    }
}

static void a_take_is_answered_right_or_not_at_all(void **state)
{
    static const struct {
        const char *answer;
        enum gh_reason reason;
    } takes[] = {
        { "*2\r\n:3\r\n:0\r\n", GH_OK },
        { "*2\r\n:0\r\n:1000\r\n", GH_OK },
        { "*2\r\n:6\r\n:0\r\n", GH_STORE_MALFORMED }, /* more than was asked for */
        { "*2\r\n:-1\r\n:0\r\n", GH_STORE_MALFORMED },
        { "*2\r\n:0\r\n:-1\r\n", GH_STORE_MALFORMED },
        { "*2\r\n:0\r\n:123000\r\n", GH_OK },
        { "*2\r\n:0\r\n:123001\r\n", GH_STORE_MALFORMED }, /* longer than any window makes wait */
        { "*2\r\n:0\r\n:9223372036854775807\r\n", GH_STORE_MALFORMED },
        { "*2\r\n:2\r\n:0\r\n", GH_STORE_MALFORMED }, /* less than is needed, and more at once? */
        { "*2\r\n:3\r\n:10\r\n", GH_STORE_MALFORMED },
        { "*1\r\n:3\r\n", GH_STORE_DOWN },
        { "*3\r\n:3\r\n:0\r\n:0\r\n", GH_STORE_DOWN },
        { "*2\r\n$1\r\nx\r\n:0\r\n", GH_STORE_DOWN },
        { ":3\r\n", GH_STORE_DOWN },
        { "$5\r\nother\r\n", GH_STORE_DOWN },
        { "$5\r\nmoved\r\n", GH_STORE_DOWN },
        { "$4\r\nback\r\n", GH_STORE_DOWN },
        { "-OOM command not allowed\r\n", GH_STORE_DOWN },
    };
    const struct gh_rate_ask ask = { .requests = 10, .window_s = 60, .need = 3, .extra = 2 };
    (void)state;
    for (size_t i = 0; i < GH_ARRAY_LEN(takes); i++) {
        const char *const answers[] = { info, NOPERM, LOADS, STORE, takes[i].answer };
        struct answer kept = { 0 };
        answer_with(answers, 5);
        open_waiting();
        struct gh_store_call *call =
            gh_store_take(world.client, GH_STR("acme"), GH_STR("rate/a"), &ask, keep_answer, &kept);
        assert_true(gh_store_start(world.store));
        struct gh_store_answer answer = await(&kept, call);
        assert_int_equal(answer.reason, takes[i].reason);
        assert_true(answer.reason == GH_OK || answer.rate.granted == 0);
        close_store();
    }
}

/* ---- Sentinels ---- */

/* Facts of the master, in which its address is another one while replicas are repointed, and the address. */
#define FACTS(epoch)        "*4\r\n$2\r\nip\r\n$9\r\n127.0.0.9\r\n$12\r\nconfig-epoch\r\n" epoch
#define ADDRESS(host, port) "*2\r\n" host port
#define HOST                "$9\r\n127.0.0.1\r\n"

/* The server that is named does not listen: that it was tried at all tells that the answer was taken. */
static void a_sentinel_is_answered_right_or_not_believed(void **state)
{
    static const struct {
        const char *answer, *words;
    } answers[] = {
        { FACTS("$1\r\n7\r\n") ADDRESS(HOST, "$1\r\n1\r\n"), "the server did not let us connect" },
        { FACTS(":0\r\n") ADDRESS(HOST, ":1\r\n"), "the server did not let us connect" },
        { "-ERR No such master with that name\r\n*-1\r\n",
          "no Sentinel says where mymaster is; the last one: the server refused: ERR No such master" },
        { "-NOAUTH Authentication required.\r\n-NOAUTH Authentication required.\r\n",
          "store.sentinel_password_file" },
        { "-IDONTKNOW\r\n-IDONTKNOW\r\n", "no Sentinel says" },
        { "*-1\r\n*-1\r\n", "no Sentinel says" },
        { "*0\r\n" ADDRESS(HOST, ":1\r\n"), "no config-epoch" },
        { "$2\r\nOK\r\n" ADDRESS(HOST, ":1\r\n"), "no Sentinel says" },
        { FACTS("$1\r\nx\r\n") ADDRESS(HOST, ":1\r\n"), "no config-epoch" },
        { FACTS(":-1\r\n") ADDRESS(HOST, ":1\r\n"), "no config-epoch" },
        { FACTS("*0\r\n") ADDRESS(HOST, ":1\r\n"), "no config-epoch" },
        { FACTS(":7\r\n") "*-1\r\n", "no Sentinel says" },
        { FACTS(":7\r\n") "*1\r\n" HOST, "no Sentinel says" },
        { FACTS(":7\r\n") "-ERR\r\n", "no Sentinel says" },
        { FACTS(":7\r\n") ADDRESS("$-1\r\n", ":1\r\n"), "names no server" },
        { FACTS(":7\r\n") ADDRESS("$0\r\n\r\n", ":1\r\n"), "names no server" },
        { FACTS(":7\r\n") ADDRESS("$3\r\na b\r\n", ":1\r\n"), "names no server" },
        { FACTS(":7\r\n") ADDRESS(HOST, ":0\r\n"), "names no server" },
        { FACTS(":7\r\n") ADDRESS(HOST, ":65536\r\n"), "names no server" },
        { FACTS(":7\r\n") ADDRESS(HOST, "$1\r\nx\r\n"), "names no server" },
        { FACTS(":7\r\n"), "closed the connection" },
        { "HTTP/1.1 400 Bad Request\r\n\r\n", "no reply" },
    };
    (void)state;
    char url[sizeof(world.url) + 32];
    (void)snprintf(url, sizeof(url), "redis+sentinel://127.0.0.1:%s/mymaster", strrchr(world.url, ':') + 1);
    world.conf.url = gh_str_from(url);
    for (size_t i = 0; i < GH_ARRAY_LEN(answers); i++) {
        answer_with(&answers[i].answer, 1);
        assert_refused(GH_STORE_DOWN, answers[i].words);
    }
}

#define MOCKED(name) cmocka_unit_test_setup_teardown(name, start_mock, end_mock)

int main(void)
{
    const struct CMUnitTest tests[] = {
        MOCKED(what_a_server_says_of_itself_decides),
        cmocka_unit_test_setup_teardown(a_server_may_be_elsewhere, start_mock_at_port, end_mock),
        cmocka_unit_test_setup_teardown(a_sentinel_is_answered_right_or_not_believed, start_mock_at_port,
                                        end_mock),
        MOCKED(what_is_no_protocol_is_refused),
        MOCKED(an_endless_reply_is_cut),
        MOCKED(each_step_of_the_start_must_be_answered_right),
        MOCKED(a_read_is_answered_right_or_not_at_all),
        MOCKED(a_commit_is_answered_right_or_not_at_all),
        MOCKED(a_take_is_answered_right_or_not_at_all),
    };
    return cmocka_run_group_tests_name("redis_replies", tests, NULL, NULL);
}
