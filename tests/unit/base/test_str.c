/* base/test_str.c: slices: comparing, cutting, numbers. */
#include "base/str.h"
#include "support/cm.h"

static void test_compare(void **state)
{
    assert_true(gh_str_eq(GH_STR_NONE, GH_STR("")));
    assert_false(gh_str_eq(GH_STR("a"), GH_STR("b")));
    assert_true(gh_str_eq_nocase(GH_STR("Content-Length"), GH_STR("cONTENT-lENGTH")));
    assert_false(gh_str_eq_nocase(GH_STR("a"), GH_STR("ab")));
    /* '@' and '`', '[' and '{' differ by the same bit as 'A' and 'a'. */
    assert_false(gh_str_eq_nocase(GH_STR("@["), GH_STR("`{")));
    assert_true(gh_str_cmp(GH_STR("a"), GH_STR("b")) < 0);
    assert_true(gh_str_cmp(GH_STR("b"), GH_STR("a")) > 0);
    assert_true(gh_str_cmp(GH_STR("a"), GH_STR("ab")) < 0);
    assert_true(gh_str_cmp(GH_STR("ab"), GH_STR("a")) > 0);
    assert_int_equal(gh_str_cmp(GH_STR("a"), GH_STR("a")), 0);
    assert_int_equal(gh_str_cmp(GH_STR_NONE, GH_STR_NONE), 0);
    gh_str at[] = { GH_STR("a"), GH_STR("bc") };
    assert_true(gh_strs_has((struct gh_strs){ at, 2 }, GH_STR("bc")));
    assert_false(gh_strs_has((struct gh_strs){ at, 2 }, GH_STR("b")));
    assert_false(gh_strs_has((struct gh_strs){ NULL, 0 }, GH_STR("")));
}

static void test_search(void **state)
{
    gh_str s = GH_STR("a/b/c");
    assert_int_equal(gh_str_find(s, '/'), 1);
    assert_int_equal(gh_str_rfind(s, '/'), 3);
    assert_int_equal(gh_str_find(s, 'x'), 5);
    assert_int_equal(gh_str_rfind(GH_STR_NONE, 'x'), 0);
    assert_true(gh_str_starts(s, GH_STR("a/")));
    assert_false(gh_str_starts(s, GH_STR("b")));
    assert_false(gh_str_starts(GH_STR("a"), GH_STR("ab")));
    assert_true(gh_str_ends(s, GH_STR("/c")));
    assert_false(gh_str_ends(s, GH_STR("xa/b/c")));
    assert_true(gh_str_contains(s, GH_STR("/b/")));
    assert_true(gh_str_contains(s, GH_STR("")));
    assert_false(gh_str_contains(s, GH_STR("ab")));
}

static void test_cut(void **state)
{
    assert_str_eq(gh_str_take(GH_STR("abc"), 9), "abc");
    assert_str_eq(gh_str_skip(GH_STR("abc"), 9), "");
    assert_str_eq(gh_str_trim(GH_STR(" \ta b\t ")), "a b");
    assert_str_eq(gh_str_trim(GH_STR(" \t ")), "");
    gh_str rest = GH_STR("a,,b,");
    assert_str_eq(gh_str_cut(&rest, ','), "a");
    assert_str_eq(gh_str_cut(&rest, ','), "");
    assert_str_eq(gh_str_cut(&rest, ','), "b");
    assert_non_null(rest.ptr);
    assert_str_eq(gh_str_cut(&rest, ','), "");
    assert_null(rest.ptr);
}

static void test_numbers(void **state)
{
    uint64_t value = 7;
    static const char *const bad[] = {
        "", "-1", "+1", " 1", "1 ", "0x1", "1e3", "18446744073709551616", "99999999999999999999"
    };
    for (size_t i = 0; i < GH_ARRAY_LEN(bad); i++)
        assert_false(gh_str_to_u64(gh_str_from(bad[i]), &value));
    assert_int_equal(value, 7);
    assert_true(gh_str_to_u64(GH_STR("18446744073709551615"), &value));
    assert_true(value == UINT64_MAX);
    assert_true(gh_str_to_u64(GH_STR("007"), &value));
    assert_int_equal(value, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_compare),
        cmocka_unit_test(test_search),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
