/* gateway/relay.c: the upstream's answer on its way to the client: head by allow-list, body piece by piece,
 * ends told apart. */
#include "base/arena.h"
#include "base/clock.h"
#include "base/str.h"
#include "gateway/request.h"

/* What an upstream may say to a client on our origin; cookies, HSTS, CORS, challenges and the like are ours
 * (H15). */
static const gh_str passed[] = {
    GH_STR_INIT("allow"),
    GH_STR_INIT("cache-control"),
    GH_STR_INIT("content-encoding"),
    GH_STR_INIT("content-language"),
    GH_STR_INIT("content-type"),
    GH_STR_INIT("date"),
    GH_STR_INIT("etag"),
    GH_STR_INIT("expires"),
    GH_STR_INIT("last-modified"),
    GH_STR_INIT("mcp-protocol-version"),
    GH_STR_INIT("retry-after"),
    GH_STR_INIT("server-timing"),
    GH_STR_INIT("traceresponse"),
    GH_STR_INIT("x-accel-buffering"),
};

static bool is_passed(gh_str name)
{
    for (size_t i = 0; i < GH_ARRAY_LEN(passed); i++)
        if (gh_str_eq(passed[i], name))
            return true;
    return gh_str_starts(name, GH_STR("x-ratelimit-")) || gh_str_starts(name, GH_STR("ratelimit"));
}

static void end_with(struct gh_request *r, enum gh_reason why)
{
    gh_exchange_abort(r->x, why);
    gh_request_let_go(r);
}

/* ---- the head ---- */

/* A client would drop a good token at a foreign 401, and follow a redirect to somewhere we do not guard (F42,
 * R14). */
static enum gh_reason judge_status(int status)
{
    if (status == 401 || status == 407)
        return GH_UPSTREAM_UNAUTHORIZED;
    if (status >= 300 && status < 400)
        return GH_UPSTREAM_REDIRECT;
    return GH_OK;
}

static bool add(struct gh_headers *headers, const char *name, gh_str value)
{
    return gh_headers_add(headers, gh_str_from(name), value) == GH_OK;
}

static bool is_event_stream(const struct gh_headers *headers)
{
    const struct gh_header *type = gh_headers_find(headers, GH_STR("content-type"));
    return type != NULL && gh_str_starts(type->value, GH_STR("text/event-stream"));
}

static bool is_html(const struct gh_headers *headers)
{
    const struct gh_header *type = gh_headers_find(headers, GH_STR("content-type"));
    return type != NULL && !gh_str_starts(type->value, GH_STR("application/json")) &&
           !is_event_stream(headers);
}

/* RFC 9111 section 3.5: each of these lets a shared cache keep an answer to a request with credentials. */
static bool is_for_sharing(gh_str directive)
{
    gh_str name = gh_str_trim(gh_str_take(directive, gh_str_find(directive, '=')));
    return gh_str_eq_nocase(name, GH_STR("public")) || gh_str_eq_nocase(name, GH_STR("s-maxage")) ||
           gh_str_eq_nocase(name, GH_STR("must-revalidate"));
}

/* Answers to one principal belong into no shared cache (mcp.md R35), whatever the upstream thinks. */
static gh_str private_only(gh_str name, gh_str value)
{
    bool shared = false, stored = true;
    gh_str rest = gh_str_eq(name, GH_STR("cache-control")) ? value : GH_STR_NONE;
    while (rest.ptr != NULL) {
        gh_str directive = gh_str_trim(gh_str_cut(&rest, ','));
        shared = shared || is_for_sharing(directive);
        stored = stored && !gh_str_eq_nocase(directive, GH_STR("no-store"));
    }
    if (!shared)
        return value;
    return stored ? GH_STR("private") : GH_STR("no-store");
}

static bool add_own(struct gh_request *r, struct gh_headers *headers)
{
    bool ok = add(headers, "x-content-type-options", GH_STR("nosniff")) &&
              add(headers, "x-request-id", gh_str_of(r->x->request_id, sizeof(r->x->request_id) - 1));
    if (is_event_stream(headers) && gh_headers_find(headers, GH_STR("x-accel-buffering")) == NULL)
        ok = ok && add(headers, "x-accel-buffering", GH_STR("no"));
    if (is_html(headers))
        ok = ok && add(headers, "content-security-policy", GH_STR("default-src 'none'; sandbox"));
    const struct gh_header *origin = gh_headers_find(&r->x->headers, GH_STR("origin"));
    if (origin != NULL) /* the route stage has found it allowed */
        ok = ok && add(headers, "access-control-allow-origin", origin->value) &&
             add(headers, "vary", GH_STR("Origin")) &&
             add(headers, "access-control-expose-headers",
                 GH_STR("WWW-Authenticate, Mcp-Session-Id, MCP-Protocol-Version, DPoP-Nonce"));
    return ok;
}

static enum gh_reason build_head(struct gh_request *r, const struct gh_call_response *from,
                                 struct gh_response *to)
{
    if (gh_headers_init(&to->headers, r->x->arena, GH_ARRAY_LEN(passed) + from->headers->count + 8) != GH_OK)
        return GH_OUT_OF_MEMORY;
    for (size_t i = 0; i < from->headers->count; i++)
        if (is_passed(from->headers->at[i].name) &&
            gh_headers_add(&to->headers, from->headers->at[i].name,
                           private_only(from->headers->at[i].name, from->headers->at[i].value)) != GH_OK)
            return GH_OUT_OF_MEMORY;
    enum gh_reason reason = gh_session_relay(r, from, &to->headers);
    if (reason != GH_OK)
        return reason;
    to->status = from->status;
    to->content_length = from->content_length;
    return add_own(r, &to->headers) ? GH_OK : GH_OUT_OF_MEMORY;
}

/* An open stream ends with its token, leeway included. */
static void watch_expiry(struct gh_request *r)
{
    int64_t left = r->verdict->until - gh_loop_wall_s(r->gateway->with.loop);
    if (left < INT64_MAX / 1000)
        gh_deadline_set(r->gateway->with.loop, &r->expiry, left > 0 ? left * 1000 : 1);
}

static void head(void *ctx, const struct gh_call_response *from)
{
    struct gh_request *r = ctx;
    r->x->upstream_ns = gh_clock_mono_ns() - r->call_started_ns;
    gh_site_unref(r->call_site); /* the head has left long ago and is not sent again */
    r->call_site = NULL;
    enum gh_reason reason = judge_status(from->status);
    struct gh_response to;
    if (reason == GH_OK)
        reason = build_head(r, from, &to);
    if (reason != GH_OK) {
        end_with(r, reason);
        return;
    }
    gh_exchange_head(r->x, &to, false);
    if (to.content_length < 0) /* it may last: not longer than its token */
        watch_expiry(r);
    if (!r->x->is_event_stream)
        return;
    r->sse_tail = 2;
    /* A comment may stand only where nothing counts or codes the bytes. */
    bool is_plain = to.content_length < 0 && gh_headers_find(&to.headers, GH_STR("content-encoding")) == NULL;
    if (r->route->keepalive_ms > 0 && is_plain)
        gh_deadline_set(r->gateway->with.loop, &r->keepalive, r->route->keepalive_ms);
}

/* ---- the body ---- */

/* Counts line ends at the tail: CR, LF and CRLF each end a line (threats.md S4); two in a row are an event
 * boundary. */
static void follow_events(struct gh_request *r, gh_str bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        bool crlf = bytes.ptr[i] == '\n' && r->sse_last == '\r';
        if (bytes.ptr[i] != '\n' && bytes.ptr[i] != '\r')
            r->sse_tail = 0;
        else if (!crlf && r->sse_tail < 2)
            r->sse_tail++;
        r->sse_last = bytes.ptr[i];
    }
}

static void data(void *ctx, gh_str bytes)
{
    struct gh_request *r = ctx;
    if (gh_deadline_is_set(&r->keepalive)) {
        /* Only the last four bytes decide where the next event would begin. */
        size_t tail = bytes.len > 4 ? bytes.len - 4 : 0;
        if (tail > 0)
            r->sse_tail = 0;
        follow_events(r, gh_str_skip(bytes, tail));
        gh_deadline_set(r->gateway->with.loop, &r->keepalive, r->route->keepalive_ms);
    }
    if (!gh_exchange_data(r->x, bytes) && r->call != NULL)
        gh_call_pause(r->call);
}

void gh_relay_keepalive(struct gh_deadline *deadline)
{
    struct gh_request *r = GH_LIST_ENTRY(deadline, struct gh_request, keepalive);
    gh_deadline_set(r->gateway->with.loop, &r->keepalive, r->route->keepalive_ms);
    if (r->sse_tail == 2)
        (void)gh_exchange_data(r->x, GH_STR(":\n\n"));
}

static void end(void *ctx)
{
    struct gh_request *r = ctx;
    r->call = NULL;
    gh_exchange_end(r->x);
    gh_request_let_go(r);
}

static void fail(void *ctx, enum gh_reason why)
{
    struct gh_request *r = ctx;
    r->call = NULL;
    GH_COUNT_ADD(r->x->route_stats->upstream_failures, 1);
    end_with(r, why);
}

static void taken(void *ctx, size_t n)
{
    struct gh_request *r = ctx;
    if (!r->route->body_whole) /* whole bodies were taken as they were held */
        r->x->sink->taken(r->x, n);
}

const struct gh_call_events gh_relay_events = {
    .head = head, .data = data, .end = end, .fail = fail, .taken = taken
};

void gh_relay_room(struct gh_request *r)
{
    if (r->call != NULL)
        gh_call_resume(r->call);
}

void gh_relay_expired(struct gh_deadline *deadline)
{
    struct gh_request *r = GH_LIST_ENTRY(deadline, struct gh_request, expiry);
    bool asked_by_introspection = !r->verdict->has_thumbprint;
    if (asked_by_introspection && r->verdict->principal.expires > gh_loop_wall_s(r->gateway->with.loop))
        gh_renew(r);
    else
        end_with(r, GH_TOKEN_EXPIRED);
}

enum gh_next gh_stage_relay(struct gh_request *r)
{
    (void)r;
    return GH_WAIT; /* the call's events carry it on */
}
