/* gateway/rate_cell.h: one limit for one of those it counts by, as one worker holds it. Private to rates.c.
 */
#ifndef GH_GATEWAY_RATE_CELL_H
#define GH_GATEWAY_RATE_CELL_H

#include "base/map.h"
#include "gateway/rates.h"

struct gh_rate_lot {
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
    struct gh_rate_lot lots[2];            /* the older one is used up first */
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

void gh_rate_cell_ref(struct gh_rate_cell *cell);
/* One that nobody refers to; with its question to the store. */
void gh_rate_cell_drop(struct gh_rate_cell *cell);
/* The lot that is to be used now; NULL: there is none. */
struct gh_rate_lot *gh_rate_cell_lot(struct gh_rate_cell *cell, int64_t now_ms);
/* What the store has given. */
void gh_rate_cell_put(struct gh_rate_cell *cell, int64_t granted, int64_t now_ms);

#endif
