/* conf/check_calls.c: rules for calls: what a route's tools, prompts, resources and methods need. */
#include <string.h>

#include "base/str.h"
#include "conf/build.h"

/* What can be called, and by which rules: `rules` first, then the route's own map. */
struct kind {
    const char *key;
    enum gh_rpc_names names;
    size_t map;   /* where in the route its map is; 0: it has none */
    size_t about; /* where in a rule its names are */
};
#define ROUTE(field) offsetof(struct gh_settings_route, field)
#define RULE(field)  offsetof(struct gh_settings_rule, field)
static const struct kind kinds[] = {
    { "tools", GH_RPC_NAMES_TOOL, ROUTE(tools), RULE(tools) },
    { "prompts", GH_RPC_NAMES_PROMPT, ROUTE(prompts), RULE(prompts) },
    { "resources", GH_RPC_NAMES_RESOURCE, ROUTE(resources), RULE(resources) },
    { "methods", GH_RPC_NAMES_METHOD, 0, RULE(methods) },
};

static const struct gh_claim_rules *map_of(const struct gh_settings_route *from, const struct kind *kind)
{
    static const struct gh_claim_rules none = { NULL, 0 };
    return kind->map != 0 ? (const struct gh_claim_rules *)((const char *)from + kind->map) : &none;
}

static const struct gh_strs *about(const struct gh_settings_rule *rule, const struct kind *kind)
{
    return (const struct gh_strs *)((const char *)rule + kind->about);
}

/* ---- targets, in the order in which they decide ---- */

struct targets {
    struct gh_call_target *at;
    const struct gh_node **nodes;
    size_t count;
};

static void add(struct targets *targets, gh_str name, const struct gh_call_rule *rule, unsigned order,
                const struct gh_node *node)
{
    targets->nodes[targets->count] = node;
    targets->at[targets->count++] = (struct gh_call_target){ .name = name, .rule = rule, .order = order };
}

static void add_rules(const struct gh_settings_route *from, const struct kind *kind,
                      const struct gh_call_rule *rules, struct targets *targets)
{
    for (size_t i = 0; i < from->rules.count; i++) {
        const struct gh_settings_rule *rule = gh_rule_at(from, i);
        for (size_t j = 0; j < about(rule, kind)->count; j++)
            add(targets, about(rule, kind)->at[j], &rules[i], (unsigned)i, rule->at.node);
    }
}

/* Names before "*", which stands for all others. */
static void add_map(struct gh_build *build, const struct gh_settings_route *from, const struct kind *kind,
                    struct targets *targets)
{
    const struct gh_claim_rules *map = map_of(from, kind);
    struct gh_call_rule *rules = gh_build_alloc(build, map->count, sizeof(*rules));
    unsigned order = (unsigned)from->rules.count;
    for (unsigned all = 0; rules != NULL && all < 2; all++) {
        for (size_t i = 0; i < map->count; i++) {
            gh_str name = map->at[i].claim;
            if (gh_str_eq(name, GH_STR("*")) != (all == 1))
                continue;
            if (all == 0 && gh_str_find(name, '*') < name.len)
                gh_tell_error(build->teller, from->at.node, kind->key, gh_tell_quoted(build->teller, name),
                              GH_STR("names, or \"*\" for all others; patterns stand in `rules`"));
            rules[i].name = gh_build_text(
                build, gh_arena_printf(build->site->arena, "%s.%.*s", kind->key, GH_STR_FMT(name)));
            rules[i].scopes = map->at[i].values;
            add(targets, name, &rules[i], order + all, from->at.node);
        }
    }
}

/* A pattern with something in place of its stars. */
static gh_str fill_stars(gh_str pattern, gh_str for_two, char *room)
{
    size_t len = 0;
    for (size_t i = 0; i < pattern.len; i++) {
        bool is_star = pattern.ptr[i] == '*',
             is_double = is_star && i + 1 < pattern.len && pattern.ptr[i + 1] == '*';
        gh_str text = is_double ? for_two : is_star ? GH_STR("x") : gh_str_of(&pattern.ptr[i], 1);
        memcpy(room + len, text.ptr, text.len);
        len += text.len;
        i += is_double;
    }
    return gh_str_of(room, len);
}

/* Does it stand for some URI in normal form, as far as one sees? */
static bool may_be_plain(struct gh_build *build, gh_str pattern)
{
    static const gh_str tried[] = { GH_STR_INIT("x"), GH_STR_INIT("/x"), GH_STR_INIT("x/x"),
                                    GH_STR_INIT("//x/x") };
    bool is_open = gh_str_find(pattern, '*') < gh_str_find(pattern, ':');
    char *room = gh_build_alloc(build, 3 * pattern.len, 1); /* at most five bytes for two */
    for (size_t i = 0; !is_open && room != NULL && i < GH_ARRAY_LEN(tried); i++)
        if (gh_uri_is_plain(fill_stars(pattern, tried[i], room)))
            return true;
    return is_open || room == NULL;
}

/* Where some are told from others, a URI that is not plain is denied: a rule about one would never decide. */
static void check_uris(struct gh_build *build, const struct targets *targets, const struct kind *kind)
{
    gh_str allowed = GH_STR("a URI in its one normal form, such as file:///a/b%20c or notes://today");
    for (size_t i = 0; i < targets->count; i++) {
        gh_str name = targets->at[i].name, told = gh_tell_quoted(build->teller, name);
        bool is_pattern = gh_str_find(name, '*') < name.len;
        if (!is_pattern && !gh_uri_is_plain(name))
            gh_tell_error(build->teller, targets->nodes[i], kind->key, told, allowed);
        if (is_pattern && !may_be_plain(build, name))
            gh_tell_warning(build->teller, targets->nodes[i], kind->key, told, allowed);
    }
}

static bool any_allows(const struct targets *targets)
{
    for (size_t i = 0; i < targets->count; i++)
        if (!targets->at[i].rule->denies)
            return true;
    return false;
}

static void build_kind(struct gh_build *build, const struct gh_settings_route *from, const struct kind *kind,
                       const struct gh_call_rule *rules, struct gh_route *route)
{
    size_t count = map_of(from, kind)->count;
    bool has_map = kind->map != 0 && gh_node_get(from->at.node, kind->key) != NULL;
    bool are_paths = kind->names == GH_RPC_NAMES_RESOURCE;
    for (size_t i = 0; i < from->rules.count; i++)
        count += about(gh_rule_at(from, i), kind)->count;
    if (count == 0 && !has_map)
        return;
    struct targets targets = { .at = gh_build_alloc(build, count, sizeof(*targets.at)),
                               .nodes = gh_build_alloc(build, count, sizeof(*targets.nodes)) };
    if (targets.at == NULL || targets.nodes == NULL)
        return;
    add_rules(from, kind, rules, &targets);
    add_map(build, from, kind, &targets);
    gh_check_reach(build, targets.at, targets.nodes, targets.count, kind->key, are_paths);
    if (are_paths)
        check_uris(build, &targets, kind);
    if (targets.count > 0 && kind->names != GH_RPC_NAMES_METHOD && !any_allows(&targets))
        gh_tell_warning(build->teller, from->at.node, kind->key, GH_STR("nothing but rules that deny"),
                        GH_STR("at least one that allows: what no rule allows is denied"));
    gh_call_rules_sort(targets.at, targets.count, are_paths, &route->policy.calls[kind->names]);
    route->policy.reads_calls = route->body_whole = true;
}

/* ---- scopes ---- */

/* Where the settings do not say which scopes are published: those of the route and of its rules. */
struct published {
    struct gh_build *build;
    const struct gh_settings_route *from;
    gh_str *at;
    size_t count;
};

static void check_scope(struct published *published, const char *key, gh_str scope)
{
    struct gh_teller *teller = published->build->teller;
    const struct gh_node *node = published->from->at.node;
    if (gh_str_eq(scope, GH_STR("offline_access")))
        gh_tell_error(teller, node, key, scope,
                      GH_STR("scopes of the resource; that one is between client and issuer"));
    else if (gh_node_get(node, "scopes_supported") != NULL &&
             !gh_strs_has(published->from->policy.scopes_supported, scope))
        gh_tell_warning(teller, node, "scopes_supported",
                        gh_tell_text(teller, "no %.*s, which `%s` needs", GH_STR_FMT(scope), key),
                        GH_STR("all scopes that clients may need: else nobody can get it"));
}

/* `key` NULL: the route's own, which are checked elsewhere. */
static void publish(struct published *published, const char *key, struct gh_strs scopes)
{
    for (size_t i = 0; i < scopes.count; i++) {
        struct gh_strs so_far = { published->at, published->count };
        if (gh_strs_has(so_far, scopes.at[i]))
            continue;
        published->at[published->count++] = scopes.at[i];
        if (key != NULL)
            check_scope(published, key, scopes.at[i]);
    }
}

static size_t count_scopes(const struct gh_settings_route *from, const struct gh_call_rule *rules)
{
    size_t count = from->policy.scopes.count;
    for (size_t i = 0; i < from->rules.count; i++)
        count += rules[i].scopes.count;
    for (size_t k = 0; k < GH_ARRAY_LEN(kinds); k++)
        for (size_t i = 0; i < map_of(from, &kinds[k])->count; i++)
            count += map_of(from, &kinds[k])->at[i].values.count;
    return count;
}

static void publish_all(struct gh_build *build, const struct gh_settings_route *from,
                        const struct gh_call_rule *rules, struct gh_policy *policy)
{
    struct published published = { .build = build, .from = from };
    published.at = gh_build_alloc(build, count_scopes(from, rules), sizeof(gh_str));
    if (published.at == NULL)
        return;
    publish(&published, NULL, policy->scopes);
    for (size_t k = 0; k < GH_ARRAY_LEN(kinds); k++)
        for (size_t i = 0; i < map_of(from, &kinds[k])->count; i++)
            publish(&published, kinds[k].key, map_of(from, &kinds[k])->at[i].values);
    for (size_t i = 0; i < from->rules.count; i++)
        publish(&published, "rules", rules[i].scopes);
    if (policy->scopes_supported.count == 0)
        policy->scopes_supported = (struct gh_strs){ published.at, published.count };
}

void gh_build_calls(struct gh_build *build, const struct gh_settings_route *from, struct gh_route *route)
{
    struct gh_policy *policy = &route->policy;
    struct gh_pointers pointers = { .count = 0 };
    const struct gh_call_rule *rules = gh_build_rules(build, from, &pointers);
    if (rules == NULL)
        return;
    gh_build_mirrors(build, from, &pointers, route);
    gh_build_paths(build, from, &pointers, policy);
    for (size_t i = 0; i < GH_ARRAY_LEN(kinds); i++)
        build_kind(build, from, &kinds[i], rules, route);
    publish_all(build, from, rules, policy);
    for (size_t i = 0; i < from->rate_limits.count; i++)
        if (((const struct gh_settings_rate *)from->rate_limits.at)[i].limit.tools.count > 0)
            policy->reads_calls = route->body_whole = true;
    policy->lists_grantable = from->lists == GH_LISTS_GRANTABLE;
    route->audit_arguments = from->audit_arguments;
    if (from->audit_arguments && !policy->reads_calls)
        gh_tell_wrong(build->teller, from->at.node, "audit_arguments",
                      GH_STR("false without rules for calls: bodies are not read"));
}
