/* conf/check_calls.c: rules for calls: what a route's tools, prompts and resources need. */
#include "base/str.h"
#include "conf/build.h"

static void build_rules(struct gh_build *build, const struct gh_claim_rules *from, struct gh_call_rules *to)
{
    struct gh_call_rule *rules = gh_build_alloc(build, from->count, sizeof(*rules));
    if (rules == NULL)
        return;
    for (size_t i = 0; i < from->count; i++)
        rules[i] = (struct gh_call_rule){ .name = from->at[i].claim, .scopes = from->at[i].values };
    gh_call_rules_sort(rules, from->count);
    *to = (struct gh_call_rules){ .is_set = true, .at = rules, .count = from->count };
}

static size_t count_scopes(const struct gh_claim_rules *rules)
{
    size_t count = 0;
    for (size_t i = 0; i < rules->count; i++)
        count += rules->at[i].values.count;
    return count;
}

static void check_scope(struct gh_build *build, const struct gh_settings_route *from, const char *key,
                        gh_str scope)
{
    const struct gh_node *node = from->at.node;
    if (gh_str_eq(scope, GH_STR("offline_access")))
        gh_tell_error(build->teller, node, key, scope,
                      GH_STR("scopes of the resource; that one is between client and issuer"));
    else if (gh_node_get(node, "scopes_supported") != NULL &&
             !gh_strs_has(from->policy.scopes_supported, scope))
        gh_tell_warning(build->teller, node, "scopes_supported",
                        gh_tell_text(build->teller, "no %.*s, which `%s` needs", GH_STR_FMT(scope), key),
                        GH_STR("all scopes that clients may need: else nobody can get it"));
}

/* Where the settings do not say which scopes are published: those of the route and of its rules. */
struct published {
    gh_str *at;
    size_t count;
};

static void publish(struct published *published, struct gh_strs scopes)
{
    for (size_t i = 0; i < scopes.count; i++) {
        struct gh_strs so_far = { published->at, published->count };
        if (!gh_strs_has(so_far, scopes.at[i]))
            published->at[published->count++] = scopes.at[i];
    }
}

void gh_build_calls(struct gh_build *build, const struct gh_settings_route *from, struct gh_route *route)
{
    struct gh_policy *policy = &route->policy;
    const struct {
        const char *key;
        const struct gh_claim_rules *rules;
        enum gh_rpc_names names;
    } kinds[] = {
        { "tools", &from->tools, GH_RPC_NAMES_TOOL },
        { "prompts", &from->prompts, GH_RPC_NAMES_PROMPT },
        { "resources", &from->resources, GH_RPC_NAMES_RESOURCE },
    };
    size_t most = policy->scopes.count + count_scopes(&from->tools) + count_scopes(&from->prompts) +
                  count_scopes(&from->resources);
    struct published published = { .at = gh_build_alloc(build, most, sizeof(gh_str)) };
    if (published.at == NULL)
        return;
    publish(&published, policy->scopes);
    for (size_t i = 0; i < GH_ARRAY_LEN(kinds); i++) {
        if (gh_node_get(from->at.node, kinds[i].key) == NULL)
            continue;
        policy->reads_calls = route->body_whole = true;
        build_rules(build, kinds[i].rules, &policy->calls[kinds[i].names]);
        size_t before = published.count;
        for (size_t j = 0; j < kinds[i].rules->count; j++)
            publish(&published, kinds[i].rules->at[j].values);
        for (size_t j = before; j < published.count; j++)
            check_scope(build, from, kinds[i].key, published.at[j]);
    }
    if (policy->scopes_supported.count == 0)
        policy->scopes_supported = (struct gh_strs){ published.at, published.count };
}
