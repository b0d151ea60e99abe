/* gateway/site.c: indexes a snapshot by host and path, and finds the one route a request belongs to. */
#include "gateway/site.h"

#include <stdio.h>

#include "base/arena.h"
#include "base/str.h"

static const gh_str well_known = GH_STR_INIT("/.well-known/");
static const gh_str prm = GH_STR_INIT("/.well-known/oauth-protected-resource");

/* A host key: a DNS name is at most 253 bytes, a port 5. */
#define HOST_KEY 272

/* ---- finding ---- */

static const struct gh_site_host *host_at(const struct gh_site *site, gh_str host, uint16_t port)
{
    char key[HOST_KEY];
    if (host.len > HOST_KEY - 8)
        return NULL;
    memcpy(key, host.ptr, host.len);
    size_t len = host.len;
    if (port != 0)
        len += (size_t)snprintf(key + len, HOST_KEY - len, ":%u", port);
    struct gh_map_node *node = gh_map_find(&site->hosts, gh_str_of(key, len));
    return node != NULL ? GH_MAP_ENTRY(node, struct gh_site_host, node) : NULL;
}

/* "name:port" is exact; "name" takes any port; a Host without a port means one of the default ports. */
static const struct gh_site_host *find_host(const struct gh_site *site, const struct gh_authority *authority)
{
    const struct gh_site_host *found = NULL;
    if (authority->port != 0) {
        found = host_at(site, authority->host, authority->port);
    } else {
        found = host_at(site, authority->host, 443);
        if (found == NULL)
            found = host_at(site, authority->host, 80);
    }
    return found != NULL ? found : host_at(site, authority->host, 0);
}

enum gh_reason gh_site_find(const struct gh_site *site, const struct gh_authority *authority, gh_str path,
                            const struct gh_route **ret_route, enum gh_site_what *ret_what)
{
    const struct gh_site_host *host = find_host(site, authority);
    if (host == NULL)
        return GH_HTTP_HOST_UNKNOWN;
    struct gh_map_node *node = gh_map_find(&host->paths, path);
    if (node == NULL)
        return gh_str_starts(path, well_known) ? GH_WELLKNOWN_UNKNOWN : GH_ROUTE_UNKNOWN;
    const struct gh_site_path *found = GH_MAP_ENTRY(node, struct gh_site_path, node);
    *ret_route = found->route;
    *ret_what = found->what;
    return GH_OK;
}

bool gh_site_is_misdirected(const struct gh_site *site, const struct gh_authority *authority, gh_str sni)
{
    if (sni.len == 0 || gh_str_eq(sni, authority->host))
        return false;
    const struct gh_authority named = { .host = sni, .port = authority->port };
    const struct gh_site_host *opened = find_host(site, &named), *asked = find_host(site, authority);
    return opened != NULL && asked != NULL && opened->tenant != asked->tenant;
}

/* ---- building ---- */

static enum gh_reason add_path(struct gh_site *site, struct gh_site_host *host, gh_str path,
                               enum gh_site_what what, const struct gh_route *route)
{
    if (gh_map_find(&host->paths, path) != NULL)
        return GH_OK; /* the first wins; `check` has refused real collisions */
    struct gh_site_path *entry = GH_ARENA_NEW(site->arena, struct gh_site_path);
    if (entry == NULL)
        return GH_OUT_OF_MEMORY;
    entry->node.key = path;
    entry->what = what;
    entry->route = route;
    return gh_map_add(&host->paths, &entry->node) ? GH_OK : GH_OUT_OF_MEMORY;
}

/* With and without a slash at the end: people type both (mcp.md fact 7). */
static enum gh_reason add_both(struct gh_site *site, struct gh_site_host *host, gh_str path,
                               enum gh_site_what what, const struct gh_route *route)
{
    enum gh_reason reason = add_path(site, host, path, what, route);
    if (reason != GH_OK || path.len == 1)
        return reason;
    gh_str other = path;
    if (gh_str_ends(path, GH_STR("/")))
        other.len--;
    else
        other = gh_arena_printf(site->arena, "%.*s/", GH_STR_FMT(path));
    if (other.ptr == NULL)
        return GH_OUT_OF_MEMORY;
    return add_path(site, host, other, what, route);
}

static enum gh_reason add_route(struct gh_site *site, struct gh_site_host *host, const struct gh_route *route)
{
    enum gh_reason reason = add_both(site, host, route->policy.resource.path, GH_SITE_ROUTE, route);
    if (reason == GH_OK && route->is_http_sse)
        reason = add_path(site, host, route->messages_path, GH_SITE_MESSAGES, route);
    if (reason != GH_OK || route->is_edge)
        return reason;
    host->only_route = host->route_count == 0 ? route : NULL;
    host->route_count++;
    reason = add_both(site, host, route->metadata_path, GH_SITE_METADATA, route);
    if (reason == GH_OK)
        reason = add_path(site, host, route->suffix_path, GH_SITE_METADATA, route);
    return reason;
}

static struct gh_site_host *host_entry(struct gh_site *site, gh_str key)
{
    struct gh_map_node *node = gh_map_find(&site->hosts, key);
    if (node != NULL)
        return GH_MAP_ENTRY(node, struct gh_site_host, node);
    struct gh_site_host *host = GH_ARENA_NEW(site->arena, struct gh_site_host);
    if (host == NULL)
        return NULL;
    host->node.key = key;
    gh_map_init(&host->paths);
    return gh_map_add(&site->hosts, &host->node) ? host : NULL;
}

/* Is this tenant host the one that the route's resource names? */
static bool is_own_host(gh_str key, const struct gh_route *route)
{
    const struct gh_url *resource = &route->policy.resource;
    size_t colon = gh_str_rfind(key, ':');
    gh_str name = colon < key.len ? gh_str_take(key, colon) : key;
    if (!gh_str_eq(name, resource->authority.host))
        return false;
    uint64_t port;
    return colon == key.len || (gh_str_to_u64(gh_str_skip(key, colon + 1), &port) && port == resource->port);
}

static bool is_named_by_any(const struct gh_site *site, gh_str tenant, gh_str key)
{
    for (size_t i = 0; i < site->route_count; i++)
        if (gh_str_eq(site->routes[i].policy.tenant, tenant) && is_own_host(key, &site->routes[i]))
            return true;
    return false;
}

/* A route stands at its resource's host; at a host that no resource names (an alias) all routes of the tenant
 * stand. */
static enum gh_reason index_tenant_host(struct gh_site *site, const struct gh_tenant *tenant, gh_str key)
{
    struct gh_site_host *host = host_entry(site, key);
    if (host == NULL)
        return GH_OUT_OF_MEMORY;
    host->tenant = tenant;
    bool is_alias = !is_named_by_any(site, tenant->name, key);
    for (size_t i = 0; i < site->route_count; i++) {
        const struct gh_route *route = &site->routes[i];
        if (!gh_str_eq(route->policy.tenant, tenant->name) || !(is_alias || is_own_host(key, route)))
            continue;
        enum gh_reason reason = add_route(site, host, route);
        if (reason != GH_OK)
            return reason;
    }
    if (host->only_route == NULL)
        return GH_OK;
    return add_path(site, host, prm, GH_SITE_METADATA, host->only_route);
}

static enum gh_reason write_documents(struct gh_site *site, struct gh_route *route)
{
    route->metadata_path = gh_metadata_path(site->arena, &route->policy);
    route->metadata_document = gh_metadata_write(site->arena, &route->policy);
    gh_str path = route->policy.resource.path;
    if (gh_str_ends(path, GH_STR("/")))
        path.len--;
    route->suffix_path = gh_arena_printf(site->arena, "%.*s%.*s", GH_STR_FMT(path), GH_STR_FMT(prm));
    bool ok = route->metadata_path.ptr != NULL && route->metadata_document.ptr != NULL &&
              route->suffix_path.ptr != NULL;
    return ok ? GH_OK : GH_OUT_OF_MEMORY;
}

enum gh_reason gh_site_index(struct gh_site *site)
{
    gh_map_init(&site->hosts);
    for (size_t i = 0; i < site->route_count; i++) {
        site->routes[i].index = (uint32_t)i;
        enum gh_reason reason = write_documents(site, &site->routes[i]);
        if (reason == GH_OK)
            reason = gh_session_name_endpoints(site->arena, &site->routes[i]);
        if (reason != GH_OK)
            return reason;
    }
    for (size_t t = 0; t < site->tenant_count; t++) {
        const struct gh_tenant *tenant = &site->tenants[t];
        for (size_t h = 0; h < tenant->hosts.count; h++) {
            enum gh_reason reason = index_tenant_host(site, tenant, tenant->hosts.at[h]);
            if (reason != GH_OK)
                return reason;
        }
    }
    return GH_OK;
}

/* ---- references ---- */

struct gh_site *gh_site_ref(struct gh_site *site)
{
    __atomic_add_fetch(&site->refs, 1, __ATOMIC_RELAXED);
    return site;
}

static void free_hosts(struct gh_site *site)
{
    for (size_t i = 0; site->hosts.slots != NULL && i <= site->hosts.mask; i++)
        for (struct gh_map_node *node = site->hosts.slots[i]; node != NULL; node = node->next)
            gh_map_done(&GH_MAP_ENTRY(node, struct gh_site_host, node)->paths);
    gh_map_done(&site->hosts);
}

void gh_site_unref(struct gh_site *site)
{
    if (site == NULL || __atomic_sub_fetch(&site->refs, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    for (size_t i = 0; i < site->route_count; i++)
        gh_upstream_target_unref(site->routes[i].target);
    gh_session_keys_unref(site->session_keys);
    for (size_t i = 0; i < site->assertion.key_count; i++)
        gh_signing_key_unref(site->assertion.keys[i]);
    free_hosts(site);
    gh_arena_free(site->arena);
}
