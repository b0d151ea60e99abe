/* core/test_rate.c: whoever takes and whenever: in no window do more pass than may, and who never rests gets
 * nearly all of it. What is counted together. */
#include <stdlib.h>

#include "base/arena.h"
#include "gatehouse/rate.h"
#include "support/cm.h"

/* ---- the window, simulated ---- */

#define TAKERS 5
#define PASSED 200000

struct lease {
    int64_t left, until_ms;
};
struct world {
    struct gh_rate_ask ask;
    struct gh_rate_window window;
    struct gh_rate_slot slots[4096];
    size_t slot_count;
    struct lease takers[TAKERS];
    int64_t passed[PASSED]; /* when */
    size_t passed_count;
};

static void take(struct world *world, struct lease *lease, int64_t now_ms)
{
    size_t first = world->slot_count > GH_RATE_SLOTS ? world->slot_count - GH_RATE_SLOTS : 0;
    struct gh_rate_answer answer =
        gh_rate_grant(&world->ask, world->slots + first, world->slot_count - first, now_ms);
    int64_t slot = now_ms / world->window.slot_ms;
    if (answer.granted == 0)
        return;
    if (world->slot_count == 0 || world->slots[world->slot_count - 1].slot != slot)
        world->slots[world->slot_count++] = (struct gh_rate_slot){ .slot = slot };
    world->slots[world->slot_count - 1].taken += answer.granted;
    *lease = (struct lease){ answer.granted, now_ms + world->window.slot_ms };
}

static void try_one(struct world *world, struct lease *lease, int64_t now_ms)
{
    if (now_ms >= lease->until_ms)
        lease->left = 0;
    if (lease->left == 0)
        take(world, lease, now_ms);
    if (lease->left == 0 || world->passed_count == PASSED)
        return;
    lease->left--;
    world->passed[world->passed_count++] = now_ms;
}

static int64_t most_in_a_window(const struct world *world)
{
    int64_t most = 0;
    for (size_t first = 0, last = 0; last < world->passed_count; last++) {
        while (world->passed[last] - world->passed[first] >= world->ask.window_s * 1000)
            first++;
        int64_t in_it = (int64_t)(last - first) + 1;
        most = in_it > most ? in_it : most;
    }
    return most;
}

static void test_no_window_has_more(void **state)
{
    static const int64_t windows_s[] = { 1, 2, 7, 10, 60, 90 };
    struct world *world = malloc(sizeof(*world));
    unsigned seed = 20261126;
    print_message("# seed %u\n", seed);
    for (size_t round = 0; round < 60; round++) {
        *world = (struct world){ .ask = { .requests = 1 + rand_r(&seed) % 200,
                                          .window_s = windows_s[round % GH_ARRAY_LEN(windows_s)] } };
        world->window = gh_rate_window(world->ask.window_s);
        world->ask.need = 1 + rand_r(&seed) % 3;
        world->ask.extra = rand_r(&seed) % 30;
        int64_t began = 1000000 + rand_r(&seed) % 1000, pause_ms = 1 + rand_r(&seed) % 60;
        for (int64_t now = began; now < began + 5 * world->ask.window_s * 1000;) {
            try_one(world, &world->takers[rand_r(&seed) % TAKERS], now);
            bool rests = rand_r(&seed) % 200 == 0;
            now += rests ? rand_r(&seed) % (int)(world->ask.window_s * 700)
                         : rand_r(&seed) % (int)(2 * pause_ms);
        }
        int64_t most = most_in_a_window(world);
        assert_true(most > 0);
        assert_true(most <= world->ask.requests);
    }
    free(world);
}

static int64_t passed_in(int64_t requests, int64_t window_s, int64_t windows)
{
    struct world *world = calloc(1, sizeof(*world));
    world->ask = (struct gh_rate_ask){ .requests = requests, .window_s = window_s, .need = 1 };
    world->window = gh_rate_window(window_s);
    int64_t span = windows * window_s * 1000;
    for (int64_t now = 1000000000; now < 1000000000 + span; now++)
        try_one(world, &world->takers[0], now);
    int64_t passed = (int64_t)world->passed_count;
    free(world);
    return passed;
}

static void test_who_never_rests_gets_it(void **state)
{
    assert_true(passed_in(600, 60, 62) >= 600 * 60);
    assert_true(passed_in(100, 1, 60) >= 100 * 50);
}

static void test_windows(void **state)
{
    for (int64_t window_s = 1; window_s <= 31 * 86400; window_s += window_s < 200 ? 1 : 997) {
        struct gh_rate_window window = gh_rate_window(window_s);
        assert_true(window.slot_ms >= 100 && window.slot_ms <= window_s * 1000);
        assert_true(2 * window.kept + 1 <= GH_RATE_SLOTS);
        assert_true((window.kept - 1) * window.slot_ms >= window_s * 1000);
    }
}

/* Whatever is granted can have been, and nothing that keeps somebody waiting for longer. */
static void test_what_can_be_answered(void **state)
{
    unsigned seed = 20261127;
    for (int64_t window_s = 1; window_s <= 31 * 86400; window_s += window_s < 100 ? 1 : 9973) {
        const struct gh_rate_window window = gh_rate_window(window_s);
        struct gh_rate_ask ask = { .requests = 5, .window_s = window_s };
        ask.need = rand_r(&seed) % 10;
        ask.extra = rand_r(&seed) % 10;
        struct gh_rate_slot slot = { .slot = 1000 - 70 + rand_r(&seed) % 140, .taken = rand_r(&seed) % 10 };
        struct gh_rate_answer answer = gh_rate_grant(&ask, &slot, 1, 1000 * window.slot_ms);
        assert_true(gh_rate_answers(&ask, &answer));
        /* The longest wait: all lies as far ahead as still counts. */
        ask.need = 1;
        slot = (struct gh_rate_slot){ .slot = 1000 + window.kept, .taken = 5 };
        answer = gh_rate_grant(&ask, &slot, 1, 1000 * window.slot_ms);
        assert_true(answer.wait_ms > 0 && gh_rate_answers(&ask, &answer));
        answer.wait_ms++;
        assert_false(gh_rate_answers(&ask, &answer));
    }
}

/* ---- keys ---- */

static struct gh_rate_limit limit(enum gh_rate_per per, bool of_tenant)
{
    return (struct gh_rate_limit){ .per = per, .of_tenant = of_tenant, .requests = 10, .window_s = 60 };
}

static const struct gh_principal anna = { .issuer_name = GH_STR_INIT("okta"),
                                          .subject = GH_STR_INIT("anna"),
                                          .client = GH_STR_INIT("desk"),
                                          .actors = { { GH_STR_INIT("https://a.example"),
                                                        GH_STR_INIT("bot-1"), GH_STR_INIT("") } },
                                          .actor_count = 1 };

static bool are_one(struct gh_rate_limit limit, const struct gh_principal *other)
{
    struct gh_arena *arena = gh_arena_new(0);
    gh_str a = gh_rate_key(arena, &limit, GH_STR("acme"), GH_STR("notes"), &anna);
    gh_str b = gh_rate_key(arena, &limit, GH_STR("acme"), GH_STR("notes"), other);
    assert_true(gh_str_starts(a, GH_STR("rate/")) && a.len == 5 + 43);
    bool same = gh_str_eq(a, b);
    gh_arena_free(arena);
    return same;
}

static void test_what_is_counted_together(void **state)
{
    struct gh_principal other = anna;
    other.subject = GH_STR("bert");
    assert_true(are_one(limit(GH_RATE_TENANT, true), &other) && are_one(limit(GH_RATE_ROUTE, false), &other));
    assert_true(are_one(limit(GH_RATE_CLIENT, false), &other) &&
                are_one(limit(GH_RATE_AGENT, false), &other));
    assert_false(are_one(limit(GH_RATE_USER, false), &other));
    other = anna;
    other.issuer_name = GH_STR("entra");
    assert_true(are_one(limit(GH_RATE_TENANT, true), &other));
    assert_false(are_one(limit(GH_RATE_USER, true), &other) || are_one(limit(GH_RATE_CLIENT, true), &other));
    other = anna;
    other.client = GH_STR("phone");
    assert_true(are_one(limit(GH_RATE_USER, false), &other) && are_one(limit(GH_RATE_AGENT, false), &other));
    assert_false(are_one(limit(GH_RATE_CLIENT, false), &other));
    other.actor_count = 0;
    assert_false(are_one(limit(GH_RATE_AGENT, false), &other));
    other = anna;
    other.actors[0].sub = GH_STR("bot-2");
    assert_false(are_one(limit(GH_RATE_AGENT, false), &other));
    assert_true(are_one(limit(GH_RATE_CLIENT, false), &other));
}

static gh_str key(struct gh_arena *arena, struct gh_rate_limit limit, gh_str tenant, gh_str route)
{
    return gh_rate_key(arena, &limit, tenant, route, &anna);
}

static void test_where_it_is_counted(void **state)
{
    struct gh_arena *arena = gh_arena_new(0);
    struct gh_rate_limit here = limit(GH_RATE_USER, false), all = limit(GH_RATE_USER, true);
    gh_str acme = GH_STR("acme"), notes = GH_STR("notes"), mail = GH_STR("mail");
    assert_false(gh_str_eq(key(arena, here, acme, notes), key(arena, here, acme, mail)));
    assert_true(gh_str_eq(key(arena, all, acme, notes), key(arena, all, acme, mail)));
    assert_false(gh_str_eq(key(arena, all, acme, notes), key(arena, all, GH_STR("bell"), notes)));
    static const gh_str tools[] = { GH_STR_INIT("pay"), GH_STR_INIT("refund_*") };
    struct gh_rate_limit more = here, longer = here, pay = here, both = here;
    pay.tools = (struct gh_strs){ tools, 1 };
    both.tools = (struct gh_strs){ tools, 2 };
    assert_false(gh_str_eq(key(arena, here, acme, notes), key(arena, pay, acme, notes)));
    assert_false(gh_str_eq(key(arena, both, acme, notes), key(arena, pay, acme, notes)));
    assert_true(gh_rate_counts_tool(&both, GH_STR("refund_it")) &&
                !gh_rate_counts_tool(&pay, GH_STR("refund_it")));
    assert_false(gh_rate_counts_tool(&here, GH_STR("pay")));
    more.requests = 20;
    longer.window_s = 61;
    assert_true(gh_str_eq(key(arena, here, acme, notes), key(arena, more, acme, notes)));
    assert_false(gh_str_eq(key(arena, here, acme, notes), key(arena, longer, acme, notes)));
    gh_arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_window_has_more),
        cmocka_unit_test(test_who_never_rests_gets_it),
        cmocka_unit_test(test_windows),
        cmocka_unit_test(test_what_can_be_answered),
        cmocka_unit_test(test_what_is_counted_together),
        cmocka_unit_test(test_where_it_is_counted),
    };
    return cmocka_run_group_tests_name("rate", tests, NULL, NULL);
}
