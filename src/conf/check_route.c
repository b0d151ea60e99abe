/* conf/check_route.c: routes: the resource and the policy that stand on it. */
#include "base/str.h"
#include "conf/build.h"

static void build_route(struct gh_build *build, struct gh_settings_route *from, struct gh_route *route);
static const struct gh_settings_tenant *find_tenant(const struct gh_build *build, gh_str name,
                                                    size_t *ret_index);
static void build_resource(struct gh_build *build, const struct gh_settings_route *from,
                           struct gh_route *route);
static void build_transport(struct gh_build *build, const struct gh_settings_route *from,
                            struct gh_route *route);
static void check_form(struct gh_build *build, const struct gh_settings_route *from,
                       const struct gh_url *url);
static void check_host(struct gh_build *build, const struct gh_settings_route *from,
                       const struct gh_tenant *tenant, const struct gh_url *url);
static void choose_issuers(struct gh_build *build, const struct gh_settings_route *from,
                           const struct gh_settings_tenant *tenant, struct gh_route *route);
static void build_discovery(struct gh_build *build, const struct gh_settings_route *from,
                            struct gh_route *route);
static void check_scopes(struct gh_build *build, const struct gh_settings_route *from);

void gh_build_routes(struct gh_build *build)
{
    struct gh_settings *settings = build->settings;
    struct gh_site *site = build->site;
    site->routes = gh_build_alloc(build, settings->routes.count, sizeof(*site->routes));
    if (site->routes == NULL)
        return;
    for (size_t i = 0; i < settings->routes.count && !build->teller->out_of_memory; i++) {
        struct gh_settings_route *from = gh_route_at(settings, i);
        site->routes[i].index = (uint32_t)i;
        build_route(build, from, &site->routes[i]);
        site->route_count = i + 1;
        for (size_t j = 0; j < i; j++) {
            if (gh_str_eq(gh_route_at(settings, j)->name, from->name))
                gh_tell_wrong(build->teller, from->at.node, "name", GH_STR("a name no other route has"));
        }
    }
}

static void check_step_up(struct gh_build *build, const struct gh_settings_route *from,
                          const struct gh_route *route)
{
    bool is_ours = false;
    for (size_t i = 0; i < route->issuer_count; i++)
        is_ours = is_ours || route->issuers[i]->conf.profile.is_ours;
    if (from->step_up && !is_ours)
        gh_tell_wrong(build->teller, from->at.node, "step_up_by_refresh",
                      GH_STR("false without a managed issuer: whether a refresh fails is for others to say"));
    else if (from->step_up && build->settings->conf.store.url.len == 0)
        gh_tell_wrong(build->teller, from->at.node, "step_up_by_refresh",
                      GH_STR("false without a store: its issuer hears of it there"));
}

static void build_route(struct gh_build *build, struct gh_settings_route *from, struct gh_route *route)
{
    size_t index;
    const struct gh_settings_tenant *tenant = find_tenant(build, from->tenant, &index);
    if (tenant == NULL) {
        gh_tell_wrong(build->teller, from->at.node, "tenant",
                      GH_STR("the name of a tenant of these settings"));
        return;
    }
    route->policy = from->policy;
    route->policy.route = from->name;
    route->policy.tenant = tenant->at.name;
    route->policy.resource_text = from->resource;
    route->identity = from->identity;
    route->body_max = from->body_max;
    route->body_whole = from->body_whole;
    route->step_up = from->step_up;
    route->keepalive_ms = from->keepalive_ms;
    route->max_stale_ms = from->max_stale_ms;
    route->fails_open = from->fail == GH_FAIL_OPEN;
    if (build->settings->conf.store.url.len == 0 && gh_node_get(from->at.node, "revocation") != NULL)
        gh_tell_error(build->teller, from->at.node, "revocation", GH_STR("no store in these settings"),
                      GH_STR("with one: without it nothing is revoked"));
    gh_build_calls(build, from, route);
    if (route->body_whole && (from->body_max == 0 || from->body_max > 4 << 20))
        gh_tell_error(build->teller, from->at.node, "max_body",
                      gh_node_get(from->at.node, "max_body") != NULL
                          ? gh_tell_node(build->teller, gh_node_get(from->at.node, "max_body"))
                          : GH_STR("no bound"),
                      GH_STR("at most 4MiB where bodies are held whole"));
    check_scopes(build, from);
    choose_issuers(build, from, tenant, route);
    check_step_up(build, from, route);
    build_resource(build, from, route);
    if (route->policy.resource.path.len == 0)
        return;
    check_host(build, from, &build->site->tenants[index], &route->policy.resource);
    build_transport(build, from, route);
    build_discovery(build, from, route);
    gh_str own = gh_build_text(build, gh_arena_printf(build->site->arena, "%.*s://%.*s",
                                                      GH_STR_FMT(route->policy.resource.scheme),
                                                      GH_STR_FMT(route->policy.resource.authority_text)));
    bool has_own = gh_node_get(from->at.node, "origins") != NULL;
    route->policy.origins = has_own ? gh_build_origins(build, from->at.node, own, from->origins)
                                    : gh_build_origins(build, NULL, own, tenant->origins);
    gh_build_upstream(build, from, route);
    gh_build_route_assertion(build, from, route);
    gh_build_headers(build, from, route);
    gh_build_binding(build, from, route);
    gh_build_rates(build, from, tenant, route);
    route->fingerprint = gh_build_fingerprint(build->settings, from, tenant);
}

static void build_transport(struct gh_build *build, const struct gh_settings_route *from,
                            struct gh_route *route)
{
    gh_str path = route->policy.resource.path;
    if (from->transport != GH_TRANSPORT_SSE)
        return;
    if (gh_str_ends(path, GH_STR("/")))
        path.len--;
    route->is_http_sse = true;
    route->messages_path =
        gh_build_text(build, gh_arena_printf(build->site->arena, "%.*s/messages", GH_STR_FMT(path)));
}

static const struct gh_settings_tenant *find_tenant(const struct gh_build *build, gh_str name,
                                                    size_t *ret_index)
{
    for (size_t i = 0; i < build->settings->tenants.count; i++) {
        const struct gh_settings_tenant *tenant = gh_tenant_at(build->settings, i);
        if (gh_str_eq(tenant->at.name, name)) {
            *ret_index = i;
            return tenant;
        }
    }
    return NULL;
}

/* RFC 8707 section 2: an absolute URI without fragment. The rest is for clients that compare texts. */
static void build_resource(struct gh_build *build, const struct gh_settings_route *from,
                           struct gh_route *route)
{
    struct gh_url *url = &route->policy.resource;
    if (gh_url_read(build->site->arena, from->resource, url) != GH_OK) {
        build->teller->out_of_memory = true; /* it was read once already */
        return;
    }
    check_form(build, from, url);
    if (url->path.len == 1)
        gh_tell_warning(build->teller, from->at.node, "resource",
                        gh_tell_text(build->teller, "%s, a bare origin",
                                     gh_tell_quoted(build->teller, from->resource).ptr),
                        GH_STR("a URL with a path: some clients add a slash to a bare origin"));
    if (gh_str_eq(url->scheme, GH_STR("http")) && !gh_build_is_loopback(url->authority.host))
        gh_tell_warning(build->teller, from->at.node, "resource",
                        gh_tell_quoted(build->teller, from->resource),
                        GH_STR("https: tokens would travel in the clear"));
}

static void check_form(struct gh_build *build, const struct gh_settings_route *from, const struct gh_url *url)
{
    struct gh_teller *teller = build->teller;
    const struct gh_node *node = from->at.node;
    struct gh_target target;
    bool is_default = (gh_str_eq(url->scheme, GH_STR("https")) && url->authority.port == 443) ||
                      (gh_str_eq(url->scheme, GH_STR("http")) && url->authority.port == 80);
    gh_str bare =
        gh_tell_text(teller, "%.*s://%.*s", GH_STR_FMT(url->scheme), GH_STR_FMT(url->authority_text));
    gh_str full = gh_tell_text(teller, "%.*s%.*s", GH_STR_FMT(bare), GH_STR_FMT(url->path));
    if (url->query.ptr != NULL)
        gh_tell_wrong(teller, node, "resource", GH_STR("a URL without query"));
    else if (is_default)
        gh_tell_wrong(teller, node, "resource", GH_STR("a URL without the scheme's default port"));
    else if (url->path.len > 1 && gh_str_ends(url->path, GH_STR("/")))
        gh_tell_wrong(
            teller, node, "resource",
            GH_STR("a URL without a slash at its end: clients write it without, and tokens are bound to "
                   "one of the two"));
    else if (gh_target_read(url->path, &target) != GH_OK)
        gh_tell_wrong(teller, node, "resource",
                      GH_STR("a path in its one canonical form: no dots, empty segments, needless escapes"));
    else if (gh_str_starts(url->path, GH_STR("/.well-known/")))
        gh_tell_wrong(teller, node, "resource", GH_STR("a path outside /.well-known/"));
    else if (!gh_str_eq(from->resource, full) && !gh_str_eq(from->resource, bare))
        gh_tell_wrong(teller, node, "resource", gh_tell_text(teller, "its one form %.*s", GH_STR_FMT(full)));
}

static void check_host(struct gh_build *build, const struct gh_settings_route *from,
                       const struct gh_tenant *tenant, const struct gh_url *url)
{
    gh_str with_port = gh_tell_text(build->teller, "%.*s:%u", GH_STR_FMT(url->authority.host), url->port);
    if (gh_strs_has(tenant->hosts, url->authority.host) || gh_strs_has(tenant->hosts, with_port))
        return;
    gh_tell_wrong(
        build->teller, from->at.node, "resource",
        gh_tell_text(build->teller, "a URL on one of the hosts of tenant %.*s", GH_STR_FMT(tenant->name)));
}

static void choose_issuers(struct gh_build *build, const struct gh_settings_route *from,
                           const struct gh_settings_tenant *tenant, struct gh_route *route)
{
    struct gh_strs names = from->issuers.count != 0 ? from->issuers : tenant->issuers;
    const struct gh_issuer **issuers = gh_build_alloc(build, names.count, sizeof(struct gh_issuer *));
    if (issuers == NULL)
        return;
    for (size_t i = 0; i < names.count; i++) {
        const struct gh_issuer *issuer = NULL;
        for (size_t j = 0; j < tenant->issuers.count; j++) {
            if (gh_str_eq(tenant->issuers.at[j], names.at[i]))
                issuer = tenant->trusted[j];
        }
        for (size_t j = 0; j < route->issuer_count && issuer != NULL && from->issuers.count != 0; j++) {
            if (issuers[j] == issuer)
                gh_tell_error(build->teller, from->at.node, "issuers",
                              gh_tell_quoted(build->teller, names.at[i]), GH_STR("each issuer once"));
        }
        if (issuer != NULL)
            issuers[route->issuer_count++] = issuer;
        else if (from->issuers.count != 0)
            gh_tell_error(
                build->teller, from->at.node, "issuers", gh_tell_quoted(build->teller, names.at[i]),
                gh_tell_text(build->teller, "issuers that tenant %.*s trusts", GH_STR_FMT(tenant->at.name)));
    }
    route->issuers = issuers;
}

/* What clients are told: where the metadata is and which authorization servers it names. */
static void build_discovery(struct gh_build *build, const struct gh_settings_route *from,
                            struct gh_route *route)
{
    struct gh_policy *policy = &route->policy;
    gh_str *servers = gh_build_alloc(build, route->issuer_count, sizeof(*servers));
    if (servers == NULL)
        return;
    size_t edges = 0, count = 0;
    for (size_t i = 0; i < route->issuer_count; i++) {
        const struct gh_issuer_conf *conf = &route->issuers[i]->conf;
        edges += conf->profile.shape == GH_SHAPE_EDGE;
        if (conf->advertise && conf->profile.issuers.count != 0)
            servers[count++] = conf->profile.issuers.at[0];
    }
    policy->authorization_servers = (struct gh_strs){ .at = servers, .count = count };
    route->is_edge = edges != 0;
    if (edges != 0 && edges != route->issuer_count)
        gh_tell_error(build->teller, from->at.node, "issuers", GH_STR("edge issuers beside direct ones"),
                      GH_STR("one shape on a route"));
    if (edges == 0 && count == 0 && route->issuer_count != 0)
        gh_tell_warning(build->teller, from->at.node, "issuers", GH_STR("no advertised issuer"),
                        GH_STR("one, unless all clients bring a token they were given otherwise"));
    if (route->is_edge)
        return;
    policy->metadata_url = gh_build_text(
        build, gh_arena_printf(build->site->arena, "%.*s://%.*s%.*s", GH_STR_FMT(policy->resource.scheme),
                               GH_STR_FMT(policy->resource.authority_text),
                               GH_STR_FMT(gh_metadata_path(build->site->arena, policy))));
}

static void check_scopes(struct gh_build *build, const struct gh_settings_route *from)
{
    const struct gh_policy *policy = &from->policy;
    if (gh_strs_has(policy->scopes_supported, GH_STR("offline_access")) ||
        gh_strs_has(policy->scopes, GH_STR("offline_access")))
        gh_tell_error(build->teller, from->at.node,
                      gh_strs_has(policy->scopes, GH_STR("offline_access")) ? "scopes" : "scopes_supported",
                      GH_STR("offline_access"),
                      GH_STR("scopes of the resource; that one is between client and issuer"));
    for (size_t i = 0; i < policy->scope_hierarchy.count; i++) {
        gh_str rest = policy->scope_hierarchy.at[i];
        gh_str broad = gh_str_cut(&rest, '>');
        if (broad.len == 0 || rest.len == 0 || gh_str_find(rest, '>') < rest.len ||
            gh_str_find(policy->scope_hierarchy.at[i], ' ') < policy->scope_hierarchy.at[i].len)
            gh_tell_error(build->teller, from->at.node, "scope_hierarchy",
                          gh_tell_quoted(build->teller, policy->scope_hierarchy.at[i]),
                          GH_STR("pairs such as mcp:write>mcp:read"));
    }
}
