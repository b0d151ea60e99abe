/* gateway/authz.c: may this principal send this request here: scopes, then method, codings and media type. */
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

enum gh_next gh_stage_authz(struct gh_request *r)
{
    const struct gh_exchange *x = r->x;
    enum gh_reason reason = gh_policy_decide(&r->route->policy, x->principal);
    if (reason != GH_OK)
        return gh_request_refuse(r, reason);
    if (x->method != GH_METHOD_POST && x->method != GH_METHOD_GET && x->method != GH_METHOD_DELETE)
        return gh_request_refuse_method(r, "GET, POST, DELETE");
    if (x->has_body &&
        x->method != GH_METHOD_POST) /* an upstream that ignores it would read it as its next request */
        return gh_request_refuse(r, GH_HTTP_MALFORMED);
    reason = check_content(x);
    return reason == GH_OK ? GH_NEXT : gh_request_refuse(r, reason);
}
