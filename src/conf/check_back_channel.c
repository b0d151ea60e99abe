/* conf/check_back_channel.c: where issuers speak of their users: places of their own, and users that can be
 * found. */
#include "base/str.h"
#include "conf/build.h"

struct made {
    struct gh_build *build;
    const struct gh_settings_issuer *from;
    const struct gh_node *node; /* its back_channel */
    struct gh_url url;
};

static void wrong(const struct made *made, const char *key, const char *allowed)
{
    gh_tell_wrong(made->build->teller, made->node, key, gh_str_from(allowed));
}

/* The path is compared with those of requests, which come in one form. */
static void check_form(const struct made *made)
{
    const struct gh_url *url = &made->url;
    struct gh_target target;
    if (url->query.ptr != NULL)
        wrong(made, "url", "a URL without query");
    else if (gh_target_read(url->path, &target) != GH_OK || !gh_str_eq(target.path, url->path))
        wrong(made, "url", "a path in its one canonical form: no dots, empty segments, needless escapes");
    else if (gh_str_ends(url->path, GH_STR("/")))
        wrong(made, "url", "a path without a slash at its end: a route answers there too");
    else if (gh_str_starts(url->path, GH_STR("/.well-known/")))
        wrong(made, "url", "a path outside /.well-known/");
    else if (gh_str_eq(url->scheme, GH_STR("http")) && !gh_build_is_loopback(url->authority.host))
        wrong(made, "url", "an https URL (http to loopback): its tokens would travel in the clear");
}

/* Elsewhere in the settings somebody else is found there, and would never be reached. */
static void check_free(const struct made *made, const struct gh_signal_site *before)
{
    const struct gh_build *build = made->build;
    const struct gh_url *url = &made->url;
    const struct gh_authority at = { .host = url->authority.host, .port = url->port };
    for (size_t i = 0; i < build->site->route_count; i++) {
        const struct gh_url *other = &build->site->routes[i].policy.resource;
        if (other->port == url->port && gh_str_eq(other->authority.host, at.host) &&
            gh_str_eq(other->path, url->path))
            wrong(made, "url", "a path that is no route's resource");
    }
    if (gh_issuer_site_find(build->settings->conf.issuer_site, &at, url->path) != NULL)
        wrong(made, "url", "a path that is not one of the managed issuer's");
    if (gh_signal_find(before, &at, url->path) != NULL)
        wrong(made, "url", "another URL for each issuer");
}

static void check_issuer(const struct made *made)
{
    const struct gh_profile *profile = &made->from->conf.profile;
    struct gh_teller *teller = made->build->teller;
    const struct gh_node *node = made->from->at.node;
    bool has_sessions =
        profile->grant_claims.count > 0 && gh_str_eq(profile->grant_claims.at[0], GH_STR("sid"));
    if (made->from->conf.managed || profile->is_ours)
        gh_tell_error(teller, node, "back_channel", GH_STR("a managed issuer"),
                      GH_STR("this at issuers elsewhere: ours tells its gateways by the store"));
    else if (made->build->settings->conf.store.url.len == 0)
        gh_tell_error(teller, node, "back_channel", GH_STR("no store"),
                      GH_STR("store: { url: \"sqlite:gatehouse.db\" } beside it"));
    else if (profile->subject_with_tenant && !has_sessions)
        gh_tell_error(teller, node, "back_channel",
                      GH_STR("an issuer whose users are known by tenant and object id"),
                      GH_STR("grant_claims: [sid] beside it: nothing that it sends names its users so"));
}

static bool build_place(struct gh_build *build, const struct gh_settings_issuer *from,
                        const struct gh_signal_site *before, struct gh_signal_place *place)
{
    struct made made = { .build = build, .from = from, .node = gh_node_get(from->at.node, "back_channel") };
    if (made.node == NULL)
        return false;
    if (gh_url_read(build->site->arena, from->back_channel.url, &made.url) != GH_OK) {
        build->teller->out_of_memory = true; /* it was read once already */
        return false;
    }
    check_form(&made);
    check_free(&made, before);
    check_issuer(&made);
    *place = (struct gh_signal_place){ .issuer = from->at.name,
                                       .host = made.url.authority.host,
                                       .port = (uint16_t)made.url.port,
                                       .path = made.url.path,
                                       .audiences = from->back_channel.audiences };
    return true;
}

void gh_build_back_channels(struct gh_build *build)
{
    struct gh_settings *settings = build->settings;
    struct gh_signal_place *places = gh_build_alloc(build, settings->issuers.count, sizeof(*places));
    struct gh_signal_site site = { .at = places };
    for (size_t i = 0; places != NULL && i < settings->issuers.count; i++)
        site.count += build_place(build, gh_issuer_at(settings, i), &site, &places[site.count]);
    settings->conf.signals = site;
}
