/* issuer/answer.c: what an issuer answers outside its pages: JSON, never kept by a cache unless it is a
 * document. */
#include "base/str.h"
#include "issuer/flow.h"

static bool add(struct gh_headers *headers, const char *name, gh_str value)
{
    return gh_headers_add(headers, gh_str_from(name), value) == GH_OK;
}

/* mcp.md section 4: any origin may read these, without credentials; tokens of browsers travel in no cookie.
 */
static bool add_cors(const struct gh_issuer_request *r, struct gh_headers *headers)
{
    return !r->endpoint->is_public ||
           (add(headers, "access-control-allow-origin", GH_STR("*")) &&
            add(headers, "access-control-expose-headers", GH_STR("WWW-Authenticate, DPoP-Nonce")));
}

static enum gh_step_end send(struct gh_issuer_request *r, int status, struct gh_headers *headers, gh_str body)
{
    r->x->policy = &r->managed->seen;
    gh_exchange_answer(r->x, status, headers, body);
    return GH_STEP_DONE;
}

static enum gh_step_end give_up(struct gh_issuer_request *r)
{
    gh_exchange_refuse(r->x, GH_OUT_OF_MEMORY, NULL);
    return GH_STEP_DONE;
}

/* RFC 6749 section 5.1: "The authorization server MUST include the HTTP "Cache-Control" response header field
 * [...] with a value of "no-store"". */
static bool begin(struct gh_issuer_request *r, struct gh_headers *headers)
{
    return gh_headers_init(headers, r->x->arena, 16) == GH_OK &&
           add(headers, "content-type", GH_STR("application/json")) &&
           add(headers, "x-content-type-options", GH_STR("nosniff")) &&
           add(headers, "x-request-id", gh_str_of(r->x->request_id, sizeof(r->x->request_id) - 1)) &&
           add_cors(r, headers);
}

enum gh_step_end gh_issuer_json(struct gh_issuer_request *r, int status, gh_str body)
{
    struct gh_headers headers;
    if (body.ptr == NULL || !begin(r, &headers) || !add(&headers, "cache-control", GH_STR("no-store")) ||
        !add(&headers, "pragma", GH_STR("no-cache")))
        return give_up(r);
    return send(r, status, &headers, body);
}

enum gh_step_end gh_issuer_document(struct gh_issuer_request *r, gh_str body, int max_age)
{
    struct gh_headers headers;
    gh_str life = gh_arena_printf(r->x->arena, "public, max-age=%d", max_age);
    if (life.ptr == NULL || !begin(r, &headers) || !add(&headers, "cache-control", life))
        return give_up(r);
    r->x->reason = GH_WELLKNOWN;
    return send(r, 200, &headers, body);
}

/* RFC 6749 section 5.2: Basic is challenged where it was used. */
static bool add_refusal(struct gh_issuer_request *r, int status, struct gh_headers *headers)
{
    bool basic = status == 401 && r->credential.method == GH_CLIENT_AUTH_BASIC;
    bool ok = !basic || add(headers, "www-authenticate", GH_STR("Basic realm=\"token endpoint\""));
    if (status == 405)
        ok = ok && add(headers, "allow", gh_str_from(r->endpoint->allow));
    if (status == 429 || status == 503) {
        long long wait = r->retry_after_s > 0 ? (long long)r->retry_after_s : status == 429 ? 60 : 5;
        ok = ok && add(headers, "retry-after", gh_arena_printf(r->x->arena, "%lld", wait));
    }
    return ok;
}

enum gh_step_end gh_issuer_refuse(struct gh_issuer_request *r, enum gh_reason why)
{
    struct gh_headers headers;
    if (r->endpoint->is_page)
        return gh_page_refuse(r, why);
    why = gh_throttle_refusal(r, why);
    int status = gh_reason_row(why)->status;
    gh_issuer_tell_refused(r);
    gh_str body = gh_reason_body(r->x->arena, why, GH_STR_NONE);
    if (body.ptr == NULL || !begin(r, &headers) || !add(&headers, "cache-control", GH_STR("no-store")) ||
        !add_refusal(r, status, &headers))
        return give_up(r);
    r->x->reason = why;
    return send(r, status, &headers, body);
}

enum gh_step_end gh_issuer_preflight(struct gh_issuer_request *r)
{
    struct gh_headers headers;
    gh_str methods = gh_arena_printf(r->x->arena, "%s, OPTIONS", r->endpoint->allow);
    if (methods.ptr == NULL || gh_headers_init(&headers, r->x->arena, 8) != GH_OK || !add_cors(r, &headers) ||
        !add(&headers, "access-control-allow-methods", methods) ||
        !add(&headers, "access-control-allow-headers",
             GH_STR("Authorization, Content-Type, Accept, MCP-Protocol-Version, DPoP")) ||
        !add(&headers, "access-control-max-age", GH_STR("3600")))
        return give_up(r);
    r->x->reason = GH_PREFLIGHT;
    return send(r, 204, &headers, GH_STR_NONE);
}
