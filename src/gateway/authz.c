/* gateway/authz.c: may this principal send this request here: scopes, method, codings and media type, the
 * call that its body makes, one more event stream. */
#include "base/str.h"
#include "gateway/request.h"

/* Policy must see what the upstream sees: one JSON text in UTF-8, uncoded (threats.md H14). */
static enum gh_reason check_media_type(const struct gh_headers *headers)
{
    const struct gh_header *type = gh_headers_find(headers, GH_STR("content-type"));
    if (type == NULL || gh_headers_count(headers, GH_STR("content-type")) > 1)
        return GH_HTTP_MEDIA_TYPE;
    gh_str rest = type->value;
    if (!gh_str_eq_nocase(gh_str_trim(gh_str_cut(&rest, ';')), GH_STR("application/json")))
        return GH_HTTP_MEDIA_TYPE;
    while (rest.ptr != NULL) {
        gh_str value = gh_str_trim(gh_str_cut(&rest, ';'));
        gh_str name = gh_str_cut(&value, '=');
        if (!gh_str_eq_nocase(name, GH_STR("charset")))
            continue;
        if (!gh_str_eq_nocase(value, GH_STR("utf-8")) && !gh_str_eq_nocase(value, GH_STR("\"utf-8\"")))
            return GH_HTTP_MEDIA_TYPE;
    }
    return GH_OK;
}

static enum gh_reason check_content(const struct gh_exchange *x)
{
    const struct gh_header *coding = gh_headers_find(&x->headers, GH_STR("content-encoding"));
    bool coded = coding != NULL && !gh_str_eq_nocase(coding->value, GH_STR("identity"));
    if (coded || gh_headers_count(&x->headers, GH_STR("content-encoding")) > 1)
        return GH_HTTP_ENCODING;
    return x->method == GH_METHOD_POST ? check_media_type(&x->headers) : GH_OK;
}

/* ---- event streams ---- */

struct gh_stream_limits gh_stream_limits_of(const struct gh_site *site)
{
    return (struct gh_stream_limits){ .per_principal = site->limits.streams_per_principal,
                                      .per_tenant = site->limits.streams_per_tenant,
                                      .all = site->limits.streams };
}

static bool names_events(gh_str accept)
{
    while (accept.ptr != NULL) {
        gh_str range = gh_str_cut(&accept, ',');
        gh_str type = gh_str_trim(gh_str_cut(&range, ';'));
        if (gh_str_eq_nocase(type, GH_STR("text/event-stream")) || gh_str_eq_nocase(type, GH_STR("text/*")) ||
            gh_str_eq(type, GH_STR("*/*")))
            return true;
    }
    return false;
}

/* May the answer be an event stream? Whoever may not open one more is told before the server behind hears of
 * the request: it can be sent again then. */
static bool may_stream(const struct gh_exchange *x)
{
    bool any = false;
    for (size_t i = 0; i < x->headers.count; i++) {
        if (!gh_str_eq(x->headers.at[i].name, GH_STR("accept")))
            continue;
        any = true;
        if (names_events(x->headers.at[i].value))
            return true;
    }
    return !any;
}

static bool streams_are_full(const struct gh_request *r)
{
    const struct gh_stream_limits limits = gh_stream_limits_of(r->site);
    return r->x->method != GH_METHOD_DELETE && !r->is_message &&
           gh_streams_are_full(r->gateway->with.streams, r->verdict->owner, &limits) && may_stream(r->x);
}

/* HTTP+SSE has one place for the stream and another one for messages. Clients that try Streamable HTTP first
 * go on with a GET after the 405 (MCP 2025-11-25, Backwards Compatibility). */
static const char *allowed_methods(const struct gh_request *r)
{
    if (!r->route->is_http_sse)
        return "GET, POST, DELETE";
    return r->is_message ? "POST" : "GET";
}

enum gh_next gh_stage_authz(struct gh_request *r)
{
    const struct gh_exchange *x = r->x;
    enum gh_reason reason = gh_policy_decide(&r->route->policy, x->principal);
    if (reason == GH_SCOPE_MISSING)
        gh_step_up(r);
    if (reason != GH_OK)
        return gh_request_refuse(r, reason);
    const char *allowed = allowed_methods(r);
    if (!gh_header_list_has(gh_str_from(allowed), gh_method_text(x->method)))
        return gh_request_refuse_method(r, allowed);
    if (x->has_body &&
        x->method != GH_METHOD_POST) /* an upstream that ignores it would read it as its next request */
        return gh_request_refuse(r, GH_HTTP_MALFORMED);
    reason = check_content(x);
    if (reason == GH_OK && r->route->policy.reads_calls && x->method == GH_METHOD_POST)
        reason = gh_call_decide(r);
    if (reason == GH_SCOPE_MISSING)
        gh_step_up(r);
    if (reason == GH_OK && streams_are_full(r))
        reason = GH_STREAMS_MANY;
    return reason == GH_OK ? GH_NEXT : gh_request_refuse(r, reason);
}
