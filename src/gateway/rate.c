/* gateway/rate.c: has each rate limit of the route and its tenant something left for this request? Mostly
 * known here; else the request waits for the store, a bounded time. */
#include "base/arena.h"
#include "base/str.h"
#include "gateway/request.h"

void gh_rate_go_on(struct gh_rate_waiter *waiter)
{
    gh_request_run(GH_LIST_ENTRY(waiter, struct gh_request, rate_waiter));
}

enum gh_next gh_stage_rate(struct gh_request *r)
{
    const struct gh_verdict *verdict = r->verdict;
    int64_t wait_ms = 0;
    if (verdict->rate_count == 0)
        return GH_NEXT;
    if (gh_list_is_linked(&r->rate_waiter.link)) /* something else has woken the request */
        return GH_WAIT;
    switch (
        gh_rates_take(r->gateway->rates, verdict->rates, verdict->rate_count, &r->rate_waiter, &wait_ms)) {
    case GH_RATE_PASSES:
        return GH_NEXT;
    case GH_RATE_WAITS:
        return GH_WAIT;
    case GH_RATE_REFUSED:
        r->x->retry_after_s = (wait_ms + 999) / 1000;
        return gh_request_refuse(r, GH_RATE_LIMITED);
    case GH_RATE_DOWN:
        return gh_request_refuse(r, GH_STORE_DOWN);
    }
    return gh_request_refuse(r, GH_INTERNAL);
}

bool gh_rate_find_cells(struct gh_request *r, struct gh_verdict *verdict)
{
    const struct gh_route *route = r->route;
    const struct gh_policy *policy = &route->policy;
    if (route->rate_count == 0)
        return true;
    verdict->rates = gh_calloc(route->rate_count, sizeof(struct gh_rate_cell *));
    for (size_t i = 0; verdict->rates != NULL && i < route->rate_count; i++) {
        gh_str key =
            gh_rate_key(r->x->arena, &route->rates[i], policy->tenant, policy->route, &verdict->principal);
        struct gh_rate_cell *cell =
            key.ptr != NULL ? gh_rates_cell(r->gateway->rates, policy->tenant, key, &route->rates[i]) : NULL;
        if (cell == NULL)
            return false;
        verdict->rates[verdict->rate_count++] = cell;
    }
    return verdict->rates != NULL;
}
