/* base/test_pace.c: standing still and being slow, to the millisecond. */
#include "base/pace.h"
#include "support/cm.h"

static void test_standing_still(void **state)
{
    struct gh_pace pace;
    gh_pace_begin(&pace, 7, 1000);
    assert_false(gh_pace_is_still(&pace, 7, 500, 1499));
    assert_true(gh_pace_is_still(&pace, 7, 500, 1500));
    assert_false(gh_pace_is_still(&pace, 8, 500, 1600)); /* moved just now, for all that is known */
    assert_false(gh_pace_is_still(&pace, 8, 500, 2099));
    assert_true(gh_pace_is_still(&pace, 8, 500, 2100));
    gh_pace_begin(&pace, 8, 2100);
    assert_false(gh_pace_is_still(&pace, 8, 500, 2599));
}

static void test_being_slow(void **state)
{
    struct gh_pace pace;
    gh_pace_begin(&pace, 0, 0);
    assert_false(gh_pace_is_slow(&pace, 0, 10000, 128, 9999)); /* the window is not over */
    assert_false(gh_pace_is_slow(&pace, 1280, 10000, 128, 10000));
    assert_true(gh_pace_is_slow(&pace, 1280 + 1279, 10000, 128, 20000));
    assert_false(
        gh_pace_is_slow(&pace, 1280 + 1279 + 2560, 10000, 128, 40000)); /* a longer window needs more */
    assert_false(gh_pace_is_slow(&pace, 1280 + 1279 + 2560, 10000, 0, 50000)); /* no least rate */
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_standing_still),
                                        cmocka_unit_test(test_being_slow) };
    return cmocka_run_group_tests_name("pace", tests, NULL, NULL);
}
