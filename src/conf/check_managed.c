/* conf/check_managed.c: issuers of our own: their URL, their one tenant, what they may grant, their clients.
 */
#include <string.h>

#include "base/str.h"
#include "conf/build.h"
#include "core/grant/client_rules.h"

/* ---- as an issuer that routes trust ---- */

/* Whatever else an issuer can say is about tokens of others. */
static void refuse_other_keys(struct gh_build *build, const struct gh_node *node)
{
    static const gh_str fine[] = { GH_STR_INIT("managed"), GH_STR_INIT("leeway"), GH_STR_INIT("advertise"),
                                   GH_STR_INIT("max_lifetime") };
    for (const struct gh_node *child = node->children; child != NULL; child = child->next)
        if (!gh_strs_has((struct gh_strs){ fine, GH_ARRAY_LEN(fine) }, child->key))
            gh_tell_error(
                build->teller, child, NULL, GH_STR("a key beside managed"),
                GH_STR("managed, leeway, max_lifetime and advertise: our own tokens are read as they "
                       "are written"));
}

static void check_url(struct gh_build *build, const struct gh_node *node, gh_str text,
                      const struct gh_url *url)
{
    struct gh_teller *teller = build->teller;
    bool is_http = gh_str_eq(url->scheme, GH_STR("http"));
    struct gh_target target;
    gh_str path = gh_str_eq(url->path, GH_STR("/")) ? GH_STR("") : url->path;
    gh_str plain = gh_tell_text(teller, "%.*s://%.*s%.*s", GH_STR_FMT(url->scheme),
                                GH_STR_FMT(url->authority_text), GH_STR_FMT(path));
    if (is_http && !gh_build_is_loopback(url->authority.host))
        gh_tell_wrong(teller, node, "url", GH_STR("an https URL; http only on loopback"));
    else if (url->query.ptr != NULL || gh_str_ends(text, GH_STR("/")) ||
             gh_target_read(url->path, &target) != GH_OK)
        gh_tell_wrong(
            teller, node, "url",
            GH_STR("a URL without query and without a slash at its end: clients compare it byte for byte"));
    else if (!gh_str_eq(text, plain))
        gh_tell_wrong(teller, node, "url", gh_tell_text(teller, "its one form %.*s", GH_STR_FMT(plain)));
}

void gh_build_managed_issuer(struct gh_build *build, struct gh_settings_issuer *from)
{
    const struct gh_node *node = gh_node_get(from->at.node, "managed");
    struct gh_url url;
    refuse_other_keys(build, from->at.node);
    gh_str *names = gh_build_alloc(build, 1, sizeof(*names));
    if (names == NULL || from->managed.url.len == 0)
        return;
    if (gh_build_read_url(build->teller, from->managed.url, &url))
        check_url(build, node, from->managed.url, &url);
    names[0] = gh_build_text(build, gh_arena_dup(build->site->arena, from->managed.url));
    from->conf.profile.issuers = (struct gh_strs){ names, 1 };
    from->conf.managed = true;
    if (gh_node_get(from->at.node, "advertise") == NULL)
        from->conf.advertise = true;
}

/* ---- as the authorization server ---- */

/* Rows and revocations are kept by tenant; users of two tenants never meet in one issuer (issuer.md section
 * 1).
 */
static const struct gh_tenant *tenant_of(struct gh_build *build, const struct gh_settings_issuer *from)
{
    const struct gh_tenant *found = NULL;
    for (size_t i = 0; i < build->settings->tenants.count; i++) {
        const struct gh_settings_tenant *tenant = gh_tenant_at(build->settings, i);
        if (!gh_strs_has(tenant->issuers, from->at.name))
            continue;
        if (found != NULL)
            gh_tell_error(build->teller, tenant->at.node, "issuers",
                          gh_tell_text(build->teller, "managed issuer %.*s, which tenant %.*s has too",
                                       GH_STR_FMT(from->at.name), GH_STR_FMT(found->name)),
                          GH_STR("a managed issuer of its own for each tenant, at another path or host"));
        found = &build->site->tenants[i];
    }
    return found;
}

/* Users, sessions and grants are rows of the tenant, and no row names an issuer: whoever got in at one of two
 * would be in at the other, by whichever providers and `tenants` that one has. */
static void check_only(struct gh_build *build, const struct gh_settings_issuer *from,
                       const struct gh_managed *managed)
{
    const struct gh_issuer_site *site = build->settings->conf.issuer_site;
    gh_str tenant = managed->policy.tenant;
    for (const struct gh_managed *other = site->issuers; tenant.len > 0 && other < managed; other++)
        if (gh_str_eq(other->policy.tenant, tenant))
            gh_tell_error(build->teller, from->at.node, "managed",
                          gh_tell_text(build->teller, "a managed issuer of tenant %.*s, which has %.*s too",
                                       GH_STR_FMT(tenant), GH_STR_FMT(other->name)),
                          GH_STR("one in each tenant: its users, sessions and grants are the tenant's"));
}

static bool route_trusts(const struct gh_route *route, gh_str issuer)
{
    for (size_t i = 0; i < route->issuer_count; i++)
        if (gh_str_eq(route->issuers[i]->conf.profile.name, issuer))
            return true;
    return false;
}

static void add_resources(struct gh_build *build, struct gh_managed *managed)
{
    const struct gh_site *site = build->site;
    struct gh_arena *arena = build->settings->conf.issuer_site->arena;
    struct gh_grant_resource *at = gh_arena_calloc(arena, site->route_count + 1, sizeof(*at));
    if (at == NULL) {
        build->teller->out_of_memory = true;
        return;
    }
    for (size_t i = 0; i < site->route_count; i++) {
        const struct gh_policy *policy = &site->routes[i].policy;
        if (!route_trusts(&site->routes[i], managed->name))
            continue;
        at[managed->policy.resource_count++] = (struct gh_grant_resource){
            .canonical = policy->resource_text,
            .name = policy->resource_name.len > 0 ? policy->resource_name : policy->route,
            .scopes = policy->scopes_supported,
            .default_scopes = policy->scopes.count > 0 ? policy->scopes : policy->scopes_supported,
        };
    }
    managed->policy.resources = at;
}

static void check_client(struct gh_build *build, const struct gh_settings_client *from)
{
    struct gh_teller *teller = build->teller;
    bool has_secret = from->secret_file.len > 0, has_keys = from->jwks_file.len > 0;
    bool wants_secret = from->auth == GH_CLIENT_AUTH_BASIC || from->auth == GH_CLIENT_AUTH_POST;
    if (has_secret != wants_secret)
        gh_tell_error(teller, from->at.node, "secret_file", has_secret ? GH_STR("a file") : GH_STR("nothing"),
                      GH_STR("a file with client_secret_basic and client_secret_post, and only there"));
    if (has_keys != (from->auth == GH_CLIENT_AUTH_KEY))
        gh_tell_error(teller, from->at.node, "jwks_file", has_keys ? GH_STR("a file") : GH_STR("nothing"),
                      GH_STR("a file with private_key_jwt, and only there"));
}

/* The rules that hold for those of the admin interface too. */
static void check_rules(struct gh_build *build, const struct gh_settings_client *from,
                        const struct gh_grant_policy *policy, const struct gh_client *client)
{
    struct gh_client_faults faults = { .count = 0 };
    if (gh_client_check(build->arena, policy, client, &faults) != GH_OK)
        build->teller->out_of_memory = true;
    for (size_t i = 0; i < faults.count; i++) {
        const struct gh_client_fault *fault = &faults.at[i];
        bool is_grants = strcmp(fault->member, "grants") == 0; /* said by other keys here */
        const char *key = !is_grants          ? fault->member
                          : from->credentials ? "client_credentials"
                                              : "redirect_uris";
        gh_tell_error(build->teller, from->at.node, key,
                      is_grants              ? fault->found
                      : fault->found.len > 0 ? gh_tell_quoted(build->teller, fault->found)
                                             : GH_STR("other text"),
                      fault->allowed);
    }
}

static void add_clients(struct gh_build *build, const struct gh_settings_managed *from,
                        struct gh_managed *managed)
{
    struct gh_arena *arena = build->settings->conf.issuer_site->arena;
    managed->clients = gh_arena_calloc(arena, from->clients.count + 1, sizeof(*managed->clients));
    build->teller->out_of_memory |= managed->clients == NULL;
    for (size_t i = 0; managed->clients != NULL && i < from->clients.count; i++) {
        const struct gh_settings_client *one = (const struct gh_settings_client *)from->clients.at + i;
        check_client(build, one);
        struct gh_managed_client *made = &managed->clients[managed->client_count++];
        unsigned grants = one->redirect_uris.count > 0 ? GH_GRANT_CODE | GH_GRANT_REFRESH : 0;
        *made = (struct gh_managed_client){
            .client = { .id = one->at.name,
                        .name = one->display_name.len > 0 ? one->display_name : one->at.name,
                        .kind = GH_CLIENT_SETTINGS,
                        .auth = (enum gh_client_auth)one->auth,
                        .grants = grants | (one->credentials ? GH_GRANT_CREDENTIALS : 0),
                        .redirect_uris = one->redirect_uris,
                        .scopes = one->scopes,
                        .resources = one->resources,
                        .no_consent = !one->consent },
            .secret_file = one->secret_file,
            .jwks_file = one->jwks_file,
        };
        check_rules(build, one, &managed->policy, &made->client);
    }
}

static void check_keys(struct gh_build *build, const struct gh_settings_issuer *from)
{
    const struct gh_settings_managed *settings = &from->managed;
    const struct gh_node *node = gh_node_get(from->at.node, "managed");
    bool in_store = settings->keys_in == GH_KEYS_IN_STORE;
    if (!in_store && settings->keys.len == 0)
        gh_tell_error(build->teller, node, "keys", GH_STR("nothing"), GH_STR("a path"));
    if (in_store && settings->kek_file.len == 0)
        gh_tell_error(build->teller, node, "keys_encryption_file", GH_STR("nothing"),
                      GH_STR("a file with keys_in: store, where the keys are sealed under it"));
}

static void build_one(struct gh_build *build, const struct gh_settings_issuer *from,
                      struct gh_managed *managed)
{
    const struct gh_settings_managed *settings = &from->managed;
    const struct gh_tenant *tenant = tenant_of(build, from);
    struct gh_arena *arena = build->settings->conf.issuer_site->arena;
    if (gh_url_read(arena, settings->url, &managed->url) != GH_OK) {
        build->teller->out_of_memory = true; /* it was read once already */
        return;
    }
    managed->name = from->at.name;
    managed->base = managed->url.path.len > 1 ? managed->url.path : GH_STR("");
    managed->insecure = gh_str_eq(managed->url.scheme, GH_STR("http"));
    managed->registration = (enum gh_registration)settings->registration;
    managed->push_required = settings->push_required;
    managed->limits = settings->limits;
    managed->keys_folder = settings->keys;
    managed->kek_file = settings->kek_file;
    managed->keys_in_store = settings->keys_in == GH_KEYS_IN_STORE;
    check_keys(build, from);
    managed->signing = (enum gh_alg)settings->alg;
    managed->key_life_s = settings->key_life_s;
    managed->key_lead_s = settings->key_lead_s;
    managed->password_cost = (unsigned)settings->password_cost;
    managed->policy = (struct gh_grant_policy){ .tenant = tenant != NULL ? tenant->name : GH_STR(""),
                                                .issuer = settings->url,
                                                .issuer_name = from->at.name,
                                                .redirect_schemes = settings->redirect_schemes,
                                                .code_s = settings->code_s,
                                                .access_s = settings->access_s,
                                                .refresh_idle_s = settings->refresh_idle_s,
                                                .refresh_absolute_s = settings->refresh_max_s,
                                                .grace_s = settings->grace_s };
    check_only(build, from, managed);
    if (settings->refresh_idle_s > settings->refresh_max_s)
        gh_tell_wrong(build->teller, gh_node_get(from->at.node, "managed"), "refresh_idle",
                      GH_STR("at most refresh_max"));
    managed->accounts = settings->accounts == GH_ACCOUNTS_AUTO ? settings->login.count == 0
                                                               : settings->accounts == GH_ACCOUNTS_ON;
    if (!managed->accounts && settings->login.count == 0)
        gh_tell_wrong(build->teller, gh_node_get(from->at.node, "managed"), "accounts",
                      GH_STR("auto or on without login: nobody could sign in"));
    add_resources(build, managed);
    add_clients(build, settings, managed);
    gh_build_logins(build, settings, managed);
}

/* A route's path is the issuer's there: nobody would reach it. */
static void check_routes(struct gh_build *build)
{
    const struct gh_issuer_site *site = build->settings->conf.issuer_site;
    for (size_t i = 0; i < build->site->route_count; i++) {
        const struct gh_url *url = &build->site->routes[i].policy.resource;
        const struct gh_authority authority = { .host = url->authority.host, .port = url->port };
        if (gh_issuer_site_find(site, &authority, url->path) != NULL)
            gh_tell_wrong(build->teller, gh_route_at(build->settings, i)->at.node, "resource",
                          GH_STR("a path that is not one of the managed issuer's"));
    }
}

void gh_build_managed(struct gh_build *build)
{
    struct gh_settings *settings = build->settings;
    gh_build_store(build);
    struct gh_issuer_site *site = settings->conf.issuer_site = gh_issuer_site_new();
    if (site == NULL) {
        build->teller->out_of_memory = true;
        return;
    }
    site->issuers = gh_arena_calloc(site->arena, settings->issuers.count + 1, sizeof(*site->issuers));
    build->teller->out_of_memory |= site->issuers == NULL;
    for (size_t i = 0; site->issuers != NULL && i < settings->issuers.count; i++) {
        const struct gh_settings_issuer *from = gh_issuer_at(settings, i);
        if (from->conf.managed && settings->conf.store.url.len == 0)
            gh_tell_error(build->teller, from->at.node, "managed", GH_STR("a managed issuer without a store"),
                          GH_STR("store: { url: \"sqlite:gatehouse.db\" } beside it"));
        if (from->conf.managed && !build->teller->out_of_memory)
            build_one(build, from, &site->issuers[site->issuer_count++]);
    }
    if (build->teller->out_of_memory || gh_issuer_site_index(site) != GH_OK)
        build->teller->out_of_memory = true;
    else
        check_routes(build);
}
