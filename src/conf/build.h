/* conf/build.h: sound values checked against each other and made into what the process runs on. */
#ifndef GH_CONF_BUILD_H
#define GH_CONF_BUILD_H

#include "conf/settings.h"

/* What the checks share. conf.front and the site are filled as they go. */
struct gh_build {
    struct gh_teller *teller;
    const struct gh_node *root;
    struct gh_settings *settings;
    struct gh_arena *arena; /* of the process-wide half */
    struct gh_site *site;   /* with its own arena; issuers and routes stand in the order of the settings */
};

/* All checks, then the index of the site. Faults are told; the caller counts them. */
void gh_build_settings(struct gh_build *build);

/* In this order; each fills its part. */
void gh_build_listeners(struct gh_build *build);
void gh_build_issuers(struct gh_build *build);
void gh_build_assertion(struct gh_build *build);
/* Issuers of our own: as what routes trust, and, after the routes, as authorization servers; check_managed.c.
 */
void gh_build_managed_issuer(struct gh_build *build, struct gh_settings_issuer *from);
void gh_build_managed(struct gh_build *build);
void gh_build_store(struct gh_build *build);
/* Where its people sign in elsewhere; check_login.c. */
void gh_build_logins(struct gh_build *build, const struct gh_settings_managed *from,
                     struct gh_managed *managed);
void gh_build_tenants(struct gh_build *build);
/* After the managed issuers and the routes: nobody's place is another's; check_back_channel.c. */
void gh_build_back_channels(struct gh_build *build);
void gh_build_routes(struct gh_build *build);
/* Where all of these stand in the file; places.c. */
void gh_build_places(struct gh_build *build);
/* The endpoints of one route's upstream, its credential and its headers; check_upstream.c. */
void gh_build_upstream(struct gh_build *build, const struct gh_settings_route *from, struct gh_route *route);
void gh_build_headers(struct gh_build *build, const struct gh_settings_route *from, struct gh_route *route);
/* Before the headers, behind the upstream; check_assertion.c. */
void gh_build_route_assertion(struct gh_build *build, const struct gh_settings_route *from,
                              struct gh_route *route);
/* A field name for what the gateway says: not one that means something already. */
void gh_check_header(struct gh_build *build, const struct gh_node *node, const char *key, gh_str name);
/* The result is `own` (may be empty) and the list, checked against what browsers send unless `node` is NULL.
 */
struct gh_strs gh_build_origins(struct gh_build *build, const struct gh_node *node, gh_str own,
                                struct gh_strs origins);
/* What ties tokens to one route: audiences, issuers beside each other, edge issuers and listeners. */
/* The pointers to arguments that a route reads, each once. */
struct gh_pointers {
    gh_str at[GH_RPC_VALUES_MAX];
    size_t count;
};
/* check_rules.c: `rules` as rules; NULL notes that memory ran out. */
struct gh_call_rule *gh_build_rules(struct gh_build *build, const struct gh_settings_route *from,
                                    struct gh_pointers *pointers);
/* Its place among the values of a message. */
size_t gh_build_pointer(struct gh_build *build, const struct gh_node *node, const char *key, gh_str pointer,
                        struct gh_pointers *pointers);
void gh_build_paths(struct gh_build *build, const struct gh_settings_route *from,
                    const struct gh_pointers *pointers, struct gh_policy *policy);
/* check_mirror.c */
void gh_build_mirrors(struct gh_build *build, const struct gh_settings_route *from,
                      struct gh_pointers *pointers, struct gh_route *route);
/* Tells of targets, in order, that others before them leave nothing; `nodes` are theirs. */
void gh_check_reach(struct gh_build *build, const struct gh_call_target *targets,
                    const struct gh_node *const *nodes, size_t count, const char *kind, bool are_paths);
static inline struct gh_settings_rule *gh_rule_at(const struct gh_settings_route *route, size_t i)
{
    return (struct gh_settings_rule *)route->rules.at + i;
}
/* check_calls.c */
void gh_build_calls(struct gh_build *build, const struct gh_settings_route *from, struct gh_route *route);
/* check_rate.c */
void gh_check_rates(struct gh_build *build, const struct gh_node *node, const struct gh_elements *rates);
void gh_build_rates(struct gh_build *build, const struct gh_settings_route *from,
                    const struct gh_settings_tenant *tenant, struct gh_route *route);
void gh_build_binding(struct gh_build *build, const struct gh_settings_route *from, struct gh_route *route);
void gh_check_routes_together(struct gh_build *build);
void gh_check_edge_listeners(struct gh_build *build);

/* Over the route's, its tenant's and its issuers' part of the tree: equal while nobody changed any of it. */
uint64_t gh_build_fingerprint(const struct gh_settings *settings, const struct gh_settings_route *route,
                              const struct gh_settings_tenant *tenant);

/* The node of the whole document. */
const struct gh_node *gh_build_root(const struct gh_build *build);
/* From the site's arena; NULL notes that memory ran out. */
void *gh_build_alloc(struct gh_build *build, size_t count, size_t size);
/* A text of the site that could not be made: notes that memory ran out. */
gh_str gh_build_text(struct gh_build *build, gh_str text);
/* gh_url_read for checks: false notes it when memory ran out. */
bool gh_build_read_url(struct gh_teller *teller, gh_str text, struct gh_url *ret_url);
/* localhost, or a literal loopback address. */
bool gh_build_is_loopback(gh_str host);
bool gh_build_is_unix(const struct gh_address *address);

static inline struct gh_settings_listen *gh_listen_at(const struct gh_settings *settings, size_t i)
{
    return (struct gh_settings_listen *)settings->listen.at + i;
}
static inline struct gh_settings_issuer *gh_issuer_at(const struct gh_settings *settings, size_t i)
{
    return (struct gh_settings_issuer *)settings->issuers.at + i;
}
static inline struct gh_settings_tenant *gh_tenant_at(const struct gh_settings *settings, size_t i)
{
    return (struct gh_settings_tenant *)settings->tenants.at + i;
}
static inline struct gh_settings_route *gh_route_at(const struct gh_settings *settings, size_t i)
{
    return (struct gh_settings_route *)settings->routes.at + i;
}

#endif
