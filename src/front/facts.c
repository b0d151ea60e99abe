/* front/facts.c: what a request head says, checked and put into the exchange, the same for HTTP/1.1 and
 * HTTP/2. */
#include "base/arena.h"
#include "base/str.h"
#include "front/client.h"
#include "front/forwarded.h"

/* One Host (RFC 9112 section 3.2); with :authority it must say the same (threats.md H5). */
static enum gh_reason read_host(struct gh_exchange *x, const struct gh_facts *facts)
{
    const struct gh_header *host = gh_headers_find(facts->headers, GH_STR("host"));
    size_t count = gh_headers_count(facts->headers, GH_STR("host"));
    gh_str raw = facts->authority;
    if (raw.ptr == NULL)
        raw = host != NULL ? host->value : GH_STR_NONE;
    if (count > 1 || raw.len == 0 || (host != NULL && !gh_str_eq_nocase(raw, host->value)))
        return GH_HTTP_HOST;
    return gh_authority_read(x->arena, raw, &x->authority);
}

static enum gh_reason believe_proxy(struct gh_exchange *x, const struct gh_client *client)
{
    const struct gh_front_conf *conf = &client->front->conf;
    struct gh_forwarded said;
    if (!client->trusted)
        return GH_OK;
    gh_forwarded_read(&x->headers, conf->forwarded_by, conf->trusted_proxies, &said);
    if (said.has_scheme)
        x->secure = said.is_https;
    if (!said.has_address)
        return GH_OK;
    char text[GH_ADDRESS_TEXT];
    x->client_ip = gh_arena_dup(x->arena, gh_str_of(text, gh_address_ip_text(&said.address, text)));
    x->shared_source = gh_cidrs_have(conf->shared_sources, &said.address);
    return x->client_ip.ptr != NULL ? GH_OK : GH_OUT_OF_MEMORY;
}

/* RFC 9113 section 8.3.1 allows any; only what is served here is taken (threats.md H4). */
static enum gh_reason check_scheme(const struct gh_facts *facts)
{
    bool known = facts->version != GH_HTTP_2 || facts->scheme.ptr == NULL ||
                 gh_str_eq(facts->scheme, GH_STR("https")) || gh_str_eq(facts->scheme, GH_STR("http"));
    return known ? GH_OK : GH_HTTP_MALFORMED;
}

static enum gh_reason check_extensions(const struct gh_headers *headers)
{
    if (gh_headers_find(headers, GH_STR("upgrade")) != NULL ||
        gh_headers_find(headers, GH_STR("http2-settings")) != NULL)
        return GH_HTTP_UPGRADE;
    const struct gh_header *expect = gh_headers_find(headers, GH_STR("expect"));
    if (expect != NULL && !gh_str_eq_nocase(expect->value, GH_STR("100-continue")))
        return GH_HTTP_EXPECT;
    return GH_OK;
}

enum gh_reason gh_facts_fill(struct gh_exchange *x, struct gh_client *client, const struct gh_facts *facts)
{
    x->version = facts->version;
    x->headers = *facts->headers;
    x->content_length = facts->content_length;
    x->has_body = facts->has_body;
    x->secure = client->secure;
    x->trusted_peer = client->trusted_peer;
    x->client_ip = gh_str_from(client->ip);
    x->peer_uid = client->peer_uid;
    x->shared_source = client->shared;
    x->connection_id = client->id;
    x->verify_budget = &client->verify_budget;
    const struct gh_tls *tls = gh_conn_peek_tls(client->conn);
    x->sni = tls != NULL ? gh_tls_sni(tls) : GH_STR_NONE;
    enum gh_reason reason = gh_method_read(facts->method, &x->method);
    if (reason == GH_OK)
        reason = check_scheme(facts);
    if (reason == GH_OK)
        reason = gh_target_read(facts->target, &x->target);
    if (reason == GH_OK)
        reason = read_host(x, facts);
    if (reason == GH_OK)
        reason = check_extensions(&x->headers);
    enum gh_reason believed = believe_proxy(x, client);
    return reason == GH_OK ? believed : reason;
}
