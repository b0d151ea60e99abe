/* base/budget.h: a token bucket: spent by what should be rare, refilled by time. */
#ifndef GH_BASE_BUDGET_H
#define GH_BASE_BUDGET_H

#include "gatehouse/types.h"

struct gh_budget {
    int64_t last_ms;
    double level; /* what may still be spent */
};

/* A full bucket. */
static inline void gh_budget_init(struct gh_budget *budget, double burst, int64_t now_ms)
{
    budget->last_ms = now_ms;
    budget->level = burst;
}
static inline void gh_budget_refill(struct gh_budget *budget, double burst, double per_s, int64_t now_ms)
{
    if (now_ms > budget->last_ms) {
        budget->level += (double)(now_ms - budget->last_ms) * per_s / 1000.0;
        if (budget->level > burst)
            budget->level = burst;
        budget->last_ms = now_ms;
    }
}
/* Is there anything left to spend? */
static inline bool gh_budget_has(const struct gh_budget *budget)
{
    return budget->level >= 1.0;
}
/* Spends; the level may go below zero by one cost. */
static inline void gh_budget_spend(struct gh_budget *budget, double cost)
{
    budget->level -= cost;
}

#endif
