/* gateway/lists.c: on routes with rules for calls: an answer with a list shows what its principal may call.
 * It is held until it is whole, in an event stream until an event is, and leaves as its client takes it. */
#include "gatehouse/list.h"

#include "base/arena.h"
#include "base/str.h"
#include "gateway/request.h"

/* What is held of one answer, or of one event. */
#define HELD_MAX ((size_t)16 << 20)
/* What leaves at once. */
#define PIECE ((size_t)64 << 10)

static bool has_rules(const struct gh_policy *policy)
{
    return policy->calls[GH_RPC_NAMES_METHOD].is_set || policy->calls[GH_RPC_NAMES_TOOL].is_set ||
           policy->calls[GH_RPC_NAMES_PROMPT].is_set || policy->calls[GH_RPC_NAMES_RESOURCE].is_set;
}

/* A stream that was asked for by GET may repeat the answer to any request (MCP "Resumability"), and servers
 * find whom to answer in a session by the id that its client chose: where two requests have one id, on the
 * answer to the other. */
static bool may_list(const struct gh_request *r)
{
    bool is_shared = r->x->method == GH_METHOD_GET || r->session_id.ptr != NULL || r->is_message;
    return has_rules(&r->route->policy) && (r->asks_for_list || is_shared);
}

/* ---- the head ---- */

/* Of what is left out for one nobody else may hear, and these say what the whole list was. */
static void drop_fields(struct gh_headers *headers)
{
    static const gh_str dropped[] = { GH_STR_INIT("cache-control"), GH_STR_INIT("etag"),
                                      GH_STR_INIT("expires"), GH_STR_INIT("last-modified") };
    size_t kept = 0;
    for (size_t i = 0; i < headers->count; i++) {
        bool is_dropped = false;
        for (size_t j = 0; j < GH_ARRAY_LEN(dropped); j++)
            is_dropped = is_dropped || gh_str_eq(headers->at[i].name, dropped[j]);
        if (!is_dropped)
            headers->at[kept++] = headers->at[i];
    }
    headers->count = kept;
}

static bool is_one_type(const struct gh_headers *headers, gh_str type)
{
    return gh_headers_count(headers, GH_STR("content-type")) == 1 && gh_headers_media_type_is(headers, type);
}

static bool is_coded(const struct gh_headers *headers)
{
    const struct gh_header *coding = gh_headers_find(headers, GH_STR("content-encoding"));
    return coding != NULL && !gh_str_eq_nocase(coding->value, GH_STR("identity"));
}

/* The call's own are gone when the head leaves. */
static bool keep_fields(struct gh_request *r, struct gh_headers *headers)
{
    for (size_t i = 0; i < headers->count; i++) {
        struct gh_header *field = &headers->at[i];
        field->name = gh_arena_dup(r->x->arena, field->name);
        field->value = gh_arena_dup(r->x->arena, field->value);
        if (field->name.ptr == NULL || field->value.ptr == NULL)
            return false;
    }
    return true;
}

/* Without content, or with some that neither MCP nor, where a list was asked for, anybody reads as an answer.
 * With HTTP+SSE the answer comes on the stream, and that to a message is a word of any type ("Accepted"). */
static bool is_no_answer(const struct gh_request *r, const struct gh_response *to)
{
    bool is_success = to->status >= 200 && to->status < 300;
    bool is_known = gh_headers_count(&to->headers, GH_STR("content-type")) > 1 ||
                    gh_headers_media_type_is(&to->headers, GH_STR("application/json")) ||
                    gh_headers_media_type_is(&to->headers, GH_STR("text/event-stream"));
    bool is_read_anyhow = r->asks_for_list && !r->is_message;
    return !is_success || to->content_length == 0 || !(is_known || is_read_anyhow);
}

enum gh_reason gh_lists_enter(struct gh_request *r, struct gh_response *to)
{
    if (!may_list(r) || is_no_answer(r, to))
        return GH_OK;
    bool are_events = is_one_type(&to->headers, GH_STR("text/event-stream"));
    if (is_coded(&to->headers) || (!are_events && !is_one_type(&to->headers, GH_STR("application/json"))))
        return GH_LIST_UNREADABLE;
    if (!are_events && to->content_length > (int64_t)HELD_MAX)
        return GH_LIST_UNREADABLE;
    drop_fields(&to->headers);
    if (gh_headers_add(&to->headers, GH_STR("cache-control"), GH_STR("private, no-store")) != GH_OK)
        return GH_OUT_OF_MEMORY;
    to->content_length = -1;
    r->list.mode = are_events ? LIST_EVENTS : LIST_BODY;
    r->list.head = *to;
    return are_events || keep_fields(r, &to->headers) ? GH_OK : GH_OUT_OF_MEMORY;
}

/* ---- the body ---- */

static bool shows(void *ctx, enum gh_rpc_names names, bool is_template, gh_str name)
{
    const struct gh_request *r = ctx;
    const struct gh_policy *policy = &r->route->policy;
    enum gh_reason reason = gh_policy_listed(policy, r->x->principal, gh_loop_wall_s(r->gateway->with.loop),
                                             names, name, is_template);
    return reason == GH_OK || (reason == GH_SCOPE_MISSING && policy->lists_grantable);
}

static void end_with(struct gh_request *r, enum gh_reason why)
{
    gh_exchange_abort(r->x, why);
    gh_request_let_go(r);
}

static enum gh_reason hold(struct gh_request *r, gh_str bytes)
{
    if (gh_buf_len(&r->list.held) + bytes.len > HELD_MAX)
        return GH_LIST_UNREADABLE;
    if ((int64_t)(r->gateway->bodies_held + bytes.len) > r->site->limits.body_pool)
        return GH_OVERLOADED;
    if (!gh_buf_add(&r->list.held, bytes))
        return GH_OUT_OF_MEMORY;
    r->gateway->bodies_held += bytes.len;
    return GH_OK;
}

static void forget(struct gh_request *r, struct gh_buf *bytes)
{
    r->gateway->bodies_held -= gh_buf_len(bytes);
    gh_buf_done(bytes);
}

void gh_lists_done(struct gh_request *r)
{
    forget(r, &r->list.held);
    forget(r, &r->list.leaving);
}

/* What is held leaves, or what was made of it. */
static bool let_leave(struct gh_request *r, bool changed, struct gh_buf *shown)
{
    if (changed) {
        forget(r, &r->list.held);
        r->gateway->bodies_held += gh_buf_len(shown);
        r->list.held = *shown;
        *shown = (struct gh_buf){ 0 };
    }
    if (gh_buf_len(&r->list.leaving) > 0) { /* behind what its client has not taken yet */
        if (!gh_buf_add(&r->list.leaving, gh_buf_peek(&r->list.held)))
            return false;
        gh_buf_done(&r->list.held); /* counted on */
    } else {
        gh_buf_done(&r->list.leaving);
        r->list.leaving = r->list.held;
        r->list.held = (struct gh_buf){ 0 };
    }
    return true;
}

bool gh_lists_leave(struct gh_request *r)
{
    bool has_room = true;
    while (has_room && gh_buf_len(&r->list.leaving) > 0) {
        gh_str piece = gh_str_take(gh_buf_peek(&r->list.leaving), PIECE);
        has_room = gh_relay_send(r, piece);
        if (r->ended)
            return false;
        r->gateway->bodies_held -= piece.len;
        gh_buf_consume(&r->list.leaving, piece.len);
    }
    if (gh_buf_len(&r->list.leaving) > 0)
        return false;
    gh_buf_trim(&r->list.leaving);
    if (r->list.is_whole) {
        gh_exchange_end(r->x);
        gh_request_let_go(r);
        return false;
    }
    return has_room;
}

/* ---- event streams ---- */

/* The event that is held is whole. */
static enum gh_reason pass_event(struct gh_request *r)
{
    struct gh_buf out = { 0 };
    bool changed;
    enum gh_reason reason = gh_list_filter_event(gh_buf_peek(&r->list.held), shows, r, &out, &changed);
    if (reason == GH_OK && !let_leave(r, changed, &out))
        reason = GH_OUT_OF_MEMORY;
    gh_buf_done(&out);
    if (reason == GH_OK)
        (void)gh_lists_leave(r);
    return reason;
}

static enum gh_reason take_events(struct gh_request *r, gh_str bytes)
{
    enum gh_reason reason = GH_OK;
    while (bytes.len > 0 && reason == GH_OK && !r->ended) {
        size_t end = gh_event_find_end(&r->list.finder, bytes);
        size_t len = end != 0 ? end : bytes.len;
        reason = hold(r, gh_str_take(bytes, len));
        if (reason == GH_OK && end != 0)
            reason = pass_event(r);
        bytes = gh_str_skip(bytes, len);
    }
    return reason;
}

void gh_lists_data(struct gh_request *r, gh_str bytes)
{
    enum gh_reason reason = r->list.mode == LIST_EVENTS ? take_events(r, bytes) : hold(r, bytes);
    if (reason != GH_OK)
        end_with(r, reason);
}

/* ---- the end ---- */

static enum gh_reason pass_body(struct gh_request *r)
{
    struct gh_buf out = { 0 };
    bool changed = false, is_empty = gh_buf_len(&r->list.held) == 0; /* "Accepted" */
    enum gh_reason reason =
        is_empty ? GH_OK : gh_list_filter(gh_buf_peek(&r->list.held), shows, r, &out, &changed);
    if (reason == GH_OK && !let_leave(r, changed, &out))
        reason = GH_OUT_OF_MEMORY;
    gh_buf_done(&out);
    if (reason != GH_OK)
        return reason;
    r->list.head.content_length = (int64_t)gh_buf_len(&r->list.leaving);
    gh_exchange_head(r->x, &r->list.head, false);
    return GH_OK;
}

/* The rest of an event that did not end is no event for its reader either. */
void gh_lists_end(struct gh_request *r)
{
    enum gh_reason reason = r->list.mode == LIST_BODY ? pass_body(r) : GH_OK;
    r->list.is_whole = true;
    if (reason == GH_OK)
        (void)gh_lists_leave(r);
    else
        end_with(r, reason);
}
