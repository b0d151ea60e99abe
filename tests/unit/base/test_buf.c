/* base/test_buf.c: the byte queue against a plain model, and its behaviour when memory is out. */
#include "base/arena.h"
#include "base/buf.h"
#include "support/cm.h"

static void test_queue(void **state)
{
    struct gh_buf buf = { 0 };
    size_t written = 0, read = 0;
    for (size_t turn = 0; turn < 5000; turn++) {
        char piece[300];
        size_t len = turn * 7 % sizeof(piece);
        for (size_t i = 0; i < len; i++)
            piece[i] = (char)(written + i);
        assert_true(gh_buf_add(&buf, gh_str_of(piece, len)));
        written += len;
        gh_str now = gh_buf_peek(&buf);
        assert_int_equal(now.len, written - read);
        size_t take = turn * 13 % 310 < now.len ? turn * 13 % 310 : now.len;
        for (size_t i = 0; i < take; i++)
            assert_int_equal((unsigned char)now.ptr[i], (read + i) & 0xff);
        gh_buf_consume(&buf, take);
        read += take;
    }
    assert_true(buf.cap <= 64 * 1024);
    gh_buf_consume(&buf, gh_buf_len(&buf));
    gh_buf_trim(&buf);
    assert_null(buf.base);
}

static void test_reserve(void **state)
{
    struct gh_buf buf = { 0 };
    char *room = gh_buf_reserve(&buf, 10);
    memcpy(room, "0123456789", 10);
    gh_buf_commit(&buf, 4);
    assert_str_eq(gh_buf_peek(&buf), "0123");
    assert_true(gh_buf_printf(&buf, "%s", ""));
    assert_true(gh_buf_printf(&buf, "-%d", 42));
    assert_str_eq(gh_buf_peek(&buf), "0123-42");
    gh_buf_trim(&buf);
    assert_int_equal(gh_buf_len(&buf), 7);
    gh_buf_done(&buf);
    assert_null(gh_buf_reserve(&buf, SIZE_MAX));
    assert_null(gh_buf_peek(&buf).ptr);
}

static void test_out_of_memory(void **state)
{
    struct gh_buf buf = { 0 };
    gh_alloc_fail_at(1);
    assert_false(gh_buf_add(&buf, GH_STR("x")));
    assert_true(gh_buf_add(&buf, GH_STR("abc")));
    gh_buf_consume(&buf, 1);
    gh_alloc_fail_at(1);
    assert_null(gh_buf_reserve(&buf, 100000));
    assert_str_eq(gh_buf_peek(&buf), "bc");
    gh_alloc_fail_at(0);
    gh_buf_done(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_queue),
        cmocka_unit_test(test_reserve),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
