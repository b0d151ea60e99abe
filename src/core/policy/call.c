/* core/policy/call.c: may this principal make this call: rules from names to the scopes that they need. */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "core/policy/scopes.h"
#include "gatehouse/policy.h"

/* Shorter names first: most comparisons end at the length. */
static int compare(gh_str a, gh_str b)
{
    if (a.len != b.len)
        return a.len < b.len ? -1 : 1;
    return a.len != 0 ? memcmp(a.ptr, b.ptr, a.len) : 0;
}

static int compare_rules(const void *a, const void *b)
{
    return compare(((const struct gh_call_rule *)a)->name, ((const struct gh_call_rule *)b)->name);
}

void gh_call_rules_sort(struct gh_call_rule *rules, size_t count)
{
    qsort(rules, count, sizeof(*rules), compare_rules);
}

static const struct gh_call_rule *find(const struct gh_call_rules *rules, gh_str name)
{
    size_t low = 0, high = rules->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare(name, rules->at[middle].name);
        if (order == 0)
            return &rules->at[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

enum gh_reason gh_policy_call(const struct gh_policy *policy, const struct gh_principal *principal,
                              const struct gh_rpc_message *message, struct gh_strs *ret_needed)
{
    if (message->kind == GH_RPC_RESPONSE || message->names == GH_RPC_NAMES_NOTHING)
        return GH_OK;
    if (message->names == GH_RPC_NAMES_UNKNOWN)
        return GH_RPC_DENIED;
    const struct gh_call_rules *rules = &policy->calls[message->names];
    if (!rules->is_set)
        return GH_OK;
    const struct gh_call_rule *rule = find(rules, message->name);
    if (rule == NULL)
        rule = find(rules, GH_STR("*"));
    if (rule == NULL)
        return GH_RPC_DENIED;
    if (gh_scopes_suffice(policy, principal->scopes, rule->scopes))
        return GH_OK;
    *ret_needed = rule->scopes;
    return GH_SCOPE_MISSING;
}
