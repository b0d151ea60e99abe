/* gateway/revocation.c: was what this request depends on revoked? Asked of the index in memory on every
 * request, and again of open ones when the index has changed; never waits. */
#include "gateway/request.h"

static enum gh_reason judge(const struct gh_request *r)
{
    const struct gh_gateway_new *with = &r->gateway->with;
    enum gh_reason reason = gh_index_ask(with->index, r->verdict->dependencies);
    if (reason != GH_OK || r->route->fails_open)
        return reason;
    /* A log that was not read for so long may hold what would refuse this. */
    bool stale = gh_index_staleness(with->index, gh_loop_now_ms(with->loop)) > r->route->max_stale_ms;
    return stale ? GH_STORE_DOWN : GH_OK;
}

enum gh_next gh_stage_revocation(struct gh_request *r)
{
    struct gh_index *index = r->gateway->with.index;
    if (index == NULL)
        return GH_NEXT;
    gh_index_quiet(index, r->gateway->with.worker);
    enum gh_reason reason = judge(r);
    return reason == GH_OK ? GH_NEXT : gh_request_refuse(r, reason);
}

void gh_gateway_revoked(struct gh_gateway *gateway)
{
    if (gateway->with.index == NULL)
        return;
    gh_index_quiet(gateway->with.index, gateway->with.worker);
    GH_LIST_EACH_SAFE (node, &gateway->requests) {
        struct gh_request *r = GH_LIST_ENTRY(node, struct gh_request, link);
        enum gh_reason reason = r->verdict != NULL ? judge(r) : GH_OK;
        if (reason == GH_OK)
            continue;
        r->x->stage = "revocation";
        gh_exchange_abort(r->x, reason);
        gh_request_let_go(r);
    }
}
