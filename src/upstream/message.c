/* upstream/message.c: what is added to a request's fields, and taken out of a response's. */
#include "upstream/message.h"

#include "base/str.h"

/* Set by the link itself, or meaningful on one connection only: neither copied to it nor from it. */
static bool is_of_connection(gh_str name)
{
    static const gh_str names[] = {
        GH_STR_INIT("connection"),
        GH_STR_INIT("content-length"),
        GH_STR_INIT("keep-alive"),
        GH_STR_INIT("proxy-connection"),
        GH_STR_INIT("te"),
        GH_STR_INIT("trailer"),
        GH_STR_INIT("transfer-encoding"),
        GH_STR_INIT("upgrade"),
    };
    for (size_t i = 0; i < GH_ARRAY_LEN(names); i++)
        if (gh_str_eq(name, names[i]))
            return true;
    return false;
}

enum gh_reason gh_request_fields(const struct gh_call *call, struct gh_arena *arena, bool with_host,
                                 struct gh_headers *ret_fields)
{
    const struct gh_upstream_target *target = call->upstream->target;
    const struct gh_headers *given = call->request.headers;
    gh_str credential = target->conf.credential_header;
    struct gh_headers fields;
    enum gh_reason why = gh_headers_init(&fields, arena, given->count + 2);
    if (why == GH_OK && with_host)
        why = gh_headers_add(&fields, GH_STR("host"), call->endpoint->target->authority);
    for (size_t i = 0; why == GH_OK && i < given->count; i++) {
        gh_str name = given->at[i].name;
        if (!is_of_connection(name) && !gh_str_eq(name, GH_STR("host")) && !gh_str_eq(name, credential))
            why = gh_headers_add(&fields, name, given->at[i].value);
    }
    if (why == GH_OK && target->credential.len != 0)
        why =
            gh_headers_add(&fields, credential, gh_str_of(target->credential.bytes, target->credential.len));
    if (why == GH_OK)
        *ret_fields = fields;
    return why;
}

/* RFC 9110 section 7.6.1: "Intermediaries MUST parse a received Connection header field before a message is
 * forwarded and, for each connection-option in this field, remove any header or trailer field(s) from the
 * message with the same name as the connection-option". What the gateway or its client relies on stays all
 * the same: an upstream cannot talk them out of it. */
static bool is_named_by_connection(const struct gh_headers *received, gh_str name)
{
    static const gh_str kept[] = { GH_STR_INIT("content-type"), GH_STR_INIT("content-encoding"),
                                   GH_STR_INIT("cache-control"), GH_STR_INIT("mcp-session-id"),
                                   GH_STR_INIT("mcp-protocol-version") };
    for (size_t i = 0; i < GH_ARRAY_LEN(kept); i++)
        if (gh_str_eq(name, kept[i]))
            return false;
    for (size_t i = 0; i < received->count; i++)
        if (gh_str_eq(received->at[i].name, GH_STR("connection")) &&
            gh_header_list_has(received->at[i].value, name))
            return true;
    return false;
}

enum gh_reason gh_response_fields(const struct gh_headers *received, struct gh_arena *arena,
                                  struct gh_headers *ret_fields)
{
    struct gh_headers fields;
    bool has_connection = gh_headers_find(received, GH_STR("connection")) != NULL;
    enum gh_reason why = gh_headers_init(&fields, arena, received->count);
    for (size_t i = 0; why == GH_OK && i < received->count; i++) {
        gh_str name = received->at[i].name;
        if (!is_of_connection(name) && !(has_connection && is_named_by_connection(received, name)))
            why = gh_headers_add(&fields, name, received->at[i].value);
    }
    if (why == GH_OK)
        *ret_fields = fields;
    return why;
}

int64_t gh_response_keep_alive(const struct gh_headers *received)
{
    const struct gh_header *field = gh_headers_find(received, GH_STR("keep-alive"));
    gh_str rest = field != NULL ? field->value : GH_STR_NONE;
    while (rest.ptr != NULL) {
        gh_str part = gh_str_trim(gh_str_cut(&rest, ','));
        uint64_t seconds;
        if (gh_str_starts(part, GH_STR("timeout=")) && gh_str_to_u64(gh_str_skip(part, 8), &seconds))
            return seconds > 86400 ? 86400 : (int64_t)seconds;
    }
    return -1;
}
