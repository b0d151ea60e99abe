/* base/test_arena.c: the arena aligns, grows, forgets, and fails when it is told to. */
#include <stdlib.h>

#include "base/arena.h"
#include "base/poison.h"
#include "base/secret.h"
#include "support/cm.h"

static void test_blocks(void **state)
{
    struct gh_arena *arena = gh_arena_new(64);
    unsigned char *kept[500];
    for (size_t i = 0; i < GH_ARRAY_LEN(kept); i++) {
        kept[i] = gh_arena_alloc(arena, i % 97 + (i % 50 == 0 ? 70000 : 1));
        assert_non_null(kept[i]);
        assert_int_equal((uintptr_t)kept[i] % 16, 0);
        memset(kept[i], (int)(i & 0xff), i % 97 + 1);
    }
    for (size_t i = 0; i < GH_ARRAY_LEN(kept); i++)
        assert_int_equal(kept[i][i % 97], i & 0xff);
    assert_true(gh_arena_used(arena) > 10 * 70000);
    gh_arena_reset(arena);
    assert_int_equal(gh_arena_used(arena), 0);
    gh_arena_free(arena);
    gh_arena_free(NULL);
}

static void test_reset_keeps_first_block(void **state)
{
    struct gh_arena *arena = gh_arena_new(0);
    void *first = gh_arena_alloc(arena, 100);
    for (int i = 0; i < 100; i++)
        assert_non_null(gh_arena_alloc(arena, 4000));
    gh_arena_reset(arena);
    assert_ptr_equal(gh_arena_alloc(arena, 100), first);
    gh_arena_free(arena);
}

#ifdef GH_POISONS
static void test_sanitizer_sees_the_edges(void **state)
{
    struct gh_arena *arena = gh_arena_new(0);
    for (size_t size = 1; size < 10000; size += 61) {
        char *piece = gh_arena_alloc(arena, size), *next = gh_arena_alloc(arena, 1);
        assert_false(__asan_address_is_poisoned(piece) || __asan_address_is_poisoned(piece + size - 1));
        assert_true(__asan_address_is_poisoned(piece + size) && __asan_address_is_poisoned(next + 1));
    }
    gh_arena_reset(arena);
    char *gone = gh_arena_alloc(arena, 1);
    gh_arena_reset(arena);
    assert_true(__asan_address_is_poisoned(gone));
    gh_arena_free(arena);
}
#endif

static void test_overflow(void **state)
{
    struct gh_arena *arena = gh_arena_new(0);
    assert_null(gh_arena_calloc(arena, SIZE_MAX / 2, 3));
    assert_null(gh_arena_alloc(arena, SIZE_MAX - 4));
    int *ints = gh_arena_calloc(arena, 10, sizeof(int));
    for (int i = 0; i < 10; i++)
        assert_int_equal(ints[i], 0);
    gh_arena_free(arena);
}

static void test_texts(void **state)
{
    struct gh_arena *arena = gh_arena_new(0);
    assert_str_eq(gh_arena_printf(arena, "%d-%s", 5, "x"), "5-x");
    gh_str copy = gh_arena_dup(arena, GH_STR("abc"));
    assert_str_eq(copy, "abc");
    assert_int_equal(copy.ptr[3], 0);
    assert_non_null(gh_arena_dup(arena, GH_STR_NONE).ptr);
    gh_str parts[] = { GH_STR("a"), GH_STR(""), GH_STR("b") };
    assert_str_eq(gh_arena_join(arena, (struct gh_strs){ parts, 3 }, GH_STR(", ")), "a, , b");
    assert_str_eq(gh_arena_join(arena, (struct gh_strs){ parts, 1 }, GH_STR(", ")), "a");
    assert_str_eq(gh_arena_join(arena, (struct gh_strs){ NULL, 0 }, GH_STR(", ")), "");
    gh_arena_free(arena);
}

static void test_fail_at(void **state)
{
    gh_alloc_fail_at(1);
    assert_null(gh_arena_new(0));
    struct gh_arena *arena = gh_arena_new(0);
    assert_non_null(arena);
    gh_alloc_fail_at(2);
    assert_non_null(gh_arena_alloc(arena, 1));
    assert_null(gh_arena_dup(arena, GH_STR("x")).ptr);
    assert_non_null(gh_arena_dup(arena, GH_STR("x")).ptr);
    gh_alloc_fail_at(1);
    assert_null(gh_arena_printf(arena, "x").ptr);
    gh_alloc_fail_at(1);
    assert_null(gh_malloc(1));
    gh_alloc_fail_at(0);
    gh_arena_free(arena);
}

/* The slice ends at the end of its block: whoever looks behind it is caught by the address sanitizer. */
static void test_to_heap(void **state)
{
    char *slice = malloc(3);
    assert_non_null(slice);
    memcpy(slice, "abc", 3);
    char *copy = gh_str_to_heap(gh_str_of(slice, 3));
    free(slice);
    assert_string_equal(copy, "abc");
    free(copy);
    copy = gh_str_to_heap(GH_STR_NONE);
    assert_string_equal(copy, "");
    free(copy);
    gh_alloc_fail_at(1);
    assert_null(gh_str_to_heap(GH_STR("x")));
    gh_alloc_fail_at(0);
}

static void test_secret(void **state)
{
    struct gh_secret secret = { 0 };
    assert_false(gh_secret_equals(&secret, GH_STR("")));
    assert_true(gh_secret_set(&secret, GH_STR("s3cret")));
    assert_true(gh_secret_equals(&secret, GH_STR("s3cret")));
    assert_false(gh_secret_equals(&secret, GH_STR("s3cres")));
    assert_false(gh_secret_equals(&secret, GH_STR("s3cre")));
    gh_alloc_fail_at(1);
    assert_false(gh_secret_set(&secret, GH_STR("other")));
    assert_true(gh_secret_equals(&secret, GH_STR("s3cret")));
    gh_secret_done(&secret);
    assert_null(secret.bytes);
    gh_secret_done(&secret);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_reset_keeps_first_block),
#ifdef GH_POISONS
        cmocka_unit_test(test_sanitizer_sees_the_edges),
#endif
        cmocka_unit_test(test_overflow),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_fail_at),
        cmocka_unit_test(test_secret),
        cmocka_unit_test(test_to_heap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
