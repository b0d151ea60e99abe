/* conf/check_issuer.c: issuers: their names, where their keys are, whether clients can be sent to them. */
#include "base/str.h"
#include "conf/build.h"

static void build_issuer(struct gh_build *build, struct gh_settings_issuer *from, struct gh_issuer *issuer);
static void read_names(struct gh_build *build, const struct gh_settings_issuer *from,
                       struct gh_profile *profile);
static void check_template(struct gh_build *build, const struct gh_settings_issuer *from);
static void set_edge(struct gh_build *build, const struct gh_settings_issuer *from,
                     struct gh_issuer_conf *conf);
static void check_keys(struct gh_build *build, const struct gh_settings_issuer *from,
                       const struct gh_issuer_conf *conf);
static void set_advertise(struct gh_build *build, const struct gh_settings_issuer *from,
                          struct gh_issuer_conf *conf);
static void check_introspection(struct gh_build *build, const struct gh_settings_issuer *from);

void gh_build_issuers(struct gh_build *build)
{
    struct gh_settings *settings = build->settings;
    size_t count = settings->issuers.count;
    /* A tenant with tenant_ids has its own copy of each of its issuers; check_tenant.c adds them behind. */
    size_t copies = 0;
    for (size_t i = 0; i < settings->tenants.count; i++) {
        const struct gh_settings_tenant *tenant = gh_tenant_at(settings, i);
        copies += tenant->tenant_ids.count != 0 ? tenant->issuers.count : 0;
    }
    build->site->issuers = gh_build_alloc(build, count + copies, sizeof(*build->site->issuers));
    if (build->site->issuers == NULL)
        return;
    for (size_t i = 0; i < count; i++)
        build_issuer(build, gh_issuer_at(settings, i), &build->site->issuers[i]);
    build->site->issuer_count = count;
}

static void build_issuer(struct gh_build *build, struct gh_settings_issuer *from, struct gh_issuer *issuer)
{
    if (gh_node_get(from->at.node, "managed") != NULL) {
        gh_build_managed_issuer(build, from);
        issuer->conf = from->conf;
        issuer->slot = UINT32_MAX;
        return;
    }
    read_names(build, from, &from->conf.profile);
    check_template(build, from);
    set_edge(build, from, &from->conf);
    check_keys(build, from, &from->conf);
    set_advertise(build, from, &from->conf);
    check_introspection(build, from);
    issuer->conf = from->conf;
    issuer->slot = UINT32_MAX;
}

/* One of issuer, issuers, issuer_template; a template may stand beside the others (Entra v1 and v2). */
static void read_names(struct gh_build *build, const struct gh_settings_issuer *from,
                       struct gh_profile *profile)
{
    const struct gh_node *node = from->at.node;
    bool has_one = from->issuer.len != 0, has_list = gh_node_get(node, "issuers") != NULL;
    if (has_one && has_list)
        gh_tell_error(build->teller, node, "issuers", GH_STR("issuer and issuers"), GH_STR("one of the two"));
    if (!has_one && !has_list && gh_node_get(node, "issuer_template") == NULL) {
        gh_tell_error(build->teller, node, "issuer", GH_STR("nothing"),
                      GH_STR("the issuer as its tokens write it in iss"));
        return;
    }
    if (!has_one)
        return;
    gh_str *names = gh_build_alloc(build, 1, sizeof(*names));
    if (names == NULL)
        return;
    names[0] = from->issuer;
    profile->issuers = (struct gh_strs){ .at = names, .count = 1 };
}

static void check_template(struct gh_build *build, const struct gh_settings_issuer *from)
{
    const struct gh_node *node = from->at.node;
    const struct gh_profile *profile = &from->conf.profile;
    struct gh_teller *teller = build->teller;
    if (profile->issuer_template.len != 0) {
        if (!gh_str_contains(profile->issuer_template, GH_STR("{tid}")))
            gh_tell_wrong(teller, node, "issuer_template", GH_STR("a text that holds {tid}"));
        if (profile->tenant_ids.count == 0)
            gh_tell_error(
                teller, node, "tenants", GH_STR("nothing"),
                GH_STR("the list of tenants whose tokens are accepted, since the template fits all"));
    }
    for (size_t i = 0; i < profile->issuers.count; i++) {
        if (gh_str_find(profile->issuers.at[i], '{') < profile->issuers.at[i].len)
            gh_tell_error(teller, node, gh_node_get(node, "issuer") != NULL ? "issuer" : "issuers",
                          gh_tell_quoted(teller, profile->issuers.at[i]),
                          GH_STR("an issuer without placeholders; or issuer_template"));
    }
    if (profile->tenant_ids.count != 0 && profile->tenant_claims.count == 0)
        gh_tell_error(teller, node, "tenants", GH_STR("a list, but no tenant claim to compare it with"),
                      GH_STR("tenant_claims beside it"));
}

/* Where edge products put their assertion, and their keys below the issuer. */
static const struct {
    gh_str profile, token_header, keys_path;
} edge_products[] = {
    { GH_STR_INIT("cloudflare"), GH_STR_INIT("cf-access-jwt-assertion"),
      GH_STR_INIT("/cdn-cgi/access/certs") },
};

static void set_edge(struct gh_build *build, const struct gh_settings_issuer *from,
                     struct gh_issuer_conf *conf)
{
    const struct gh_node *node = from->at.node;
    bool is_edge = conf->profile.shape == GH_SHAPE_EDGE;
    for (size_t i = 0; is_edge && i < GH_ARRAY_LEN(edge_products); i++) {
        if (!gh_str_starts(from->profile, edge_products[i].profile) || conf->profile.issuers.count == 0)
            continue;
        if (conf->token_header.len == 0)
            conf->token_header = edge_products[i].token_header;
        if (conf->jwks_url.len == 0 && conf->jwks_file.len == 0 && conf->discovery_url.len == 0)
            conf->jwks_url = gh_build_text(build, gh_arena_printf(build->site->arena, "%.*s%.*s",
                                                                  GH_STR_FMT(conf->profile.issuers.at[0]),
                                                                  GH_STR_FMT(edge_products[i].keys_path)));
    }
    if (is_edge && conf->token_header.len == 0)
        gh_tell_error(build->teller, node, "token_header", GH_STR("nothing"),
                      GH_STR("the header field in which the edge passes its assertion"));
    if (!is_edge && conf->token_header.len != 0)
        gh_tell_wrong(build->teller, node, "token_header", GH_STR("this only with shape: edge"));
}

/* https; http to loopback only where fetch.allow_http_loopback says so. */
static bool is_fetchable(const struct gh_build *build, gh_str text)
{
    struct gh_url url;
    if (!gh_build_read_url(build->teller, text, &url))
        return false;
    return gh_str_eq(url.scheme, GH_STR("https")) ||
           (build->settings->conf.fetch.allow_http_loopback && gh_build_is_loopback(url.authority.host));
}

static void check_fetch(struct gh_build *build, const struct gh_node *node, const char *key, gh_str url)
{
    if (url.len != 0 && !is_fetchable(build, url))
        gh_tell_error(build->teller, node, key, gh_tell_quoted(build->teller, url),
                      GH_STR("an https URL; http only to loopback with fetch.allow_http_loopback"));
}

static void check_keys(struct gh_build *build, const struct gh_settings_issuer *from,
                       const struct gh_issuer_conf *conf)
{
    const struct gh_node *node = from->at.node;
    struct gh_teller *teller = build->teller;
    check_fetch(build, node, "discovery", conf->discovery_url);
    check_fetch(build, node, "jwks", conf->jwks_url);
    if (conf->jwks_url.len != 0 && conf->jwks_file.len != 0)
        gh_tell_error(teller, node, "jwks_file", GH_STR("jwks and jwks_file"), GH_STR("one of the two"));
    bool has_source = conf->discovery_url.len != 0 || conf->jwks_url.len != 0 || conf->jwks_file.len != 0 ||
                      conf->introspection_url.len != 0;
    if (has_source)
        return;
    if (conf->profile.issuers.count == 0 && conf->profile.issuer_template.len != 0)
        gh_tell_error(teller, node, "jwks", GH_STR("nothing"),
                      GH_STR("discovery, jwks or jwks_file, since a template leads to no metadata"));
    else if (conf->profile.issuers.count != 0 && !is_fetchable(build, conf->profile.issuers.at[0]))
        gh_tell_error(
            teller, node, gh_node_get(node, "issuer") != NULL ? "issuer" : "issuers",
            gh_tell_quoted(teller, conf->profile.issuers.at[0]),
            GH_STR("an https URL (http to loopback with fetch.allow_http_loopback), or discovery, jwks or "
                   "jwks_file beside it"));
}

static void set_advertise(struct gh_build *build, const struct gh_settings_issuer *from,
                          struct gh_issuer_conf *conf)
{
    const struct gh_node *node = from->at.node;
    struct gh_teller *teller = build->teller;
    bool is_edge = conf->profile.shape == GH_SHAPE_EDGE;
    if (gh_node_get(node, "advertise") == NULL)
        conf->advertise = !is_edge;
    if (!conf->advertise || (conf->profile.issuers.count == 0 && conf->profile.issuer_template.len == 0))
        return;
    if (is_edge)
        gh_tell_wrong(teller, node, "advertise",
                      GH_STR("false with shape: edge: the edge answers discovery"));
    else if (conf->profile.issuers.count == 0)
        gh_tell_error(teller, node, "advertise", GH_STR("true for a template"),
                      GH_STR("false: clients cannot be sent to a template"));
    else if (!is_fetchable(build, conf->profile.issuers.at[0]))
        gh_tell_error(
            teller, node, "advertise",
            gh_tell_text(teller, "true for %s", gh_tell_quoted(teller, conf->profile.issuers.at[0]).ptr),
            GH_STR("false: clients can only be sent to an https issuer (http to loopback with "
                   "fetch.allow_http_loopback)"));
}

/* A client and one way to prove it, or nobody. */
static void check_client(struct gh_teller *teller, const struct gh_node *node,
                         const struct gh_issuer_conf *conf)
{
    bool has_client = conf->introspection_client.len != 0,
         has_secret = conf->introspection_secret_file.len != 0,
         has_key = conf->introspection_key_file.len != 0;
    if (has_secret && has_key)
        gh_tell_error(teller, node, "key_file", GH_STR("client_secret_file and key_file"),
                      GH_STR("one of the two"));
    else if (has_client != (has_secret || has_key))
        gh_tell_error(teller, node, has_client ? "client_secret_file" : "client_id", GH_STR("nothing"),
                      GH_STR("client_id together with client_secret_file or key_file"));
    else if (!has_client)
        gh_tell_warning(
            teller, node, "client_id", GH_STR("nothing"),
            GH_STR("client_id with client_secret_file or key_file, unless the endpoint is private"));
    if (conf->introspection_audience.len != 0 && !has_key)
        gh_tell_wrong(teller, node, "audience", GH_STR("this only with key_file"));
    if (has_key && conf->introspection_audience.len == 0 && conf->profile.issuers.count == 0)
        gh_tell_error(teller, node, "audience", GH_STR("nothing"),
                      GH_STR("the name of the server beside key_file, since a template is none"));
}

static void check_introspection(struct gh_build *build, const struct gh_settings_issuer *from)
{
    const struct gh_issuer_conf *conf = &from->conf;
    const struct gh_node *node = gh_node_get(from->at.node, "introspection");
    struct gh_teller *teller = build->teller;
    if (node == NULL) {
        if (conf->token_prefix.len != 0)
            gh_tell_wrong(teller, from->at.node, "token_prefix", GH_STR("this only beside introspection"));
        return;
    }
    check_fetch(build, node, "url", conf->introspection_url);
    check_client(teller, node, conf);
    if (conf->introspection_max_age_s > conf->max_stale_s)
        gh_tell_wrong(teller, node, "max_age", GH_STR("at most the issuer's max_stale"));
    else if (conf->introspection_max_age_s > 60)
        gh_tell_warning(teller, node, "max_age",
                        gh_tell_text(teller, "%llds: as long a token lives on that has ended at its issuer",
                                     (long long)conf->introspection_max_age_s),
                        GH_STR("at most 60s"));
}
