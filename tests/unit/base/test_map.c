/* base/test_map.c: the hash table, its hash, and the intrusive list. */
#include <stdio.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/map.h"
#include "support/cm.h"

struct entry {
    struct gh_map_node node;
    char key[16];
    struct gh_list link;
};

/* SipHash-1-3 under the key 00 01 .. 0f: the first vectors of Rust's core::hash tests. */
static void test_hash(void **state)
{
    unsigned char key[16], in[8];
    uint64_t seed[2];
    for (unsigned char i = 0; i < 16; i++)
        key[i] = i;
    for (unsigned char i = 0; i < 8; i++)
        in[i] = i;
    memcpy(seed, key, 16);
    assert_int_equal(gh_hash(seed, gh_str_of(in, 0)), 0xabac0158050fc4dcu);
}

static void test_table(void **state)
{
    static struct entry entries[3000];
    struct gh_map map;
    gh_map_init(&map);
    assert_null(gh_map_find(&map, GH_STR("x")));
    for (size_t i = 0; i < GH_ARRAY_LEN(entries); i++) {
        int len = snprintf(entries[i].key, sizeof(entries[i].key), "key-%zu", i);
        entries[i].node.key = gh_str_of(entries[i].key, (size_t)len);
        assert_true(gh_map_add(&map, &entries[i].node));
    }
    assert_int_equal(map.count, GH_ARRAY_LEN(entries));
    for (size_t i = 0; i < GH_ARRAY_LEN(entries); i += 2)
        gh_map_remove(&map, &entries[i].node);
    gh_map_remove(&map, &entries[0].node);
    assert_int_equal(map.count, GH_ARRAY_LEN(entries) / 2);
    for (size_t i = 0; i < GH_ARRAY_LEN(entries); i++) {
        struct gh_map_node *node = gh_map_find(&map, entries[i].node.key);
        if (i % 2 == 0)
            assert_null(node);
        else
            assert_ptr_equal(GH_MAP_ENTRY(node, struct entry, node), &entries[i]);
    }
    gh_map_done(&map);
}

static void test_out_of_memory(void **state)
{
    struct gh_map map;
    struct entry entry = { .node.key = GH_STR_INIT("k") };
    gh_map_init(&map);
    gh_alloc_fail_at(1);
    assert_false(gh_map_add(&map, &entry.node));
    assert_null(gh_map_find(&map, GH_STR("k")));
    assert_true(gh_map_add(&map, &entry.node));
    assert_non_null(gh_map_find(&map, GH_STR("k")));
    gh_map_done(&map);
}

static void test_seeds_differ(void **state)
{
    struct gh_map a, b;
    gh_map_init(&a);
    gh_map_init(&b);
    assert_memory_not_equal(a.seed, b.seed, sizeof(a.seed));
    assert_true(gh_hash(a.seed, GH_STR("k")) != gh_hash(b.seed, GH_STR("k")));
}

static void test_list(void **state)
{
    struct entry entries[4];
    struct gh_list head;
    gh_list_init(&head);
    assert_true(gh_list_is_empty(&head));
    assert_null(gh_list_first(&head));
    for (size_t i = 0; i < 4; i++) {
        gh_list_init(&entries[i].link);
        entries[i].key[0] = (char)('a' + i);
        gh_list_append(&head, &entries[i].link);
    }
    gh_list_remove(&entries[1].link);
    assert_false(gh_list_is_linked(&entries[1].link));
    gh_list_prepend(&head, &entries[1].link);
    char order[5] = { 0 };
    size_t at = 0;
    GH_LIST_EACH_SAFE (node, &head) {
        order[at++] = GH_LIST_ENTRY(node, struct entry, link)->key[0];
        gh_list_remove(node);
    }
    assert_string_equal(order, "bacd");
    assert_null(gh_list_last(&head));
}

static void test_random(void **state)
{
    unsigned char a[64] = { 0 }, b[64] = { 0 }, big[4096] = { 0 };
    gh_random_fill(a, sizeof(a));
    gh_random_fill(b, sizeof(b));
    assert_memory_not_equal(a, b, sizeof(a));
    gh_random_fill(big, sizeof(big));
    size_t zeros = 0;
    for (size_t i = 0; i < sizeof(big); i++)
        zeros += big[i] == 0;
    assert_true(zeros < 100);
    int64_t before = gh_clock_mono_ns();
    assert_true(gh_clock_mono_ns() >= before);
    assert_true(gh_clock_wall_us() > 1700000000000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hash),          cmocka_unit_test(test_table),
        cmocka_unit_test(test_out_of_memory), cmocka_unit_test(test_seeds_differ),
        cmocka_unit_test(test_list),          cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
