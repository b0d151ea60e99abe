/* include/gatehouse/rate.h: rate limits as plain data: what one counts by, and how many requests a sliding
 * window has left, in lots that whoever asks may hand out for a while without asking again. */
#ifndef GATEHOUSE_RATE_H
#define GATEHOUSE_RATE_H

#include "gatehouse/token.h"

/* Whose requests are counted together. */
enum gh_rate_per {
    GH_RATE_TENANT,
    GH_RATE_ROUTE,
    GH_RATE_USER,   /* issuer and subject */
    GH_RATE_CLIENT, /* issuer and client id; tokens that name none are one client */
    GH_RATE_AGENT,  /* issuer and outermost actor; without one: as GH_RATE_CLIENT */
    GH_RATE_PERS
};
/* What counts while the store cannot be asked. */
enum gh_rate_fail { GH_RATE_LOCAL, GH_RATE_OPEN, GH_RATE_CLOSED };

struct gh_rate_limit {
    enum gh_rate_per per;
    bool of_tenant;   /* over all routes of the tenant, not of one */
    int64_t requests; /* at most so many ... */
    int64_t window_s; /* ... in any time as long */
    enum gh_rate_fail fail;
    struct gh_strs tools; /* only calls of these count, by name or pattern; none: every request */
};
/* Is a call of the tool counted? */
bool gh_rate_counts_tool(const struct gh_rate_limit *limit, gh_str tool);

/* The key under which the store counts: "rate/" and a digest over the limit but for its number, so that
 * another number goes on from the same count. ptr NULL when out of memory. */
gh_str gh_rate_key(struct gh_arena *arena, const struct gh_rate_limit *limit, gh_str tenant, gh_str route,
                   const struct gh_principal *principal);

/* A window is counted in slots: 60 of them, but none shorter than 100 ms.
 *
 *      |  slot - kept  ...  |        slot        |
 *      | still counted      | taken now          |
 *
 * What was taken may be handed out for as long as one slot. Two requests that pass within one window are then
 * taken at most window + slot apart, which is `kept` slots, so both are counted: in no window do more than
 * `requests` pass, and a taker that never rests gets at least 60 of 62 (10 of 12 in a window of a second). */
struct gh_rate_window {
    int64_t slot_ms;
    int64_t kept;
};
struct gh_rate_window gh_rate_window(int64_t window_s);
#define GH_RATE_SLOTS 128 /* kept, and as many that a clock which stepped back has left ahead */

struct gh_rate_slot {
    int64_t slot; /* milliseconds since 1970 over slot_ms */
    int64_t taken;
};
struct gh_rate_ask {
    int64_t requests, window_s; /* of the limit */
    int64_t need;               /* by requests that wait */
    int64_t extra;              /* by those that are expected; given only where much is left */
};
#define GH_RATE_EXTRA_PART 16 /* of what is left then, one part at most: it may lie idle */
struct gh_rate_answer {
    int64_t granted; /* to be counted in the present slot; usable for slot_ms from the asking */
    int64_t wait_ms; /* when more may be had; 0: all that was needed was granted */
};
/* `slots` in their order; those that are no longer, or cannot yet be, do not count. RFC 6585 section 4. */
struct gh_rate_answer gh_rate_grant(const struct gh_rate_ask *ask, const struct gh_rate_slot *slots,
                                    size_t count, int64_t now_ms);
/* Can gh_rate_grant have said so? Asked of what another machine answers. */
bool gh_rate_answers(const struct gh_rate_ask *ask, const struct gh_rate_answer *answer);

#endif
