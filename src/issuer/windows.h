/* issuer/windows.h: how often something may be asked in a while, counted in memory for all workers of the
 * process. */
#ifndef GH_ISSUER_WINDOWS_H
#define GH_ISSUER_WINDOWS_H

#include "gatehouse/types.h"

/* A table of fixed size: where it is full, what began longest ago gives way. One lock; nothing on the way of
 * a request to an MCP server takes it. */
struct gh_limits;
/* `places`: a power of two, at least 4. NULL when out of memory. */
struct gh_limits *gh_limits_new(size_t places);
void gh_limits_free(struct gh_limits *limits);

struct gh_limit {
    int64_t tries, span_s; /* so many in so long; a window begins with the first */
};
struct gh_refusal {
    int64_t wait_s; /* until the window ends */
    bool is_first;  /* that this window has seen */
};
/* One more of what the parts name. True: within the limit. False: refused, and not counted. */
bool gh_limits_take(struct gh_limits *limits, struct gh_strs parts, const struct gh_limit *limit, int64_t now,
                    struct gh_refusal *ret_refusal);
/* What was taken counts no longer, unless its window is over. */
void gh_limits_give(struct gh_limits *limits, struct gh_strs parts, int64_t now);

#endif
