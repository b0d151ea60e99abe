/* issuer/test_windows.c: windows open, fill, tell once, and end; a full table forgets the oldest alone. */
#include <stdio.h>

#include "base/str.h"
#include "issuer/windows.h"
#include "support/cm.h"

static struct gh_limits *limits;
static struct gh_refusal refusal;

static int set_up(void **state)
{
    limits = gh_limits_new(16);
    refusal = (struct gh_refusal){ 0 };
    return limits != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    gh_limits_free(limits);
    return 0;
}

static bool take(const char *kind, const char *who, int64_t tries, int64_t now)
{
    const gh_str parts[] = { gh_str_from(kind), gh_str_from(who) };
    const struct gh_limit limit = { .tries = tries, .span_s = 60 };
    return gh_limits_take(limits, (struct gh_strs){ parts, 2 }, &limit, now, &refusal);
}

static void a_window_fills_and_ends(void **state)
{
    for (int64_t i = 0; i < 5; i++)
        assert_true(take("token", "app", 5, 1000 + i));
    assert_false(take("token", "app", 5, 1010));
    assert_int_equal(refusal.wait_s, 50);
    assert_true(refusal.is_first);
    assert_false(take("token", "app", 5, 1059));
    assert_int_equal(refusal.wait_s, 1);
    assert_false(refusal.is_first);
    assert_true(take("token", "app", 5, 1060)); /* the next window */
    for (int64_t i = 0; i < 4; i++)
        assert_true(take("token", "app", 5, 1060));
    assert_false(take("token", "app", 5, 1060));
    assert_true(refusal.is_first);
}

static void give(const char *kind, const char *who, int64_t now)
{
    const gh_str parts[] = { gh_str_from(kind), gh_str_from(who) };
    gh_limits_give(limits, (struct gh_strs){ parts, 2 }, now);
}

static void what_is_given_back_may_be_taken_again(void **state)
{
    assert_true(take("login", "one", 2, 1000));
    assert_true(take("login", "one", 2, 1000));
    assert_false(take("login", "one", 2, 1000));
    give("login", "one", 1001);
    assert_true(take("login", "one", 2, 1002));
    assert_false(take("login", "one", 2, 1002));
    give("login", "other", 1003); /* nobody's */
    assert_false(take("login", "one", 2, 1003));
    give("login", "one", 1060); /* over: nothing is owed to the next window */
    assert_true(take("login", "one", 2, 1060));
    assert_true(take("login", "one", 2, 1060));
    assert_false(take("login", "one", 2, 1060));
    for (int i = 0; i < 5; i++)
        give("login", "one", 1061);
    assert_true(take("login", "one", 2, 1061));
    assert_true(take("login", "one", 2, 1061));
    assert_false(take("login", "one", 2, 1061)); /* never more than the limit */
}

static void others_have_windows_of_their_own(void **state)
{
    assert_true(take("token", "app", 1, 1000));
    assert_false(take("token", "app", 1, 1000));
    assert_true(take("token", "other", 1, 1000));
    assert_true(take("push", "app", 1, 1000));
    assert_true(take("tokenapp", "", 1, 1000)); /* parts are not glued together */
}

/* Nothing fits: it only says whether it was said before. */
static void none_at_all(void **state)
{
    assert_false(take("told", "x", 0, 1000));
    assert_true(refusal.is_first);
    assert_false(take("told", "x", 0, 1030));
    assert_false(refusal.is_first);
    assert_false(take("told", "x", 0, 1060));
    assert_true(refusal.is_first);
}

/* Far more names than places: each is let in, memory stays what it is, and who came last is still held. */
static void a_full_table_forgets_the_oldest(void **state)
{
    char who[32];
    for (int i = 0; i < 10000; i++) {
        (void)snprintf(who, sizeof(who), "client-%d", i);
        assert_true(take("token", who, 1, 1000 + i / 100));
    }
    assert_false(take("token", who, 1, 1099));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_window_fills_and_ends),          TEST(what_is_given_back_may_be_taken_again),
        TEST(others_have_windows_of_their_own), TEST(none_at_all),
        TEST(a_full_table_forgets_the_oldest),
    };
    return cmocka_run_group_tests_name("limits", tests, NULL, NULL);
}
