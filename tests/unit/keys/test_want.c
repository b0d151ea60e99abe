/* keys/test_want.c: unknown key ids: one fetch for all who wait, rest after one in vain, none refused
 * falsely. */
#include <stdio.h>
#include <stdlib.h>

#include "world.h"

static uint32_t ready(void)
{
    uint32_t slot = load(&world.conf);
    await(has(slot, "k1"));
    pass_ms(2000);
    return slot;
}

static unsigned jwks_fetches(void)
{
    return document("/jwks")->fetches;
}

static void a_new_key_is_found(void **state)
{
    uint32_t slot = ready();
    put_keys("k1 k2", "");
    want(slot, "k2");
    await(world.keys_came == 1);
    assert_true(has(slot, "k2"));
    assert_int_equal(jwks_fetches(), 2);
    assert_int_equal(world.seen[slot].quiet_until_ms, 0); /* it was not in vain */
    want(slot, "k2");                                     /* a worker that was late */
    turns(1);
    assert_int_equal(world.keys_came, 2);
    assert_int_equal(jwks_fetches(), 2);
}

static void many_wait_for_one_fetch(void **state)
{
    uint32_t slot = ready();
    put_keys("k1 k2", "");
    for (int i = 0; i < 1000; i++)
        want(slot, "k2");
    await(world.keys_came == 1000);
    assert_true(has(slot, "k2"));
    assert_int_equal(jwks_fetches(), 2);
}

/* K2: a flood of random key ids is at most one fetch each cool-down, and the metadata is never asked. */
static void a_flood_of_unknown_kids(void **state)
{
    uint32_t slot = ready();
    unsigned before = jwks_fetches(), n = 0;
    world.conf.max_age_s = 600;
    for (int s = 0; s < 600; s++) {
        for (int i = 0; i < 20; i++) {
            char kid[32];
            (void)snprintf(kid, sizeof(kid), "nobody-%u", n++);
            want(slot, kid);
        }
        pass_ms(500);
        await(world.keys_came == n);
    }
    /* 300 s: the cool-down is 30 s; a planned refresh may fall between. */
    assert_true(jwks_fetches() - before <= 11);
    assert_int_equal(world.documents[0].fetches, 1);
    assert_true(has(slot, "k1"));
    assert_true(world.seen[slot].quiet_until_ms > gh_loop_now_ms(world.loop));
}

/* K1: rotation every 3 s, keys overlapping, each new kid asked for as soon as it signs: never in vain. */
static void rotation_refuses_nobody(void **state)
{
    uint32_t slot = ready();
    for (int i = 2; i < 30; i++) {
        char kids[32], kid[8];
        (void)snprintf(kid, sizeof(kid), "k%d", i);
        (void)snprintf(kids, sizeof(kids), "k%d k%d", i - 1, i);
        put_keys(kids, "");
        unsigned before = world.keys_came;
        want(slot, kid);
        await(world.keys_came == before + 1);
        assert_true(has(slot, kid));
        pass_ms(3000);
    }
    assert_int_equal(world.seen[slot].quiet_until_ms, 0);
    assert_false(has(slot, "k1"));
}

/* Two new keys within a second: the second waits for the gap between fetches, and gets its key. */
static void at_least_a_second_between_fetches(void **state)
{
    uint32_t slot = ready();
    put_keys("k1 k2", "");
    want(slot, "k2");
    await(world.keys_came == 1);
    put_keys("k2 k3", "");
    want(slot, "k3");
    turns(30);
    assert_int_equal(world.keys_came, 1);
    assert_int_equal(jwks_fetches(), 2);
    pass_ms(1100);
    await(world.keys_came == 2);
    assert_true(has(slot, "k3"));
    assert_int_equal(jwks_fetches(), 3);
}

/* One kid came, another did not: that one rests, the issuer does not. */
static void a_fetch_that_brings_only_some(void **state)
{
    uint32_t slot = ready();
    put_keys("k1 k2", "");
    want(slot, "nobody");
    want(slot, "k2");
    await(world.keys_came == 2);
    assert_int_equal(world.seen[slot].quiet_until_ms, 0);
    pass_ms(2000);
    want(slot, "nobody");
    turns(2);
    assert_int_equal(world.keys_came, 3);
    assert_int_equal(jwks_fetches(), 2);
    put_keys("k2 k3", "");
    want(slot, "k3");
    await(world.keys_came == 4);
    assert_true(has(slot, "k3"));
    pass_ms(31 * 1000); /* the cool-down of "nobody" is over */
    want(slot, "nobody");
    await(world.keys_came == 5);
    assert_int_equal(jwks_fetches(), 4);
    assert_int_equal(world.seen[slot].quiet_until_ms, gh_loop_now_ms(world.loop) + 30000);
}

static void rest_after_a_fetch_in_vain(void **state)
{
    uint32_t slot = ready();
    want(slot, "nobody");
    await(world.keys_came == 1);
    int64_t quiet = world.seen[slot].quiet_until_ms;
    assert_int_equal(quiet, gh_loop_now_ms(world.loop) + 30000);
    put_keys("k1 k2", "");
    want(slot, "k2");
    turns(2);
    assert_int_equal(world.keys_came, 2);
    assert_int_equal(jwks_fetches(), 2);
    pass_ms(30 * 1000 + 1);
    want(slot, "k2");
    await(world.keys_came == 3);
    assert_true(has(slot, "k2"));
}

static void a_fetch_that_fails_rests_too(void **state)
{
    uint32_t slot = ready();
    put_raw("/jwks", GH_STR("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"));
    want(slot, "k2");
    await(world.keys_came == 1);
    assert_true(has(slot, "k1"));
    assert_int_equal(world.seen[slot].quiet_until_ms, gh_loop_now_ms(world.loop) + 30000);
}

static void waiting_for_the_first_keys(void **state)
{
    uint32_t slot = load(&world.conf);
    for (int i = 0; i < 10; i++)
        want(slot, "k1");
    await(world.keys_came == 10);
    assert_true(has(slot, "k1"));
    assert_int_equal(world.seen[slot].quiet_until_ms, 0);
    assert_int_equal(jwks_fetches(), 1);
}

/* Whoever waits for the first set, whatever is in it, has not asked in vain. */
static void waiting_for_any_keys(void **state)
{
    uint32_t slot = load(&world.conf);
    want(slot, "");
    await(world.keys_came == 1);
    assert_true(has(slot, "k1"));
    assert_int_equal(world.seen[slot].quiet_until_ms, 0);
}

/* Without keys the schedule alone decides when the issuer is asked. */
static void without_keys_nobody_causes_a_fetch(void **state)
{
    put_raw("/jwks", GH_STR("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"));
    uint32_t slot = load(&world.conf);
    await(world.seen[slot].status == GH_KEYS_STALE);
    unsigned fetches = world.fetches;
    for (int i = 0; i < 100; i++)
        want(slot, "k1");
    turns(5);
    assert_int_equal(world.keys_came, 100);
    assert_int_equal(world.fetches, fetches);
}

static void kids_beyond_all_bounds(void **state)
{
    uint32_t slot = ready();
    char *kid = gh_arena_alloc(world.arena, 8001);
    memset(kid, 'k', 8000);
    kid[8000] = '\0';
    want(slot, kid);
    want(slot, "");
    await(world.keys_came == 2);
    for (unsigned i = 0; i < 20000; i++) {
        if (!gh_keyrings_want(world.rings, slot, GH_STR("nobody"), on_key, NULL)) {
            assert_int_equal(i, 16384);
            break;
        }
    }
    await(world.keys_came == 2 + 16384);
}

/* Ours are put here. Where other gateways change them too, workers may ask, with a rest in between; who looks
 * for them is not this. */
static void ours_are_never_fetched(void **state)
{
    world.conf.managed = true;
    world.conf.jwks_text = key_set("k1");
    uint32_t slot = load(&world.conf);
    gh_keyrings_rest(world.rings, slot, 100);
    assert_true(has(slot, "k1") && world.seen[slot].quiet_until_ms == INT64_MAX);
    world.conf.is_shared = true;
    assert_int_equal(load(&world.conf), slot);
    assert_int_equal(world.seen[slot].quiet_until_ms, 0);
    want(slot, "k2");
    await(world.keys_came == 1);
    gh_keyrings_rest(world.rings, slot, 100);
    assert_int_equal(world.seen[slot].quiet_until_ms, gh_loop_now_ms(world.loop) + 100);
    assert_true(gh_keyrings_put(world.rings, slot, key_set("k1 k2")));
    assert_true(has(slot, "k2") && world.seen[slot].quiet_until_ms == 0);
    assert_int_equal(world.fetches, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(ours_are_never_fetched),        TEST(a_new_key_is_found),
        TEST(many_wait_for_one_fetch),       TEST(a_flood_of_unknown_kids),
        TEST(rotation_refuses_nobody),       TEST(at_least_a_second_between_fetches),
        TEST(a_fetch_that_brings_only_some), TEST(rest_after_a_fetch_in_vain),
        TEST(a_fetch_that_fails_rests_too),  TEST(waiting_for_the_first_keys),
        TEST(waiting_for_any_keys),          TEST(without_keys_nobody_causes_a_fetch),
        TEST(kids_beyond_all_bounds),
    };
    return cmocka_run_group_tests_name("unknown kids", tests, NULL, NULL);
}
