/* gateway/http_sse.c: servers of MCP 2024-11-05: a stream names the place for messages; the client reads one
 * below its route's own, with the server's sealed in it. */
#include "base/arena.h"
#include "base/str.h"
#include "gateway/request.h"

/* Sealed like a session's id, and no session's id opens as one of these. */
static const gh_str purpose = GH_STR_INIT("http+sse endpoint");
static const gh_str parameter = GH_STR_INIT("sessionId=");

static void end_with(struct gh_request *r, enum gh_reason why);
static enum gh_reason pass(struct gh_request *r, const struct gh_endpoint_piece *piece);
static enum gh_reason address_for(struct gh_request *r, gh_str url, gh_str *ret_address);

/* ---- messages on their way in */

/* The query is what we wrote and nothing beside it: what a client adds would reach the server's own. */
enum gh_reason gh_http_sse_open(struct gh_request *r)
{
    gh_str query = r->x->target.query;
    if (!r->is_message)
        return GH_OK;
    if (!gh_str_starts(query, parameter))
        return GH_SESSION_UNKNOWN;
    return gh_session_open_text(r, purpose, gh_str_skip(query, parameter.len), &r->message_target);
}

/* ---- the stream on its way out */

/* Of one type, and not coded: read here as its client will read it. */
static bool is_plain(const struct gh_headers *headers)
{
    const struct gh_header *coding = gh_headers_find(headers, GH_STR("content-encoding"));
    return gh_headers_count(headers, GH_STR("content-type")) == 1 &&
           gh_headers_count(headers, GH_STR("content-encoding")) <= 1 &&
           (coding == NULL || gh_str_eq_nocase(coding->value, GH_STR("identity")));
}

/* A server that refuses may do so in any other type; what it gives for good is a stream. Answers to messages
 * are read by nobody as one. */
enum gh_reason gh_http_sse_begin(struct gh_request *r, const struct gh_call_response *from,
                                 struct gh_response *to)
{
    if (!r->route->is_http_sse || r->is_message)
        return GH_OK;
    bool is_stream = gh_headers_media_type_is(from->headers, GH_STR("text/event-stream"));
    if (is_stream ? !is_plain(from->headers) : from->status < 300)
        return GH_UPSTREAM_ENDPOINT;
    if (!is_stream)
        return GH_OK;
    r->endpoint_reader = gh_endpoint_reader_new();
    if (r->endpoint_reader == NULL)
        return GH_OUT_OF_MEMORY;
    to->content_length = -1; /* another address has another length */
    return GH_OK;
}

void gh_http_sse_data(struct gh_request *r, gh_str bytes)
{
    while (bytes.len > 0 && !r->ended) {
        struct gh_endpoint_piece piece;
        enum gh_reason reason = gh_endpoint_read(r->endpoint_reader, &bytes, &piece);
        if (reason == GH_OK)
            reason = pass(r, &piece);
        if (reason != GH_OK) {
            end_with(r, reason);
            return;
        }
    }
}

static void end_with(struct gh_request *r, enum gh_reason why)
{
    gh_exchange_abort(r->x, why);
    gh_request_let_go(r);
}

static enum gh_reason pass(struct gh_request *r, const struct gh_endpoint_piece *piece)
{
    gh_str address = GH_STR_NONE;
    enum gh_reason reason = piece->url.ptr != NULL ? address_for(r, piece->url, &address) : GH_OK;
    const gh_str parts[] = { piece->before, address, piece->after };
    for (size_t i = 0; reason == GH_OK && !r->ended && i < GH_ARRAY_LEN(parts); i++)
        if (parts[i].len > 0)
            gh_relay_pass(r, parts[i]);
    return reason;
}

/* A path alone: at whichever of the tenant's hosts the client has come, it stays there. */
static enum gh_reason address_for(struct gh_request *r, gh_str url, gh_str *ret_address)
{
    gh_str target, sealed;
    const struct gh_url *from = &r->route->upstream_conf.endpoints[r->endpoint];
    enum gh_reason reason = gh_endpoint_resolve(r->x->arena, from, url, &target);
    if (reason == GH_OK)
        reason = gh_session_seal_text(r, purpose, target, &sealed);
    if (reason != GH_OK)
        return reason;
    *ret_address = gh_arena_printf(r->x->arena, "%.*s?%.*s%.*s", GH_STR_FMT(r->route->messages_path),
                                   GH_STR_FMT(parameter), GH_STR_FMT(sealed));
    return ret_address->ptr != NULL ? GH_OK : GH_OUT_OF_MEMORY;
}
