/* core/rpc/names.c: the names of MCP: members that must not have a twin, and methods with what they name. */
#include "base/str.h"
#include "core/json/fold.h"
#include "core/rpc/parts.h"

#define GUARDED(name)                                                                                        \
    {                                                                                                        \
        name, GH_RPC_AT_NONE, GH_RPC_FREE                                                                    \
    }
#define KEPT(name, place)                                                                                    \
    {                                                                                                        \
        name, GH_RPC_AT_##place, GH_RPC_FREE                                                                 \
    }
#define OPENED(name, place, role)                                                                            \
    {                                                                                                        \
        name, GH_RPC_AT_##place, GH_RPC_##role                                                               \
    }

/* clang-format off */
static const struct gh_rpc_member envelope[] = {
    KEPT("jsonrpc", JSONRPC), KEPT("id", ID), KEPT("method", METHOD), OPENED("params", PARAMS, PARAMS),
    KEPT("result", RESULT), KEPT("error", ERROR), { .name = NULL },
};
/* Of all that clients send in any revision. */
static const struct gh_rpc_member params[] = {
    KEPT("name", NAME), KEPT("uri", URI), OPENED("ref", REF, REF),
    OPENED("arguments", ARGUMENTS, ARGUMENTS), GUARDED("_meta"), GUARDED("argument"), GUARDED("capabilities"), GUARDED("clientInfo"),
    GUARDED("context"), GUARDED("cursor"), GUARDED("inputResponses"), GUARDED("level"), GUARDED("message"),
    OPENED("notifications", NOTIFICATIONS, NOTIFICATIONS), GUARDED("progress"), GUARDED("progressToken"), GUARDED("protocolVersion"),
    GUARDED("reason"), GUARDED("requestId"), GUARDED("requestState"), KEPT("resourceSubscriptions", SUBSCRIPTIONS),
    GUARDED("status"), GUARDED("task"), GUARDED("taskId"), GUARDED("total"), GUARDED("uris"), { .name = NULL },
};
static const struct gh_rpc_member ref[] = {
    KEPT("type", REF_TYPE), KEPT("name", REF_NAME), KEPT("uri", REF_URI), { .name = NULL },
};
static const struct gh_rpc_member notifications[] = {
    KEPT("resourceSubscriptions", SUBSCRIPTIONS), { .name = NULL },
};
static const struct gh_rpc_member none[] = { { .name = NULL } };
/* clang-format on */

static const struct gh_rpc_member *const members[GH_RPC_ROLES] = {
    [GH_RPC_FREE] = none, [GH_RPC_ENVELOPE] = envelope,           [GH_RPC_PARAMS] = params,
    [GH_RPC_REF] = ref,   [GH_RPC_NOTIFICATIONS] = notifications, [GH_RPC_ARGUMENTS] = none
};

const struct gh_rpc_member *gh_rpc_member_find(enum gh_rpc_role role, gh_str name, bool *ret_is_twin)
{
    *ret_is_twin = false;
    for (const struct gh_rpc_member *member = members[role]; member->name != NULL; member++) {
        gh_str own = gh_str_from(member->name);
        if (gh_str_eq(own, name))
            return member;
        *ret_is_twin = *ret_is_twin || gh_fold_eq(name, own);
    }
    return NULL;
}

/* ---- methods ---- */

static const struct {
    const char *method;
    enum gh_rpc_names names;
} methods[] = {
    { "completion/complete", GH_RPC_NAMES_NOTHING }, /* by its reference */
    { "initialize", GH_RPC_NAMES_NOTHING },
    { "logging/setLevel", GH_RPC_NAMES_NOTHING },
    { "notifications/cancelled", GH_RPC_NAMES_NOTHING },
    { "notifications/initialized", GH_RPC_NAMES_NOTHING },
    { "notifications/progress", GH_RPC_NAMES_NOTHING },
    { "notifications/roots/list_changed", GH_RPC_NAMES_NOTHING },
    { "ping", GH_RPC_NAMES_NOTHING },
    { "prompts/get", GH_RPC_NAMES_PROMPT },
    { "prompts/list", GH_RPC_NAMES_NOTHING },
    { "resources/directory/read", GH_RPC_NAMES_RESOURCE },
    { "resources/list", GH_RPC_NAMES_NOTHING },
    { "resources/read", GH_RPC_NAMES_RESOURCE },
    { "resources/subscribe", GH_RPC_NAMES_RESOURCE },
    { "resources/templates/list", GH_RPC_NAMES_NOTHING },
    { "resources/unsubscribe", GH_RPC_NAMES_RESOURCE },
    { "server/discover", GH_RPC_NAMES_NOTHING },
    { "subscriptions/listen", GH_RPC_NAMES_RESOURCE },
    { "tasks/cancel", GH_RPC_NAMES_NOTHING }, /* of a call that was allowed */
    { "tasks/get", GH_RPC_NAMES_NOTHING },
    { "tasks/list", GH_RPC_NAMES_NOTHING },
    { "tasks/result", GH_RPC_NAMES_NOTHING },
    { "tasks/update", GH_RPC_NAMES_NOTHING },
    { "tools/call", GH_RPC_NAMES_TOOL },
    { "tools/list", GH_RPC_NAMES_NOTHING },
};

enum gh_rpc_names gh_rpc_method(gh_str method)
{
    for (size_t i = 0; i < GH_ARRAY_LEN(methods); i++)
        if (gh_str_eq(method, gh_str_from(methods[i].method)))
            return methods[i].names;
    return GH_RPC_NAMES_UNKNOWN;
}
