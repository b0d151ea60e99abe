/* exchange/refuse.c: answers that the gateway gives itself: the row of a reason, and small whole documents.
 */
#include "base/arena.h"
#include "base/str.h"
#include "exchange/exchange.h"

/* mcp.md section 4, and when to come again. */
const gh_str gh_exposed_headers =
    GH_STR_INIT("WWW-Authenticate, Mcp-Session-Id, MCP-Protocol-Version, DPoP-Nonce, Retry-After");

static bool add(struct gh_headers *headers, const char *name, gh_str value)
{
    return gh_headers_add(headers, gh_str_from(name), value) == GH_OK;
}

/* An answer to an allowed origin must be readable there, errors included. */
static bool add_cors(struct gh_exchange *x, struct gh_headers *headers)
{
    const struct gh_header *origin = gh_headers_find(&x->headers, GH_STR("origin"));
    if (x->policy == NULL)
        return true;
    bool ok = add(headers, "access-control-expose-headers", gh_exposed_headers);
    if (origin == NULL || gh_policy_origin(x->policy, &x->headers) != GH_OK)
        return ok;
    return ok && add(headers, "access-control-allow-origin", origin->value) &&
           add(headers, "vary", GH_STR("Origin"));
}

static bool refusal_headers(struct gh_exchange *x, int status, const char *allow, struct gh_headers *headers)
{
    if (gh_headers_init(headers, x->arena, 12) != GH_OK)
        return false;
    bool ok = add(headers, "content-type", GH_STR("application/json")) &&
              add(headers, "cache-control", GH_STR("no-store")) &&
              add(headers, "x-content-type-options", GH_STR("nosniff"));
    if (x->policy != NULL) {
        gh_str challenge = gh_challenge_write(x->arena, x->policy, x->reason, x->principal, x->needed);
        if (challenge.len > 0)
            ok = ok && add(headers, "www-authenticate", challenge);
    }
    int64_t retry_after_s = x->retry_after_s > 0 ? x->retry_after_s : status == 429 ? 1 : 5;
    if (status == 429 || status == 503)
        ok = ok && add(headers, "retry-after", gh_arena_printf(x->arena, "%lld", (long long)retry_after_s));
    if (allow != NULL)
        ok = ok && add(headers, "allow", gh_str_from(allow));
    ok = ok && add(headers, "x-request-id", gh_str_of(x->request_id, sizeof(x->request_id) - 1));
    return ok && add_cors(x, headers);
}

static void answer_with(struct gh_exchange *x, const struct gh_response *response, gh_str body)
{
    bool no_body = body.len == 0 || x->method == GH_METHOD_HEAD;
    gh_exchange_head(x, response, no_body);
    if (no_body)
        return;
    (void)gh_exchange_data(x, body);
    gh_exchange_end(x);
}

void gh_exchange_refuse(struct gh_exchange *x, enum gh_reason why, const char *allow)
{
    if (x->state != GH_EXCHANGE_NEW)
        return;
    x->reason = why;
    struct gh_response response = { .status = gh_reason_row(why)->status };
    gh_str body = gh_reason_body(x->arena, why, x->rpc_id);
    if (body.ptr == NULL || !refusal_headers(x, response.status, allow, &response.headers)) {
        /* Out of memory while refusing: the bare status is still the truth. */
        response.headers = (struct gh_headers){ 0 };
        body = GH_STR_NONE;
    }
    response.content_length = (int64_t)body.len;
    answer_with(x, &response, body);
}

void gh_exchange_answer(struct gh_exchange *x, int status, const struct gh_headers *headers, gh_str body)
{
    if (x->state != GH_EXCHANGE_NEW)
        return;
    const struct gh_response response = { .status = status,
                                          .headers = *headers,
                                          .content_length = (int64_t)body.len };
    answer_with(x, &response, body);
}
