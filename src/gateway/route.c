/* gateway/route.c: the first stages: which route a request belongs to, and the documents anybody may read. */
#include "base/arena.h"
#include "base/str.h"
#include "gateway/request.h"

static const gh_str cors_methods = GH_STR_INIT("GET, POST, DELETE");
static const gh_str cors_headers = GH_STR_INIT(
    "Authorization, Content-Type, Accept, MCP-Protocol-Version, Mcp-Session-Id, Mcp-Method, Mcp-Name, "
    "Last-Event-ID, DPoP");

/* Mcp-Param-* names of one preflight, which nobody has authenticated: enough for any tool. */
#define ASKED_MAX 32
#define ASKED_LEN 64

enum gh_next gh_stage_route(struct gh_request *r)
{
    struct gh_exchange *x = r->x;
    if (gh_site_is_misdirected(r->site, &x->authority, x->sni)) /* threats.md T7 */
        return gh_request_refuse(r, GH_HTTP_MISDIRECTED);
    enum gh_site_what what;
    enum gh_reason reason = gh_site_find(r->site, &x->authority, x->target.path, &r->route, &what);
    if (reason == GH_HTTP_HOST_UNKNOWN)
        x->authority = (struct gh_authority){ 0 }; /* not a name of ours: it reaches no log */
    if (reason != GH_OK)
        return gh_request_refuse(r, reason);
    r->wants_metadata = what == GH_SITE_METADATA;
    r->is_message = what == GH_SITE_MESSAGES;
    x->policy = &r->route->policy;
    x->route_stats =
        gh_registry_route_stats(r->gateway->with.registry, r->gateway->with.worker, r->route->stats_id);
    if (r->wants_metadata)
        return GH_NEXT;
    reason = gh_policy_origin(x->policy, &x->headers);
    return reason == GH_OK ? GH_NEXT : gh_request_refuse(r, reason);
}

/* ---- documents ---- */

static enum gh_next answer(struct gh_request *r, int status, struct gh_headers *headers, gh_str body)
{
    gh_exchange_answer(r->x, status, headers, body);
    return GH_DONE;
}

static bool add(struct gh_headers *headers, const char *name, gh_str value)
{
    return gh_headers_add(headers, gh_str_from(name), value) == GH_OK;
}

/* mcp.md section 4: metadata may be read from any origin, without credentials. */
static bool add_public_cors(struct gh_headers *headers)
{
    return add(headers, "access-control-allow-origin", GH_STR("*")) &&
           add(headers, "access-control-allow-methods", GH_STR("GET, HEAD, OPTIONS")) &&
           add(headers, "access-control-allow-headers", cors_headers) &&
           add(headers, "access-control-max-age", GH_STR("3600"));
}

static enum gh_next serve_document(struct gh_request *r)
{
    struct gh_exchange *x = r->x;
    struct gh_headers headers;
    if (gh_headers_init(&headers, x->arena, 8) != GH_OK || !add_public_cors(&headers))
        return gh_request_refuse(r, GH_OUT_OF_MEMORY);
    switch (x->method) {
    case GH_METHOD_GET:
    case GH_METHOD_HEAD:
        x->reason = GH_WELLKNOWN;
        if (!add(&headers, "content-type", GH_STR("application/json")) ||
            !add(&headers, "cache-control", GH_STR("public, max-age=300")))
            return gh_request_refuse(r, GH_OUT_OF_MEMORY);
        return answer(r, 200, &headers, r->route->metadata_document);
    case GH_METHOD_OPTIONS:
        x->reason = GH_PREFLIGHT;
        return answer(r, 204, &headers, GH_STR_NONE);
    case GH_METHOD_POST:
    case GH_METHOD_DELETE:
    case GH_METHOD_PUT:
    case GH_METHOD_PATCH:
    case GH_METHOD_COUNT:
        break;
    }
    return gh_request_refuse_method(r, "GET, HEAD, OPTIONS");
}

/* ---- preflights of an MCP endpoint ---- */

/* A wildcard does not cover Authorization and there are no patterns: each Mcp-Param-* that is asked for is
 * named. */
static gh_str allowed_headers(struct gh_request *r)
{
    const struct gh_header *asked = gh_headers_find(&r->x->headers, GH_STR("access-control-request-headers"));
    gh_str list = cors_headers;
    gh_str rest = asked != NULL ? asked->value : GH_STR_NONE;
    for (size_t n = 0; rest.ptr != NULL && n < ASKED_MAX; n++) {
        gh_str name = gh_str_trim(gh_str_cut(&rest, ','));
        bool is_param = name.len > 10 && gh_str_eq_nocase(gh_str_take(name, 10), GH_STR("mcp-param-"));
        if (!is_param || name.len > ASKED_LEN)
            continue;
        list = gh_arena_printf(r->x->arena, "%.*s, %.*s", GH_STR_FMT(list), GH_STR_FMT(name));
        if (list.ptr == NULL)
            return cors_headers;
    }
    return list;
}

static enum gh_next serve_preflight(struct gh_request *r)
{
    struct gh_exchange *x = r->x;
    struct gh_headers headers;
    const struct gh_header *origin = gh_headers_find(&x->headers, GH_STR("origin"));
    x->reason = GH_PREFLIGHT;
    bool ok = gh_headers_init(&headers, x->arena, 8) == GH_OK;
    if (ok && origin != NULL)
        ok = add(&headers, "access-control-allow-origin", origin->value) &&
             add(&headers, "vary", GH_STR("Origin")) &&
             add(&headers, "access-control-allow-methods", cors_methods) &&
             add(&headers, "access-control-allow-headers", allowed_headers(r)) &&
             add(&headers, "access-control-max-age", GH_STR("3600"));
    return ok ? answer(r, 204, &headers, GH_STR_NONE) : gh_request_refuse(r, GH_OUT_OF_MEMORY);
}

enum gh_next gh_stage_wellknown(struct gh_request *r)
{
    struct gh_exchange *x = r->x;
    if (r->wants_metadata)
        return serve_document(r);
    if (x->method == GH_METHOD_OPTIONS &&
        gh_headers_find(&x->headers, GH_STR("access-control-request-method")) != NULL)
        return serve_preflight(r);
    return GH_NEXT;
}
