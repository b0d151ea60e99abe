/* gateway/rate_cell.c: cells are found, made, kept beyond their last reference, and dropped; the lots in
 * them. */
#include "gateway/rate_cell.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/str.h"

/* So many that nobody refers to are kept, about half a KiB each. */
#define RESTING_MAX 4096

static struct gh_rate_cell *new_cell(struct gh_rates *rates, gh_str tenant, gh_str key);
static void set_limit(struct gh_rate_cell *cell, const struct gh_rate_limit *limit);
static int64_t left_of(const struct gh_rate_lot *lot, int64_t now_ms);

struct gh_rate_cell *gh_rates_cell(struct gh_rates *rates, gh_str tenant, gh_str key,
                                   const struct gh_rate_limit *limit)
{
    struct gh_map_node *node = gh_map_find(&rates->cells, key);
    struct gh_rate_cell *cell =
        node != NULL ? GH_MAP_ENTRY(node, struct gh_rate_cell, node) : new_cell(rates, tenant, key);
    if (cell == NULL)
        return NULL;
    set_limit(cell, limit);
    gh_rate_cell_ref(cell);
    return cell;
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
        cell->lots[0] = cell->lots[1] = (struct gh_rate_lot){ 0 };
        cell->ahead = 0;
    }
    cell->limit = *limit;
    cell->slot_ms = gh_rate_window(limit->window_s).slot_ms;
}

/* ---- life ---- */

void gh_rate_cell_ref(struct gh_rate_cell *cell)
{
    if (cell->refs++ > 0 || !gh_list_is_linked(&cell->rest))
        return;
    gh_list_remove(&cell->rest);
    cell->rates->resting_count--;
}

void gh_rate_cell_drop(struct gh_rate_cell *cell)
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
        gh_rate_cell_drop(cell);
    struct gh_list *oldest;
    while ((oldest = gh_list_first(&rates->resting)) != NULL) {
        cell = GH_LIST_ENTRY(oldest, struct gh_rate_cell, rest);
        if (rates->resting_count <= RESTING_MAX && !is_empty(cell, now))
            break;
        gh_rate_cell_drop(cell);
    }
}

/* ---- lots ---- */

static int64_t left_of(const struct gh_rate_lot *lot, int64_t now_ms)
{
    return lot->until_ms > now_ms ? lot->left : 0;
}

struct gh_rate_lot *gh_rate_cell_lot(struct gh_rate_cell *cell, int64_t now_ms)
{
    if (left_of(&cell->lots[0], now_ms) == 0) {
        cell->lots[0] = cell->lots[1];
        cell->lots[1] = (struct gh_rate_lot){ 0 };
    }
    return left_of(&cell->lots[0], now_ms) > 0 ? &cell->lots[0] : NULL;
}

/* A lot was given when the store counted it, which is not before it was asked. One that comes when its time
 * is over is theirs who have waited for it, at this moment: it was counted for them. */
void gh_rate_cell_put(struct gh_rate_cell *cell, int64_t granted, int64_t now_ms)
{
    bool has_older = left_of(&cell->lots[0], now_ms) > 0;
    int64_t until_ms = cell->asked_ms + cell->slot_ms;
    bool is_over = until_ms <= now_ms;
    cell->lots[has_older] = (struct gh_rate_lot){ granted, is_over ? now_ms + 1 : until_ms };
    cell->ahead = is_over ? 0 : granted; /* 0: nothing is to be had ahead any more */
}
