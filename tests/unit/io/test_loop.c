/* Loop: the order within a turn, deaths at its end, deadlines under a clock that the test moves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "io/loop.h"

static char story[64];
static struct gh_loop *loop;

static void tell(char c)
{
    size_t len = strlen(story);
    assert_true(len + 1 < sizeof(story));
    story[len] = c;
    story[len + 1] = '\0';
}

static int set_up(void **state)
{
    story[0] = '\0';
    loop = gh_loop_new();
    assert_non_null(loop);
    gh_loop_fake_time(loop, 1000000, 1700000000);
    return 0;
}

static int tear_down(void **state)
{
    gh_loop_free(loop);
    return 0;
}

static void die(void *ptr)
{
    tell('d');
    free(ptr);
}

static struct gh_turn_work first, second, endless;

static void run_second(struct gh_turn_work *work)
{
    tell('2');
}

static void run_first(struct gh_turn_work *work)
{
    tell('1');
    gh_loop_free_later(loop, die, malloc(1));
    gh_loop_at_end(loop, &second);
}

static void run_endless(struct gh_turn_work *work)
{
    tell('e');
    gh_loop_at_end(loop, work);
}

static void test_work_runs_once_before_deaths(void **state)
{
    gh_turn_work_init(&first, run_first);
    gh_turn_work_init(&second, run_second);
    gh_loop_at_end(loop, &first);
    gh_loop_at_end(loop, &first);
    gh_loop_turn(loop, -1); /* waiting work makes the wait short */
    assert_string_equal(story, "12d");
    gh_loop_turn(loop, 0);
    assert_string_equal(story, "12d");
}

static void test_soon_is_before_the_end_of_the_turn(void **state)
{
    gh_turn_work_init(&first, run_first);
    gh_turn_work_init(&second, run_second);
    gh_loop_at_end(loop, &first);
    gh_loop_at_end(loop, &second);
    gh_loop_soon(loop, &second); /* moved to the front, and comes again because `first` wants it */
    gh_loop_soon(loop, &second);
    gh_loop_at_end(loop, &second);
    gh_loop_turn(loop, -1);
    assert_string_equal(story, "212d");
    gh_loop_soon(loop, &second);
    gh_turn_work_cancel(&second);
    gh_loop_turn(loop, 0);
    assert_string_equal(story, "212d");
}

static void test_cancelled_work_does_not_run(void **state)
{
    gh_turn_work_init(&first, run_first);
    gh_loop_at_end(loop, &first);
    gh_turn_work_cancel(&first);
    gh_loop_turn(loop, 0);
    assert_string_equal(story, "");
}

static void test_endless_work_lets_the_turn_end(void **state)
{
    gh_turn_work_init(&endless, run_endless);
    gh_loop_at_end(loop, &endless);
    gh_loop_turn(loop, 0);
    assert_string_equal(story, "eeeeeeee");
    gh_loop_turn(loop, -1);
    assert_string_equal(story, "eeeeeeeeeeeeeeee");
}

static void die_twice(void *ptr)
{
    tell('D');
    gh_loop_free_later(loop, die, ptr);
}

static void test_a_death_may_bring_another(void **state)
{
    gh_loop_free_later(loop, die_twice, malloc(1));
    assert_string_equal(story, "");
    gh_loop_turn(loop, 0);
    assert_string_equal(story, "Dd");
}

/* ---- deadlines ---- */

struct alarm {
    struct gh_deadline deadline;
    int64_t fired_at;
    unsigned times;
};

static void ring(struct gh_deadline *deadline)
{
    struct alarm *alarm = GH_LIST_ENTRY(deadline, struct alarm, deadline);
    alarm->fired_at = gh_loop_now_ms(loop);
    alarm->times++;
}

static int64_t fake_now = 1000000;

static void go_to(int64_t at_ms)
{
    fake_now = at_ms;
    gh_loop_fake_time(loop, at_ms, 1700000000);
    gh_loop_turn(loop, 0);
}

/* Never early, at most 100 ms late, whatever the distance and wherever the clock stands. */
static void check_one(int64_t start, int64_t in, int64_t step)
{
    struct alarm alarm = { .fired_at = -1 };
    gh_deadline_init(&alarm.deadline, ring);
    go_to(start);
    gh_deadline_set(loop, &alarm.deadline, in);
    for (int64_t at = start; at <= start + in + 100 + step; at += step)
        go_to(at);
    assert_int_equal(alarm.times, 1);
    assert_true(alarm.fired_at >= start + in);
    assert_true(alarm.fired_at <= start + in + 100 + step);
    assert_false(gh_deadline_is_set(&alarm.deadline));
}

static void test_deadlines_fire_once_and_in_time(void **state)
{
    static const int64_t distances[] = { 0,     1,     63,    64,    65,    100,   1000,
                                         30000, 32700, 32768, 32800, 65536, 100000 };
    for (int64_t start = 1000000; start < 1000000 + 130; start += 13)
        for (size_t i = 0; i < sizeof(distances) / sizeof(distances[0]); i++) {
            check_one(start + (int64_t)i * 1000000, distances[i], 10);
            check_one(start + (int64_t)i * 1000000 + 500000, distances[i], 70);
        }
}

static void test_many_deadlines_in_random_order(void **state)
{
    enum { COUNT = 500 };
    static struct alarm alarms[COUNT];
    static int64_t due[COUNT];
    srandom(7);
    go_to(50000000);
    for (int i = 0; i < COUNT; i++) {
        alarms[i] = (struct alarm){ .fired_at = -1 };
        gh_deadline_init(&alarms[i].deadline, ring);
    }
    for (int64_t at = 50000000; at < 50000000 + 200000; at += 17) {
        go_to(at);
        int i = (int)(random() % COUNT);
        if (at < 50000000 + 100000) { /* set again, later or sooner: only the last counts */
            due[i] = at + random() % 70000;
            gh_deadline_set(loop, &alarms[i].deadline, due[i] - at);
            alarms[i].times = 0;
        }
    }
    for (int i = 0; i < COUNT; i++) {
        if (due[i] == 0)
            continue;
        assert_int_equal(alarms[i].times, 1);
        assert_in_range(alarms[i].fired_at, due[i], due[i] + 100);
    }
}

static void test_cleared_deadline_stays_silent(void **state)
{
    struct alarm alarm = { .fired_at = -1 };
    gh_deadline_init(&alarm.deadline, ring);
    gh_deadline_clear(&alarm.deadline);
    gh_deadline_set(loop, &alarm.deadline, 100);
    gh_deadline_clear(&alarm.deadline);
    go_to(fake_now + 1000);
    assert_int_equal(alarm.times, 0);
}

static struct alarm chained;

static void ring_again(struct gh_deadline *deadline)
{
    ring(deadline);
    if (chained.times < 5)
        gh_deadline_set(loop, deadline, 0);
}

static void test_firing_may_set_itself_again(void **state)
{
    chained = (struct alarm){ .fired_at = -1 };
    gh_deadline_init(&chained.deadline, ring_again);
    go_to(70000000);
    gh_deadline_set(loop, &chained.deadline, 0);
    for (int i = 1; i <= 20; i++)
        go_to(70000000 + i * 64);
    assert_int_equal(chained.times, 5);
}

static void test_after_a_long_sleep_all_due_fire(void **state)
{
    struct alarm near = { .fired_at = -1 }, far = near, later = near;
    gh_deadline_init(&near.deadline, ring);
    gh_deadline_init(&far.deadline, ring);
    gh_deadline_init(&later.deadline, ring);
    go_to(80000000);
    gh_deadline_set(loop, &near.deadline, 500);
    gh_deadline_set(loop, &far.deadline, 90000);
    gh_deadline_set(loop, &later.deadline, 4000000);
    go_to(80000000 + 3600000);
    assert_int_equal(near.times, 1);
    assert_int_equal(far.times, 1);
    assert_int_equal(later.times, 0);
    gh_deadline_clear(&later.deadline);
}

static void stop_loop(struct gh_deadline *deadline)
{
    ring(deadline);
    gh_loop_stop(loop);
}

static void test_the_real_clock_wakes_the_loop(void **state)
{
    struct alarm alarm = { .fired_at = -1 };
    struct gh_loop *faked = loop;
    loop = gh_loop_new();
    gh_deadline_init(&alarm.deadline, stop_loop);
    gh_deadline_set(loop, &alarm.deadline, 70);
    int64_t from = gh_loop_now_ms(loop);
    gh_loop_run(loop);
    assert_in_range(alarm.fired_at - from, 70, 1000);
    assert_in_range(gh_loop_wall_s(loop), 1600000000, 4000000000);
    gh_loop_free(loop);
    loop = faked;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_work_runs_once_before_deaths, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_soon_is_before_the_end_of_the_turn, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cancelled_work_does_not_run, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_endless_work_lets_the_turn_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_death_may_bring_another, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_deadlines_fire_once_and_in_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many_deadlines_in_random_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cleared_deadline_stays_silent, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_firing_may_set_itself_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_after_a_long_sleep_all_due_fire, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_real_clock_wakes_the_loop, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
