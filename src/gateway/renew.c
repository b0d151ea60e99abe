/* gateway/renew.c: an open answer whose token is vouched for by introspection: asked again when the last word
 * is too old. */
#include "base/arena.h"
#include "base/str.h"
#include "gateway/request.h"

/* Whoever vouched for it before. */
static const struct gh_issuer *same_issuer(const struct gh_request *r)
{
    for (size_t i = 0; i < r->route->issuer_count; i++) {
        const struct gh_issuer *issuer = r->route->issuers[i];
        if (issuer->slot == r->verdict->slot && issuer->conf.introspection_url.len > 0)
            return issuer;
    }
    return NULL;
}

static void end_with(struct gh_request *r, enum gh_reason why)
{
    gh_exchange_abort(r->x, why);
    gh_request_let_go(r);
}

void gh_renew(struct gh_request *r)
{
    const struct gh_gateway_ports *ports = r->gateway->with.ports;
    r->issuer = same_issuer(r);
    if (r->issuer == NULL || !gh_request_take_ticket(r)) {
        end_with(r, GH_TOKEN_EXPIRED);
        return;
    }
    r->renewing = true;
    gh_deadline_set(r->gateway->with.loop, &r->wait_deadline, r->site->limits.keys_wait_ms);
    if (!ports->introspect(ports->ctx, r->issuer->slot, r->token_text, r->ticket, false))
        end_with(r, GH_INTROSPECTION_DOWN);
}

/* What is said of the user now replaces what was said before: lists on the stream go by it. */
static enum gh_reason judge(struct gh_request *r, gh_str answer)
{
    const struct gh_issuer_conf *conf = &r->issuer->conf;
    int64_t now = gh_loop_wall_s(r->gateway->with.loop);
    GH_CLEANUP(gh_arena_free) struct gh_arena *arena = gh_arena_new(0);
    struct gh_principal *principal = arena != NULL ? GH_ARENA_NEW(arena, struct gh_principal) : NULL;
    if (principal == NULL)
        return GH_OUT_OF_MEMORY;
    enum gh_reason reason =
        gh_introspection_judge(arena, answer, &conf->profile, &r->route->policy.binding, now, principal);
    if (reason != GH_OK)
        return reason;
    if (!gh_str_eq(principal->subject, r->x->principal->subject) ||
        gh_policy_decide(&r->route->policy, principal) != GH_OK)
        return GH_TOKEN_INACTIVE;
    struct gh_arena *before = r->renewed;
    r->x->principal = principal;
    r->renewed = arena;
    arena = before; /* freed here */
    return GH_OK;
}

/* Fails closed: whoever cannot be vouched for has no stream. */
void gh_renew_answered(struct gh_request *r, enum gh_reason reason, gh_str answer)
{
    const struct gh_issuer_conf *conf = &r->issuer->conf;
    gh_deadline_clear(&r->wait_deadline);
    r->renewing = false;
    if (reason == GH_OK)
        reason = judge(r, answer);
    if (reason != GH_OK) {
        end_with(r, reason);
        return;
    }
    int64_t left = r->x->principal->expires - gh_loop_wall_s(r->gateway->with.loop);
    if (left > conf->introspection_max_age_s)
        left = conf->introspection_max_age_s;
    gh_deadline_set(r->gateway->with.loop, &r->expiry, left > 0 ? left * 1000 : 1);
}
