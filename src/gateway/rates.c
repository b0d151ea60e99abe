/* gateway/rates.c: what passes by the cells of a request: questions to the store, waiting for them, and what
 * counts without it. */
#include "gateway/rates.h"

#include <stdlib.h>

#include "base/arena.h"
#include "gateway/rate_cell.h"

/* Who used fewer in a lot's life gets them one by one. */
#define BUSY 4
/* While the store fails it is asked that often whether it still does. */
#define PROBE_MS 500

/* ---- life ---- */

struct gh_rates *gh_rates_new(struct gh_loop *loop, struct gh_store_client *store,
                              struct gh_worker_stats *stats)
{
    struct gh_rates *rates = gh_calloc(1, sizeof(*rates));
    if (rates == NULL)
        return NULL;
    rates->loop = loop;
    rates->store = store;
    rates->stats = stats;
    gh_map_init(&rates->cells);
    gh_list_init(&rates->resting);
    return rates;
}

void gh_rates_free(struct gh_rates *rates)
{
    if (rates == NULL)
        return;
    GH_LIST_EACH_SAFE (node, &rates->resting)
        gh_rate_cell_drop(GH_LIST_ENTRY(node, struct gh_rate_cell, rest));
    gh_map_done(&rates->cells);
    free(rates);
}

void gh_rates_set_wait(struct gh_rates *rates, int64_t wait_ms)
{
    rates->wait_ms = wait_ms;
}

size_t gh_rates_count(const struct gh_rates *rates)
{
    return rates->cells.count;
}

/* ---- asking ---- */

static void answered(void *ctx, const struct gh_store_answer *answer);
static void tell_waiters(struct gh_rate_cell *cell);

static int64_t count_waiters(const struct gh_rate_cell *cell)
{
    int64_t count = 0;
    GH_LIST_EACH (node, &cell->waiters)
        count++;
    return count;
}

static void turn_period(struct gh_rate_cell *cell, int64_t now_ms)
{
    int64_t since = now_ms - cell->spent_ms;
    if (since < cell->slot_ms)
        return;
    cell->spent_before = since < 2 * cell->slot_ms ? cell->spent : 0;
    cell->spent = 0;
    cell->spent_ms = now_ms;
}

/* As many as went lately in the time that a lot lives. */
static int64_t expected(const struct gh_rate_cell *cell)
{
    int64_t lately = cell->spent > cell->spent_before ? cell->spent : cell->spent_before;
    if (lately < BUSY || cell->ahead == 0)
        return 0;
    return lately < cell->limit.requests ? lately : cell->limit.requests;
}

/* `is_new`: the question has not been counted yet. It may first be late and then fail. */
static void fail(struct gh_rates *rates, bool is_new)
{
    rates->fails = true;
    rates->probe_ms = gh_loop_now_ms(rates->loop) + PROBE_MS;
    GH_COUNT_ADD(rates->stats->rate_takes_failed, is_new);
}

/* For so many who wait. False when it could not even be asked. */
static bool ask(struct gh_rate_cell *cell, int64_t need)
{
    struct gh_rates *rates = cell->rates;
    int64_t now = gh_loop_now_ms(rates->loop);
    turn_period(cell, now);
    const struct gh_rate_ask ask = { .requests = cell->limit.requests,
                                     .window_s = cell->limit.window_s,
                                     .need = need,
                                     .extra = expected(cell) };
    cell->call = gh_store_take(rates->store, cell->tenant, cell->node.key, &ask, answered, cell);
    if (cell->call == NULL)
        return false;
    cell->asked_ms = now;
    cell->asked_of = cell->limit.requests;
    cell->is_overdue = false;
    return true;
}

static void answered(void *ctx, const struct gh_store_answer *answer)
{
    struct gh_rate_cell *cell = ctx;
    struct gh_rates *rates = cell->rates;
    int64_t now = gh_loop_now_ms(rates->loop);
    cell->call = NULL;
    if (answer->reason != GH_OK) {
        fail(rates, !cell->is_overdue);
    } else {
        rates->fails = false;
        GH_COUNT_ADD(rates->stats->rate_takes, 1);
        cell->shut_until_ms = answer->rate.wait_ms > 0 ? now + answer->rate.wait_ms : 0;
        if (cell->asked_of <= cell->limit.requests)
            gh_rate_cell_put(cell, answer->rate.granted, now);
    }
    tell_waiters(cell);
}

/* Each that waits now goes on once. Their requests may end, and with the last of them the cell would. */
static void tell_waiters(struct gh_rate_cell *cell)
{
    int64_t count = count_waiters(cell);
    gh_rate_cell_ref(cell);
    cell->is_telling = true;
    for (struct gh_list *node; count > 0 && (node = gh_list_first(&cell->waiters)) != NULL; count--) {
        gh_list_remove(node);
        struct gh_rate_waiter *waiter = GH_LIST_ENTRY(node, struct gh_rate_waiter, link);
        waiter->go_on(waiter);
    }
    cell->is_telling = false;
    if (!gh_list_is_empty(&cell->waiters) && cell->call == NULL && !ask(cell, count_waiters(cell))) {
        fail(cell->rates, true);
        tell_waiters(cell); /* nobody waits while the store fails: once */
    }
    gh_rate_cell_unref(cell);
}

/* ---- waiting ---- */

static void waited_enough(struct gh_deadline *deadline);

void gh_rate_waiter_init(struct gh_rate_waiter *waiter, void (*go_on)(struct gh_rate_waiter *waiter))
{
    gh_list_init(&waiter->link);
    gh_deadline_init(&waiter->deadline, waited_enough);
    waiter->is_late = false;
    waiter->go_on = go_on;
}

void gh_rate_waiter_done(struct gh_rate_waiter *waiter)
{
    gh_list_remove(&waiter->link);
    gh_deadline_clear(&waiter->deadline);
}

static void wait_at(struct gh_rate_cell *cell, struct gh_rate_waiter *waiter)
{
    struct gh_rates *rates = cell->rates;
    gh_list_append(&cell->waiters, &waiter->link);
    waiter->cell = cell;
    if (!gh_deadline_is_set(&waiter->deadline))
        gh_deadline_set(rates->loop, &waiter->deadline, rates->wait_ms);
}

/* A question that is as old is one without an answer in time; its answer may come yet, and is taken then. */
static void waited_enough(struct gh_deadline *deadline)
{
    struct gh_rate_waiter *waiter = GH_LIST_ENTRY(deadline, struct gh_rate_waiter, deadline);
    struct gh_rate_cell *cell = waiter->cell;
    struct gh_rates *rates = cell->rates;
    waiter->is_late = true;
    bool is_overdue = cell->call != NULL && gh_loop_now_ms(rates->loop) - cell->asked_ms >= rates->wait_ms;
    if (is_overdue && !cell->is_overdue) {
        cell->is_overdue = true;
        fail(rates, true);
        tell_waiters(cell);
    } else {
        gh_list_remove(&waiter->link);
        waiter->go_on(waiter);
    }
}

/* ---- taking ---- */

/* This worker's own window, from the first request that finds the store failing. It is over at its end, not
 * with the next answer: a store that fails now and then would give the whole number each time. */
static bool passes_alone(struct gh_rate_cell *cell, int64_t now_ms)
{
    if (cell->alone_until_ms <= now_ms) {
        cell->alone = 0;
        cell->alone_until_ms = now_ms + cell->limit.window_s * 1000;
    }
    return cell->alone < cell->limit.requests;
}

static enum gh_rate_verdict look_without_store(struct gh_rate_cell *cell, int64_t now_ms,
                                               int64_t *ret_wait_ms)
{
    switch (cell->limit.fail) {
    case GH_RATE_OPEN:
        return GH_RATE_PASSES;
    case GH_RATE_CLOSED:
        return GH_RATE_DOWN;
    case GH_RATE_LOCAL:
        break;
    }
    if (passes_alone(cell, now_ms))
        return GH_RATE_PASSES;
    *ret_wait_ms = cell->alone_until_ms - now_ms;
    return GH_RATE_REFUSED;
}

/* The last that the store said counts as long as it said so. `waits`: it may be waited for. */
static enum gh_rate_verdict look(struct gh_rate_cell *cell, int64_t now_ms, bool waits, int64_t *ret_wait_ms)
{
    struct gh_rates *rates = cell->rates;
    if (gh_rate_cell_lot(cell, now_ms) != NULL)
        return GH_RATE_PASSES;
    if (cell->shut_until_ms > now_ms) {
        *ret_wait_ms = cell->shut_until_ms - now_ms;
        return GH_RATE_REFUSED;
    }
    if (!rates->fails && waits)
        return GH_RATE_WAITS;
    if (rates->fails && now_ms >= rates->probe_ms && cell->call == NULL) {
        rates->probe_ms = now_ms + PROBE_MS;
        (void)!ask(cell, 0);
    }
    return look_without_store(cell, now_ms, ret_wait_ms);
}

static bool wants_more(const struct gh_rate_cell *cell, const struct gh_rate_lot *lot, int64_t now_ms)
{
    bool others_first = cell->call != NULL || !gh_list_is_empty(&cell->waiters);
    if (others_first || cell->ahead < BUSY || cell->lots[1].left > 0 || cell->shut_until_ms > now_ms)
        return false;
    return lot->left * 4 <= cell->ahead || (lot->until_ms - now_ms) * 4 <= cell->slot_ms;
}

static void spend(struct gh_rate_cell *cell, int64_t now_ms)
{
    struct gh_rate_lot *lot = gh_rate_cell_lot(cell, now_ms);
    turn_period(cell, now_ms);
    cell->spent++;
    if (lot == NULL) { /* without the store */
        cell->alone += cell->limit.fail == GH_RATE_LOCAL;
        return;
    }
    lot->left--;
    if (wants_more(cell, lot, now_ms))
        (void)!ask(cell, 0); /* in vain: whoever finds no lot asks again */
}

/* One that refuses decides, whatever the others would say. */
static enum gh_rate_verdict look_at_all(struct gh_rate_cell *const *cells, size_t count, int64_t now_ms,
                                        bool waits, int64_t *ret_wait_ms)
{
    enum gh_rate_verdict verdict = GH_RATE_PASSES;
    *ret_wait_ms = 0;
    for (size_t i = 0; i < count; i++) {
        int64_t wait_ms = 0;
        enum gh_rate_verdict one = look(cells[i], now_ms, waits, &wait_ms);
        verdict = one > verdict ? one : verdict;
        *ret_wait_ms = wait_ms > *ret_wait_ms ? wait_ms : *ret_wait_ms;
    }
    return verdict;
}

/* At the first that has nothing; the others are asked at once, too. False when one could not be. */
static bool wait_for(struct gh_rate_cell *const *cells, size_t count, struct gh_rate_waiter *waiter,
                     int64_t now_ms)
{
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++) {
        int64_t wait_ms;
        if (look(cells[i], now_ms, true, &wait_ms) != GH_RATE_WAITS)
            continue;
        if (!gh_list_is_linked(&waiter->link))
            wait_at(cells[i], waiter);
        ok = cells[i]->call != NULL || cells[i]->is_telling || ask(cells[i], 1);
    }
    return ok;
}

enum gh_rate_verdict gh_rates_take(struct gh_rates *rates, struct gh_rate_cell *const *cells, size_t count,
                                   struct gh_rate_waiter *waiter, int64_t *ret_wait_ms)
{
    int64_t now = gh_loop_now_ms(rates->loop);
    enum gh_rate_verdict verdict = look_at_all(cells, count, now, !waiter->is_late, ret_wait_ms);
    if (verdict == GH_RATE_WAITS && !wait_for(cells, count, waiter, now)) {
        fail(rates, true);
        verdict = look_at_all(cells, count, now, false, ret_wait_ms);
    }
    if (verdict != GH_RATE_WAITS)
        gh_rate_waiter_done(waiter);
    for (size_t i = 0; verdict == GH_RATE_PASSES && i < count; i++)
        spend(cells[i], now);
    return verdict;
}
