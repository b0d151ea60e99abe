/* observe/registry.h: the registry's own structs, shared by counting and exposing. Private to this folder. */
#ifndef GH_OBSERVE_REGISTRY_H
#define GH_OBSERVE_REGISTRY_H

#include "observe/metrics.h"

#define GH_REGISTRY_ROUTES  4096
#define GH_REGISTRY_ISSUERS 1024

struct gh_route_series {
    char *tenant, *route;             /* of the settings; never freed before the registry */
    struct gh_route_stats *by_worker; /* an array, one per worker */
};

struct gh_issuer_series {
    char *issuer;
    struct gh_issuer_stats stats;
};

struct gh_registry {
    unsigned workers;
    struct gh_route_series routes[GH_REGISTRY_ROUTES];
    uint32_t route_count;
    struct gh_issuer_series *issuers[GH_REGISTRY_ISSUERS];
    uint32_t issuer_count;
    struct gh_worker_stats *by_worker;
    gh_cell generation, loaded_at_s;
    bool revokes;
    struct gh_revocation_gauges revocation;
};

#endif
