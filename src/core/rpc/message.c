/* core/rpc/message.c: is it a message of JSON-RPC 2.0, of which kind, and what does it name? */
#include "base/str.h"
#include "core/rpc/parts.h"

struct reading {
    struct gh_rpc_scanner *scanner;
    const struct gh_rpc_part *parts; /* by place */
    struct gh_rpc_message *message;
};

static enum gh_reason read_kind(struct reading *reading);
static enum gh_reason read_call(struct reading *reading);
static enum gh_reason read_named(struct reading *reading, enum gh_rpc_place place, enum gh_rpc_names names);
static enum gh_reason read_reference(struct reading *reading);

enum gh_reason gh_rpc_scan(struct gh_rpc_scanner *scanner, gh_str text, struct gh_rpc_message *ret_message)
{
    struct gh_rpc_part parts[GH_RPC_PLACES] = { 0 };
    struct gh_rpc_message message = { .kind = GH_RPC_REQUEST };
    struct reading reading = { scanner, parts, &message };
    enum gh_reason reason = gh_rpc_walk(scanner, text, parts);
    if (reason == GH_OK)
        reason = read_kind(&reading);
    if (reason == GH_OK && message.kind != GH_RPC_RESPONSE)
        reason = read_call(&reading);
    if (reason == GH_OK)
        *ret_message = message;
    return reason;
}

static enum gh_rpc_what what(const struct reading *reading, enum gh_rpc_place place)
{
    return reading->parts[place].what;
}

static enum gh_reason text_at(struct reading *reading, enum gh_rpc_place place, gh_str *ret_text)
{
    if (what(reading, place) != GH_RPC_STRING)
        return GH_RPC_MESSAGE;
    *ret_text = gh_rpc_meaning(reading->scanner, &reading->parts[place]);
    return ret_text->ptr != NULL ? GH_OK : GH_RPC_JSON;
}

/* JSON-RPC 2.0 sections 4 and 5. A null id is none that MCP knows ("the ID MUST NOT be null"). */
static enum gh_reason read_kind(struct reading *reading)
{
    struct gh_rpc_message *message = reading->message;
    gh_str version;
    enum gh_rpc_what id = what(reading, GH_RPC_AT_ID);
    bool has_result = what(reading, GH_RPC_AT_RESULT) != GH_RPC_ABSENT;
    bool has_error = what(reading, GH_RPC_AT_ERROR) != GH_RPC_ABSENT;
    bool is_call = what(reading, GH_RPC_AT_METHOD) != GH_RPC_ABSENT;
    enum gh_reason reason = text_at(reading, GH_RPC_AT_JSONRPC, &version);
    if (reason != GH_OK || !gh_str_eq(version, GH_STR("2.0")))
        return GH_RPC_MESSAGE;
    if (id != GH_RPC_ABSENT && id != GH_RPC_STRING && id != GH_RPC_NUMBER)
        return GH_RPC_MESSAGE;
    const struct gh_rpc_part *part = &reading->parts[GH_RPC_AT_ID];
    if (id == GH_RPC_STRING) /* with its quotes */
        message->id = gh_str_of(part->raw.ptr - 1, part->raw.len + 2);
    else if (id == GH_RPC_NUMBER)
        message->id = part->raw;
    if (is_call) {
        message->kind = id != GH_RPC_ABSENT ? GH_RPC_REQUEST : GH_RPC_NOTIFICATION;
        return has_result || has_error ? GH_RPC_MESSAGE : GH_OK;
    }
    message->kind = GH_RPC_RESPONSE;
    bool has_params = what(reading, GH_RPC_AT_PARAMS) != GH_RPC_ABSENT;
    return id != GH_RPC_ABSENT && has_result != has_error && !has_params ? GH_OK : GH_RPC_MESSAGE;
}

/* MCP has no positional params. */
static enum gh_reason read_call(struct reading *reading)
{
    struct gh_rpc_message *message = reading->message;
    bool by_ref;
    enum gh_rpc_what params = what(reading, GH_RPC_AT_PARAMS);
    if (params != GH_RPC_ABSENT && params != GH_RPC_OBJECT)
        return GH_RPC_MESSAGE;
    enum gh_reason reason = text_at(reading, GH_RPC_AT_METHOD, &message->method);
    if (reason != GH_OK)
        return reason;
    message->names = gh_rpc_method_names(message->method, &by_ref);
    if (by_ref)
        return read_reference(reading);
    if (gh_str_eq(message->method, GH_STR("subscriptions/listen"))) {
        message->names = GH_RPC_NAMES_RESOURCE;
        message->name = GH_STR("*"); /* which they are is not read: whoever may read any may listen */
        return GH_OK;
    }
    switch (message->names) {
    case GH_RPC_NAMES_TOOL:
    case GH_RPC_NAMES_PROMPT:
        return read_named(reading, GH_RPC_AT_NAME, message->names);
    case GH_RPC_NAMES_RESOURCE:
        return read_named(reading, GH_RPC_AT_URI, message->names);
    case GH_RPC_NAMES_NOTHING:
    case GH_RPC_NAMES_UNKNOWN:
        break;
    }
    return GH_OK;
}

static enum gh_reason read_named(struct reading *reading, enum gh_rpc_place place, enum gh_rpc_names names)
{
    reading->message->names = names;
    return text_at(reading, place, &reading->message->name);
}

/* MCP "Completion": {"type":"ref/prompt","name":...} or {"type":"ref/resource","uri":...}. */
static enum gh_reason read_reference(struct reading *reading)
{
    gh_str type;
    if (what(reading, GH_RPC_AT_REF) != GH_RPC_OBJECT)
        return GH_RPC_MESSAGE;
    enum gh_reason reason = text_at(reading, GH_RPC_AT_REF_TYPE, &type);
    if (reason != GH_OK)
        return reason;
    if (gh_str_eq(type, GH_STR("ref/prompt")))
        return read_named(reading, GH_RPC_AT_REF_NAME, GH_RPC_NAMES_PROMPT);
    if (gh_str_eq(type, GH_STR("ref/resource")))
        return read_named(reading, GH_RPC_AT_REF_URI, GH_RPC_NAMES_RESOURCE);
    return GH_RPC_MESSAGE;
}
