/* store/test_take.c: what a rate limit has left, asked of the store by many; with STORE=redis of a real
 * redis-server, whose script must say what gh_rate_grant says. */
#include "base/clock.h"
#include "unit/store/world.h"

static struct gh_store_answer take_as(struct gh_store_client *client, const char *tenant, const char *key,
                                      struct gh_rate_ask ask)
{
    struct answer kept = { 0 };
    return await(&kept,
                 gh_store_take(client, gh_str_from(tenant), gh_str_from(key), &ask, keep_answer, &kept));
}

static struct gh_rate_answer take(const char *key, struct gh_rate_ask ask)
{
    struct gh_store_answer answer = take_as(world.client, "acme", key, ask);
    assert_int_equal(answer.reason, GH_OK);
    return answer.rate;
}

static void what_is_left_is_granted_once(void **state)
{
    struct gh_rate_ask ask = { .requests = 10, .window_s = 3600, .need = 4 };
    assert_int_equal(take("rate/a", ask).granted, 4);
    assert_int_equal(take("rate/a", ask).granted, 4);
    struct gh_rate_answer rest = take("rate/a", ask);
    assert_int_equal(rest.granted, 2);
    assert_true(rest.wait_ms > 0 && rest.wait_ms <= 62 * 60000);
    rest = take("rate/a", ask);
    assert_int_equal(rest.granted, 0);
    assert_true(rest.wait_ms > 0);
    assert_int_equal(take("rate/b", ask).granted, 4);
    assert_int_equal(take_as(world.client, "bell", "rate/a", ask).rate.granted, 4);
}

static void another_number_goes_on_from_the_count(void **state)
{
    struct gh_rate_ask ask = { .requests = 10, .window_s = 3600, .need = 8 };
    assert_int_equal(take("rate/a", ask).granted, 8);
    ask.requests = 12;
    assert_int_equal(take("rate/a", ask).granted, 4);
    ask.requests = 5;
    assert_int_equal(take("rate/a", ask).granted, 0);
}

static void what_is_expected_is_given_where_much_is_left(void **state)
{
    struct gh_rate_ask ask = { .requests = 1600, .window_s = 3600, .extra = 1000 };
    assert_int_equal(take("rate/a", ask).granted, 100);
    ask.need = 1490;
    assert_int_equal(take("rate/a", ask).granted, 1490);
    ask.need = 0;
    assert_int_equal(take("rate/a", ask).granted, 0);
    assert_int_equal(take("rate/a", ask).wait_ms, 0);
}

/* Of a short window: it is over while the test looks on. */
static void a_window_passes(void **state)
{
    struct gh_rate_ask ask = { .requests = 3, .window_s = 1, .need = 3 };
    int64_t began_ms = gh_clock_mono_ms();
    assert_int_equal(take("rate/a", ask).granted, 3);
    while (take("rate/a", (struct gh_rate_ask){ .requests = 3, .window_s = 1, .need = 1 }).granted == 0)
        gh_loop_turn(world.loop, 20);
    assert_true(gh_clock_mono_ms() - began_ms >= 1000);
}

/* Two processes ask as fast as they can. */
#define ASKS 300
static void all_that_many_get_is_the_limit(void **state)
{
    struct answer kept[ASKS] = { 0 };
    struct gh_store *other = open_another();
    struct gh_store_client *clients[] = { world.client, gh_store_client_new(other, world.mailbox) };
    const struct gh_rate_ask ask = { .requests = 200, .window_s = 3600, .need = 1 };
    for (size_t i = 0; i < ASKS; i++)
        assert_non_null(
            gh_store_take(clients[i % 2], GH_STR("acme"), GH_STR("rate/a"), &ask, keep_answer, &kept[i]));
    int64_t granted = 0;
    for (size_t i = 0; i < ASKS; i++) {
        TURN_UNTIL(kept[i].came > 0);
        assert_int_equal(kept[i].answer.reason, GH_OK);
        granted += kept[i].answer.rate.granted;
    }
    assert_int_equal(granted, 200);
    gh_store_client_free(clients[1]);
    gh_store_close(other);
}

/* The counts outlive the process that made them, and stand beside rows without disturbing them. */
static void counts_are_kept(void **state)
{
    const struct gh_rate_ask ask = { .requests = 10, .window_s = 3600, .need = 10 };
    assert_int_equal(take("rate/a", ask).granted, 10);
    assert_int_equal(put("rate/a", "{}", 0), GH_OK);
    close_store();
    open_store();
    assert_int_equal(take("rate/a", ask).granted, 0);
    assert_str_eq(row_of("rate/a").value, "{}");
}

/* ---- the script ---- */

static void lay(const char *text)
{
    redisContext *context = redisConnectUnix(world.server.socket);
    redisReply *keys = redisCommand(context, "KEYS {gh:*}:rate/a");
    assert_int_equal(keys->elements, 1);
    freeReplyObject(redisCommand(context, "SET %s %s", keys->element[0]->str, text));
    freeReplyObject(keys);
    redisFree(context);
}

static void the_script_grants_the_same(void **state)
{
    if (!uses_redis())
        return;
    unsigned seed = 20261126;
    print_message("# seed %u\n", seed);
    (void)take("rate/a", (struct gh_rate_ask){ .requests = 1, .window_s = 3600, .need = 1 });
    for (size_t round = 0; round < 300; round++) {
        const struct gh_rate_ask ask = { .requests = 1 + rand_r(&seed) % 100,
                                         .window_s = 3600,
                                         .need = rand_r(&seed) % 20,
                                         .extra = rand_r(&seed) % 20 };
        struct gh_rate_slot slots[8];
        size_t count = (size_t)rand_r(&seed) % 8, len = 0;
        char text[256] = "";
        int64_t before_ms = gh_clock_wall_us() / 1000, slot = before_ms / 60000 - 70;
        for (size_t i = 0; i < count; i++) {
            slot += 1 + rand_r(&seed) % 20;
            slots[i] = (struct gh_rate_slot){ slot, 1 + rand_r(&seed) % 30 };
            len += (size_t)snprintf(text + len, sizeof(text) - len, "%lld:%lld ", (long long)slot,
                                    (long long)slots[i].taken);
        }
        lay(text);
        struct gh_rate_answer found = take("rate/a", ask);
        int64_t after_ms = gh_clock_wall_us() / 1000;
        struct gh_rate_answer early = gh_rate_grant(&ask, slots, count, before_ms),
                              late = gh_rate_grant(&ask, slots, count, after_ms);
        if (before_ms / 60000 != after_ms / 60000)
            continue; /* a slot has ended meanwhile */
        assert_int_equal(found.granted, early.granted);
        assert_true(found.wait_ms <= early.wait_ms && found.wait_ms >= late.wait_ms);
        if (found.granted > 0) /* it was counted */
            assert_true(take("rate/a", (struct gh_rate_ask){ 1000000, 3600, 1, 0 }).granted == 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(what_is_left_is_granted_once),
        CASE(another_number_goes_on_from_the_count),
        CASE(what_is_expected_is_given_where_much_is_left),
        CASE(a_window_passes),
        CASE(all_that_many_get_is_the_limit),
        CASE(counts_are_kept),
        CASE(the_script_grants_the_same),
    };
    return cmocka_run_group_tests_name("take", tests, NULL, NULL);
}
