/* gateway/relay.c: the upstream's answer on its way to the client: head by allow-list, body piece by piece,
 * ends told apart. */
#include "base/arena.h"
#include "base/clock.h"
#include "base/str.h"
#include "gateway/request.h"

#define SHORT_ANSWER (64 * 1024)

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

/* What a browser might make a page of, on our origin: all but one plain type of the two that MCP knows (H15).
 */
static bool may_be_a_page(const struct gh_headers *headers)
{
    bool is_known = gh_headers_media_type_is(headers, GH_STR("application/json")) ||
                    gh_headers_media_type_is(headers, GH_STR("text/event-stream"));
    return !is_known || gh_headers_count(headers, GH_STR("content-type")) > 1;
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

static bool add_own(struct gh_request *r, struct gh_response *to)
{
    struct gh_headers *headers = &to->headers;
    bool ok = add(headers, "x-content-type-options", GH_STR("nosniff")) &&
              add(headers, "x-request-id", gh_str_of(r->x->request_id, sizeof(r->x->request_id) - 1));
    if (gh_headers_media_type_is(headers, GH_STR("text/event-stream")) &&
        gh_headers_find(headers, GH_STR("x-accel-buffering")) == NULL)
        ok = ok && add(headers, "x-accel-buffering", GH_STR("no"));
    if (to->content_length != 0 && may_be_a_page(headers))
        ok = ok && add(headers, "content-security-policy", GH_STR("default-src 'none'; sandbox"));
    const struct gh_header *origin = gh_headers_find(&r->x->headers, GH_STR("origin"));
    if (origin != NULL) /* the route stage has found it allowed */
        ok = ok && add(headers, "access-control-allow-origin", origin->value) &&
             add(headers, "vary", GH_STR("Origin")) &&
             add(headers, "access-control-expose-headers", gh_exposed_headers);
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
    return add_own(r, to) ? GH_OK : GH_OUT_OF_MEMORY;
}

/* An open stream ends with its token, leeway included. */
static void watch_expiry(struct gh_request *r)
{
    int64_t left = r->verdict->until - gh_loop_wall_s(r->gateway->with.loop);
    if (left < INT64_MAX / 1000)
        gh_deadline_set(r->gateway->with.loop, &r->expiry, left > 0 ? left * 1000 : 1);
}

/* Most answers are short and counted, and are over before a timer would be of use. */
static bool may_last(const struct gh_request *r, const struct gh_response *to)
{
    return to->content_length < 0 || to->content_length > SHORT_ANSWER || r->x->is_event_stream;
}

static void head(void *ctx, const struct gh_call_response *from)
{
    struct gh_request *r = ctx;
    r->x->upstream_ns = gh_clock_mono_ns() - r->call_started_ns;
    gh_site_unref(r->call_site); /* the head has left long ago and is not sent again */
    r->call_site = NULL;
    r->endpoint = from->endpoint;
    enum gh_reason reason = judge_status(from->status);
    struct gh_response to;
    if (reason == GH_OK)
        reason = build_head(r, from, &to);
    if (reason == GH_OK)
        reason = gh_http_sse_begin(r, from, &to);
    if (reason == GH_OK)
        reason = gh_lists_enter(r, &to);
    if (reason == GH_OK)
        reason = gh_events_enter(r, &to.headers);
    if (reason != GH_OK) {
        end_with(r, reason);
        return;
    }
    if (r->list.mode != LIST_BODY)
        gh_exchange_head(r->x, &to, false);
    if (may_last(r, &to)) /* not longer than its token */
        watch_expiry(r);
    if (r->x->is_event_stream)
        gh_events_begin(r, &to);
}

/* ---- the body ---- */

static void data(void *ctx, gh_str bytes)
{
    struct gh_request *r = ctx;
    if (r->endpoint_reader != NULL)
        gh_http_sse_data(r, bytes);
    else
        gh_relay_pass(r, bytes);
}

void gh_relay_pass(struct gh_request *r, gh_str bytes)
{
    if (r->list.mode != LIST_NONE)
        gh_lists_data(r, bytes);
    else
        (void)gh_relay_send(r, bytes);
}

bool gh_relay_send(struct gh_request *r, gh_str bytes)
{
    gh_events_follow(r, bytes);
    bool has_room = gh_exchange_data(r->x, bytes);
    if (!has_room && r->call != NULL)
        gh_call_pause(r->call);
    return has_room;
}

static void end(void *ctx)
{
    struct gh_request *r = ctx;
    r->call = NULL;
    if (r->list.mode != LIST_NONE) {
        gh_lists_end(r);
        return;
    }
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
    if (gh_lists_leave(r) && r->call != NULL)
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
