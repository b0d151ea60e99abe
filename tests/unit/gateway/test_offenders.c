/* gateway/test_offenders.c: who failed too often, by address: spent, refilled, forgotten, never shared. */
#include <stdio.h>

#include "base/arena.h"
#include "base/str.h"
#include "gateway/offenders.h"
#include "support/cm.h"

static struct gh_offenders *offenders;
static struct gh_offender_rate rate;

static int set_up(void **state)
{
    offenders = gh_offenders_new(4);
    rate = (struct gh_offender_rate){ .burst = 3, .per_s = 1, .now_ms = 1000 };
    return offenders != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    gh_offenders_free(offenders);
    return 0;
}

static bool is_broke(const char *ip)
{
    return gh_offenders_is_broke(offenders, gh_str_from(ip), &rate);
}

static void spend(const char *ip, unsigned times)
{
    while (times-- > 0)
        gh_offenders_spend(offenders, gh_str_from(ip), &rate);
}

static void three_failures_are_all_it_has(void **state)
{
    assert_false(is_broke("192.0.2.1"));
    spend("192.0.2.1", 2);
    assert_false(is_broke("192.0.2.1"));
    spend("192.0.2.1", 1);
    assert_true(is_broke("192.0.2.1"));
    assert_false(is_broke("192.0.2.2"));
    assert_false(is_broke("2001:db8::1"));
}

/* However much was spent, one second gives one back. */
static void time_gives_it_back(void **state)
{
    spend("192.0.2.1", 1000);
    rate.now_ms += 999;
    assert_true(is_broke("192.0.2.1"));
    rate.now_ms += 1;
    assert_false(is_broke("192.0.2.1"));
    spend("192.0.2.1", 1);
    assert_true(is_broke("192.0.2.1"));
    rate.now_ms += 3600 * 1000;
    spend("192.0.2.1", 2);
    assert_false(is_broke("192.0.2.1"));
    spend("192.0.2.1", 1);
    assert_true(is_broke("192.0.2.1"));
}

/* An IPv6 client may take any address of its /64; an IPv4 client has one, however it is written. */
static void what_one_client_is(void **state)
{
    spend("2001:db8:1:2::1", 2);
    spend("2001:db8:1:2:ffff::9", 1);
    assert_true(is_broke("2001:db8:1:2:1234::"));
    assert_false(is_broke("2001:db8:1:3::1"));
    spend("::ffff:192.0.2.1", 3);
    assert_true(is_broke("192.0.2.1"));
    assert_false(is_broke("::ffff:192.0.2.2"));
}

static void what_is_no_address_is_never_broke(void **state)
{
    spend("unix", 10);
    spend("", 10);
    assert_false(is_broke("unix"));
    assert_false(is_broke(""));
}

/* Of more than there is room for, those who failed longest ago are forgotten. */
static void the_table_is_bounded(void **state)
{
    spend("192.0.2.1", 3);
    spend("192.0.2.2", 3);
    spend("192.0.2.3", 3);
    spend("192.0.2.4", 3);
    spend("192.0.2.1", 1);
    spend("192.0.2.5", 3);
    assert_true(is_broke("192.0.2.1"));
    assert_false(is_broke("192.0.2.2"));
    assert_true(is_broke("192.0.2.3") && is_broke("192.0.2.4") && is_broke("192.0.2.5"));
}

static void without_memory_nobody_is_broke(void **state)
{
    for (uint64_t n = 1; n <= 2; n++) {
        gh_alloc_fail_at(n);
        spend("192.0.2.1", 1);
        gh_alloc_fail_at(0);
    }
    assert_false(is_broke("192.0.2.1"));
    spend("192.0.2.1", 3);
    assert_true(is_broke("192.0.2.1"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(three_failures_are_all_it_has),
        TEST(time_gives_it_back),
        TEST(what_one_client_is),
        TEST(what_is_no_address_is_never_broke),
        TEST(the_table_is_bounded),
        TEST(without_memory_nobody_is_broke),
    };
    return cmocka_run_group_tests_name("offenders", tests, NULL, NULL);
}
