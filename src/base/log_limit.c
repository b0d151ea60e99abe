/* base/log_limit.c: a bucket for each kind of line. */
#include "base/log_limit.h"

/* How far from its place a kind is looked for. */
#define NEIGHBOURS 8u

static size_t slot_of(const char *message, const char *reason)
{
    uintptr_t mixed = (uintptr_t)message * 31u + (uintptr_t)reason;
    return (size_t)((mixed ^ mixed >> 7 ^ mixed >> 13) % GH_LOG_KINDS);
}

/* Its own slot, else an empty one near its place, else the one at its place. */
static struct gh_log_kind *kind_of(struct gh_log_limit *limit, const char *message, const char *reason)
{
    size_t at = slot_of(message, reason);
    struct gh_log_kind *empty = NULL;
    for (size_t i = 0; i < NEIGHBOURS; i++) {
        struct gh_log_kind *kind = &limit->kinds[(at + i) % GH_LOG_KINDS];
        if (kind->message == message && kind->reason == reason)
            return kind;
        if (empty == NULL && kind->message == NULL)
            empty = kind;
    }
    return empty != NULL ? empty : &limit->kinds[at];
}

bool gh_log_limit_admits(struct gh_log_limit *limit, const char *message, const char *reason,
                         const struct gh_log_rate *rate, uint64_t *ret_suppressed)
{
    struct gh_log_kind *kind = kind_of(limit, message, reason);
    *ret_suppressed = 0;
    if (rate->burst <= 0)
        return true;
    if (kind->message != message || kind->reason != reason) {
        *kind = (struct gh_log_kind){ .message = message, .reason = reason };
        gh_budget_init(&kind->budget, rate->burst, rate->now_ms);
    }
    gh_budget_refill(&kind->budget, rate->burst, rate->per_s, rate->now_ms);
    if (!gh_budget_has(&kind->budget)) {
        kind->suppressed++;
        return false;
    }
    gh_budget_spend(&kind->budget, 1);
    *ret_suppressed = kind->suppressed;
    kind->suppressed = 0;
    return true;
}
