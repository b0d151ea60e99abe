/* core/policy/call.c: may this principal make this call: the first rule that is about it and whose conditions
 * do not exempt it decides. */
#include <limits.h>

#include "base/str.h"
#include "core/policy/call_rules.h"
#include "core/policy/conditions.h"
#include "core/policy/scopes.h"
#include "gatehouse/policy.h"

/* Who calls, and what. */
struct calling {
    const struct gh_policy *policy;
    const struct gh_principal *principal;
    int64_t now;
    const struct gh_rpc_value *values; /* NULL: of any arguments */
    gh_call_tell tell;                 /* NULL: nobody asks why */
    void *ctx;
};

static enum gh_reason decide(const struct calling *calling, const struct gh_rpc_message *message,
                             struct gh_call_verdict *verdict);
static enum gh_reason decide_method(const struct calling *calling, const struct gh_rpc_message *message,
                                    struct gh_call_verdict *verdict);
static enum gh_reason decide_name(const struct calling *calling, const struct gh_rpc_message *message,
                                  struct gh_call_verdict *verdict);
static enum gh_reason list_template(const struct calling *calling, const struct gh_call_rules *rules,
                                    gh_str template);

/* Calls of tools and prompts have arguments; what stands there in other messages their servers ignore. */
static const struct gh_rpc_value *values_of(const struct gh_rpc_message *message)
{
    bool has_arguments =
        gh_str_eq(message->method, GH_STR("tools/call")) || gh_str_eq(message->method, GH_STR("prompts/get"));
    return has_arguments ? message->values : NULL;
}

enum gh_reason gh_policy_call(const struct gh_policy *policy, const struct gh_principal *principal,
                              int64_t now, const struct gh_rpc_message *message,
                              struct gh_call_verdict *ret_verdict)
{
    const struct calling calling = { policy, principal, now, values_of(message), NULL, NULL };
    *ret_verdict = (struct gh_call_verdict){ 0 };
    return decide(&calling, message, ret_verdict);
}

void gh_policy_call_tell(const struct gh_policy *policy, const struct gh_principal *principal, int64_t now,
                         const struct gh_rpc_message *message, gh_call_tell tell, void *ctx)
{
    const struct calling calling = { policy, principal, now, values_of(message), tell, ctx };
    struct gh_call_verdict verdict = { 0 };
    (void)decide(&calling, message, &verdict);
}

static enum gh_reason decide(const struct calling *calling, const struct gh_rpc_message *message,
                             struct gh_call_verdict *verdict)
{
    if (message->kind == GH_RPC_RESPONSE)
        return GH_OK;
    enum gh_reason reason = decide_method(calling, message, verdict);
    return reason == GH_OK ? decide_name(calling, message, verdict) : reason;
}

/* ---- one rule ---- */

static enum gh_truth arguments_hold(const struct calling *calling, const struct gh_call_rule *rule)
{
    static const struct gh_rpc_value absent = { .what = GH_RPC_ABSENT };
    enum gh_truth truth = GH_TRUE;
    for (size_t i = 0; i < rule->argument_count; i++) {
        const struct gh_argument_test *test = &rule->arguments[i];
        enum gh_truth one =
            gh_argument_holds(test, calling->values != NULL ? &calling->values[test->value] : &absent);
        truth = one < truth ? one : truth;
    }
    return truth;
}

/* What is not known neither allows, nor saves from being denied. */
static bool applies(const struct gh_call_rule *rule, enum gh_truth truth)
{
    return rule->denies ? truth != GH_FALSE : truth == GH_TRUE;
}

static bool has_scopes(const struct calling *calling, const struct gh_call_rule *rule)
{
    return gh_scopes_suffice(calling->policy, calling->principal->scopes, rule->scopes);
}

/* ---- a call ---- */

/* The first rule about the name that applies; NULL: none. */
static const struct gh_call_rule *rule_for(const struct calling *calling, const struct gh_call_rules *rules,
                                           gh_str name, bool are_paths)
{
    struct gh_call_search search = { rules, name, are_paths, 0 };
    const struct gh_call_rule *rule;
    while ((rule = gh_call_search_next(&search)) != NULL) {
        enum gh_truth claims = gh_claims_hold(rule->claims, calling->principal, calling->now);
        enum gh_truth arguments = claims != GH_FALSE ? arguments_hold(calling, rule) : GH_TRUE;
        if (calling->tell != NULL)
            calling->tell(calling->ctx, rule, claims, arguments);
        if (applies(rule, arguments < claims ? arguments : claims))
            return rule;
    }
    return NULL;
}

static enum gh_reason follow(const struct calling *calling, const struct gh_call_rule *rule,
                             struct gh_call_verdict *verdict)
{
    if (rule->denies)
        return GH_RPC_DENIED;
    if (has_scopes(calling, rule))
        return GH_OK;
    verdict->needed = rule->scopes;
    return GH_SCOPE_MISSING;
}

/* Methods of MCP need no rule; others, one that allows them. */
static enum gh_reason decide_method(const struct calling *calling, const struct gh_rpc_message *message,
                                    struct gh_call_verdict *verdict)
{
    const struct gh_call_rules *rules = &calling->policy->calls[GH_RPC_NAMES_METHOD];
    if (message->method.len > GH_CALL_NAME_MAX) /* no pattern that denies would match it */
        return GH_RPC_DENIED;
    verdict->method = rule_for(calling, rules, message->method, false);
    if (verdict->method != NULL)
        return follow(calling, verdict->method, verdict);
    return message->names == GH_RPC_NAMES_UNKNOWN ? GH_RPC_DENIED : GH_OK;
}

/* A name that could be another one for its reader, or is too long to be compared, is none that a rule allows.
 * "*" is all resources at once. */
static bool is_plain(const struct gh_call_rules *rules, const struct gh_rpc_message *message)
{
    bool is_all = message->names == GH_RPC_NAMES_RESOURCE && gh_str_eq(message->name, GH_STR("*"));
    if (is_all) /* which they are is not known: nothing may tell some from others */
        return !rules->has_paths;
    return message->name.len <= GH_CALL_NAME_MAX && (!rules->has_paths || gh_uri_is_plain(message->name));
}

/* MCP "Completion": a value for a template, which names no resource yet: whoever sees it in a list may ask.
 */
static bool is_template_completion(const struct gh_rpc_message *message)
{
    return message->names == GH_RPC_NAMES_RESOURCE && gh_str_find(message->name, '{') < message->name.len &&
           gh_str_eq(message->method, GH_STR("completion/complete"));
}

static enum gh_reason decide_name(const struct calling *calling, const struct gh_rpc_message *message,
                                  struct gh_call_verdict *verdict)
{
    if (message->names == GH_RPC_NAMES_NOTHING || message->names == GH_RPC_NAMES_UNKNOWN)
        return GH_OK;
    const struct gh_call_rules *rules = &calling->policy->calls[message->names];
    if (!rules->is_set)
        return GH_OK;
    if (is_template_completion(message))
        return list_template(calling, rules, message->name) == GH_OK ? GH_OK : GH_RPC_DENIED;
    if (!is_plain(rules, message))
        return GH_RPC_DENIED;
    verdict->name = rule_for(calling, rules, message->name, message->names == GH_RPC_NAMES_RESOURCE);
    return verdict->name != NULL ? follow(calling, verdict->name, verdict) : GH_RPC_DENIED;
}

/* ---- all calls of a name ---- */

/* Of two ways to a call: the one with less in its way. */
static enum gh_reason better(enum gh_reason a, enum gh_reason b)
{
    if (a == GH_OK || b == GH_OK)
        return GH_OK;
    return a == GH_SCOPE_MISSING ? a : b;
}

/* What a rule does for some call, and whether it leaves others to the rules behind it. */
struct share {
    enum gh_reason reason; /* GH_RPC_DENIED: nothing */
    bool is_last;
};

/* `is_part`: it is about some of the names only. Arguments can be sent, or left out, so that it applies or
 * not. */
static struct share share_of(const struct calling *calling, const struct gh_call_rule *rule, bool is_part)
{
    enum gh_truth claims = gh_claims_hold(rule->claims, calling->principal, calling->now);
    struct share share = { GH_RPC_DENIED, false };
    if (!applies(rule, claims))
        return share;
    if (!rule->denies)
        share.reason = has_scopes(calling, rule) ? GH_OK : GH_SCOPE_MISSING;
    share.is_last = rule->argument_count == 0 && !is_part;
    return share;
}

static enum gh_reason list_name(const struct calling *calling, const struct gh_call_rules *rules, gh_str name,
                                bool are_paths)
{
    struct gh_call_search search = { rules, name, are_paths, 0 };
    struct share share = { GH_RPC_DENIED, false };
    enum gh_reason reason = GH_RPC_DENIED;
    const struct gh_call_rule *rule;
    while (!share.is_last && (rule = gh_call_search_next(&search)) != NULL) {
        share = share_of(calling, rule, false);
        reason = better(reason, share.reason);
    }
    return reason;
}

/* A URI template becomes one of these only if both begin with the same text. */
static bool may_become(gh_str template, gh_str name)
{
    size_t fixed = gh_str_find(template, '{'), starless = gh_str_find(name, '*');
    if (fixed == template.len && starless == name.len)
        return gh_str_eq(template, name);
    size_t shorter = fixed < starless ? fixed : starless;
    return gh_str_eq(gh_str_take(template, shorter), gh_str_take(name, shorter));
}

/* "*" covers all templates, "x**" those that begin with x whatever becomes of them. */
static bool covers_template(const struct gh_call_target *target, gh_str template)
{
    gh_str rest = gh_str_skip(target->name, target->fixed);
    gh_str fixed = gh_str_take(template, gh_str_find(template, '{'));
    return gh_str_eq(target->name, GH_STR("*")) ||
           (gh_str_eq(rest, GH_STR("**")) && gh_str_starts(fixed, gh_str_take(target->name, target->fixed)));
}

/* The first rule that decides about all that a template may become: those behind it have no say. */
static unsigned last_order(const struct calling *calling, const struct gh_call_rules *rules, gh_str template)
{
    unsigned last = UINT_MAX;
    for (size_t i = 0; i < rules->pattern_count; i++) {
        const struct gh_call_target *target = &rules->patterns[i];
        if (target->order < last && covers_template(target, template) &&
            share_of(calling, target->rule, false).is_last)
            last = target->order;
    }
    return last;
}

static enum gh_reason list_targets(const struct calling *calling, const struct gh_call_target *targets,
                                   size_t count, gh_str template, unsigned last)
{
    enum gh_reason reason = GH_RPC_DENIED;
    for (size_t i = 0; i < count; i++)
        if (targets[i].order <= last && may_become(template, targets[i].name))
            reason = better(reason, share_of(calling, targets[i].rule, true).reason);
    return reason;
}

static enum gh_reason list_template(const struct calling *calling, const struct gh_call_rules *rules,
                                    gh_str template)
{
    unsigned last = last_order(calling, rules, template);
    return better(list_targets(calling, rules->exact, rules->exact_count, template, last),
                  list_targets(calling, rules->patterns, rules->pattern_count, template, last));
}

/* The method that calls what a list of them names. */
static gh_str method_of(enum gh_rpc_names names)
{
    switch (names) {
    case GH_RPC_NAMES_TOOL:
        return GH_STR("tools/call");
    case GH_RPC_NAMES_PROMPT:
        return GH_STR("prompts/get");
    case GH_RPC_NAMES_RESOURCE:
        return GH_STR("resources/read");
    case GH_RPC_NAMES_NOTHING:
    case GH_RPC_NAMES_UNKNOWN:
        break;
    }
    return GH_STR_NONE;
}

enum gh_reason gh_policy_listed(const struct gh_policy *policy, const struct gh_principal *principal,
                                int64_t now, enum gh_rpc_names names, gh_str name, bool is_template)
{
    const struct calling calling = { policy, principal, now, NULL, NULL, NULL };
    const struct gh_rpc_message message = { .method = method_of(names), .names = names, .name = name };
    struct gh_call_verdict verdict;
    enum gh_reason of_method = decide_method(&calling, &message, &verdict);
    const struct gh_call_rules *rules = &policy->calls[names];
    if (of_method == GH_RPC_DENIED || !rules->is_set)
        return of_method;
    if (!is_template && !is_plain(rules, &message))
        return GH_RPC_DENIED;
    enum gh_reason of_name = is_template ? list_template(&calling, rules, name)
                                         : list_name(&calling, rules, name, names == GH_RPC_NAMES_RESOURCE);
    return of_name == GH_OK ? of_method : of_name;
}
