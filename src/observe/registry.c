/* observe/registry.c: blocks of counters by name: made by the control thread, written by the worker that owns
 * each. */
#include "observe/registry.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/str.h"

const uint32_t gh_duration_bounds_us[GH_DURATION_BUCKETS] = { 250,    500,     1000,    2500,
                                                              5000,   10000,   25000,   100000,
                                                              500000, 1000000, 5000000, 30000000 };

struct gh_registry *gh_registry_new(unsigned workers)
{
    struct gh_registry *registry = gh_calloc(1, sizeof(*registry));
    if (registry == NULL)
        return NULL;
    registry->workers = workers;
    registry->by_worker = gh_calloc(workers, sizeof(*registry->by_worker));
    if (registry->by_worker != NULL)
        return registry;
    free(registry);
    return NULL;
}

void gh_registry_free(struct gh_registry *registry)
{
    if (registry == NULL)
        return;
    for (uint32_t i = 0; i < registry->route_count; i++) {
        free(registry->routes[i].tenant);
        free(registry->routes[i].route);
        free(registry->routes[i].by_worker);
    }
    for (uint32_t i = 0; i < registry->issuer_count; i++) {
        free(registry->issuers[i]->issuer);
        free(registry->issuers[i]);
    }
    free(registry->by_worker);
    free(registry);
}

static char *copy(gh_str s)
{
    char *text = gh_malloc(s.len + 1);
    if (text == NULL)
        return NULL;
    memcpy(text, s.ptr != NULL ? s.ptr : "", s.len);
    text[s.len] = '\0';
    return text;
}

uint32_t gh_registry_route(struct gh_registry *registry, gh_str tenant, gh_str route)
{
    for (uint32_t i = 0; i < registry->route_count; i++)
        if (gh_str_eq(gh_str_from(registry->routes[i].tenant), tenant) &&
            gh_str_eq(gh_str_from(registry->routes[i].route), route))
            return i;
    if (registry->route_count == GH_REGISTRY_ROUTES)
        return UINT32_MAX;
    struct gh_route_series *series = &registry->routes[registry->route_count];
    *series =
        (struct gh_route_series){ .tenant = copy(tenant),
                                  .route = copy(route),
                                  .by_worker = gh_calloc(registry->workers, sizeof(*series->by_worker)) };
    if (series->tenant != NULL && series->route != NULL && series->by_worker != NULL)
        return registry->route_count++;
    free(series->tenant);
    free(series->route);
    free(series->by_worker);
    return UINT32_MAX;
}

struct gh_route_stats *gh_registry_route_stats(struct gh_registry *registry, unsigned worker, uint32_t id)
{
    return &registry->routes[id].by_worker[worker];
}

struct gh_worker_stats *gh_registry_worker_stats(struct gh_registry *registry, unsigned worker)
{
    return &registry->by_worker[worker];
}

struct gh_issuer_stats *gh_registry_issuer_stats(struct gh_registry *registry, gh_str issuer)
{
    for (uint32_t i = 0; i < registry->issuer_count; i++)
        if (gh_str_eq(gh_str_from(registry->issuers[i]->issuer), issuer))
            return &registry->issuers[i]->stats;
    if (registry->issuer_count == GH_REGISTRY_ISSUERS)
        return NULL;
    struct gh_issuer_series *series = gh_calloc(1, sizeof(*series));
    if (series == NULL)
        return NULL;
    series->issuer = copy(issuer);
    if (series->issuer == NULL) {
        free(series);
        return NULL;
    }
    registry->issuers[registry->issuer_count++] = series;
    return &series->stats;
}

void gh_registry_generation(struct gh_registry *registry, uint64_t generation, int64_t loaded_at_s)
{
    __atomic_store_n(&registry->generation, generation, __ATOMIC_RELAXED);
    __atomic_store_n(&registry->loaded_at_s, (uint64_t)loaded_at_s, __ATOMIC_RELAXED);
}

void gh_registry_revocation(struct gh_registry *registry, const struct gh_revocation_gauges *gauges)
{
    registry->revokes = true;
    registry->revocation = *gauges;
}
