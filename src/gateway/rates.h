/* gateway/rates.h: what one worker holds of rate limits: lots that it took from the store, and hands out
 * request by request without asking. */
#ifndef GH_GATEWAY_RATES_H
#define GH_GATEWAY_RATES_H

#include "base/list.h"
#include "io/loop.h"
#include "observe/metrics.h"
#include "store/store.h"

/*  lot at hand -----------------------------> passes
 *  none, and the store said until when -----> refused
 *  none ------------------------------------> waits; the store is asked for all who wait together
 *  the store does not answer ---------------> as the limit's `fail` says, and the store is asked on the side
 *
 * A lot lives as long as a slot of the window (gatehouse/rate.h). Where requests keep coming, the next one is
 * asked for before the present one is gone. */
struct gh_rates;
struct gh_rates *gh_rates_new(struct gh_loop *loop, struct gh_store_client *store,
                              struct gh_worker_stats *stats);
/* All cells have been given back. */
void gh_rates_free(struct gh_rates *rates);
/* How long a request waits for the store. */
void gh_rates_set_wait(struct gh_rates *rates, int64_t wait_ms);
/* Cells in memory. */
size_t gh_rates_count(const struct gh_rates *rates);

/* One limit for one of those it counts by. What it holds is kept for a while beyond its last reference, so a
 * reference may be as short as a request. */
struct gh_rate_cell;
/* A reference to the one of gh_rate_key's key, in which the tenant is; NULL when out of memory. */
struct gh_rate_cell *gh_rates_cell(struct gh_rates *rates, gh_str tenant, gh_str key,
                                   const struct gh_rate_limit *limit);
void gh_rate_cell_unref(struct gh_rate_cell *cell);

/* Who waits; `go_on` takes again. */
struct gh_rate_waiter {
    struct gh_list link; /* at `cell` */
    struct gh_rate_cell *cell;
    struct gh_deadline deadline; /* over all that it waits for */
    bool is_late;                /* it has passed: nothing is waited for any more */
    void (*go_on)(struct gh_rate_waiter *waiter);
};
void gh_rate_waiter_init(struct gh_rate_waiter *waiter, void (*go_on)(struct gh_rate_waiter *waiter));
/* It waits for nothing any more. */
void gh_rate_waiter_done(struct gh_rate_waiter *waiter);

/* Each outweighs those before it. */
enum gh_rate_verdict {
    GH_RATE_PASSES,  /* and was counted by every cell */
    GH_RATE_WAITS,   /* `waiter` is called; never inside the call */
    GH_RATE_DOWN,    /* the store cannot be asked, and one of them does not pass then */
    GH_RATE_REFUSED, /* by one of them, until *ret_wait_ms from now */
};
/* What one cell refuses is not counted by the others: they are not asked for it, or what they got lies with
 * them for the next request. */
enum gh_rate_verdict gh_rates_take(struct gh_rates *rates, struct gh_rate_cell *const *cells, size_t count,
                                   struct gh_rate_waiter *waiter, int64_t *ret_wait_ms);

#endif
