/* gateway/forward.c: the request towards the upstream: its head is built from an allow-list, identity is set
 * last. */
#include <stdio.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/str.h"
#include "gateway/request.h"

/* What gh_session_add, add_own, add_identities and add_assertion may add. */
#define OWN_MAX 16

/* What a client may say to an MCP server; a route may name more. Everything else stays here (threats.md rule
 * 5). */
static const gh_str passed[] = {
    GH_STR_INIT("accept"),       GH_STR_INIT("accept-language"),      GH_STR_INIT("baggage"),
    GH_STR_INIT("content-type"), GH_STR_INIT("last-event-id"),        GH_STR_INIT("mcp-method"),
    GH_STR_INIT("mcp-name"),     GH_STR_INIT("mcp-protocol-version"), GH_STR_INIT("traceparent"),
    GH_STR_INIT("tracestate"),   GH_STR_INIT("user-agent"),
};

/* What repeats the body may say something else where nobody compared the two (threats.md R7, R8). */
static bool is_unread(const struct gh_request *r, gh_str name)
{
    bool is_of_method = gh_str_eq(name, GH_STR("mcp-method")) || gh_str_starts(name, GH_STR("mcp-param-"));
    return r->route->policy.reads_calls && ((is_of_method && !r->method_compared) ||
                                            (gh_str_eq(name, GH_STR("mcp-name")) && !r->name_compared));
}

static bool is_passed(const struct gh_request *r, gh_str name)
{
    if (is_unread(r, name))
        return false;
    for (size_t i = 0; i < GH_ARRAY_LEN(passed); i++)
        if (gh_str_eq(passed[i], name))
            return true;
    return gh_str_starts(name, GH_STR("mcp-param-")) || gh_strs_has(r->route->forward_headers, name);
}

static bool is_ours(const struct gh_route *route, gh_str name)
{
    const struct gh_identity_headers *id = &route->identity;
    const gh_str ours[] = { id->user,  id->client, id->tenant, id->issuer,
                            id->agent, id->scopes, id->kind,   route->assertion.header };
    for (size_t i = 0; i < GH_ARRAY_LEN(ours); i++)
        if (gh_str_eq(ours[i], name))
            return true;
    return false;
}

/* ---- identity: percent-encoded where a header could not carry it, one line each, absent when there is no
 * value ---- */

static bool is_plain(char c)
{
    return c >= 0x21 && c <= 0x7e && c != '%' && c != ',' && c != ';' && c != '"' && c != '\\';
}

static gh_str encode_value(struct gh_arena *arena, gh_str value)
{
    static const char hex[] = "0123456789ABCDEF";
    char *out = gh_arena_alloc(arena, 3 * value.len + 1);
    if (out == NULL)
        return GH_STR_NONE;
    size_t n = 0;
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.ptr[i];
        if (is_plain((char)c)) {
            out[n++] = (char)c;
            continue;
        }
        out[n++] = '%';
        out[n++] = hex[c >> 4];
        out[n++] = hex[c & 15];
    }
    return gh_str_of(out, n);
}

static enum gh_reason add_identity(struct gh_request *r, struct gh_headers *headers, gh_str name,
                                   gh_str value)
{
    if (name.len == 0 || value.len == 0)
        return GH_OK;
    gh_str encoded = encode_value(r->x->arena, value);
    return encoded.ptr != NULL ? gh_headers_add(headers, name, encoded) : GH_OUT_OF_MEMORY;
}

static gh_str kind_text(enum gh_principal_kind kind)
{
    switch (kind) {
    case GH_PRINCIPAL_USER:
        return GH_STR("user");
    case GH_PRINCIPAL_SERVICE:
        return GH_STR("service");
    case GH_PRINCIPAL_AGENT:
        return GH_STR("agent");
    }
    return GH_STR_NONE;
}

/* Scopes are joined by spaces, which are legal inside a value: they are not encoded. */
static enum gh_reason add_scopes(struct gh_request *r, struct gh_headers *headers)
{
    gh_str name = r->route->identity.scopes;
    const struct gh_principal *principal = r->x->principal;
    if (name.len == 0 || principal->scopes.count == 0)
        return GH_OK;
    gh_str *encoded = gh_arena_calloc(r->x->arena, principal->scopes.count, sizeof(*encoded));
    if (encoded == NULL)
        return GH_OUT_OF_MEMORY;
    for (size_t i = 0; i < principal->scopes.count; i++) {
        encoded[i] = encode_value(r->x->arena, principal->scopes.at[i]);
        if (encoded[i].ptr == NULL)
            return GH_OUT_OF_MEMORY;
    }
    gh_str joined =
        gh_arena_join(r->x->arena, (struct gh_strs){ encoded, principal->scopes.count }, GH_STR(" "));
    return joined.ptr != NULL ? gh_headers_add(headers, name, joined) : GH_OUT_OF_MEMORY;
}

static enum gh_reason add_identities(struct gh_request *r, struct gh_headers *headers)
{
    const struct gh_identity_headers *id = &r->route->identity;
    const struct gh_principal *principal = r->x->principal;
    const struct {
        gh_str name, value;
    } rows[] = {
        { id->user, principal->subject },
        { id->client, principal->client },
        { id->tenant, r->route->policy.tenant },
        { id->issuer, principal->issuer_name },
        { id->agent, principal->actor_count > 0 ? principal->actors[0].sub : GH_STR_NONE },
        { id->kind, kind_text(principal->kind) },
    };
    for (size_t i = 0; i < GH_ARRAY_LEN(rows); i++) {
        enum gh_reason reason = add_identity(r, headers, rows[i].name, rows[i].value);
        if (reason != GH_OK)
            return reason;
    }
    return add_scopes(r, headers);
}

static enum gh_reason add_assertion(struct gh_request *r, struct gh_headers *headers)
{
    gh_str name = r->route->assertion.header, assertion;
    if (name.len == 0)
        return GH_OK;
    enum gh_reason reason = gh_assertion_for(r, &assertion);
    return reason == GH_OK ? gh_headers_add(headers, name, assertion) : reason;
}

/* ---- the rest of the head ---- */

static enum gh_reason add_passed(struct gh_request *r, struct gh_headers *headers)
{
    const struct gh_headers *from = &r->x->headers;
    for (size_t i = 0; i < from->count; i++) {
        gh_str name = from->at[i].name;
        if (!is_passed(r, name) || is_ours(r->route, name))
            continue;
        enum gh_reason reason = gh_headers_add(headers, name, from->at[i].value);
        if (reason != GH_OK)
            return reason;
    }
    return GH_OK;
}

static enum gh_reason add_own(struct gh_request *r, struct gh_headers *headers)
{
    const struct gh_exchange *x = r->x;
    const struct {
        gh_str name, value;
    } rows[] = {
        { GH_STR("accept-encoding"), GH_STR("identity") },
        { GH_STR("x-forwarded-for"), x->client_ip },
        { GH_STR("x-forwarded-host"), r->route->policy.resource.authority_text },
        { GH_STR("x-forwarded-proto"), r->route->policy.resource.scheme },
        { GH_STR("x-request-id"), gh_str_of(x->request_id, sizeof(x->request_id) - 1) },
    };
    for (size_t i = 0; i < GH_ARRAY_LEN(rows); i++) {
        enum gh_reason reason = gh_headers_add(headers, rows[i].name, rows[i].value);
        if (reason != GH_OK)
            return reason;
    }
    return GH_OK;
}

static enum gh_reason build_head(struct gh_request *r, struct gh_headers *headers)
{
    enum gh_reason reason = gh_headers_init(headers, r->x->arena, r->x->headers.count + OWN_MAX);
    if (reason == GH_OK)
        reason = add_passed(r, headers);
    if (reason == GH_OK)
        reason = gh_session_add(r, headers);
    if (reason == GH_OK)
        reason = add_own(r, headers);
    if (reason == GH_OK)
        reason = add_identities(r, headers);
    return reason == GH_OK ? add_assertion(r, headers) : reason;
}

static gh_str upstream_path(struct gh_request *r)
{
    gh_str query = r->x->target.query;
    if (r->message_target.ptr != NULL)
        return r->message_target;
    if (query.ptr == NULL)
        return r->route->upstream_path;
    return gh_arena_printf(r->x->arena, "%.*s?%.*s", GH_STR_FMT(r->route->upstream_path), GH_STR_FMT(query));
}

/* What came while the request waited goes out with the head. */
static void send_held_body(struct gh_request *r)
{
    if (!r->x->has_body)
        return;
    if (gh_buf_len(&r->body) > 0 || r->body_ended)
        gh_call_body(r->call, gh_buf_peek(&r->body), r->body_ended);
    if (r->route->body_whole)
        r->gateway->bodies_held -= gh_buf_len(&r->body);
    gh_buf_done(&r->body);
}

enum gh_next gh_stage_forward(struct gh_request *r)
{
    struct gh_headers *headers = GH_ARENA_NEW(r->x->arena, struct gh_headers);
    enum gh_reason reason = headers != NULL ? build_head(r, headers) : GH_OUT_OF_MEMORY;
    gh_str path = upstream_path(r);
    struct gh_upstream *upstream = gh_gateway_upstream(r->gateway, r->route->target);
    if (reason != GH_OK || path.ptr == NULL || upstream == NULL)
        return gh_request_refuse(r, reason != GH_OK ? reason : GH_OUT_OF_MEMORY);
    const struct gh_call_request request = {
        .method = r->x->method,
        .path_and_query = path,
        .headers = headers,
        .has_body = r->x->has_body,
        .content_length =
            r->body_ended && r->x->has_body ? (int64_t)gh_buf_len(&r->body) : r->x->content_length,
        .endpoint = r->endpoint,
    };
    r->call_site = gh_site_ref(r->site);
    r->call_started_ns = gh_clock_mono_ns();
    r->call = gh_call_start(upstream, &request, &gh_relay_events, r);
    if (r->call == NULL)
        return gh_request_refuse(r, GH_OUT_OF_MEMORY);
    send_held_body(r);
    return GH_NEXT;
}
