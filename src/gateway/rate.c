/* gateway/rate.c: has each rate limit of the route and its tenant something left for this request? Mostly
 * known here; else the request waits for the store, a bounded time. */
#include "base/arena.h"
#include "base/str.h"
#include "gateway/request.h"

void gh_rate_go_on(struct gh_rate_waiter *waiter)
{
    gh_request_run(GH_LIST_ENTRY(waiter, struct gh_request, rate_waiter));
}

static struct gh_rate_cell *find_cell(struct gh_request *r, const struct gh_rate_limit *limit,
                                      const struct gh_principal *principal)
{
    const struct gh_policy *policy = &r->route->policy;
    gh_str key = gh_rate_key(r->x->arena, limit, policy->tenant, policy->route, principal);
    return key.ptr != NULL ? gh_rates_cell(r->gateway->rates, policy->tenant, key, limit) : NULL;
}

/* ---- limits of every request: a verdict holds them ---- */

bool gh_rate_find_cells(struct gh_request *r, struct gh_verdict *verdict)
{
    const struct gh_route *route = r->route;
    if (route->rate_count == 0)
        return true;
    verdict->rates = gh_calloc(route->rate_count, sizeof(struct gh_rate_cell *));
    for (size_t i = 0; verdict->rates != NULL && i < route->rate_count; i++) {
        if (route->rates[i].tools.count > 0)
            continue;
        struct gh_rate_cell *cell = find_cell(r, &route->rates[i], &verdict->principal);
        if (cell == NULL)
            return false;
        verdict->rates[verdict->rate_count++] = cell;
    }
    return verdict->rates != NULL;
}

/* ---- limits of calls: the request holds them ---- */

void gh_rate_note_tool(struct gh_request *r, gh_str tool)
{
    for (size_t i = 0; i < r->route->rate_count; i++)
        if (gh_rate_counts_tool(&r->route->rates[i], tool))
            r->rates_of_call |= 1u << i;
}

/* Once: what a request waits for stays what it was. */
static bool gather(struct gh_request *r)
{
    const struct gh_verdict *verdict = r->verdict;
    const struct gh_route *route = r->route;
    if (r->rates != NULL)
        return true;
    r->rates = gh_arena_calloc(r->x->arena, verdict->rate_count + route->rate_count, sizeof(*r->rates));
    if (r->rates == NULL)
        return false;
    for (size_t i = 0; i < verdict->rate_count; i++)
        r->rates[i] = verdict->rates[i];
    r->rate_count = r->rates_lent = verdict->rate_count;
    for (size_t i = 0; i < route->rate_count; i++) {
        if ((r->rates_of_call >> i & 1) == 0)
            continue;
        struct gh_rate_cell *cell = find_cell(r, &route->rates[i], &verdict->principal);
        if (cell == NULL)
            return false;
        r->rates[r->rate_count++] = cell;
    }
    return true;
}

void gh_rate_done(struct gh_request *r)
{
    gh_rate_waiter_done(&r->rate_waiter);
    while (r->rate_count > r->rates_lent)
        gh_rate_cell_unref(r->rates[--r->rate_count]);
}

/* ---- the stage ---- */

static enum gh_next take(struct gh_request *r)
{
    int64_t wait_ms = 0;
    if (r->rate_count == 0)
        return GH_NEXT;
    switch (gh_rates_take(r->gateway->rates, r->rates, r->rate_count, &r->rate_waiter, &wait_ms)) {
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

enum gh_next gh_stage_rate(struct gh_request *r)
{
    if (r->verdict->rate_count == 0 && r->rates_of_call == 0)
        return GH_NEXT;
    if (gh_list_is_linked(&r->rate_waiter.link)) /* something else has woken the request */
        return GH_WAIT;
    return gather(r) ? take(r) : gh_request_refuse(r, GH_OUT_OF_MEMORY);
}
