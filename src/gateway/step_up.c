/* gateway/step_up.c: tells a managed issuer, by a row of the store, that a client of its was refused for want
 * of scopes: the next refresh of that grant fails, so that clients which only refresh ask their user
 * (issuer.md section 15). */
#include "base/str.h"
#include "gatehouse/grant.h"
#include "gateway/request.h"

#define AGAIN_S 600

/* Who was told of lately, by this worker: a client that goes on asking costs the store nothing. The row
 * itself says it to all: where a place was taken by another, a commit that finds the row there writes
 * nothing. */
static bool was_told(struct gh_gateway *gateway, gh_str grant, int64_t now)
{
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < grant.len; i++)
        hash = (hash ^ (unsigned char)grant.ptr[i]) * 1099511628211u;
    struct gh_told *told = &gateway->told[hash % GH_TOLD_MAX];
    bool was = told->hash == hash && told->until > now;
    if (!was)
        *told = (struct gh_told){ hash, now + AGAIN_S };
    return was;
}

static bool is_of_ours(const struct gh_request *r)
{
    gh_str name = r->x->principal->issuer_name;
    for (size_t i = 0; i < r->route->issuer_count; i++)
        if (r->route->issuers[i]->conf.profile.is_ours &&
            gh_str_eq(r->route->issuers[i]->conf.profile.name, name))
            return true;
    return false;
}

static void done(void *ctx, const struct gh_store_answer *answer)
{
}

/* Nobody waits for it: whatever this process asks the store later is answered behind it. */
void gh_step_up(struct gh_request *r)
{
    const struct gh_principal *principal = r->x->principal;
    struct gh_gateway *gateway = r->gateway;
    int64_t now = gh_loop_wall_s(gateway->with.loop);
    struct gh_effects *effects;
    if (!r->route->step_up || gateway->with.store == NULL || principal == NULL || principal->grant.len == 0 ||
        !is_of_ours(r) || was_told(gateway, principal->grant, now))
        return;
    effects = GH_ARENA_NEW(r->x->arena, struct gh_effects);
    struct gh_strs needed = r->x->needed.count > 0 ? r->x->needed : r->route->policy.scopes;
    if (effects != NULL && gh_step_up_ask(r->x->arena, principal->grant, needed, now, effects) == GH_OK)
        (void)gh_store_commit(gateway->with.store, r->route->policy.tenant, effects, now, done, NULL);
}
