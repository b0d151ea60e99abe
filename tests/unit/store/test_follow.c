/* The log as its follower hears it: the past, what this process appends, what others append; in order, none
 * twice, and never "all is told" when it is not. */
#include <sqlite3.h>
#include <string.h>

#include "unit/store/hearing.h"

/* What another process does. */
static void run_raw(const char *sql)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(world.path, &db), SQLITE_OK);
    (void)sqlite3_busy_timeout(db, 10000);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void an_empty_log_is_complete_too(void **state)
{
    (void)state;
    follow();
    TURN_UNTIL(heard.caught_up > 0);
    assert_int_equal(heard.count, 0);
}

static void the_past_is_told_first(void **state)
{
    (void)state;
    uint64_t first = append("a"), second = append("b");
    close_store();
    open_store();
    follow();
    TURN_UNTIL(heard.caught_up > 0);
    assert_int_equal(heard.count, 2);
    assert_int_equal(heard.positions[0], first);
    assert_int_equal(heard.positions[1], second);
    assert_string_equal(heard.ids[0], "a");
    assert_string_equal(heard.ids[1], "b");
    assert_true(heard.appended_ms > 1000000000000);
}

/* Whoever hears that a revocation is durable may rely on its own process knowing it. */
static void own_entries_are_told_before_the_answer(void **state)
{
    (void)state;
    follow();
    TURN_UNTIL(heard.caught_up > 0);
    for (size_t i = 1; i <= 20; i++) {
        uint64_t position = append("a");
        assert_int_equal(heard.count, i);
        assert_int_equal(heard.positions[i - 1], position);
    }
}

static void entries_of_others_are_found(void **state)
{
    (void)state;
    follow();
    TURN_UNTIL(heard.caught_up > 0);
    struct gh_store *first = world.store;
    struct gh_store_client *client = world.client;
    open_store(); /* the other one */
    for (size_t i = 1; i <= 5; i++) {
        (void)append("b");
        TURN_UNTIL(heard.count == i);
    }
    close_store();
    world.store = first;
    world.client = client;
    unsigned before = heard.caught_up;
    (void)append("a");
    assert_int_equal(heard.count, 6);
    TURN_UNTIL(heard.caught_up > before);
}

static void a_quiet_log_stays_known(void **state)
{
    (void)state;
    follow();
    TURN_UNTIL(heard.caught_up > 0);
    int64_t before = heard.as_of_ms;
    TURN_UNTIL(heard.caught_up >= 3);
    assert_true(heard.as_of_ms > before);
    assert_int_equal(heard.troubles, 0);
}

/* More than fits into the letters that may be on their way at once. */
static void a_long_past_comes_whole(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 5000 / GH_EFFECTS_MAX; i++) {
        struct gh_effects effects = { 0 };
        struct gh_revocation revocation = revocation_of("a");
        for (unsigned j = 0; j < GH_EFFECTS_MAX; j++)
            assert_int_equal(gh_effects_revoke(&effects, &revocation), GH_OK);
        struct answer *kept = gh_arena_calloc(world.arena, 1, sizeof(*kept));
        assert_non_null(gh_store_commit(world.client, GH_STR("acme"), &effects, NOW, keep_answer, kept));
    }
    (void)append("z");
    follow();
    TURN_UNTIL(heard.caught_up > 0);
    assert_int_equal(heard.count, 5000 / GH_EFFECTS_MAX * GH_EFFECTS_MAX + 1);
    assert_string_equal(heard.ids[heard.count - 1], "z");
}

static void what_cannot_be_read_is_never_passed_over(void **state)
{
    (void)state;
    (void)append("a");
    run_raw("INSERT INTO gh_log SELECT 100, 0, until, x'3237' FROM gh_log;"
            "INSERT INTO gh_log SELECT 101, 0, until, entry FROM gh_log WHERE position < 100;"
            "UPDATE gh_meta SET value = 101");
    follow();
    TURN_UNTIL(heard.troubles > 0);
    assert_int_equal(heard.reason, GH_STORE_MALFORMED);
    assert_int_equal(heard.count, 1);
    assert_int_equal(ask_to_append("b").reason, GH_STORE_DOWN); /* it is there, and not known here */
    for (unsigned i = 0; i < 20; i++)
        (void)row_of("x");
    assert_int_equal(heard.caught_up, 0);
    assert_int_equal(heard.count, 1);
    assert_int_equal(heard.troubles, 1);
    run_raw("DELETE FROM gh_log WHERE position = 100");
    TURN_UNTIL(heard.caught_up > 0);
    assert_int_equal(heard.count, 3);
}

static void a_store_that_is_gone_is_not_known(void **state)
{
    (void)state;
    char elsewhere[112];
    (void)snprintf(elsewhere, sizeof(elsewhere), "%s.moved", world.path);
    follow();
    TURN_UNTIL(heard.caught_up > 0);
    assert_int_equal(rename(world.path, elsewhere), 0);
    TURN_UNTIL(heard.troubles > 0);
    assert_int_equal(heard.reason, GH_STORE_DOWN);
    assert_non_null(strstr(heard.why, "moved"));
    unsigned before = heard.caught_up;
    for (unsigned i = 0; i < 50; i++)
        (void)row_of("x");
    assert_int_equal(heard.caught_up, before);
    assert_int_equal(rename(elsewhere, world.path), 0);
    TURN_UNTIL(heard.caught_up > before);
}

static void a_store_closes_with_letters_unopened(void **state)
{
    (void)state;
    (void)append("a");
    follow();
    struct gh_store_client *client = gh_store_client_new(world.store, world.mailbox);
    gh_store_client_free(client);
}

/* The last ones change the file from outside; test_redis.c has the like for a server. */
#define OF_FILES 2

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(an_empty_log_is_complete_too),
        CASE(the_past_is_told_first),
        CASE(own_entries_are_told_before_the_answer),
        CASE(entries_of_others_are_found),
        CASE(a_quiet_log_stays_known),
        CASE(a_long_past_comes_whole),
        CASE(a_store_closes_with_letters_unopened),
        CASE(what_cannot_be_read_is_never_passed_over),
        CASE(a_store_that_is_gone_is_not_known),
    };
    size_t count = GH_ARRAY_LEN(tests) - (uses_redis() ? OF_FILES : 0);
    return _cmocka_run_group_tests("follow", tests, count, NULL, NULL);
}
