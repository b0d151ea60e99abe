/* conf/check_upstream.c: the server behind a route: endpoints, credential, and which header fields reach it.
 */
#include "base/str.h"
#include "conf/build.h"

static void check_endpoint(struct gh_build *build, const struct gh_node *node, gh_str text,
                           const struct gh_url *url);

void gh_build_upstream(struct gh_build *build, const struct gh_settings_route *from, struct gh_route *route)
{
    struct gh_upstream_conf *conf = &route->upstream_conf;
    const struct gh_node *node = gh_node_get(from->at.node, "upstream");
    struct gh_teller *teller = build->teller;
    *conf = from->upstream.conf;
    conf->endpoints = gh_build_alloc(build, from->upstream.urls.count, sizeof(*conf->endpoints));
    if (conf->endpoints == NULL)
        return;
    for (size_t i = 0; i < from->upstream.urls.count; i++) {
        struct gh_url *url = &conf->endpoints[conf->endpoint_count++];
        if (gh_url_read(build->site->arena, from->upstream.urls.at[i], url) != GH_OK) {
            teller->out_of_memory = true; /* it was read once already */
            return;
        }
        check_endpoint(build, node, from->upstream.urls.at[i], url);
        if (!gh_str_eq(url->path, conf->endpoints[0].path))
            gh_tell_error(teller, node, "urls", gh_tell_quoted(teller, from->upstream.urls.at[i]),
                          GH_STR("endpoints with one and the same path"));
    }
    route->upstream_path = conf->endpoints[0].path;
    if ((conf->certificate_file.len != 0) != (conf->key_file.len != 0))
        gh_tell_error(teller, node, conf->key_file.len != 0 ? "certificate" : "key", GH_STR("nothing"),
                      GH_STR("certificate and key together"));
    if (gh_node_get(node, "credential") == NULL)
        conf->credential_header = GH_STR_NONE;
    if (conf->health_path.len != 0 && conf->health_path.ptr[0] != '/')
        gh_tell_wrong(teller, gh_node_get(node, "health"), "path", GH_STR("a path that begins with a slash"));
}

static void check_endpoint(struct gh_build *build, const struct gh_node *node, gh_str text,
                           const struct gh_url *url)
{
    struct gh_teller *teller = build->teller;
    struct gh_target target;
    if (url->query.ptr != NULL)
        gh_tell_error(teller, node, "urls", gh_tell_quoted(teller, text), GH_STR("URLs without query"));
    else if (gh_target_read(url->path, &target) != GH_OK)
        gh_tell_error(teller, node, "urls", gh_tell_quoted(teller, text),
                      GH_STR("paths in their one canonical form"));
    else if (gh_str_eq(url->scheme, GH_STR("http")) && !gh_build_is_loopback(url->authority.host))
        gh_tell_warning(teller, node, "urls",
                        gh_tell_text(teller, "plain http to %.*s", GH_STR_FMT(url->authority_text)),
                        GH_STR("https, unless that network is yours alone"));
}

/* Fields that the gateway makes, reads or removes itself (threats.md: request head from an allow-list). */
static bool is_ours(gh_str name)
{
    static const gh_str names[] = {
        GH_STR_INIT("authorization"),
        GH_STR_INIT("cookie"),
        GH_STR_INIT("host"),
        GH_STR_INIT("connection"),
        GH_STR_INIT("content-length"),
        GH_STR_INIT("transfer-encoding"),
        GH_STR_INIT("te"),
        GH_STR_INIT("trailer"),
        GH_STR_INIT("upgrade"),
        GH_STR_INIT("keep-alive"),
        GH_STR_INIT("expect"),
        GH_STR_INIT("forwarded"),
        GH_STR_INIT("http2-settings"),
        GH_STR_INIT("accept-encoding"),
        GH_STR_INIT("content-encoding"),
        GH_STR_INIT("origin"),
        GH_STR_INIT("mcp-session-id"),
        GH_STR_INIT("content-type"),
        GH_STR_INIT("dpop"),
        GH_STR_INIT("x-request-id"),
        GH_STR_INIT("accept"),
        GH_STR_INIT("x-real-ip"),
        GH_STR_INIT("last-event-id"),
        GH_STR_INIT("mcp-protocol-version"),
    };
    for (size_t i = 0; i < GH_ARRAY_LEN(names); i++) {
        if (gh_str_eq(names[i], name))
            return true;
    }
    return gh_str_starts(name, GH_STR("proxy-")) || gh_str_starts(name, GH_STR("x-forwarded-"));
}

void gh_check_header(struct gh_build *build, const struct gh_node *node, const char *key, gh_str name)
{
    if (is_ours(name))
        gh_tell_error(build->teller, node, key, gh_tell_quoted(build->teller, name),
                      GH_STR("a field the gateway does not handle itself"));
}

void gh_build_headers(struct gh_build *build, const struct gh_settings_route *from, struct gh_route *route)
{
    const struct gh_identity_headers *identity = &from->identity;
    const struct {
        const char *key;
        gh_str name;
    } fields[] = { { "user", identity->user },     { "client", identity->client },
                   { "tenant", identity->tenant }, { "issuer", identity->issuer },
                   { "agent", identity->agent },   { "scopes", identity->scopes },
                   { "kind", identity->kind } };
    const struct gh_node *node = gh_node_get(from->at.node, "identity_headers");
    gh_str credential = route->upstream_conf.credential_header;
    for (size_t i = 0; i < GH_ARRAY_LEN(fields); i++) {
        gh_str name = fields[i].name;
        if (name.len == 0)
            continue;
        gh_check_header(build, node, fields[i].key, name);
        bool is_taken = gh_str_eq(name, credential) || gh_strs_has(from->forward_headers, name);
        for (size_t j = 0; j < i; j++)
            is_taken |= gh_str_eq(name, fields[j].name);
        if (is_taken)
            gh_tell_wrong(build->teller, node, fields[i].key,
                          GH_STR("a field of its own: not forwarded from clients, not used twice"));
    }
    for (size_t i = 0; i < from->forward_headers.count; i++) {
        gh_str name = from->forward_headers.at[i];
        gh_check_header(build, from->at.node, "forward_headers", name);
        bool is_token = gh_str_eq(name, credential) || gh_str_eq(name, GH_STR("x-gatehouse-assertion")) ||
                        gh_str_eq(name, route->assertion.header);
        for (size_t j = 0; j < route->issuer_count; j++)
            is_token |= gh_str_eq(name, route->issuers[j]->conf.token_header);
        if (is_token)
            gh_tell_error(build->teller, from->at.node, "forward_headers",
                          gh_tell_quoted(build->teller, name), GH_STR("a field that carries no credential"));
    }
    route->forward_headers = from->forward_headers;
}
