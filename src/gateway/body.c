/* gateway/body.c: the request body on its way: held whole where the route wants it, else passed on piece by
 * piece. */
#include "base/str.h"
#include "gateway/request.h"

static bool is_too_large(const struct gh_request *r, uint64_t len)
{
    return r->route->body_max > 0 && len > (uint64_t)r->route->body_max;
}

enum gh_next gh_stage_body(struct gh_request *r)
{
    if (r->x->content_length > 0 && is_too_large(r, (uint64_t)r->x->content_length))
        return gh_request_refuse(r, GH_HTTP_BODY_LARGE);
    return !r->route->body_whole || r->body_ended ? GH_NEXT : GH_WAIT;
}

static void end_with(struct gh_request *r, enum gh_reason why)
{
    gh_exchange_abort(r->x, why);
    gh_request_let_go(r);
}

/* Whole bodies come from a pool with a bound per worker; the client may go on sending as they are held. */
static enum gh_reason hold(struct gh_request *r, gh_str bytes)
{
    size_t held = r->gateway->bodies_held + bytes.len;
    if ((int64_t)held > r->site->limits.body_pool)
        return GH_OVERLOADED;
    if (!gh_buf_add(&r->body, bytes))
        return GH_OUT_OF_MEMORY;
    r->gateway->bodies_held = held;
    r->x->sink->taken(r->x, bytes.len);
    return GH_OK;
}

void gh_forward_body(struct gh_request *r, gh_str bytes, bool end)
{
    r->body_seen += bytes.len;
    r->body_ended = r->body_ended || end;
    if (r->route != NULL && is_too_large(r, r->body_seen)) {
        end_with(r, GH_HTTP_BODY_LARGE);
        return;
    }
    if (r->call != NULL) {
        gh_call_body(r->call, bytes, end);
        return;
    }
    enum gh_reason reason = GH_OK;
    if (r->route != NULL && r->route->body_whole)
        reason = hold(r, bytes);
    else if (!gh_buf_add(&r->body, bytes)) /* at most 64 KiB: nothing was taken yet */
        reason = GH_OUT_OF_MEMORY;
    if (reason != GH_OK)
        end_with(r, reason);
    else if (end) /* authn, where it waits, takes this for no answer */
        gh_request_run(r);
}
