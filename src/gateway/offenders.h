/* gateway/offenders.h: client addresses whose tokens failed of late, each with what it may still spend; of
 * one worker. */
#ifndef GH_GATEWAY_OFFENDERS_H
#define GH_GATEWAY_OFFENDERS_H

#include "gatehouse/types.h"

struct gh_offenders;
/* Of the `max` addresses that failed last. NULL when out of memory. */
struct gh_offenders *gh_offenders_new(size_t max);
void gh_offenders_free(struct gh_offenders *offenders);

struct gh_offender_rate {
    double burst, per_s;
    int64_t now_ms;
};
/* Has this address spent what it had? One that never failed has all. An IPv6 client is its /64: it may take
 * any address below. What is no IP address (a unix socket) has no budget and is never broke. */
bool gh_offenders_is_broke(struct gh_offenders *offenders, gh_str ip, const struct gh_offender_rate *rate);
void gh_offenders_spend(struct gh_offenders *offenders, gh_str ip, const struct gh_offender_rate *rate);

#endif
