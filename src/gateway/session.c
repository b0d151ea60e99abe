/* gateway/session.c: legacy MCP sessions: the client holds a sealed id, the upstream sees its own, at the
 * endpoint that made it. */
#include "gatehouse/session.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/str.h"
#include "gateway/request.h"

static const gh_str field_name = GH_STR_INIT("mcp-session-id");

static struct gh_session_owner owner_of(const struct gh_request *r, gh_str purpose);
static int endpoint_of(const struct gh_route *route, const unsigned char name[GH_SESSION_ENDPOINT]);

/* ---- on the way in */

/* MCP 2025-11-25, Session Management: for a session that is not known the server "MUST respond to requests
 * containing that session ID with HTTP 404 Not Found": to anybody but its owner it is not known, and the
 * upstream hears nothing of the attempt (threats.md R11). Whether a request without one may pass is the
 * upstream's to say. */
enum gh_next gh_stage_session(struct gh_request *r)
{
    const struct gh_header *field = gh_headers_find(&r->x->headers, field_name);
    enum gh_reason reason = GH_OK;
    r->endpoint = -1;
    if (r->route->is_http_sse) { /* of that time there are no ids in headers */
        reason = gh_http_sse_open(r);
    } else if (field != NULL) {
        bool is_one = gh_headers_count(&r->x->headers, field_name) == 1;
        reason =
            is_one ? gh_session_open_text(r, GH_STR_NONE, field->value, &r->session_id) : GH_SESSION_UNKNOWN;
        r->session_sealed = field->value;
    }
    return reason == GH_OK ? GH_NEXT : gh_request_refuse(r, reason);
}

enum gh_reason gh_session_open_text(struct gh_request *r, gh_str purpose, gh_str sealed, gh_str *ret_text)
{
    const struct gh_session_owner owner = owner_of(r, purpose);
    struct gh_session session;
    enum gh_reason reason =
        gh_session_open(r->gateway->sealer, r->site->session_keys, &owner, sealed, r->x->arena, &session);
    if (reason != GH_OK)
        return reason;
    r->endpoint = endpoint_of(r->route, session.endpoint);
    if (r->endpoint < 0) /* taken out of the settings since */
        return GH_SESSION_UNKNOWN;
    *ret_text = session.id;
    return GH_OK;
}

static struct gh_session_owner owner_of(const struct gh_request *r, gh_str purpose)
{
    const struct gh_principal *principal = r->x->principal;
    return (struct gh_session_owner){ .tenant = r->route->policy.tenant,
                                      .issuer = principal->issuer_name,
                                      .subject = principal->subject,
                                      .issuer_tenant = principal->tenant_id,
                                      .client = principal->client,
                                      .route = r->route->policy.route,
                                      .purpose = purpose };
}

static int endpoint_of(const struct gh_route *route, const unsigned char name[GH_SESSION_ENDPOINT])
{
    for (size_t i = 0; i < route->upstream_conf.endpoint_count; i++)
        if (memcmp(route->endpoint_names[i], name, GH_SESSION_ENDPOINT) == 0)
            return (int)i;
    return -1;
}

enum gh_reason gh_session_add(struct gh_request *r, struct gh_headers *headers)
{
    return r->session_id.ptr != NULL ? gh_headers_add(headers, field_name, r->session_id) : GH_OK;
}

/* ---- on the way out */

enum gh_reason gh_session_seal_text(struct gh_request *r, gh_str purpose, gh_str text, gh_str *ret_sealed)
{
    const struct gh_session_owner owner = owner_of(r, purpose);
    struct gh_session session = { .id = text };
    unsigned char nonce[GH_SESSION_NONCE];
    memcpy(session.endpoint, r->route->endpoint_names[r->endpoint], GH_SESSION_ENDPOINT);
    gh_random_fill(nonce, sizeof(nonce));
    gh_str sealed =
        gh_session_seal(r->gateway->sealer, r->site->session_keys, &owner, &session, nonce, r->x->arena);
    if (sealed.ptr == NULL)
        return GH_OUT_OF_MEMORY;
    *ret_sealed = sealed;
    return GH_OK;
}

enum gh_reason gh_session_relay(struct gh_request *r, const struct gh_call_response *from,
                                struct gh_headers *headers)
{
    const struct gh_header *field = gh_headers_find(from->headers, field_name);
    if (field == NULL || field->value.len == 0 || r->route->is_http_sse) /* an empty one names no session */
        return GH_OK;
    if (gh_headers_count(from->headers, field_name) > 1 || !gh_session_id_is_legal(field->value))
        return GH_UPSTREAM_MALFORMED;
    /* SDKs repeat the id with every answer: a client's own text stays as it is while the session does. */
    gh_str text = r->session_sealed;
    enum gh_reason reason = GH_OK;
    if (r->session_id.ptr == NULL || !gh_str_eq(field->value, r->session_id))
        reason = gh_session_seal_text(r, GH_STR_NONE, field->value, &text);
    return reason == GH_OK ? gh_headers_add(headers, field_name, text) : reason;
}

/* ---- settings */

enum gh_reason gh_session_name_endpoints(struct gh_arena *arena, struct gh_route *route)
{
    const struct gh_upstream_conf *conf = &route->upstream_conf;
    unsigned char(*names)[GH_SESSION_ENDPOINT] =
        gh_arena_calloc(arena, conf->endpoint_count, GH_SESSION_ENDPOINT);
    if (names == NULL)
        return GH_OUT_OF_MEMORY;
    for (size_t i = 0; i < conf->endpoint_count; i++)
        if (!gh_session_endpoint(&conf->endpoints[i], names[i]))
            return GH_OUT_OF_MEMORY;
    route->endpoint_names = (const unsigned char(*)[GH_SESSION_ENDPOINT])names;
    return GH_OK;
}
