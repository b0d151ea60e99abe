/* gateway/gateway.c: what one worker's gateway owns: its snapshot, key views, verdicts, pools; and how they
 * are replaced. */
#include "gateway/gateway.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/str.h"
#include "gateway/request.h"

#define OFFENDERS_MAX 4096

struct gh_gateway *gh_gateway_new(const struct gh_gateway_new *with)
{
    struct gh_gateway *gateway = gh_calloc(1, sizeof(*gateway));
    if (gateway == NULL)
        return NULL;
    gateway->with = *with;
    gateway->stats = gh_registry_worker_stats(with->registry, with->worker);
    gh_map_init(&gateway->upstreams);
    gh_map_init(&gateway->waiting);
    gh_map_init(&gateway->turnstiles);
    gh_list_init(&gateway->requests);
    gateway->keys = gh_calloc(GH_KEYRING_SLOTS, sizeof(*gateway->keys));
    gateway->verdicts = gh_verdicts_new(0);
    gateway->offenders = gh_offenders_new(OFFENDERS_MAX);
    gateway->sealer = gh_sealer_new();
    gateway->rates = gh_rates_new(with->loop, with->store, gateway->stats);
    if (gateway->rates != NULL && gateway->keys != NULL && gateway->verdicts != NULL &&
        gateway->offenders != NULL && gateway->sealer != NULL)
        return gateway;
    gh_gateway_free(gateway);
    return NULL;
}

void gh_gateway_free(struct gh_gateway *gateway)
{
    if (gateway == NULL)
        return;
    gh_gateway_free_upstreams(gateway);
    for (size_t i = 0; gateway->keys != NULL && i < GH_KEYRING_SLOTS; i++)
        gh_jwks_unref(gateway->keys[i].view.set);
    free(gateway->keys);
    gh_verdicts_free(gateway->verdicts);
    gh_rates_free(gateway->rates);
    gh_rpc_scanner_free(gateway->scanner);
    gh_offenders_free(gateway->offenders);
    gh_check_free_turnstiles(gateway);
    gh_sealer_free(gateway->sealer);
    gh_map_done(&gateway->upstreams);
    gh_map_done(&gateway->waiting);
    gh_site_unref(gateway->site);
    free(gateway);
}

/* ---- keys ---- */

void gh_gateway_set_keys(struct gh_gateway *gateway, uint32_t slot, const struct gh_keys_view *view)
{
    struct keys_here *here = &gateway->keys[slot];
    gh_jwks_unref(here->view.set);
    here->view = *view;
    here->published++;
}

/* ---- a new snapshot ---- */

/* The next body makes another one. */
static void drop_scanner(struct gh_gateway *gateway, const struct gh_rpc_limits *limits)
{
    const struct gh_rpc_limits *now = &gateway->scanner_limits;
    if (now->depth == limits->depth && now->members == limits->members && now->string == limits->string)
        return;
    gh_rpc_scanner_free(gateway->scanner);
    gateway->scanner = NULL;
}

static const struct gh_route *same_route(const struct gh_site *site, const struct gh_route *old)
{
    for (size_t i = 0; i < site->route_count; i++)
        if (site->routes[i].fingerprint == old->fingerprint &&
            gh_str_eq(site->routes[i].policy.route, old->policy.route))
            return &site->routes[i];
    return NULL;
}

static const struct gh_issuer *same_issuer(const struct gh_route *route, const struct gh_issuer *old)
{
    for (size_t i = 0; old != NULL && i < route->issuer_count; i++)
        if (gh_str_eq(route->issuers[i]->conf.profile.name, old->conf.profile.name))
            return route->issuers[i];
    return NULL;
}

/* An unchanged route goes on under the new snapshot, so that the old one can die; a changed one ends its
 * streams. */
static void decide_anew(struct gh_request *r, struct gh_site *site)
{
    if (r->route == NULL)
        return;
    const struct gh_route *route = same_route(site, r->route);
    if (route == NULL) {
        gh_exchange_abort(r->x, GH_POLICY_CHANGED);
        gh_request_let_go(r);
        return;
    }
    r->issuer = same_issuer(route, r->issuer);
    r->route = route;
    r->x->policy = &route->policy;
    struct gh_site *old = r->site;
    r->site = gh_site_ref(site);
    gh_site_unref(old);
}

void gh_gateway_set_site(struct gh_gateway *gateway, struct gh_site *site)
{
    struct gh_site *old = gateway->site;
    gateway->site = gh_site_ref(site);
    gh_verdicts_resize(gateway->verdicts, (size_t)site->limits.verdicts);
    gh_rates_set_wait(gateway->rates, site->limits.rate_wait_ms);
    drop_scanner(gateway, &site->limits.rpc);
    GH_LIST_EACH_SAFE (node, &gateway->requests)
        decide_anew(GH_LIST_ENTRY(node, struct gh_request, link), site);
    gh_gateway_prune_upstreams(gateway);
    gh_site_unref(old);
}

/* ---- pools ---- */

struct upstream_here {
    struct gh_map_node node; /* key: the target pointer's own bytes */
    struct gh_upstream_target *target;
    struct gh_upstream *upstream;
};

struct gh_upstream *gh_gateway_upstream(struct gh_gateway *gateway, struct gh_upstream_target *target)
{
    struct gh_map_node *node = gh_map_find(&gateway->upstreams, gh_str_of(&target, sizeof(target)));
    if (node != NULL)
        return GH_MAP_ENTRY(node, struct upstream_here, node)->upstream;
    struct upstream_here *here = gh_calloc(1, sizeof(*here));
    if (here == NULL)
        return NULL;
    here->target = gh_upstream_target_ref(target);
    here->node.key = gh_str_of(&here->target, sizeof(here->target));
    here->upstream = gh_upstream_new(gateway->with.loop, target, gateway->stats);
    if (here->upstream != NULL && gh_map_add(&gateway->upstreams, &here->node))
        return here->upstream;
    gh_upstream_free(here->upstream);
    gh_upstream_target_unref(here->target);
    free(here);
    return NULL;
}

static bool is_named(const struct gh_site *site, const struct gh_upstream_target *target)
{
    for (size_t i = 0; site != NULL && i < site->route_count; i++)
        if (site->routes[i].target == target)
            return true;
    return false;
}

static void drop_upstreams(struct gh_gateway *gateway, const struct gh_site *keep)
{
    struct gh_map *map = &gateway->upstreams;
    for (size_t i = 0; map->slots != NULL && i <= map->mask; i++) {
        struct gh_map_node *next = map->slots[i];
        while (next != NULL) {
            struct upstream_here *here = GH_MAP_ENTRY(next, struct upstream_here, node);
            next = next->next;
            if (is_named(keep, here->target))
                continue;
            gh_map_remove(map, &here->node);
            gh_upstream_free(here->upstream);
            gh_upstream_target_unref(here->target);
            free(here);
        }
    }
}

void gh_gateway_prune_upstreams(struct gh_gateway *gateway)
{
    drop_upstreams(gateway, gateway->site);
}

void gh_gateway_free_upstreams(struct gh_gateway *gateway)
{
    drop_upstreams(gateway, NULL);
}
