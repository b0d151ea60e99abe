/* core/rpc/message.c: is it a message of JSON-RPC 2.0, of which kind, and what does it name? */
#include "base/str.h"
#include "core/rpc/parts.h"

struct reading {
    struct gh_rpc_scanner *scanner;
    const struct gh_rpc_found *found;
    struct gh_rpc_message *message;
};

static enum gh_reason read_kind(struct reading *reading);
static enum gh_reason read_call(struct reading *reading);
static enum gh_reason read_named(struct reading *reading, enum gh_rpc_place place, enum gh_rpc_names names);
static enum gh_reason read_reference(struct reading *reading);
static enum gh_reason read_listening(struct reading *reading);
static enum gh_reason read_values(struct reading *reading, size_t count);

enum gh_reason gh_rpc_scan(struct gh_rpc_scanner *scanner, const struct gh_rpc_paths *paths, gh_str text,
                           struct gh_rpc_message *ret_message)
{
    struct gh_rpc_found found = { 0 };
    struct gh_rpc_message message = { .kind = GH_RPC_REQUEST };
    struct reading reading = { scanner, &found, &message };
    enum gh_reason reason = gh_rpc_walk(scanner, paths, text, &found);
    if (reason == GH_OK)
        reason = read_kind(&reading);
    if (reason == GH_OK && message.kind != GH_RPC_RESPONSE)
        reason = read_call(&reading);
    if (reason == GH_OK && paths != NULL)
        reason = read_values(&reading, paths->count);
    if (reason == GH_OK)
        *ret_message = message;
    return reason;
}

static enum gh_rpc_what what(const struct reading *reading, enum gh_rpc_place place)
{
    return reading->found->parts[place].what;
}

static enum gh_reason text_at(struct reading *reading, enum gh_rpc_place place, gh_str *ret_text)
{
    if (what(reading, place) != GH_RPC_STRING)
        return GH_RPC_MESSAGE;
    return gh_rpc_meaning(reading->scanner, &reading->found->parts[place], ret_text);
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
    if (reason != GH_OK)
        return reason;
    if (!gh_str_eq(version, GH_STR("2.0")))
        return GH_RPC_MESSAGE;
    if (id != GH_RPC_ABSENT && id != GH_RPC_STRING && id != GH_RPC_NUMBER)
        return GH_RPC_MESSAGE;
    const struct gh_rpc_part *part = &reading->found->parts[GH_RPC_AT_ID];
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
    enum gh_rpc_what params = what(reading, GH_RPC_AT_PARAMS);
    if (params != GH_RPC_ABSENT && params != GH_RPC_OBJECT)
        return GH_RPC_MESSAGE;
    enum gh_reason reason = text_at(reading, GH_RPC_AT_METHOD, &message->method);
    if (reason != GH_OK)
        return reason;
    message->names = gh_rpc_method(message->method);
    if (what(reading, GH_RPC_AT_ARGUMENTS) != GH_RPC_ABSENT)
        message->arguments = reading->found->parts[GH_RPC_AT_ARGUMENTS].raw;
    if (gh_str_eq(message->method, GH_STR("completion/complete")))
        return read_reference(reading);
    if (gh_str_eq(message->method, GH_STR("subscriptions/listen")))
        return read_listening(reading);
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

/* MCP 2026-07-28 "Subscriptions": of changes to lists, which name nothing, and of resources. Which those are
 * is not read: whoever may read any may listen to them. */
static enum gh_reason read_listening(struct reading *reading)
{
    enum gh_rpc_what notifications = what(reading, GH_RPC_AT_NOTIFICATIONS);
    if (notifications != GH_RPC_OBJECT)
        return GH_RPC_MESSAGE;
    bool to_resources = what(reading, GH_RPC_AT_SUBSCRIPTIONS) != GH_RPC_ABSENT;
    reading->message->names = to_resources ? GH_RPC_NAMES_RESOURCE : GH_RPC_NAMES_NOTHING;
    reading->message->name = to_resources ? GH_STR("*") : GH_STR_NONE;
    return GH_OK;
}

/* What stands at the paths. */
static enum gh_reason read_values(struct reading *reading, size_t count)
{
    struct gh_rpc_value *values = gh_rpc_values(reading->scanner);
    enum gh_reason reason = GH_OK;
    for (size_t i = 0; i < count && reason == GH_OK; i++) {
        const struct gh_rpc_part *part = &reading->found->values[i];
        values[i] = (struct gh_rpc_value){ part->what, GH_STR("") };
        if (part->what == GH_RPC_STRING)
            reason = gh_rpc_meaning(reading->scanner, part, &values[i].text);
        else if (part->what != GH_RPC_OBJECT && part->what != GH_RPC_ARRAY)
            values[i].text = part->raw;
    }
    reading->message->values = values;
    return reason;
}
