/* gateway/call.c: on routes with rules for calls: what the body calls, read whole before a byte of it leaves,
 * and whether it may be. The bytes that were judged are those that are forwarded. */
#include "gatehouse/rpc.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/str.h"
#include "gatehouse/client.h"
#include "gateway/request.h"

/* What the audit log and an error repeat of a message. */
#define METHOD_MAX 128
#define NAME_MAX   1024
#define ID_MAX     256

/* Made by the first that needs it: most gateways read no bodies. */
static struct gh_rpc_scanner *scanner_of(struct gh_request *r)
{
    struct gh_gateway *gateway = r->gateway;
    uint64_t seed[2];
    if (gateway->scanner == NULL) {
        gh_random_fill(seed, sizeof(seed));
        gateway->scanner_limits = r->site->limits.rpc;
        gateway->scanner = gh_rpc_scanner_new(&gateway->scanner_limits, seed);
    }
    return gateway->scanner;
}

static bool keep(struct gh_request *r, gh_str text, size_t max, gh_str *ret_copy)
{
    if (text.ptr == NULL)
        return true;
    *ret_copy = gh_arena_dup(r->x->arena, gh_str_take(text, text.len < max ? text.len : max));
    return ret_copy->ptr != NULL;
}

static bool keep_arguments(struct gh_request *r, const struct gh_rpc_message *message)
{
    if (!r->route->audit_arguments || message->arguments.ptr == NULL)
        return true;
    r->x->rpc_arguments = gh_secret_hash(r->x->arena, message->arguments);
    return r->x->rpc_arguments.ptr != NULL;
}

/* They lie in the body and in the scanner; the log wants them later. */
static bool keep_facts(struct gh_request *r, const struct gh_rpc_message *message)
{
    struct gh_exchange *x = r->x;
    return keep(r, message->method, METHOD_MAX, &x->rpc_method) &&
           keep(r, message->name, NAME_MAX, &x->rpc_name) &&
           (message->id.len > ID_MAX || keep(r, message->id, ID_MAX, &x->rpc_id)) &&
           keep_arguments(r, message);
}

/* The rule about what is named, or else about the method; rules live with the site. */
static void keep_rule(struct gh_request *r, const struct gh_call_verdict *verdict)
{
    const struct gh_call_rule *rule = verdict->name != NULL ? verdict->name : verdict->method;
    if (rule != NULL)
        (void)!keep(r, rule->name, NAME_MAX, &r->x->rpc_rule);
    r->x->needed = verdict->needed;
}

enum gh_reason gh_call_decide(struct gh_request *r)
{
    const struct gh_policy *policy = &r->route->policy;
    struct gh_rpc_message message;
    struct gh_call_verdict verdict;
    struct gh_rpc_scanner *scanner = scanner_of(r);
    if (scanner == NULL)
        return GH_OUT_OF_MEMORY;
    enum gh_reason reason = gh_rpc_scan(scanner, policy->paths, gh_buf_peek(&r->body), &message);
    if (reason != GH_OK)
        return reason;
    if (!keep_facts(r, &message))
        return GH_OUT_OF_MEMORY;
    r->asks_for_list = message.kind == GH_RPC_REQUEST && gh_list_is_asked(message.method);
    /* An answer to a request of the server's belongs to a session. */
    if (message.kind == GH_RPC_RESPONSE && !r->is_message &&
        gh_headers_find(&r->x->headers, GH_STR("mcp-session-id")) == NULL)
        return GH_RPC_MESSAGE;
    reason = gh_mirror_check(r, &message);
    if (reason != GH_OK)
        return reason;
    reason =
        gh_policy_call(policy, r->x->principal, gh_loop_wall_s(r->gateway->with.loop), &message, &verdict);
    keep_rule(r, &verdict);
    if (reason == GH_OK && message.names == GH_RPC_NAMES_TOOL)
        gh_rate_note_tool(r, message.name);
    return reason;
}
