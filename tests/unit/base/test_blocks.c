/* base/test_blocks.c: kept blocks are as large as they say, are nobody else's, and fail where the heap would.
 */
#include "base/arena.h"
#include "base/blocks.h"
#include "support/cm.h"

#define MANY 1200 /* more than are kept of a size */

static void test_sizes(void **state)
{
    for (size_t size = 0; size < 200000; size += size < 5000 ? 1 : 4099) {
        size_t cap = 0, again = 0;
        char *block = gh_block_take(size, &cap);
        assert_true(cap >= size && cap <= 2 * size + 64);
        memset(block, 1, cap);
        gh_block_give(block, size); /* the size asked for will do */
        char *next = gh_block_take(cap, &again);
        assert_int_equal(again, cap);
        memset(next, 2, again);
        gh_block_give(next, again);
    }
    size_t cap = 0;
    assert_null(gh_block_take(SIZE_MAX, &cap));
    gh_block_give(NULL, 0);
    gh_blocks_done();
}

/* What is given back comes again, to one at a time, and cleared where that was asked for. */
static void test_many(void **state)
{
    static char *blocks[MANY];
    for (unsigned round = 0; round < 3; round++) {
        for (size_t i = 0; i < MANY; i++) {
            char *block = blocks[i] = gh_block_take_zeroed(300);
            assert_int_equal(block[0] | block[299], 0);
            memset(block, 0xff, 300);
            memcpy(block, &i, sizeof(i));
        }
        for (size_t i = 0; i < MANY; i++) {
            assert_memory_equal(blocks[i], &i, sizeof(i));
            gh_block_give(blocks[i], 300);
        }
    }
    gh_blocks_done();
}

static void test_out_of_memory(void **state)
{
    size_t cap = 77;
    gh_alloc_fail_at(1);
    assert_null(gh_block_take(100, &cap)); /* from the heap */
    assert_int_equal(cap, 77);
    gh_block_give(gh_block_take(100, &cap), 100);
    gh_alloc_fail_at(1);
    assert_null(gh_block_take_zeroed(100)); /* a kept one, where any are kept */
    gh_alloc_fail_at(0);
    gh_blocks_done();
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_sizes), cmocka_unit_test(test_many),
                                        cmocka_unit_test(test_out_of_memory) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
