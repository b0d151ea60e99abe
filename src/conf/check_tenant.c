/* conf/check_tenant.c: tenants: hosts nobody else has, issuers that exist, origins, and their own tenant ids.
 */
#include "base/str.h"
#include "conf/build.h"

static void build_tenant(struct gh_build *build, struct gh_settings_tenant *from, struct gh_tenant *tenant);
static void build_hosts(struct gh_build *build, const struct gh_settings_tenant *from,
                        struct gh_tenant *tenant);
static void check_hosts(struct gh_build *build, size_t index, size_t host);
static void trust_issuers(struct gh_build *build, struct gh_settings_tenant *from);
static const struct gh_issuer *narrow_issuer(struct gh_build *build, const struct gh_settings_tenant *from,
                                             const struct gh_issuer *issuer);
static void warn_unused(struct gh_build *build);

void gh_build_tenants(struct gh_build *build)
{
    struct gh_settings *settings = build->settings;
    struct gh_site *site = build->site;
    site->tenants = gh_build_alloc(build, settings->tenants.count, sizeof(*site->tenants));
    if (site->tenants == NULL)
        return;
    for (size_t i = 0; i < settings->tenants.count && !build->teller->out_of_memory; i++) {
        build_tenant(build, gh_tenant_at(settings, i), &site->tenants[i]);
        site->tenant_count = i + 1;
        for (size_t host = 0; host < site->tenants[i].hosts.count; host++)
            check_hosts(build, i, host);
    }
    warn_unused(build);
}

static void build_tenant(struct gh_build *build, struct gh_settings_tenant *from, struct gh_tenant *tenant)
{
    tenant->name = from->at.name;
    build_hosts(build, from, tenant);
    trust_issuers(build, from);
    gh_check_rates(build, from->at.node, &from->rate_limits);
    from->origins = gh_build_origins(build, from->at.node, GH_STR_NONE, from->origins);
}

static const struct gh_node *child_at(const struct gh_node *list, size_t index)
{
    const struct gh_node *child = list->children;
    while (child != NULL && index-- > 0)
        child = child->next;
    return child;
}

/* "name" or "name:port" in lower case, without brackets: the form the site is searched by. */
static void build_hosts(struct gh_build *build, const struct gh_settings_tenant *from,
                        struct gh_tenant *tenant)
{
    gh_str *hosts = gh_build_alloc(build, from->hosts.count, sizeof(*hosts));
    if (hosts == NULL)
        return;
    struct gh_arena *arena = build->site->arena;
    size_t count = 0;
    for (size_t i = 0; i < from->hosts.count; i++) {
        struct gh_authority authority;
        enum gh_reason reason = gh_authority_read(arena, from->hosts.at[i], &authority);
        if (reason != GH_OK) {
            build->teller->out_of_memory |= reason == GH_OUT_OF_MEMORY;
            gh_tell_wrong(build->teller, child_at(gh_node_get(from->at.node, "hosts"), i), NULL,
                          GH_STR("a host name such as mcp.example.com or mcp.example.com:8443"));
            continue;
        }
        gh_str host = authority.host;
        if (authority.port != 0)
            host = gh_build_text(build, gh_arena_printf(arena, "%.*s:%u", GH_STR_FMT(host), authority.port));
        hosts[count++] = host;
    }
    tenant->hosts = (struct gh_strs){ .at = hosts, .count = count };
}

/* Does one of the two take what the other takes? "name" takes every port. */
static bool hosts_meet(gh_str a, gh_str b)
{
    if (gh_str_eq(a, b))
        return true;
    gh_str shorter = a.len < b.len ? a : b, longer = a.len < b.len ? b : a;
    uint64_t port;
    return gh_str_starts(longer, shorter) && longer.ptr[shorter.len] == ':' &&
           gh_str_to_u64(gh_str_skip(longer, shorter.len + 1), &port);
}

static void check_hosts(struct gh_build *build, size_t index, size_t host)
{
    const struct gh_site *site = build->site;
    const struct gh_settings_tenant *from = gh_tenant_at(build->settings, index);
    gh_str name = site->tenants[index].hosts.at[host];
    for (size_t i = 0; i <= index; i++) {
        struct gh_strs others = site->tenants[i].hosts;
        for (size_t j = 0; j < (i == index ? host : others.count); j++) {
            bool is_double = i == index ? gh_str_eq(name, others.at[j]) : hosts_meet(name, others.at[j]);
            if (is_double)
                gh_tell_error(build->teller, from->at.node, "hosts",
                              gh_tell_text(build->teller, "%s, which tenant %.*s has too",
                                           gh_tell_quoted(build->teller, name).ptr,
                                           GH_STR_FMT(site->tenants[i].name)),
                              GH_STR("each host in one place"));
        }
    }
}

static const struct gh_issuer *issuer_named(const struct gh_site *site, size_t count, gh_str name)
{
    for (size_t i = 0; i < count; i++) {
        if (gh_str_eq(site->issuers[i].conf.profile.name, name))
            return &site->issuers[i];
    }
    return NULL;
}

static void trust_issuers(struct gh_build *build, struct gh_settings_tenant *from)
{
    struct gh_teller *teller = build->teller;
    const struct gh_node *list = gh_node_get(from->at.node, "issuers");
    from->trusted = gh_build_alloc(build, from->issuers.count, sizeof(struct gh_issuer *));
    if (from->trusted == NULL)
        return;
    for (size_t i = 0; i < from->issuers.count; i++) {
        gh_str name = from->issuers.at[i];
        const struct gh_issuer *issuer = issuer_named(build->site, build->settings->issuers.count, name);
        const struct gh_strs before = { .at = from->issuers.at, .count = i };
        if (issuer == NULL)
            gh_tell_wrong(teller, child_at(list, i), NULL, GH_STR("the name of an issuer of these settings"));
        else if (gh_strs_has(before, name))
            gh_tell_wrong(teller, child_at(list, i), NULL, GH_STR("each issuer once"));
        else if (from->tenant_ids.count != 0)
            issuer = narrow_issuer(build, from, issuer);
        from->trusted[i] = issuer;
    }
}

/* The same issuer, for this tenant's ids only. */
static const struct gh_issuer *narrow_issuer(struct gh_build *build, const struct gh_settings_tenant *from,
                                             const struct gh_issuer *issuer)
{
    struct gh_teller *teller = build->teller;
    const struct gh_profile *profile = &issuer->conf.profile;
    if (profile->tenant_claims.count == 0)
        gh_tell_error(
            teller, from->at.node, "tenant_ids",
            gh_tell_text(teller, "a list, but issuer %.*s has no tenant claim", GH_STR_FMT(profile->name)),
            GH_STR("tenant_claims at that issuer"));
    for (size_t i = 0; profile->tenant_ids.count != 0 && i < from->tenant_ids.count; i++) {
        if (!gh_strs_has(profile->tenant_ids, from->tenant_ids.at[i]))
            gh_tell_wrong(
                teller, child_at(gh_node_get(from->at.node, "tenant_ids"), i), NULL,
                gh_tell_text(teller, "one of the tenants of issuer %.*s", GH_STR_FMT(profile->name)));
    }
    struct gh_issuer *copy = &build->site->issuers[build->site->issuer_count++];
    *copy = *issuer;
    copy->conf.profile.tenant_ids = from->tenant_ids;
    return copy;
}

/* Its keys would be fetched for nobody. */
static void warn_unused(struct gh_build *build)
{
    const struct gh_settings *settings = build->settings;
    for (size_t i = 0; i < settings->issuers.count; i++) {
        const struct gh_settings_issuer *issuer = gh_issuer_at(settings, i);
        bool is_used = false;
        for (size_t j = 0; j < settings->tenants.count; j++)
            is_used |= gh_strs_has(gh_tenant_at(settings, j)->issuers, issuer->at.name);
        if (!is_used)
            gh_tell_warning(build->teller, issuer->at.node, NULL, GH_STR("an issuer that no tenant trusts"),
                            GH_STR("a tenant that names it, or no such issuer"));
    }
}

static bool origin_is_legal(struct gh_teller *teller, gh_str origin)
{
    struct gh_url url;
    if (!gh_build_read_url(teller, origin, &url))
        return false;
    bool has_default = (gh_str_eq(url.scheme, GH_STR("https")) && url.authority.port == 443) ||
                       (gh_str_eq(url.scheme, GH_STR("http")) && url.authority.port == 80);
    gh_str plain =
        gh_tell_text(teller, "%.*s://%.*s", GH_STR_FMT(url.scheme), GH_STR_FMT(url.authority_text));
    return !has_default && gh_str_eq(plain, origin);
}

struct gh_strs gh_build_origins(struct gh_build *build, const struct gh_node *node, gh_str own,
                                struct gh_strs origins)
{
    gh_str *all = gh_build_alloc(build, origins.count + 1, sizeof(*all));
    if (all == NULL)
        return (struct gh_strs){ .at = NULL };
    size_t count = 0;
    if (own.len != 0)
        all[count++] = own;
    for (size_t i = 0; i < origins.count; i++) {
        const struct gh_node *list = gh_node_get(node, "origins");
        if (node != NULL && !origin_is_legal(build->teller, origins.at[i]))
            gh_tell_wrong(
                build->teller, list != NULL ? child_at(list, i) : node, NULL,
                GH_STR("an origin as browsers send it: https://app.example, no path, no default port"));
        all[count++] = origins.at[i];
    }
    return (struct gh_strs){ .at = all, .count = count };
}
