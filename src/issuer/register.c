/* issuer/register.c: dynamic client registration: what is allowed is kept, stored and echoed. */
#include "base/clock.h"
#include "base/str.h"
#include "issuer/flow.h"

/* An unused registration dies after a day; the first authorization request keeps it (issuer.md section 5.2).
 */
#define UNUSED_S 86400

/* issuer.md section 14: anybody can write here, so no address writes much. */
static struct gh_rate rate_of(const struct gh_issuer_request *r)
{
    return (struct gh_rate){ .tries = r->managed->limits.registrations, .span_s = 3600 };
}

static gh_str rate_key(const struct gh_issuer_request *r)
{
    return gh_throttle_key(r->x->arena, "registrations", r->address);
}

static enum gh_step_end read_rate(struct gh_issuer_request *r)
{
    gh_str key = rate_key(r);
    return gh_issuer_read(r, &key, 1);
}

static enum gh_step_end take(struct gh_issuer_request *r)
{
    const struct gh_rate rate = rate_of(r);
    unsigned char random[16];
    gh_random_fill(random, sizeof(random));
    int64_t now = gh_issuer_now(r);
    struct gh_arena *arena = r->x->arena;
    enum gh_reason reason =
        gh_client_register(arena, gh_buf_peek(&r->body), r->managed->policy.redirect_schemes, random, now,
                           &r->client, &r->reply);
    if (reason != GH_OK)
        return gh_issuer_refuse(r, reason);
    gh_str key = gh_client_key(arena, r->client.id), value = gh_client_write(arena, &r->client);
    if (key.ptr == NULL || value.ptr == NULL)
        return gh_issuer_refuse(r, GH_OUT_OF_MEMORY);
    reason = gh_effects_expect(&r->effects, key, 0);
    if (reason == GH_OK)
        reason = gh_effects_write(&r->effects, key, value, now + UNUSED_S);
    if (reason == GH_OK)
        reason = gh_throttle_spend(r, rate_key(r), &rate);
    const struct gh_rate all = { .tries = r->managed->limits.registrations_all, .span_s = rate.span_s };
    if (reason == GH_OK)
        reason = gh_throttle_all(r, "registrations", &all);
    return reason == GH_OK ? gh_issuer_commit(r) : gh_issuer_refuse(r, reason);
}

static enum gh_step_end answer(struct gh_issuer_request *r)
{
    gh_issuer_tell(r, GH_EVENT_CLIENT_REGISTERED);
    (void)gh_issuer_name(r, GH_STR(""), r->client.id);
    return gh_issuer_json(r, 201, r->reply);
}

const struct gh_step gh_steps_register[] = {
    { "register", read_rate }, { "register", take }, { "answer", answer }, { NULL, NULL }
};
