/* gateway/test_rates.c: lots of one worker, over a store that answers what the test says, when it says so. */
#include <stdio.h>
#include <stdlib.h>

#include "gateway/rates.h"
#include "support/cm.h"

/* ---- the store: linked instead of store/client.c ---- */

struct gh_store_call {
    gh_str key;
    struct gh_rate_ask ask;
    gh_store_done done; /* NULL: answered, or cancelled */
    void *ctx;
};
#define CALLS_MAX 64
struct gh_store_client {
    struct gh_store_call calls[CALLS_MAX];
    size_t count;
    bool has_no_memory;
};

static struct world {
    struct gh_loop *loop;
    struct gh_store_client store;
    struct gh_worker_stats stats;
    struct gh_rates *rates;
    int64_t now_ms;
} w;

struct gh_store_call *gh_store_take(struct gh_store_client *client, gh_str tenant, gh_str key,
                                    const struct gh_rate_ask *ask, gh_store_done done, void *ctx)
{
    assert_str_eq(tenant, "acme");
    if (client->has_no_memory)
        return NULL;
    assert_true(client->count < CALLS_MAX);
    struct gh_store_call *call = &client->calls[client->count++];
    *call = (struct gh_store_call){ .key = key, .ask = *ask, .done = done, .ctx = ctx };
    return call;
}

void gh_store_cancel(struct gh_store_call *call)
{
    call->done = NULL;
}

static void finish(size_t n, const struct gh_store_answer *answer)
{
    struct gh_store_call *call = &w.store.calls[n];
    gh_store_done done = call->done;
    assert_non_null(done);
    call->done = NULL;
    done(call->ctx, answer);
}

static void answer(size_t n, int64_t granted, int64_t wait_ms)
{
    finish(n, &(struct gh_store_answer){ .reason = GH_OK, .rate = { granted, wait_ms } });
}

static void fail_call(size_t n)
{
    finish(n, &(struct gh_store_answer){ .reason = GH_STORE_DOWN });
}

/* All that is open gets what it needs. */
static void grant_all(void)
{
    for (size_t i = 0; i < w.store.count; i++)
        if (w.store.calls[i].done != NULL)
            answer(i, w.store.calls[i].ask.need, 0);
}

/* ---- who asks ---- */

struct request {
    struct gh_rate_waiter waiter;
    struct gh_rate_cell *cells[2];
    size_t count;
    enum gh_rate_verdict verdict;
    int64_t wait_ms;
};

static enum gh_rate_verdict take(struct request *request)
{
    request->verdict =
        gh_rates_take(w.rates, request->cells, request->count, &request->waiter, &request->wait_ms);
    return request->verdict;
}

static void go_on(struct gh_rate_waiter *waiter)
{
    (void)take(GH_LIST_ENTRY(waiter, struct request, waiter));
}

static struct request of(struct gh_rate_cell *first, struct gh_rate_cell *second)
{
    return (struct request){ .cells = { first, second }, .count = second != NULL ? 2 : 1 };
}

/* Where it lies now it stays until it has its verdict. */
static enum gh_rate_verdict come(struct request *request)
{
    gh_rate_waiter_init(&request->waiter, go_on);
    return take(request);
}

/* One that does not have to wait. */
static enum gh_rate_verdict try_one(struct gh_rate_cell *first, struct gh_rate_cell *second)
{
    struct request request = of(first, second);
    enum gh_rate_verdict verdict = come(&request);
    assert_int_not_equal(verdict, GH_RATE_WAITS);
    return verdict;
}

static struct gh_rate_cell *cell_of(const char *key, struct gh_rate_limit limit)
{
    struct gh_rate_cell *cell = gh_rates_cell(w.rates, GH_STR("acme"), gh_str_from(key), &limit);
    assert_non_null(cell);
    return cell;
}

static const struct gh_rate_limit minute = { .per = GH_RATE_USER, .requests = 100, .window_s = 60 };

static void pass_ms(int64_t ms)
{
    w.now_ms += ms;
    gh_loop_fake_time(w.loop, w.now_ms, 1700000000);
    gh_loop_turn(w.loop, 0);
}

static int set_up(void **state)
{
    (void)state;
    w = (struct world){ .loop = gh_loop_new(), .now_ms = 1000000 };
    w.rates = gh_rates_new(w.loop, &w.store, &w.stats);
    gh_rates_set_wait(w.rates, 250);
    pass_ms(0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    gh_rates_free(w.rates);
    gh_loop_free(w.loop);
    return 0;
}

/* ---- lots ---- */

static void all_that_wait_are_asked_for_together(void **state)
{
    struct gh_rate_cell *user = cell_of("user", minute);
    struct request requests[4];
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        requests[i] = of(user, NULL);
        assert_int_equal(come(&requests[i]), GH_RATE_WAITS);
    }
    assert_int_equal(w.store.count, 1);
    answer(0, 1, 0);
    assert_int_equal(requests[0].verdict, GH_RATE_PASSES);
    assert_int_equal(w.store.count, 2);
    assert_int_equal(w.store.calls[1].ask.need, 3);
    answer(1, 2, 5000);
    assert_int_equal(requests[2].verdict, GH_RATE_PASSES);
    assert_int_equal(requests[3].verdict, GH_RATE_REFUSED);
    assert_int_equal(requests[3].wait_ms, 5000);
    assert_int_equal(w.store.count, 2);
    gh_rate_cell_unref(user);
}

/* Those who go on while the answer is told have what they need. */
static void what_is_asked_for_ahead_is_for_nobody_who_waits(void **state)
{
    struct gh_rate_cell *user = cell_of("user", minute);
    struct request requests[10];
    (void)state;
    for (size_t i = 0; i < 10; i++) {
        requests[i] = of(user, NULL);
        assert_int_equal(come(&requests[i]), GH_RATE_WAITS);
    }
    answer(0, 1, 0);
    assert_int_equal(w.store.calls[1].ask.need, 9);
    gh_rate_waiter_done(&requests[9].waiter);
    answer(1, 9, 0);
    assert_int_equal(requests[8].verdict, GH_RATE_PASSES);
    assert_int_equal(w.store.count, 3);
    assert_int_equal(w.store.calls[2].ask.need, 0);
    assert_int_equal(w.store.calls[2].ask.extra, 9);       /* as many as have gone */
    assert_int_equal(try_one(user, NULL), GH_RATE_PASSES); /* by what was asked for whoever left */
    gh_rate_cell_unref(user);
}

static void whoever_leaves_takes_nothing(void **state)
{
    struct gh_rate_cell *user = cell_of("user", minute);
    struct request gone = of(user, NULL), stays = of(user, NULL);
    (void)state;
    assert_int_equal(come(&gone), GH_RATE_WAITS);
    assert_int_equal(come(&stays), GH_RATE_WAITS);
    gh_rate_waiter_done(&gone.waiter);
    answer(0, 1, 0);
    assert_int_equal(stays.verdict, GH_RATE_PASSES);
    assert_int_equal(gone.verdict, GH_RATE_WAITS);
    struct request last = of(user, NULL);
    assert_int_equal(come(&last), GH_RATE_WAITS);
    gh_rate_waiter_done(&last.waiter);
    gh_rate_cell_unref(user); /* with its question open */
    gh_rates_free(w.rates);
    w.rates = NULL;
    assert_null(w.store.calls[1].done);
}

static void a_lot_lives_as_long_as_a_slot(void **state)
{
    struct gh_rate_cell *user = cell_of("user", minute);
    struct request first = of(user, NULL), late = of(user, NULL);
    (void)state;
    assert_int_equal(come(&first), GH_RATE_WAITS);
    pass_ms(200);
    answer(0, 3, 0);
    assert_int_equal(first.verdict, GH_RATE_PASSES);
    pass_ms(799);
    assert_int_equal(try_one(user, NULL), GH_RATE_PASSES);
    pass_ms(1); /* a second since it was asked for */
    assert_int_equal(come(&late), GH_RATE_WAITS);
    grant_all();
    assert_int_equal(late.verdict, GH_RATE_PASSES);
    gh_rate_cell_unref(user);
}

/* Verdicts end, of introspected tokens every few seconds; lots, refusals and counts do not. */
static void what_is_held_outlives_verdicts(void **state)
{
    struct gh_rate_cell *user = cell_of("user", minute);
    struct request request = of(user, NULL), other;
    (void)state;
    assert_int_equal(come(&request), GH_RATE_WAITS);
    gh_rate_waiter_done(&request.waiter);
    gh_rate_cell_unref(user);
    answer(0, 2, 0);
    for (int i = 0; i < 2; i++) {
        user = cell_of("user", minute);
        assert_int_equal(try_one(user, NULL), GH_RATE_PASSES);
        gh_rate_cell_unref(user);
    }
    user = cell_of("user", minute);
    other = of(user, NULL);
    assert_int_equal(come(&other), GH_RATE_WAITS);
    answer(1, 0, 30000);
    assert_int_equal(other.verdict, GH_RATE_REFUSED);
    gh_rate_cell_unref(user);
    user = cell_of("user", minute);
    assert_int_equal(try_one(user, NULL), GH_RATE_REFUSED);
    gh_rate_cell_unref(user);
    pass_ms(30000);
    user = cell_of("user", minute);
    assert_int_equal(come(&other), GH_RATE_WAITS);
    fail_call(2);
    gh_rate_cell_unref(user);
    assert_int_equal(w.store.count, 3);
}

/* Neither those that hold nothing nor, in a flood of principals, those that do. */
static void few_are_kept(void **state)
{
    (void)state;
    char key[16];
    for (int i = 0; i < 20000; i++) {
        (void)snprintf(key, sizeof(key), "user-%d", i);
        struct gh_rate_cell *user = cell_of(key, minute);
        struct request request = of(user, NULL);
        w.store.count = 0;
        assert_int_equal(come(&request), GH_RATE_WAITS);
        answer(0, i % 2, i % 2 == 0 ? 30000 : 0);
        gh_rate_cell_unref(user);
    }
    assert_int_equal(gh_rates_count(w.rates), 4096);
    pass_ms(30000);
    gh_rate_cell_unref(cell_of("user", minute));
    assert_int_equal(gh_rates_count(w.rates), 0);
}

/* A reload. */
static void set_requests(struct gh_rate_cell *user, int64_t requests)
{
    struct gh_rate_limit limit = minute;
    limit.requests = requests;
    struct gh_rate_cell *again = cell_of("user", limit);
    assert_ptr_equal(again, user);
    gh_rate_cell_unref(again);
}

static void a_smaller_number_counts_at_once(void **state)
{
    struct gh_rate_cell *user = cell_of("user", minute);
    struct request requests[3] = { of(user, NULL), of(user, NULL), of(user, NULL) };
    (void)state;
    assert_int_equal(come(&requests[0]), GH_RATE_WAITS);
    answer(0, 50, 0);
    assert_int_equal(requests[0].verdict, GH_RATE_PASSES);
    set_requests(user, 5);
    assert_int_equal(come(&requests[1]), GH_RATE_WAITS);
    assert_int_equal(w.store.calls[1].ask.requests, 5);
    set_requests(user, 4);
    answer(1, 5, 0); /* of five, when there were as many */
    assert_int_equal(requests[1].verdict, GH_RATE_WAITS);
    answer(2, 0, 7000);
    assert_int_equal(requests[1].verdict, GH_RATE_REFUSED);
    set_requests(user, 100);
    assert_int_equal(come(&requests[2]), GH_RATE_WAITS);
    answer(3, 2, 0);
    assert_int_equal(requests[2].verdict, GH_RATE_PASSES);
    set_requests(user, 200);
    assert_int_equal(try_one(user, NULL), GH_RATE_PASSES); /* what was given of fewer stays */
    gh_rate_cell_unref(user);
}

/* ---- several limits of one request ---- */

static void what_one_refuses_costs_the_other_nothing(void **state)
{
    struct gh_rate_cell *tenant = cell_of("tenant", minute), *user = cell_of("user", minute);
    struct request request = of(tenant, user);
    (void)state;
    assert_int_equal(come(&request), GH_RATE_WAITS);
    assert_int_equal(w.store.count, 2); /* both at once */
    answer(0, 1, 0);
    assert_int_equal(request.verdict, GH_RATE_WAITS);
    answer(1, 0, 30000);
    assert_int_equal(request.verdict, GH_RATE_REFUSED);
    assert_int_equal(try_one(tenant, NULL), GH_RATE_PASSES); /* by what was taken for it */
    assert_int_equal(w.store.count, 2);
    gh_rate_cell_unref(tenant);
    gh_rate_cell_unref(user);
}

static void nothing_is_asked_for_whom_one_refuses(void **state)
{
    struct gh_rate_cell *tenant = cell_of("tenant", minute), *user = cell_of("user", minute);
    struct request request = of(user, NULL);
    (void)state;
    assert_int_equal(come(&request), GH_RATE_WAITS);
    answer(0, 0, 30000);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(try_one(tenant, user), GH_RATE_REFUSED);
        pass_ms(100);
    }
    assert_int_equal(w.store.count, 1);
    gh_rate_cell_unref(tenant);
    gh_rate_cell_unref(user);
}

static void who_is_refused_by_both_waits_for_both(void **state)
{
    struct gh_rate_cell *tenant = cell_of("tenant", minute), *user = cell_of("user", minute);
    struct request a = of(tenant, NULL), b = of(user, NULL), both = of(tenant, user);
    (void)state;
    assert_int_equal(come(&a), GH_RATE_WAITS);
    assert_int_equal(come(&b), GH_RATE_WAITS);
    answer(0, 0, 2000);
    answer(1, 0, 30000);
    assert_int_equal(come(&both), GH_RATE_REFUSED);
    assert_int_equal(both.wait_ms, 30000);
    gh_rate_cell_unref(tenant);
    gh_rate_cell_unref(user);
}

/* ---- a store that is slow, or away ---- */

static struct gh_rate_limit failing(enum gh_rate_fail fail)
{
    struct gh_rate_limit limit = minute;
    limit.requests = 2;
    limit.fail = fail;
    return limit;
}

static void what_counts_without_the_store(void **state)
{
    struct gh_rate_cell *local = cell_of("local", failing(GH_RATE_LOCAL)),
                        *open = cell_of("open", failing(GH_RATE_OPEN)),
                        *closed = cell_of("closed", failing(GH_RATE_CLOSED));
    struct request request = of(local, NULL);
    (void)state;
    assert_int_equal(come(&request), GH_RATE_WAITS);
    fail_call(0);
    assert_int_equal(request.verdict, GH_RATE_PASSES);
    assert_int_equal(try_one(local, open), GH_RATE_PASSES);
    assert_int_equal(try_one(local, open), GH_RATE_REFUSED);
    assert_int_equal(try_one(open, NULL), GH_RATE_PASSES);
    assert_int_equal(try_one(closed, open), GH_RATE_DOWN);
    assert_int_equal(try_one(closed, local), GH_RATE_REFUSED); /* whatever the other says */
    assert_int_equal(w.store.count, 1);
    pass_ms(500);
    assert_int_equal(try_one(closed, NULL), GH_RATE_DOWN); /* and it is asked on the side */
    assert_int_equal(w.store.count, 2);
    answer(1, 0, 0);
    assert_int_equal(come(&request), GH_RATE_WAITS);
    grant_all();
    assert_int_equal(request.verdict, GH_RATE_PASSES);
    assert_int_equal(w.stats.rate_takes_failed, 1);
    gh_rate_cell_unref(local);
    gh_rate_cell_unref(open);
    gh_rate_cell_unref(closed);
}

static void whoever_waits_is_told_in_time(void **state)
{
    struct gh_rate_cell *user = cell_of("user", failing(GH_RATE_CLOSED));
    struct request first = of(user, NULL), second = of(user, NULL);
    (void)state;
    assert_int_equal(come(&first), GH_RATE_WAITS);
    pass_ms(100);
    assert_int_equal(come(&second), GH_RATE_WAITS);
    pass_ms(100);
    assert_int_equal(first.verdict, GH_RATE_WAITS);
    pass_ms(150);
    assert_int_equal(first.verdict, GH_RATE_DOWN);
    assert_int_equal(second.verdict, GH_RATE_DOWN); /* nobody waits while the store fails */
    assert_int_equal(w.stats.rate_takes_failed, 1);
    answer(0, 2, 0); /* it comes all the same */
    assert_int_equal(try_one(user, NULL), GH_RATE_PASSES);
    assert_int_equal(try_one(user, NULL), GH_RATE_PASSES);
    assert_int_equal(w.store.count, 1);
    gh_rate_cell_unref(user);
}

/* Not as long for each of its limits, and for each question. */
static void a_request_waits_as_long_once(void **state)
{
    struct gh_rate_cell *user = cell_of("user", failing(GH_RATE_CLOSED));
    struct request before = of(user, NULL), request = of(user, NULL);
    (void)state;
    assert_int_equal(come(&before), GH_RATE_WAITS);
    pass_ms(100);
    assert_int_equal(come(&request), GH_RATE_WAITS);
    pass_ms(100);
    answer(0, 1, 0);
    assert_int_equal(before.verdict, GH_RATE_PASSES);
    assert_int_equal(request.verdict, GH_RATE_WAITS);
    assert_int_equal(w.store.count, 2);
    pass_ms(300);
    assert_int_equal(request.verdict, GH_RATE_DOWN);
    fail_call(1);
    assert_int_equal(try_one(user, NULL), GH_RATE_DOWN);
    assert_int_equal(w.stats.rate_takes_failed, 1); /* late, and then failed: one question */
    gh_rate_cell_unref(user);
}

/* A slot of a second is a tenth of it; an answer may take longer, and is one all the same. */
static void a_lot_that_comes_late_is_theirs_who_waited(void **state)
{
    const struct gh_rate_limit second = { .per = GH_RATE_USER, .requests = 100, .window_s = 1 };
    struct gh_rate_cell *user = cell_of("user", second);
    struct request requests[8], next = of(user, NULL);
    (void)state;
    for (size_t i = 0; i < 8; i++) {
        requests[i] = of(user, NULL);
        assert_int_equal(come(&requests[i]), GH_RATE_WAITS);
    }
    pass_ms(110);
    answer(0, 1, 0);
    assert_int_equal(requests[0].verdict, GH_RATE_PASSES);
    assert_int_equal(requests[1].verdict, GH_RATE_WAITS);
    pass_ms(110);
    answer(1, 9, 0); /* more than they need, for nobody */
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(requests[i].verdict, GH_RATE_PASSES);
    assert_int_equal(w.store.count, 2); /* nothing was asked for ahead, to come too late */
    pass_ms(1);
    assert_int_equal(come(&next), GH_RATE_WAITS);
    assert_int_equal(w.store.calls[2].ask.extra, 0);
    grant_all();
    assert_int_equal(next.verdict, GH_RATE_PASSES);
    gh_rate_cell_unref(user);
}

/* Whoever cannot even ask is nobody who waits. */
static void no_memory_for_a_question(void **state)
{
    struct gh_rate_cell *local = cell_of("local", failing(GH_RATE_LOCAL)),
                        *closed = cell_of("closed", failing(GH_RATE_CLOSED));
    struct request waits = of(local, NULL);
    (void)state;
    assert_int_equal(come(&waits), GH_RATE_WAITS);
    w.store.has_no_memory = true;
    assert_int_equal(try_one(local, closed), GH_RATE_DOWN);
    assert_int_equal(try_one(local, NULL), GH_RATE_PASSES);
    answer(0, 1, 0);
    assert_int_equal(waits.verdict, GH_RATE_PASSES);
    assert_int_equal(try_one(local, NULL), GH_RATE_PASSES);
    assert_int_equal(try_one(local, NULL), GH_RATE_REFUSED);
    gh_rate_cell_unref(local);
    gh_rate_cell_unref(closed);
}

static void a_store_that_comes_and_goes_gives_nothing_twice(void **state)
{
    struct gh_rate_cell *local = cell_of("local", failing(GH_RATE_LOCAL));
    struct request request = of(local, NULL);
    unsigned passed = 0;
    (void)state;
    for (int i = 0; i < 20; i++) {
        assert_int_equal(come(&request), GH_RATE_WAITS);
        fail_call(w.store.count - 1);
        passed += request.verdict == GH_RATE_PASSES;
        passed += try_one(local, NULL) == GH_RATE_PASSES;
        pass_ms(500);
        passed += try_one(local, NULL) == GH_RATE_PASSES; /* asks whether it still fails */
        answer(w.store.count - 1, 0, 0);
    }
    assert_int_equal(passed, 2);
    pass_ms(60000);
    assert_int_equal(come(&request), GH_RATE_WAITS);
    fail_call(w.store.count - 1);
    assert_int_equal(request.verdict, GH_RATE_PASSES);
    gh_rate_cell_unref(local);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(all_that_wait_are_asked_for_together),
        CASE(what_is_asked_for_ahead_is_for_nobody_who_waits),
        CASE(whoever_leaves_takes_nothing),
        CASE(a_lot_lives_as_long_as_a_slot),
        CASE(what_is_held_outlives_verdicts),
        CASE(few_are_kept),
        CASE(a_smaller_number_counts_at_once),
        CASE(what_one_refuses_costs_the_other_nothing),
        CASE(nothing_is_asked_for_whom_one_refuses),
        CASE(who_is_refused_by_both_waits_for_both),
        CASE(what_counts_without_the_store),
        CASE(whoever_waits_is_told_in_time),
        CASE(a_request_waits_as_long_once),
        CASE(no_memory_for_a_question),
        CASE(a_store_that_comes_and_goes_gives_nothing_twice),
        CASE(a_lot_that_comes_late_is_theirs_who_waited),
    };
    return cmocka_run_group_tests_name("rates", tests, NULL, NULL);
}
