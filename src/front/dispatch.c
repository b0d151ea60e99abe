/* front/dispatch.c: hands each exchange to the one sibling it belongs to, by host and path alone. */
#include "front/dispatch.h"

static void start(struct gh_exchange *x)
{
    const struct gh_dispatch *dispatch = x->handler_ctx;
    x->handler = &gh_gateway_handler;
    x->handler_ctx = dispatch->gateway;
    if (dispatch->issuer != NULL && gh_issuer_server_owns(dispatch->issuer, x)) {
        x->handler = &gh_issuer_handler;
        x->handler_ctx = dispatch->issuer;
    } else if (gh_signals_own(dispatch->signals, x)) {
        x->handler = &gh_signals_handler;
        x->handler_ctx = dispatch->signals;
    }
    x->handler->start(x);
}

/* An exchange that the front itself refuses never begins, but may still end. */
static void gone(struct gh_exchange *x, enum gh_reason why)
{
}

static void body(struct gh_exchange *x, gh_str bytes, bool end)
{
    x->sink->taken(x, bytes.len);
}

static void room(struct gh_exchange *x)
{
}

const struct gh_handler gh_dispatch_handler = { .start = start, .body = body, .room = room, .gone = gone };
