/* base/pace.h: how far something has come, since when it has stood still, and whether it keeps up a least
 * rate. */
#ifndef GH_BASE_PACE_H
#define GH_BASE_PACE_H

#include "gatehouse/types.h"

struct gh_pace {
    uint64_t seen;    /* at the last look */
    int64_t moved_ms; /* when it was last seen to have moved */
    uint64_t from;    /* at the beginning of the present window */
    int64_t from_ms;
};

/* From here on: all before is forgiven. */
static inline void gh_pace_begin(struct gh_pace *pace, uint64_t total, int64_t now_ms)
{
    *pace = (struct gh_pace){ .seen = total, .moved_ms = now_ms, .from = total, .from_ms = now_ms };
}

/* Has it stood still for so long? */
static inline bool gh_pace_is_still(struct gh_pace *pace, uint64_t total, int64_t idle_ms, int64_t now_ms)
{
    if (total != pace->seen) {
        pace->seen = total;
        pace->moved_ms = now_ms;
    }
    return now_ms - pace->moved_ms >= idle_ms;
}

/* Over windows of `window_ms`: did it come on by fewer than `per_s` a second in the one that ends now? */
static inline bool gh_pace_is_slow(struct gh_pace *pace, uint64_t total, int64_t window_ms, int64_t per_s,
                                   int64_t now_ms)
{
    int64_t took = now_ms - pace->from_ms;
    if (took < window_ms || took <= 0)
        return false;
    bool slow = (int64_t)(total - pace->from) * 1000 < per_s * took;
    pace->from = total;
    pace->from_ms = now_ms;
    return slow;
}

#endif
