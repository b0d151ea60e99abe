/* What only a server can do to its store: be gone, stopped, emptied, another one, or forgetful; and what is
 * refused at the start. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/str.h"
#include "unit/store/hearing.h"

static void assert_refused(enum gh_reason reason, const char *words)
{
    struct gh_store *store = NULL;
    char *why = NULL;
    assert_int_equal(gh_store_open(&world.conf, &store, &why), reason);
    assert_null(store);
    if (why == NULL || strstr(why, words) == NULL)
        fail_msg("it says: %s", why != NULL ? why : "nothing");
    free(why);
}

static void write_password(const char *text)
{
    char path[112];
    (void)snprintf(path, sizeof(path), "%s/password", world.folder);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    (void)close(fd);
    world.conf.password_file = gh_arena_dup(world.arena, gh_str_from(path));
}

/* ---- what is refused at the start, and its twin is taken ---- */

static void a_server_that_may_forget_is_refused(void **state)
{
    static const struct {
        const char *wrong, *right, *words;
    } settings[] = {
        { "CONFIG SET appendonly no", "CONFIG SET appendonly yes", "appendonly" },
        { "CONFIG SET appendfsync everysec", "CONFIG SET appendfsync always", "appendfsync always" },
        { "CONFIG SET maxmemory-policy allkeys-lru", "CONFIG SET maxmemory-policy noeviction", "noeviction" },
    };
    (void)state;
    for (size_t i = 0; i < GH_ARRAY_LEN(settings); i++) {
        close_store();
        tell(&world.server, settings[i].wrong);
        assert_refused(GH_SETTINGS_INVALID, settings[i].words);
        tell(&world.server, settings[i].right);
        open_store();
    }
}

static void a_replica_is_refused(void **state)
{
    (void)state;
    close_store();
    tell(&world.server, "REPLICAOF 127.0.0.1 1");
    assert_refused(GH_STORE_DOWN, "replica");
    tell(&world.server, "REPLICAOF NO ONE");
    open_store();
}

static void a_cluster_is_refused(void **state)
{
    (void)state;
    close_store();
    kill_server(&world.server);
    start_server_with(&world.server, "--cluster-enabled", "yes");
    assert_refused(GH_SETTINGS_INVALID, "Cluster");
}

static void a_server_that_is_not_there_is_refused(void **state)
{
    (void)state;
    close_store();
    kill_server(&world.server);
    assert_refused(GH_STORE_DOWN, "connect");
    start_server_with(&world.server, NULL, NULL);
    open_store();
}

static void a_password_is_needed_and_changes(void **state)
{
    (void)state;
    close_store();
    tell(&world.server, "CONFIG SET requirepass first");
    assert_refused(GH_STORE_DOWN, "store.password_file");
    write_password("wrong\n");
    assert_refused(GH_STORE_DOWN, "WRONGPASS");
    write_password("first\n");
    (void)snprintf(world.url, sizeof(world.url), "redis+unix://nobody@%s", world.server.socket);
    world.conf.url = gh_str_from(world.url);
    assert_refused(GH_STORE_DOWN, "WRONGPASS");
    (void)snprintf(world.url, sizeof(world.url), "redis+unix://default@%s?db=3", world.server.socket);
    world.conf.url = gh_str_from(world.url);
    open_store();
    assert_int_equal(put("a", "{}", 0), GH_OK);
    kill_server(&world.server); /* comes back with another one */
    start_server_with(&world.server, "--requirepass", "second");
    write_password("second");
    TURN_UNTIL(put("b", "{}", UINT64_MAX) == GH_OK);
    assert_int_not_equal(row_of("a").version, 0);
}

/* ---- what happens on the way ---- */

static void what_was_acknowledged_survives_a_kill(void **state)
{
    (void)state;
    follow();
    TURN_UNTIL(heard.caught_up > 0);
    for (unsigned i = 0; i < 5; i++) {
        gh_str key = gh_arena_printf(world.arena, "row/%u", i);
        assert_int_equal(put(key.ptr, "{}", 0), GH_OK);
        (void)append("a");
        kill_server(&world.server);
        TURN_UNTIL(put("x", "{}", UINT64_MAX) != GH_OK);
        start_server_with(&world.server, NULL, NULL);
        TURN_UNTIL(put("x", "{}", UINT64_MAX) == GH_OK);
        for (unsigned j = 0; j <= i; j++)
            assert_int_not_equal(row_of(gh_arena_printf(world.arena, "row/%u", j).ptr).version, 0);
        unsigned before = heard.caught_up;
        TURN_UNTIL(heard.caught_up > before);
    }
    assert_int_equal(heard.reason, GH_STORE_DOWN);
}

static void a_stopped_server_ends_at_the_deadline(void **state)
{
    (void)state;
    close_store();
    world.conf.timeout_ms = 100;
    open_store();
    follow();
    TURN_UNTIL(heard.caught_up > 0);
    assert_int_equal(kill(world.server.pid, SIGSTOP), 0);
    assert_int_equal(put("a", "{}", 0), GH_STORE_DOWN); /* reason: store_down */
    TURN_UNTIL(heard.troubles > 0);
    assert_non_null(strstr(heard.why, "within 100 ms"));
    unsigned before = heard.caught_up;
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(read_at("acme", "a", NOW).reason, GH_STORE_DOWN);
    assert_int_equal(heard.caught_up, before);
    assert_int_equal(kill(world.server.pid, SIGCONT), 0);
    TURN_UNTIL(put("b", "{}", UINT64_MAX) == GH_OK);
    TURN_UNTIL(heard.caught_up > before);
}

static void an_emptied_server_is_noticed(void **state)
{
    (void)state;
    assert_int_equal(put("a", "{}", 0), GH_OK);
    (void)append("a");
    follow();
    TURN_UNTIL(heard.caught_up > 0);
    tell(&world.server, "FLUSHALL");
    /* Not "there is no such row": clients would throw their credentials away. */
    assert_int_equal(read_at("acme", "a", NOW).reason, GH_STORE_DOWN);
    TURN_UNTIL(heard.troubles > 0);
    assert_non_null(strstr(heard.why, "emptied"));
    unsigned before = heard.caught_up;
    for (unsigned i = 0; i < 50; i++)
        assert_int_equal(put("b", "{}", UINT64_MAX), GH_STORE_DOWN); /* reason: store_down */
    assert_int_equal(heard.caught_up, before);
    close_store();
    open_store(); /* begins anew */
    assert_int_equal(put("b", "{}", 0), GH_OK);
}

/* Evicted, or deleted by hand: the rest is there. Who commits must not begin another one. */
static void a_log_that_is_gone_is_noticed(void **state)
{
    (void)state;
    (void)append("a");
    follow();
    TURN_UNTIL(heard.caught_up > 0);
    tell(&world.server, "RENAME {gh}:log {gh}:away");
    TURN_UNTIL(heard.troubles > 0);
    assert_non_null(strstr(heard.why, "emptied"));
    unsigned before = heard.caught_up;
    for (unsigned i = 0; i < 50; i++)
        assert_int_equal(ask_to_append("b").reason, GH_STORE_DOWN); /* reason: store_down */
    assert_int_equal(heard.caught_up, before);
    close_store();
    assert_refused(GH_STORE_DOWN, "a part of a store");
    tell(&world.server, "RENAME {gh}:away {gh}:log");
    open_store();
    (void)append("b");
}

static bool is_rewriting(void)
{
    redisReply *reply = say(&world.server, "INFO persistence");
    bool is = strstr(reply->str, "aof_rewrite_in_progress:0") == NULL;
    freeReplyObject(reply);
    return is;
}

/* It is empty in the beginning and when all has been swept, and there all the same, in a new journal too. */
static void an_empty_log_is_one(void **state)
{
    (void)state;
    follow();
    TURN_UNTIL(heard.caught_up > 0);
    assert_int_equal(heard.count, 0);
    tell(&world.server, "BGREWRITEAOF");
    while (is_rewriting())
        (void)usleep(5000);
    kill_server(&world.server);
    start_server_with(&world.server, NULL, NULL);
    TURN_UNTIL(put("a", "{}", UINT64_MAX) == GH_OK);
    (void)append("a");
}

static void a_server_that_went_back_is_noticed(void **state)
{
    (void)state;
    (void)append("a");
    follow();
    TURN_UNTIL(heard.caught_up > 0);
    assert_int_equal(put("a", "{}", 0), GH_OK);
    redisReply *reply = say(&world.server, "DECR {gh}:sequence");
    freeReplyObject(reply);
    assert_int_equal(put("b", "{}", 0), GH_STORE_DOWN); /* reason: store_down */
    TURN_UNTIL(heard.troubles > 0);
    assert_non_null(strstr(heard.why, "forgotten"));
    tell(&world.server, "INCRBY {gh}:sequence 100"); /* others have gone on */
    unsigned before = heard.caught_up;
    for (unsigned i = 0; i < 50; i++)
        assert_int_equal(read_at("acme", "a", NOW).reason, GH_STORE_DOWN);
    assert_int_equal(heard.caught_up, before);
}

static void a_server_that_becomes_a_replica_is_noticed(void **state)
{
    (void)state;
    follow();
    TURN_UNTIL(heard.caught_up > 0);
    tell(&world.server, "REPLICAOF 127.0.0.1 1");
    TURN_UNTIL(heard.troubles > 0);
    assert_non_null(strstr(heard.why, "replica"));
    tell(&world.server, "REPLICAOF NO ONE");
    unsigned before = heard.caught_up;
    TURN_UNTIL(heard.caught_up > before);
    assert_int_equal(put("a", "{}", 0), GH_OK);
}

static void forgotten_scripts_are_loaded_again(void **state)
{
    (void)state;
    follow();
    TURN_UNTIL(heard.caught_up > 0);
    for (unsigned i = 0; i < 3; i++) {
        tell(&world.server, "SCRIPT FLUSH");
        assert_int_equal(put("a", "{}", UINT64_MAX), GH_OK);
        tell(&world.server, "SCRIPT FLUSH");
        assert_int_not_equal(row_of("a").version, 0);
    }
    assert_int_equal(heard.troubles, 0);
}

static void too_few_replicas_are_no_acknowledgement(void **state)
{
    (void)state;
    close_store();
    world.conf.replicas = 1;
    open_store();
    assert_int_equal(put("a", "{}", 0), GH_STORE_DOWN); /* reason: store_down */
    assert_int_not_equal(row_of("a").version, 0);       /* as store.h says: it may be there */
    close_store();
    world.conf.replicas = 0;
    open_store();
    assert_int_equal(put("b", "{}", 0), GH_OK);
}

/* What is refused for want of memory is refused whole, and others go on. */
static void a_full_server_refuses_commits_alone(void **state)
{
    (void)state;
    assert_int_equal(put("a", "{}", 0), GH_OK);
    tell(&world.server, "CONFIG SET maxmemory 1");
    assert_int_equal(put("b", "{}", 0), GH_STORE_DOWN); /* reason: store_down */
    assert_int_not_equal(row_of("a").version, 0);
    close_store(); /* and a connection can be made */
    open_store();
    assert_int_not_equal(row_of("a").version, 0);
    assert_int_equal(put("b", "{}", 0), GH_STORE_DOWN);
    tell(&world.server, "CONFIG SET maxmemory 0");
    assert_int_equal(row_of("b").version, 0);
    assert_int_equal(put("b", "{}", 0), GH_OK);
}

static void a_row_that_cannot_be_read_is_malformed(void **state)
{
    static const char *const wrong[] = { "{}", "1", "1:0", "0:0:{}", "x:0:{}", "1:x:{}", ":0:{}", "-1:0:{}" };
    (void)state;
    assert_int_equal(put("a", "{}", 0), GH_OK);
    redisReply *keys = say(&world.server, "KEYS *:row:a");
    assert_int_equal(keys->elements, 1);
    for (size_t i = 0; i < GH_ARRAY_LEN(wrong); i++) {
        char command[256];
        (void)snprintf(command, sizeof(command), "SET %s %s", keys->element[0]->str, wrong[i]);
        tell(&world.server, command);
        assert_int_equal(read_at("acme", "a", NOW).reason, GH_STORE_MALFORMED); /* reason: store_malformed */
    }
    freeReplyObject(keys);
    assert_int_equal(put("b", "{}", 0), GH_OK);
}

static void an_entry_that_cannot_be_read_is_never_passed_over(void **state)
{
    (void)state;
    uint64_t position = append("a");
    char command[96];
    (void)snprintf(command, sizeof(command), "XADD {gh}:log %llu-0 a 1 u 2 l 27",
                   (unsigned long long)position + 1);
    tell(&world.server, command);
    tell(&world.server, "INCRBY {gh}:sequence 1");
    follow();
    TURN_UNTIL(heard.troubles > 0);
    assert_int_equal(heard.reason, GH_STORE_MALFORMED);         /* reason: store_malformed */
    assert_int_equal(ask_to_append("b").reason, GH_STORE_DOWN); /* it is there, and not known here */
    for (unsigned i = 0; i < 20; i++)
        (void)row_of("x");
    assert_int_equal(heard.caught_up, 0);
    assert_int_equal(heard.count, 1);
    (void)snprintf(command, sizeof(command), "XDEL {gh}:log %llu-0", (unsigned long long)position + 1);
    tell(&world.server, command);
    TURN_UNTIL(heard.caught_up > 0);
    assert_int_equal(heard.count, 2);
}

/* ---- what is left behind ---- */

static long long count_of(const char *command)
{
    redisReply *reply = say(&world.server, command);
    assert_int_equal(reply->type, REDIS_REPLY_INTEGER);
    long long count = reply->integer;
    freeReplyObject(reply);
    return count;
}

/* More than one sweep takes. */
static void what_has_expired_is_swept(void **state)
{
    (void)state;
    struct gh_revocation revocation = revocation_of("a");
    revocation.until = 1000;
    for (unsigned i = 0; i < 60; i++) {
        struct gh_effects effects = { 0 };
        for (unsigned j = 0; j < 20; j++) {
            gh_str key = gh_arena_printf(world.arena, "row/%u/%u", i, j);
            assert_int_equal(gh_effects_write(&effects, key, GH_STR("{}"), 1000), GH_OK);
            assert_int_equal(gh_effects_revoke(&effects, &revocation), GH_OK);
        }
        assert_int_equal(commit(&effects), GH_OK);
    }
    assert_int_equal(put("stays", "{}", 0), GH_OK);
    (void)append("b");
    assert_true(count_of("XLEN {gh}:log") > 1000);
    close_store();
    open_store(); /* sweeps at its start */
    TURN_UNTIL(count_of("XLEN {gh}:log") == 1);
    TURN_UNTIL(count_of("ZCARD {gh}:expiry") == 0);
    assert_int_equal(count_of("DBSIZE"), 6); /* id, sequence, histories, log; a row and the tenant's keys */
}

/* The user that operations.md makes has all the rights that are needed, and one less is known at the start.
 */
static void a_user_with_few_rights_is_enough(void **state)
{
    (void)state;
    close_store();
    write_password("secret");
    tell(&world.server,
         "ACL SETUSER gatehouse on >secret ~{gh* +info +select +wait +script|load +evalsha +get +mget +set");
    tell(&world.server, "ACL SETUSER gatehouse +del +exists +incrby +time +zadd +zrem +zrangebylex");
    tell(&world.server, "ACL SETUSER gatehouse +zrangebyscore +xadd +xrange");
    (void)snprintf(world.url, sizeof(world.url), "redis+unix://gatehouse@%s", world.server.socket);
    world.conf.url = gh_str_from(world.url);
    assert_refused(GH_STORE_DOWN, "can't run this command");
    tell(&world.server, "ACL SETUSER gatehouse +xdel");
    open_store();
    assert_int_equal(put("a", "{}", 0), GH_OK);
    (void)append("a");
    follow();
    TURN_UNTIL(heard.caught_up > 0);
    assert_int_equal(heard.count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_server_that_may_forget_is_refused),
        CASE(a_replica_is_refused),
        CASE(a_cluster_is_refused),
        CASE(a_server_that_is_not_there_is_refused),
        CASE(a_password_is_needed_and_changes),
        CASE(what_was_acknowledged_survives_a_kill),
        CASE(a_stopped_server_ends_at_the_deadline),
        CASE(an_emptied_server_is_noticed),
        CASE(a_log_that_is_gone_is_noticed),
        CASE(an_empty_log_is_one),
        CASE(a_server_that_went_back_is_noticed),
        CASE(a_server_that_becomes_a_replica_is_noticed),
        CASE(forgotten_scripts_are_loaded_again),
        CASE(too_few_replicas_are_no_acknowledgement),
        CASE(a_full_server_refuses_commits_alone),
        CASE(a_row_that_cannot_be_read_is_malformed),
        CASE(an_entry_that_cannot_be_read_is_never_passed_over),
        CASE(what_has_expired_is_swept),
        CASE(a_user_with_few_rights_is_enough),
    };
    return cmocka_run_group_tests_name("redis", tests, NULL, NULL);
}
