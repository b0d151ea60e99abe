/* gateway/mirror.c: header fields that repeat what a body says, from MCP 2026-07-28 on: others may act on
 * them, so they must agree. */
#include "base/arena.h"
#include "base/base64.h"
#include "base/str.h"
#include "gateway/request.h"

/* The first revision whose headers repeat what the body says. */
#define MIRRORED GH_STR("2026-07-28")

static const gh_str before = GH_STR_INIT("=?base64?"), behind = GH_STR_INIT("?=");

static bool is_coded(gh_str value)
{
    return value.len >= before.len + behind.len && gh_str_starts(value, before) && gh_str_ends(value, behind);
}

/* MCP 2026-07-28 "Value Encoding": what no field value can hold stands as =?base64?...?=, in the one form
 * that RFC 4648 section 4 has for it. */
static bool says(struct gh_request *r, gh_str value, gh_str meant)
{
    if (!is_coded(value))
        return gh_str_eq(value, meant);
    size_t len = gh_base64_encoded_len(meant.len);
    char *coded = gh_arena_alloc(r->x->arena, len + 1);
    if (coded == NULL)
        return false;
    gh_base64_encode(meant, coded);
    gh_str inner = gh_str_take(gh_str_skip(value, before.len), value.len - before.len - behind.len);
    return gh_str_eq(inner, gh_str_of(coded, len));
}

static enum gh_reason check_field(struct gh_request *r, gh_str name, gh_str meant)
{
    const struct gh_header *field = gh_headers_find(&r->x->headers, name);
    if (field == NULL || gh_headers_count(&r->x->headers, name) > 1)
        return GH_RPC_HEADERS;
    return says(r, gh_str_trim(field->value), meant) ? GH_OK : GH_RPC_HEADERS;
}

/* ---- arguments ---- */

/* "42.0 and 42 SHOULD be compared as numbers": where both are numbers that everybody reads alike. */
static bool is_same_number(gh_str value, gh_str meant)
{
    double a, b;
    return gh_number_read(value, &a) && gh_number_read(meant, &b) && !(a < b) && !(a > b);
}

/* An argument that is left out, or null, has no field; one that no field can say has none that agrees. */
static enum gh_reason check_argument(struct gh_request *r, gh_str name, const struct gh_rpc_value *value)
{
    const struct gh_header *field = gh_headers_find(&r->x->headers, name);
    switch (value->what) {
    case GH_RPC_ABSENT:
    case GH_RPC_NULL:
        return field == NULL ? GH_OK : GH_RPC_HEADERS;
    case GH_RPC_NUMBER:
        if (gh_headers_count(&r->x->headers, name) == 1 &&
            is_same_number(gh_str_trim(field->value), value->text))
            return GH_OK;
        return check_field(r, name, value->text);
    case GH_RPC_STRING:
    case GH_RPC_BOOL:
        return check_field(r, name, value->text);
    case GH_RPC_OBJECT:
    case GH_RPC_ARRAY:
        break;
    }
    return GH_RPC_HEADERS;
}

static enum gh_reason check_arguments(struct gh_request *r, const struct gh_rpc_message *message)
{
    const struct gh_route *route = r->route;
    for (size_t i = 0; i < route->mirror_count; i++) {
        const struct gh_mirror *mirror = &route->mirrors[i];
        if (!gh_str_eq(mirror->tool, message->name))
            continue;
        enum gh_reason reason = check_argument(r, mirror->field, &message->values[mirror->value]);
        if (reason != GH_OK)
            return reason;
    }
    return GH_OK;
}

/* Of older revisions, and where none is named, they mean nothing: the body decides (threats.md R7, R8). */
enum gh_reason gh_mirror_check(struct gh_request *r, const struct gh_rpc_message *message)
{
    const struct gh_header *version = gh_headers_find(&r->x->headers, GH_STR("mcp-protocol-version"));
    if (gh_headers_count(&r->x->headers, GH_STR("mcp-protocol-version")) > 1) /* which is it? */
        return GH_RPC_HEADERS;
    if (version == NULL || gh_str_cmp(version->value, MIRRORED) < 0 || message->kind == GH_RPC_RESPONSE)
        return GH_OK;
    enum gh_reason reason = check_field(r, GH_STR("mcp-method"), message->method);
    bool is_tool = gh_str_eq(message->method, GH_STR("tools/call"));
    bool has_name = is_tool || gh_str_eq(message->method, GH_STR("prompts/get")) ||
                    gh_str_eq(message->method, GH_STR("resources/read"));
    if (reason == GH_OK && has_name)
        reason = check_field(r, GH_STR("mcp-name"), message->name);
    r->method_compared = true;
    r->name_compared = has_name;
    return reason == GH_OK && is_tool ? check_arguments(r, message) : reason;
}
