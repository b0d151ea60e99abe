/* gateway/renew.c: an open answer whose token is vouched for by introspection: asked again when the last word
 * is too old. */
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

/* Fails closed: whoever cannot be vouched for has no stream. */
void gh_renew_answered(struct gh_request *r, enum gh_reason reason, gh_str answer)
{
    struct gh_principal principal;
    const struct gh_issuer_conf *conf = &r->issuer->conf;
    int64_t now = gh_loop_wall_s(r->gateway->with.loop);
    gh_deadline_clear(&r->wait_deadline);
    r->renewing = false;
    if (reason == GH_OK)
        reason = gh_introspection_judge(r->x->arena, answer, &conf->profile, &r->route->policy.binding, now,
                                        &principal);
    bool same = reason == GH_OK && gh_str_eq(principal.subject, r->x->principal->subject);
    if (!same || gh_policy_decide(&r->route->policy, &principal) != GH_OK) {
        end_with(r, reason != GH_OK ? reason : GH_TOKEN_INACTIVE);
        return;
    }
    int64_t left = principal.expires - now;
    if (left > conf->introspection_max_age_s)
        left = conf->introspection_max_age_s;
    gh_deadline_set(r->gateway->with.loop, &r->expiry, left > 0 ? left * 1000 : 1);
}
