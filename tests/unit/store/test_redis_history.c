/* What another server must have when it takes the place of one that was lost, and what is done about the
 * rest. */
#include "base/str.h"
#include "unit/store/hearing.h"

static void run_command(const char *format, ...) GH_PRINTF(1, 2);
static void run_command(const char *format, ...)
{
    char command[512];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(command, sizeof(command), format, args);
    va_end(args);
    assert_int_equal(system(command), 0);
}

/* Keeps the journal as it is now; or brings it back in the place of the present one. */
static void keep_journal(void)
{
    run_command("cp -r %s/appendonlydir %s/kept", world.folder, world.folder);
}

static void bring_back_journal(void)
{
    run_command("cd %s && rm -rf appendonlydir && cp -r kept appendonlydir", world.folder);
}

static long long count_of(const struct server *server, const char *command)
{
    redisReply *reply = say(server, command);
    assert_int_equal(reply->type, REDIS_REPLY_INTEGER);
    long long count = reply->integer;
    freeReplyObject(reply);
    return count;
}

static bool info_has(const struct server *server, const char *words)
{
    redisReply *reply = say(server, "INFO replication");
    bool has = strstr(reply->str, words) != NULL;
    freeReplyObject(reply);
    return has;
}

#define WAIT_UNTIL(condition)                                                                                \
    while (!(condition))                                                                                     \
    (void)usleep(5000)

/* A journal is kept, then a revocation is acknowledged and told, then the server dies. */
static void be_told_and_lose_it(void)
{
    follow();
    assert_int_equal(put("a", "{}", 0), GH_OK);
    keep_journal();
    (void)append("a");
    TURN_UNTIL(heard.count == 1);
    kill_server(&world.server);
}

/* ---- what was acknowledged ---- */

static void a_restart_is_the_same_store(void **state)
{
    (void)state;
    follow();
    assert_int_equal(put("a", "{}", 0), GH_OK);
    uint64_t before = row_of("a").version;
    for (unsigned i = 0; i < 4; i++) {
        kill_server(&world.server);
        start_server_with(&world.server, NULL, NULL);
        TURN_UNTIL(read_at("acme", "a", NOW).reason == GH_OK);
    }
    assert_int_equal(row_of("a").version, before);
    assert_int_equal(put("a", "{}", before), GH_OK);
    assert_true(row_of("a").version > before + 4 * 1000000);
}

/* As many as are of use, and not all there ever were. */
static void the_list_of_histories_stays_short(void **state)
{
    char lines[8192] = "";
    size_t len = 0;
    (void)state;
    for (unsigned i = 0; i < 80; i++)
        len += (size_t)snprintf(lines + len, sizeof(lines) - len, "%040x 1700000000000000\n", i);
    redisContext *context = redisConnectUnix(world.server.socket);
    redisReply *reply = redisCommand(context, "SET {gh}:histories %s", lines);
    assert_true(reply != NULL && reply->type == REDIS_REPLY_STATUS);
    freeReplyObject(reply);
    redisFree(context);
    close_store();
    open_store();
    long long length = count_of(&world.server, "STRLEN {gh}:histories");
    assert_true(length > 1000 && length < 4000);
    kill_server(&world.server);
    start_server_with(&world.server, NULL, NULL);
    TURN_UNTIL(put("a", "{}", UINT64_MAX) == GH_OK);
}

/* Whoever connects first makes the sequence leap: that hides nothing from those who come later. */
static void an_old_journal_is_noticed_by_who_knew_more(void **state)
{
    (void)state;
    be_told_and_lose_it();
    bring_back_journal();
    start_server_with(&world.server, NULL, NULL);
    struct gh_store *other = open_another();
    for (unsigned i = 0; i < 20; i++) {
        TURN_UNTIL(read_at("acme", "a", NOW).reason == GH_STORE_DOWN);
        (void)usleep(10000);
    }
    TURN_UNTIL(heard.troubles > 0 && strstr(heard.why, "lacks") != NULL);
    unsigned before = heard.caught_up;
    for (unsigned i = 0; i < 50; i++)
        assert_int_equal(put("b", "{}", UINT64_MAX), GH_STORE_DOWN); /* reason: store_down */
    assert_int_equal(heard.caught_up, before);
    gh_store_close(other);
    close_store();
    open_store(); /* whoever decides so goes on without */
    assert_int_equal(put("b", "{}", 0), GH_OK);
}

/* Not for good: the right one may come back. */
static void the_right_server_may_come_back(void **state)
{
    (void)state;
    be_told_and_lose_it();
    run_command("cd %s && mv appendonlydir whole && cp -r kept appendonlydir", world.folder);
    start_server_with(&world.server, NULL, NULL);
    TURN_UNTIL(heard.troubles > 0 && strstr(heard.why, "lacks") != NULL);
    kill_server(&world.server);
    run_command("cd %s && rm -rf appendonlydir && mv whole appendonlydir", world.folder);
    start_server_with(&world.server, NULL, NULL);
    TURN_UNTIL(put("b", "{}", UINT64_MAX) == GH_OK);
    unsigned before = heard.caught_up;
    TURN_UNTIL(heard.caught_up > before);
    assert_int_equal(heard.count, 1);
}

/* ---- what was not ---- */

/* Where replicas find it; they are served at once. */
static unsigned port_of(const struct server *server)
{
    static unsigned next;
    char command[64];
    tell(server, "CONFIG SET repl-diskless-sync-delay 0");
    for (next = next != 0 ? next + 1 : 20000 + (unsigned)getpid() % 20000;; next++) {
        (void)snprintf(command, sizeof(command), "CONFIG SET port %u", next);
        redisReply *reply = say(server, command);
        bool taken = reply->type == REDIS_REPLY_ERROR;
        freeReplyObject(reply);
        if (!taken)
            return next;
    }
}

static void start_beside(struct server *server, const char *name)
{
    (void)snprintf(server->folder, sizeof(server->folder), "%s/%s", world.folder, name);
    (void)snprintf(server->socket, sizeof(server->socket), "%s/%s.sock", world.folder, name);
    run_command("mkdir %s", server->folder);
    start_server_with(server, NULL, NULL);
}

static void make_replica(const struct server *server, unsigned port)
{
    char command[64];
    (void)snprintf(command, sizeof(command), "REPLICAOF 127.0.0.1 %u", port);
    tell(server, command);
}

/* A revocation that nobody was promised, but that we were told of: it is lost with the server, and appended
 * again to the one that takes over, for the others. */
static void what_was_told_is_appended_again(void **state)
{
    struct server second = { 0 };
    (void)state;
    close_store();
    unsigned port = port_of(&world.server);
    start_beside(&second, "second");
    make_replica(&second, port);
    WAIT_UNTIL(info_has(&world.server, "state=online"));
    world.conf.replicas = 1;
    open_store();
    follow();
    TURN_UNTIL(put("a", "{}", UINT64_MAX) == GH_OK);
    uint64_t version = row_of("a").version;

    tell(&second, "REPLICAOF NO ONE");
    WAIT_UNTIL(info_has(&world.server, "connected_slaves:0"));
    struct gh_effects effects = { 0 };
    struct gh_revocation revocation = revocation_of("lost");
    assert_int_equal(gh_effects_revoke(&effects, &revocation), GH_OK);
    assert_int_equal(commit(&effects), GH_STORE_DOWN);
    TURN_UNTIL(heard.count == 1);

    kill_server(&world.server);
    assert_int_equal(rename(second.socket, world.server.socket), 0);
    (void)snprintf(second.socket, sizeof(second.socket), "%s", world.server.socket);
    assert_int_equal(count_of(&second, "XLEN {gh}:log"), 0);
    for (unsigned i = 0; i < 20; i++) { /* nothing is acknowledged while it has no replica */
        assert_int_not_equal(put("a", "{}", version), GH_OK);
        (void)usleep(10000);
    }
    assert_int_equal(count_of(&second, "XLEN {gh}:log"), 0);
    port = port_of(&second);
    (void)snprintf(world.server.socket, sizeof(world.server.socket), "%s/first.sock", world.folder);
    start_server_with(&world.server, NULL, NULL);
    make_replica(&world.server, port);
    TURN_UNTIL(heard.count >= 2); /* more, where the replica was late and it was tried again */
    assert_string_equal(heard.ids[1], "lost");
    assert_true(count_of(&second, "XLEN {gh}:log") >= 1);
    TURN_UNTIL(put("a", "{}", version) != GH_STORE_DOWN);
    assert_true(row_of("a").version > version + 1000000); /* none is given twice */
    kill_server(&second);
}

/* A server's first replica gives it another history, under connections that live. One process notices;
 * another, which does not look, writes before it does: nothing is lost, and so nobody may be down. */
static void a_first_replica_downs_nobody(void **state)
{
    struct server second = { 0 };
    struct gh_store_client *first = world.client;
    (void)state;
    struct gh_store *other = open_another();
    struct gh_store_client *others = gh_store_client_new(other, world.mailbox);
    follow();
    assert_int_equal(put("a", "{}", 0), GH_OK);
    unsigned port = port_of(&world.server);
    long long before = count_of(&world.server, "STRLEN {gh}:histories");
    start_beside(&second, "second");
    make_replica(&second, port);
    WAIT_UNTIL(count_of(&world.server, "STRLEN {gh}:histories") > before);
    for (unsigned i = 0; i < 4; i++) {
        world.client = i % 2 == 0 ? others : first;
        TURN_UNTIL(put("a", "{}", UINT64_MAX) == GH_OK);
        tell(&world.server, "CLIENT KILL TYPE normal");
    }
    world.client = first;
    kill_server(&second);
    gh_store_client_free(others);
    gh_store_close(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_restart_is_the_same_store),
        CASE(the_list_of_histories_stays_short),
        CASE(an_old_journal_is_noticed_by_who_knew_more),
        CASE(the_right_server_may_come_back),
        CASE(what_was_told_is_appended_again),
        CASE(a_first_replica_downs_nobody),
    };
    return cmocka_run_group_tests_name("redis-history", tests, NULL, NULL);
}
