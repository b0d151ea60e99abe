/* The revocation index: nothing that was added is ever missed, whatever grows or is swept beside it. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "support/cm.h"

#include "base/arena.h"
#include "base/clock.h"
#include "store/index.h"

static struct gh_index *index_;

static int set_up(void **state)
{
    (void)state;
    index_ = gh_index_new(4);
    return index_ == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    gh_index_free(index_);
    return 0;
}

/* Any number makes a key; those of the product are digests. */
static struct gh_revocation_key key_of(uint64_t i)
{
    return (struct gh_revocation_key){ { (i + 1) * 0x9e3779b97f4a7c15u ^ (i << 17),
                                         (i + 3) * 0xc2b2ae3d27d4eb4fu } };
}

static void add(uint64_t i, int64_t epoch, int64_t until)
{
    const struct gh_revocation_key key = key_of(i);
    assert_true(gh_index_add(index_, &key, epoch, until));
}

static enum gh_reason ask(uint64_t i, int64_t issued)
{
    const struct gh_dependencies dependencies = { .at = { key_of(i) }, .count = 1, .issued = issued };
    return gh_index_ask(index_, &dependencies);
}

static void epochs_end_what_was_issued_before(void **state)
{
    (void)state;
    assert_int_equal(ask(1, 100), GH_OK);
    add(1, 100, 1000);
    assert_int_equal(ask(1, 99), GH_TOKEN_REVOKED); /* reason: token_revoked */
    assert_int_equal(ask(1, 100), GH_TOKEN_REVOKED);
    assert_int_equal(ask(1, 101), GH_OK);
    assert_int_equal(ask(2, 0), GH_OK);
    assert_int_equal(gh_index_count(index_), 1);
}

static void entries_only_ever_rise(void **state)
{
    (void)state;
    add(1, 100, 1000);
    add(1, 50, 2000);
    assert_int_equal(ask(1, 100), GH_TOKEN_REVOKED);
    gh_index_sweep(index_, 1999);
    assert_int_equal(ask(1, 100), GH_TOKEN_REVOKED);
    add(1, 200, 500);
    assert_int_equal(ask(1, 200), GH_TOKEN_REVOKED);
    gh_index_sweep(index_, 1999);
    assert_int_equal(ask(1, 200), GH_TOKEN_REVOKED);
    gh_index_sweep(index_, 2000);
    assert_int_equal(ask(1, 0), GH_OK);
    assert_int_equal(gh_index_count(index_), 0);
}

static void times_at_the_ends_of_the_world(void **state)
{
    (void)state;
    add(1, GH_REVOKED_ALWAYS, GH_REVOKED_ALWAYS);
    add(2, 0, GH_REVOKED_ALWAYS);
    add(3, -5, -5);
    add(4, (int64_t)UINT32_MAX - 1, (int64_t)UINT32_MAX - 1);
    add(5, (int64_t)UINT32_MAX + 5, (int64_t)UINT32_MAX + 5);
    assert_int_equal(ask(1, INT64_MAX), GH_TOKEN_REVOKED);
    assert_int_equal(ask(2, 0), GH_TOKEN_REVOKED); /* a token without iat */
    assert_int_equal(ask(2, 1), GH_OK);
    assert_int_equal(ask(3, 1), GH_OK);
    assert_int_equal(ask(4, (int64_t)UINT32_MAX - 1), GH_TOKEN_REVOKED);
    assert_int_equal(ask(4, UINT32_MAX), GH_OK);
    assert_int_equal(ask(5, INT64_MAX), GH_TOKEN_REVOKED); /* a time that does not fit: closed */
    gh_index_sweep(index_, INT64_MAX - 1);
    assert_int_equal(gh_index_count(index_), 3);
    assert_int_equal(ask(1, 1), GH_TOKEN_REVOKED);
}

static void any_dependency_is_enough(void **state)
{
    (void)state;
    for (unsigned revoked = 0; revoked < GH_REVOKED_COUNT; revoked++) {
        struct gh_dependencies dependencies = { .count = GH_REVOKED_COUNT, .issued = 5 };
        for (unsigned i = 0; i < GH_REVOKED_COUNT; i++)
            dependencies.at[i] = key_of(1000 + revoked * 10 + i);
        assert_int_equal(gh_index_ask(index_, &dependencies), GH_OK);
        add(1000 + revoked * 10 + revoked, 5, 1000);
        assert_int_equal(gh_index_ask(index_, &dependencies), GH_TOKEN_REVOKED);
        dependencies.count = revoked;
        assert_int_equal(gh_index_ask(index_, &dependencies), GH_OK);
    }
}

static void keys_that_look_alike_are_two(void **state)
{
    (void)state;
    struct gh_revocation_key key = key_of(1);
    struct gh_dependencies dependencies = { .at = { key }, .count = 1 };
    add(1, 5, 1000);
    dependencies.at[0].hash[1] ^= 1;
    assert_int_equal(gh_index_ask(index_, &dependencies), GH_OK);
    const struct gh_revocation_key zero = { { 0, 7 } };
    dependencies.at[0] = zero;
    assert_int_equal(gh_index_ask(index_, &dependencies), GH_OK);
    assert_true(gh_index_add(index_, &zero, 5, 1000));
    assert_int_equal(gh_index_ask(index_, &dependencies), GH_TOKEN_REVOKED);
}

/* All of a growing table, and a half of it expired: what is left is all there, and small. */
static void growth_and_sweeping_lose_nothing(void **state)
{
    enum { COUNT = 60000 };
    (void)state;
    for (uint64_t i = 0; i < COUNT; i++) {
        add(i, 10, i % 2 == 0 ? 1000 : 2000);
        if (i % 7919 == 0)
            for (uint64_t j = 0; j <= i; j += 13)
                assert_int_equal(ask(j, 10), GH_TOKEN_REVOKED);
    }
    assert_int_equal(gh_index_count(index_), COUNT);
    assert_true(gh_index_bytes(index_) <= COUNT * 32);
    for (uint64_t i = 0; i < COUNT; i++)
        assert_int_equal(ask(COUNT + i, 0), GH_OK);
    gh_index_sweep(index_, 1000);
    assert_int_equal(gh_index_count(index_), COUNT / 2);
    assert_true(gh_index_bytes(index_) <= COUNT / 2 * 32);
    for (uint64_t i = 0; i < COUNT; i++)
        assert_int_equal(ask(i, 10), i % 2 == 0 ? GH_OK : GH_TOKEN_REVOKED);
}

static void memory_that_runs_out_is_told(void **state)
{
    uint64_t added = 0;
    (void)state;
    for (;; added++) {
        const struct gh_revocation_key key = key_of(added);
        gh_alloc_fail_at(1); /* whichever it is */
        bool ok = gh_index_add(index_, &key, 10, 1000);
        gh_alloc_fail_at(0);
        if (!ok)
            break;
    }
    assert_in_range(added, 55, 63); /* further than it would have gone with memory, but never full */
    for (uint64_t i = 0; i < added; i++)
        assert_int_equal(ask(i, 10), GH_TOKEN_REVOKED);
    assert_int_equal(ask(added, 10), GH_OK);
    add(added, 10, 1000);
    assert_int_equal(ask(added, 10), GH_TOKEN_REVOKED);
    gh_alloc_fail_at(1);
    gh_index_sweep(index_, 1000); /* has to wait */
    gh_alloc_fail_at(0);
    assert_int_equal(gh_index_count(index_), added + 1);
    for (unsigned long n = 1; n <= 2; n++) {
        gh_alloc_fail_at(n);
        struct gh_index *none = gh_index_new(1);
        gh_alloc_fail_at(0);
        assert_null(none);
    }
}

static void staleness_is_measured(void **state)
{
    (void)state;
    assert_int_equal(gh_index_staleness(index_, 1000), INT64_MAX);
    gh_index_caught_up(index_, 400);
    assert_int_equal(gh_index_staleness(index_, 1000), 600);
    gh_index_caught_up(index_, 300); /* an old letter */
    assert_int_equal(gh_index_staleness(index_, 1000), 600);
    assert_int_equal(gh_index_staleness(index_, 100), 0);
}

/* ---- readers beside the writer ---- */

enum { READERS = 4, ENTRIES = 40000 };
static atomic_uint_fast64_t told; /* all below have been added */
static atomic_bool over;

struct reading {
    unsigned reader;
    uint64_t seed, asked, wrong;
};

static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static void *read_on(void *arg)
{
    struct reading *reading = arg;
    while (!atomic_load(&over)) {
        uint64_t below = atomic_load(&told);
        gh_index_quiet(index_, reading->reader);
        for (unsigned i = 0; i < 50 && below > 0; i++) {
            uint64_t chosen = next_random(&reading->seed) % below;
            reading->wrong += ask(chosen, 10) != GH_TOKEN_REVOKED;
            reading->wrong += ask(ENTRIES + chosen, 10) != GH_OK;
            reading->asked++;
        }
    }
    return NULL;
}

static void readers_never_miss_what_was_told(void **state)
{
    pthread_t threads[READERS];
    struct reading readings[READERS];
    uint64_t seed;
    (void)state;
    gh_random_fill(&seed, sizeof(seed));
    print_message("seed %llu\n", (unsigned long long)seed);
    atomic_store(&told, 0);
    atomic_store(&over, false);
    for (unsigned i = 0; i < READERS; i++) {
        readings[i] = (struct reading){ .reader = i, .seed = (seed + i) | 1 };
        assert_int_equal(pthread_create(&threads[i], NULL, read_on, &readings[i]), 0);
    }
    for (uint64_t i = 0; i < ENTRIES; i++) {
        add(i, i % 3 == 0 ? 5 : 10, 2000);
        add(i, 10, 2000);
        atomic_store(&told, i + 1);
        if (i % 1000 == 0)
            gh_index_caught_up(index_, (int64_t)i);
        if (i % 5000 == 0) { /* something to sweep */
            add(10 * ENTRIES + i, 10, 1000);
            gh_index_sweep(index_, 1000);
        }
    }
    atomic_store(&over, true);
    for (unsigned i = 0; i < READERS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(readings[i].wrong, 0);
    }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(epochs_end_what_was_issued_before), CASE(entries_only_ever_rise),
        CASE(times_at_the_ends_of_the_world),    CASE(any_dependency_is_enough),
        CASE(keys_that_look_alike_are_two),      CASE(growth_and_sweeping_lose_nothing),
        CASE(memory_that_runs_out_is_told),      CASE(staleness_is_measured),
        CASE(readers_never_miss_what_was_told),
    };
    return cmocka_run_group_tests_name("index", tests, NULL, NULL);
}
