/* base/log_limit.h: how often lines of one kind may come: a kind is a message and the reason beside it. */
#ifndef GH_BASE_LOG_LIMIT_H
#define GH_BASE_LOG_LIMIT_H

#include "base/budget.h"

/* Messages and reasons are texts of the program, so that their places name them. There are fewer kinds
 * than slots; where many meet nevertheless they take a slot from each other, and a line too many is no harm.
 */
#define GH_LOG_KINDS 64u
struct gh_log_kind {
    const char *message, *reason;
    struct gh_budget budget;
    uint64_t suppressed; /* since the last line of this kind */
};
struct gh_log_limit {
    struct gh_log_kind kinds[GH_LOG_KINDS];
};

struct gh_log_rate {
    double burst, per_s; /* burst 0: no limit */
    int64_t now_ms;
};
/* May this line be written? *ret_suppressed is how many of its kind were not since the last one. */
bool gh_log_limit_admits(struct gh_log_limit *limit, const char *message, const char *reason,
                         const struct gh_log_rate *rate, uint64_t *ret_suppressed);

#endif
