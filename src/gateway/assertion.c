/* gateway/assertion.c: the verified identity, signed: once for a verdict, and used until half its life is
 * over. */
#include <stdlib.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/str.h"
#include "gateway/request.h"

/* What was signed under other settings may have another issuer, or a key that is published no longer. A clock
 * that was set back makes what was signed one from the future. */
static bool is_fresh(const struct gh_signed *made, const struct gh_site *site, int64_t now)
{
    return made != NULL && made->generation == site->generation && made->at <= now && now < made->renew_at;
}

static enum gh_reason sign(struct gh_request *r, int64_t now, int64_t expires, gh_str *ret_assertion)
{
    const struct gh_assertion_signer *signer = &r->site->assertion;
    const struct gh_route *route = r->route;
    struct gh_assertion assertion = {
        .issuer = signer->issuer,
        .audience = route->assertion.audience,
        .tenant = route->policy.tenant,
        .resource = route->policy.resource_text,
        .principal = &r->verdict->principal,
        .issued = now,
        .expires = expires,
    };
    if (signer->key_count == 0)
        return GH_INTERNAL;
    gh_random_fill(assertion.jti, sizeof(assertion.jti));
    gh_str claims = gh_assertion_write(r->x->arena, &assertion);
    if (claims.ptr == NULL)
        return GH_OUT_OF_MEMORY;
    return gh_token_sign(r->x->arena, signer->keys[0], GH_STR(GH_ASSERTION_TYP), claims, ret_assertion);
}

/* Without memory for it the next request signs again. */
static void keep(struct gh_request *r, int64_t now, int64_t expires, gh_str text)
{
    struct gh_signed *made = gh_malloc(sizeof(*made) + text.len);
    free(r->verdict->assertion);
    r->verdict->assertion = made;
    if (made == NULL)
        return;
    *made = (struct gh_signed){ .at = now,
                                .renew_at = now + (expires - now) / 2,
                                .generation = r->site->generation };
    made->text = gh_str_of(memcpy(made + 1, text.ptr, text.len), text.len);
}

enum gh_reason gh_assertion_for(struct gh_request *r, gh_str *ret_assertion)
{
    int64_t now = gh_loop_wall_s(r->gateway->with.loop);
    const struct gh_signed *made = r->verdict->assertion;
    if (is_fresh(made, r->site, now)) {
        GH_COUNT_ADD(r->gateway->stats->assertions_reused, 1);
        /* A copy: a call may wait longer for its connection than the text stays. */
        *ret_assertion = gh_arena_dup(r->x->arena, made->text);
        return ret_assertion->ptr != NULL ? GH_OK : GH_OUT_OF_MEMORY;
    }
    int64_t expires = now + r->route->assertion.lifetime_s;
    if (expires > r->verdict->principal.expires)
        expires = r->verdict->principal.expires;
    /* Leeway lets a token in whose time is over by our clock; what we say about it could not be valid. The
     * client is told so itself, since it alone can get a new token. */
    if (expires <= now)
        return GH_TOKEN_EXPIRED;
    enum gh_reason reason = sign(r, now, expires, ret_assertion);
    if (reason != GH_OK)
        return reason;
    GH_COUNT_ADD(r->gateway->stats->assertions_signed, 1);
    keep(r, now, expires, *ret_assertion);
    return GH_OK;
}
