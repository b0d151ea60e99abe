/* conf/check_binding.c: what ties a token to one route, and what would let it replay at another (byoa.md
 * section 7). */
#include "base/str.h"
#include "conf/build.h"

static void check_substitutes(struct gh_build *build, const struct gh_settings_route *from,
                              const struct gh_binding *binding);
static void check_issuers_together(struct gh_build *build, const struct gh_settings_route *from,
                                   const struct gh_route *route);
static void check_two_routes(struct gh_build *build, size_t i, size_t j);
static bool issuers_meet(const struct gh_issuer *a, const struct gh_issuer *b);
static bool tenants_meet(const struct gh_issuer *a, const struct gh_issuer *b);

void gh_build_binding(struct gh_build *build, const struct gh_settings_route *from, struct gh_route *route)
{
    struct gh_binding *binding = &route->policy.binding;
    bool is_written = gh_node_get(from->at.node, "audiences") != NULL;
    if (!is_written && !route->is_edge) {
        gh_str *audience = gh_build_alloc(build, 1, sizeof(*audience));
        if (audience == NULL)
            return;
        *audience = from->resource;
        binding->audiences = (struct gh_strs){ .at = audience, .count = 1 };
    }
    binding->route_scopes = from->policy.scopes;
    if (binding->audiences.count == 0 && binding->client_ids.count == 0 &&
        binding->shared_audiences.count == 0)
        gh_tell_error(build->teller, from->at.node, "audiences",
                      is_written ? GH_STR("an empty list") : GH_STR("nothing"),
                      route->is_edge
                          ? GH_STR("the audience the edge writes into its assertions for this application")
                          : GH_STR("at least one audience: without, any token of the issuer passes"));
    check_substitutes(build, from, binding);
    check_issuers_together(build, from, route);
}

static void check_substitutes(struct gh_build *build, const struct gh_settings_route *from,
                              const struct gh_binding *binding)
{
    struct gh_teller *teller = build->teller;
    const struct gh_node *node = from->at.node;
    if (!binding->weak && binding->client_ids.count != 0)
        gh_tell_error(teller, node, "client_ids", GH_STR("a list"),
                      GH_STR("this only with weak_binding: true"));
    if (!binding->weak && binding->shared_audiences.count != 0)
        gh_tell_error(teller, node, "shared_audiences", GH_STR("a list"),
                      GH_STR("this only with weak_binding: true"));
    if ((binding->client_ids.count != 0) != (binding->scope_prefix.len != 0))
        gh_tell_error(teller, node, binding->client_ids.count != 0 ? "client_scope_prefix" : "client_ids",
                      GH_STR("nothing"), GH_STR("client_ids and client_scope_prefix together"));
    if (binding->shared_audiences.count != 0 && binding->route_scopes.count == 0)
        gh_tell_error(teller, node, "scopes", GH_STR("nothing"),
                      GH_STR("scopes that only this route has, beside shared_audiences"));
    if (binding->weak)
        gh_tell_warning(teller, node, "weak_binding",
                        GH_STR("true: a token for another server may pass here"),
                        GH_STR("tokens with this resource in aud"));
}

/* Two issuers of one route must never both claim a token. */
static void check_issuers_together(struct gh_build *build, const struct gh_settings_route *from,
                                   const struct gh_route *route)
{
    struct gh_teller *teller = build->teller;
    for (size_t i = 0; i < route->issuer_count; i++) {
        const struct gh_issuer_conf *a = &route->issuers[i]->conf;
        for (size_t j = 0; j < i; j++) {
            const struct gh_issuer_conf *b = &route->issuers[j]->conf;
            gh_str names = gh_tell_text(teller, "%.*s and %.*s", GH_STR_FMT(b->profile.name),
                                        GH_STR_FMT(a->profile.name));
            if (issuers_meet(route->issuers[i], route->issuers[j]))
                gh_tell_error(teller, from->at.node, "issuers",
                              gh_tell_text(teller, "%.*s, which are one issuer", GH_STR_FMT(names)),
                              GH_STR("issuers with different iss on a route"));
            if (a->introspection_url.len != 0 && b->introspection_url.len != 0 &&
                (gh_str_starts(a->token_prefix, b->token_prefix) ||
                 gh_str_starts(b->token_prefix, a->token_prefix)))
                gh_tell_error(teller, from->at.node, "issuers",
                              gh_tell_text(teller, "%.*s, which both introspect", GH_STR_FMT(names)),
                              GH_STR("a token_prefix at each that is no beginning of the other"));
        }
    }
}

/* ---- routes beside each other ---- */

void gh_check_routes_together(struct gh_build *build)
{
    for (size_t i = 1; i < build->site->route_count; i++) {
        for (size_t j = 0; j < i; j++)
            check_two_routes(build, i, j);
    }
}

static bool same_place(const struct gh_url *a, const struct gh_url *b)
{
    return a->port == b->port && gh_str_eq(a->authority.host, b->authority.host) &&
           gh_str_eq(a->path, b->path);
}

/* Do clients of `a` send their messages to what is the resource of `b`? */
static bool takes_messages_at(const struct gh_route *a, const struct gh_route *b)
{
    const struct gh_url *at = &a->policy.resource, *other = &b->policy.resource;
    return a->is_http_sse && at->port == other->port &&
           gh_str_eq(at->authority.host, other->authority.host) && gh_str_eq(a->messages_path, other->path);
}

static bool lists_meet(struct gh_strs a, struct gh_strs b, gh_str *ret_common)
{
    for (size_t i = 0; i < a.count; i++) {
        if (gh_strs_has(b, a.at[i])) {
            *ret_common = a.at[i];
            return true;
        }
    }
    return false;
}

/* An audience that both accept, in whatever way. */
static bool audiences_meet(const struct gh_binding *a, const struct gh_binding *b, gh_str *ret_common)
{
    return lists_meet(a->audiences, b->audiences, ret_common) ||
           lists_meet(a->audiences, b->shared_audiences, ret_common) ||
           lists_meet(a->shared_audiences, b->audiences, ret_common) ||
           lists_meet(a->shared_audiences, b->shared_audiences, ret_common);
}

/* Tokens without aud that both accept. */
static bool clients_meet(const struct gh_binding *a, const struct gh_binding *b, gh_str *ret_common)
{
    return lists_meet(a->client_ids, b->client_ids, ret_common) &&
           (gh_str_starts(a->scope_prefix, b->scope_prefix) ||
            gh_str_starts(b->scope_prefix, a->scope_prefix));
}

static bool routes_trust_one(const struct gh_route *a, const struct gh_route *b)
{
    for (size_t i = 0; i < a->issuer_count; i++) {
        for (size_t j = 0; j < b->issuer_count; j++) {
            if (issuers_meet(a->issuers[i], b->issuers[j]) && tenants_meet(a->issuers[i], b->issuers[j]))
                return true;
        }
    }
    return false;
}

static void check_two_routes(struct gh_build *build, size_t i, size_t j)
{
    struct gh_teller *teller = build->teller;
    const struct gh_route *route = &build->site->routes[i], *other = &build->site->routes[j];
    const struct gh_binding *a = &route->policy.binding, *b = &other->policy.binding;
    const struct gh_node *node = gh_route_at(build->settings, i)->at.node;
    gh_str common;
    if (same_place(&route->policy.resource, &other->policy.resource)) {
        gh_tell_error(teller, node, "resource",
                      gh_tell_text(teller, "%s, which route %.*s has too",
                                   gh_tell_quoted(teller, route->policy.resource_text).ptr,
                                   GH_STR_FMT(other->policy.route)),
                      GH_STR("one route for each resource"));
        return;
    }
    if (takes_messages_at(route, other) || takes_messages_at(other, route))
        gh_tell_error(teller, node, "resource",
                      gh_tell_text(teller, "%s, and route %.*s: messages of one come where the other is",
                                   gh_tell_quoted(teller, route->policy.resource_text).ptr,
                                   GH_STR_FMT(other->policy.route)),
                      GH_STR("another path: messages of an http+sse route come to /messages below it"));
    bool is_shared = audiences_meet(a, b, &common);
    if (is_shared && !(a->weak && b->weak) && routes_trust_one(route, other))
        gh_tell_error(teller, node, "audiences",
                      gh_tell_text(teller, "%s, which route %.*s accepts from the same issuer too",
                                   gh_tell_quoted(teller, common).ptr, GH_STR_FMT(other->policy.route)),
                      GH_STR("an audience of its own, or weak_binding: true on both"));
    if (clients_meet(a, b, &common) && routes_trust_one(route, other))
        gh_tell_error(teller, node, "client_ids",
                      gh_tell_text(teller, "%s, which route %.*s accepts with the same scopes too",
                                   gh_tell_quoted(teller, common).ptr, GH_STR_FMT(other->policy.route)),
                      GH_STR("another client or another client_scope_prefix"));
}

/* Can one token be of both? Names do not matter here, only what iss may be. */
static bool issuers_meet(const struct gh_issuer *a, const struct gh_issuer *b)
{
    const struct gh_profile *one = &a->conf.profile, *two = &b->conf.profile;
    gh_str common;
    if (one->issuer_template.len != 0 && gh_str_eq(one->issuer_template, two->issuer_template))
        return true;
    return lists_meet(one->issuers, two->issuers, &common);
}

/* Customers kept apart by their tenant claim cannot use each other's tokens. */
static bool tenants_meet(const struct gh_issuer *a, const struct gh_issuer *b)
{
    struct gh_strs one = a->conf.profile.tenant_ids, two = b->conf.profile.tenant_ids;
    gh_str common;
    return one.count == 0 || two.count == 0 || lists_meet(one, two, &common);
}

/* ---- edge ---- */

/* Whoever reaches such a listener past the edge could bring an assertion from elsewhere. */
void gh_check_edge_listeners(struct gh_build *build)
{
    const struct gh_front_conf *front = &build->settings->conf.front;
    const struct gh_route *edge = NULL;
    for (size_t i = 0; i < build->site->route_count && edge == NULL; i++)
        edge = build->site->routes[i].is_edge ? &build->site->routes[i] : NULL;
    for (size_t i = 0; edge != NULL && i < front->listener_count; i++) {
        const struct gh_listen_conf *listener = &front->listeners[i];
        bool is_near = gh_build_is_unix(&listener->address) || gh_address_is_loopback(&listener->address);
        if (!is_near && front->trusted_proxies.count == 0)
            gh_tell_error(build->teller, gh_listen_at(build->settings, i)->at.node, "address",
                          gh_tell_text(build->teller,
                                       "an open listener, while route %.*s stands behind an edge",
                                       GH_STR_FMT(edge->policy.route)),
                          GH_STR("a loopback address, a unix socket, or trusted_proxies"));
    }
}
