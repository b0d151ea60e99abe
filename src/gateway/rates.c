/* gateway/rates.c: cells of rate limits: lots at hand, questions to the store, and what counts without it. */
#include "gateway/rates.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/map.h"
#include "base/str.h"

/* Who used fewer in a lot's life gets them one by one. */
#define BUSY 4
/* While the store fails it is asked that often whether it still does. */
#define PROBE_MS 500
/* So many cells that nobody refers to are kept, about half a KiB each. */
#define RESTING_MAX 4096

struct lot {
    int64_t left, until_ms;
};

struct gh_rate_cell {
    struct gh_map_node node; /* its key and the tenant stand behind this struct */
    struct gh_rates *rates;
    unsigned refs;
    struct gh_list rest; /* in rates->resting while there are none */
    gh_str tenant;
    struct gh_rate_limit limit;
    int64_t slot_ms;
    struct lot lots[2];                    /* the older one is used up first */
    int64_t ahead;                         /* the size of the newest lot; 0: none is to be had ahead */
    int64_t spent, spent_before, spent_ms; /* in this life of a lot, in the one before; since when */
    int64_t shut_until_ms;                 /* the store has no more until then */
    int64_t alone, alone_until_ms;         /* while it fails: so many passed in this worker's own window */
    struct gh_store_call *call;
    int64_t asked_ms, asked_of; /* when, and of how many in the limit's window */
    bool is_overdue;            /* it was counted as a question without an answer in time */
    struct gh_list waiters;
    bool is_telling; /* waiters go on: whoever waits again is asked for together */
};

struct gh_rates {
    struct gh_loop *loop;
    struct gh_store_client *store;
    struct gh_worker_stats *stats;
    struct gh_map cells;
    struct gh_list resting; /* longest first */
    size_t resting_count;
    int64_t wait_ms;
    bool fails; /* the last answer of the store, whichever cell asked */
    int64_t probe_ms;
};

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

static struct gh_rate_cell *ref(struct gh_rate_cell *cell);
static void drop(struct gh_rate_cell *cell);

void gh_rates_free(struct gh_rates *rates)
{
    if (rates == NULL)
        return;
    GH_LIST_EACH_SAFE (node, &rates->resting)
        drop(GH_LIST_ENTRY(node, struct gh_rate_cell, rest));
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

static struct gh_rate_cell *new_cell(struct gh_rates *rates, gh_str tenant, gh_str key)
{
    struct gh_rate_cell *cell = gh_calloc(1, sizeof(*cell) + tenant.len + key.len);
    if (cell == NULL)
        return NULL;
    char *text = (char *)(cell + 1);
    memcpy(text, tenant.ptr, tenant.len);
    memcpy(text + tenant.len, key.ptr, key.len);
    cell->rates = rates;
    cell->tenant = gh_str_of(text, tenant.len);
    cell->node.key = gh_str_of(text + tenant.len, key.len);
    gh_list_init(&cell->waiters);
    gh_list_init(&cell->rest);
    if (gh_map_add(&rates->cells, &cell->node))
        return cell;
    free(cell);
    return NULL;
}

/* Under other settings the store is asked anew, and what was given under a larger number is handed out no
 * more: the slot of a long window is long. */
static void set_limit(struct gh_rate_cell *cell, const struct gh_rate_limit *limit)
{
    if (cell->limit.requests != limit->requests)
        cell->shut_until_ms = 0;
    if (cell->limit.requests > limit->requests) {
        cell->lots[0] = cell->lots[1] = (struct lot){ 0 };
        cell->ahead = 0;
    }
    cell->limit = *limit;
    cell->slot_ms = gh_rate_window(limit->window_s).slot_ms;
}

struct gh_rate_cell *gh_rates_cell(struct gh_rates *rates, gh_str tenant, gh_str key,
                                   const struct gh_rate_limit *limit)
{
    struct gh_map_node *node = gh_map_find(&rates->cells, key);
    struct gh_rate_cell *cell =
        node != NULL ? GH_MAP_ENTRY(node, struct gh_rate_cell, node) : new_cell(rates, tenant, key);
    if (cell == NULL)
        return NULL;
    set_limit(cell, limit);
    return ref(cell);
}

/* ---- the rest of a cell ---- */

static int64_t left_of(const struct lot *lot, int64_t now_ms)
{
    return lot->until_ms > now_ms ? lot->left : 0;
}

static struct gh_rate_cell *ref(struct gh_rate_cell *cell)
{
    if (cell->refs++ == 0 && gh_list_is_linked(&cell->rest)) {
        gh_list_remove(&cell->rest);
        cell->rates->resting_count--;
    }
    return cell;
}

static void drop(struct gh_rate_cell *cell)
{
    if (cell->call != NULL)
        gh_store_cancel(cell->call);
    gh_list_remove(&cell->rest);
    cell->rates->resting_count--;
    gh_map_remove(&cell->rates->cells, &cell->node);
    free(cell);
}

static bool is_empty(const struct gh_rate_cell *cell, int64_t now_ms)
{
    return cell->call == NULL && left_of(&cell->lots[0], now_ms) == 0 &&
           left_of(&cell->lots[1], now_ms) == 0 && cell->shut_until_ms <= now_ms &&
           cell->alone_until_ms <= now_ms;
}

/* Verdicts come and go sooner than slots and windows end: whoever comes next finds what was left here. */
void gh_rate_cell_unref(struct gh_rate_cell *cell)
{
    if (cell == NULL || --cell->refs > 0)
        return;
    struct gh_rates *rates = cell->rates;
    int64_t now = gh_loop_now_ms(rates->loop);
    gh_list_append(&rates->resting, &cell->rest);
    rates->resting_count++;
    if (is_empty(cell, now))
        drop(cell);
    struct gh_list *oldest;
    while ((oldest = gh_list_first(&rates->resting)) != NULL) {
        cell = GH_LIST_ENTRY(oldest, struct gh_rate_cell, rest);
        if (rates->resting_count <= RESTING_MAX && !is_empty(cell, now))
            break;
        drop(cell);
    }
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

/* For those who wait here, and so many `others`. False when it could not even be asked. */
static bool ask(struct gh_rate_cell *cell, int64_t others)
{
    struct gh_rates *rates = cell->rates;
    int64_t now = gh_loop_now_ms(rates->loop);
    turn_period(cell, now);
    const struct gh_rate_ask ask = { .requests = cell->limit.requests,
                                     .window_s = cell->limit.window_s,
                                     .need = count_waiters(cell) + others,
                                     .extra = expected(cell) };
    cell->call = gh_store_take(rates->store, cell->tenant, cell->node.key, &ask, answered, cell);
    if (cell->call == NULL)
        return false;
    cell->asked_ms = now;
    cell->asked_of = cell->limit.requests;
    cell->is_overdue = false;
    return true;
}

/* A lot was given when the store counted it, which is not before it was asked. One that comes when its time
 * is over is theirs who have waited for it, at this moment: it was counted for them. */
static void put_lot(struct gh_rate_cell *cell, int64_t granted, int64_t now_ms)
{
    bool has_older = left_of(&cell->lots[0], now_ms) > 0;
    int64_t until_ms = cell->asked_ms + cell->slot_ms;
    bool is_over = until_ms <= now_ms;
    cell->lots[has_older] = (struct lot){ granted, is_over ? now_ms + 1 : until_ms };
    cell->ahead = is_over ? 0 : granted; /* 0: nothing is to be had ahead any more */
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
            put_lot(cell, answer->rate.granted, now);
    }
    tell_waiters(cell);
}

/* Each that waits now goes on once. Their requests may end, and with the last of them the cell would. */
static void tell_waiters(struct gh_rate_cell *cell)
{
    int64_t count = count_waiters(cell);
    (void)ref(cell);
    cell->is_telling = true;
    for (struct gh_list *node; count > 0 && (node = gh_list_first(&cell->waiters)) != NULL; count--) {
        gh_list_remove(node);
        struct gh_rate_waiter *waiter = GH_LIST_ENTRY(node, struct gh_rate_waiter, link);
        waiter->go_on(waiter);
    }
    cell->is_telling = false;
    if (!gh_list_is_empty(&cell->waiters) && cell->call == NULL && !ask(cell, 0)) {
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

static struct lot *lot_at_hand(struct gh_rate_cell *cell, int64_t now_ms)
{
    if (left_of(&cell->lots[0], now_ms) == 0) {
        cell->lots[0] = cell->lots[1];
        cell->lots[1] = (struct lot){ 0 };
    }
    return left_of(&cell->lots[0], now_ms) > 0 ? &cell->lots[0] : NULL;
}

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
    if (lot_at_hand(cell, now_ms) != NULL)
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

static bool wants_more(const struct gh_rate_cell *cell, const struct lot *lot, int64_t now_ms)
{
    if (cell->call != NULL || cell->ahead < BUSY || cell->lots[1].left > 0 || cell->shut_until_ms > now_ms)
        return false;
    return lot->left * 4 <= cell->ahead || (lot->until_ms - now_ms) * 4 <= cell->slot_ms;
}

static void spend(struct gh_rate_cell *cell, int64_t now_ms)
{
    struct lot *lot = lot_at_hand(cell, now_ms);
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
        bool is_first = !gh_list_is_linked(&waiter->link);
        if (is_first)
            wait_at(cells[i], waiter);
        ok = cells[i]->call != NULL || cells[i]->is_telling || ask(cells[i], !is_first);
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
