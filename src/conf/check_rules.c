/* conf/check_rules.c: `rules` of a route: each by itself, and whether others leave it anything to decide. */
#include "base/str.h"
#include "conf/build.h"

static void build_rule(struct gh_build *build, struct gh_settings_rule *from, struct gh_pointers *pointers,
                       struct gh_call_rule *rule);
static void build_arguments(struct gh_build *build, const struct gh_settings_rule *from,
                            struct gh_pointers *pointers, struct gh_call_rule *rule);
static void check_claims(struct gh_build *build, const struct gh_settings_rule *from);

struct gh_call_rule *gh_build_rules(struct gh_build *build, const struct gh_settings_route *from,
                                    struct gh_pointers *pointers)
{
    struct gh_call_rule *rules = gh_build_alloc(build, from->rules.count, sizeof(*rules));
    for (size_t i = 0; rules != NULL && i < from->rules.count; i++) {
        build_rule(build, gh_rule_at(from, i), pointers, &rules[i]);
        for (size_t j = 0; j < i; j++)
            if (gh_str_eq(rules[j].name, rules[i].name))
                gh_tell_wrong(build->teller, gh_rule_at(from, i)->at.node, "name",
                              GH_STR("a name no other rule of the route has"));
    }
    return rules;
}

static void build_rule(struct gh_build *build, struct gh_settings_rule *from, struct gh_pointers *pointers,
                       struct gh_call_rule *rule)
{
    const struct gh_node *node = from->at.node;
    bool has_claims = gh_node_get(node, "claims") != NULL;
    size_t about = from->tools.count + from->prompts.count + from->resources.count + from->methods.count;
    *rule = (struct gh_call_rule){ .name = from->name,
                                   .denies = from->effect == GH_EFFECT_DENY,
                                   .scopes = from->scopes,
                                   .claims = has_claims ? &from->claims : NULL };
    if (about == 0)
        gh_tell_error(build->teller, node, NULL, GH_STR("a rule about nothing"),
                      GH_STR("at least one of tools, prompts, resources and methods"));
    if (rule->denies && from->scopes.count > 0)
        gh_tell_error(build->teller, node, "scopes", GH_STR("scopes of a rule that denies"),
                      GH_STR("scopes where the effect is allow"));
    if (from->methods.count > 0 && from->arguments.count > 0)
        gh_tell_error(build->teller, node, "arguments", GH_STR("arguments of a method"),
                      GH_STR("arguments of tools and prompts; a rule of its own for the method"));
    if (from->resources.count > 0 && from->arguments.count > 0)
        gh_tell_error(build->teller, node, "arguments", GH_STR("arguments of a resource"),
                      GH_STR("arguments of tools and prompts; resources have none"));
    check_claims(build, from);
    build_arguments(build, from, pointers, rule);
}

static void check_claims(struct gh_build *build, const struct gh_settings_rule *from)
{
    const struct gh_node *node = gh_node_get(from->at.node, "claims");
    for (size_t i = 0; i < from->claims.issuers.count; i++) {
        bool is_known = false;
        for (size_t j = 0; j < build->settings->issuers.count; j++)
            is_known =
                is_known || gh_str_eq(gh_issuer_at(build->settings, j)->at.name, from->claims.issuers.at[i]);
        if (!is_known)
            gh_tell_error(build->teller, node, "issuers",
                          gh_tell_quoted(build->teller, from->claims.issuers.at[i]),
                          GH_STR("the names of issuers of these settings"));
    }
}

/* ---- arguments ---- */

size_t gh_build_pointer(struct gh_build *build, const struct gh_node *node, const char *key, gh_str pointer,
                        struct gh_pointers *pointers)
{
    const struct gh_rpc_paths *alone;
    for (size_t i = 0; i < pointers->count; i++)
        if (gh_str_eq(pointers->at[i], pointer))
            return i;
    enum gh_reason reason = gh_rpc_paths_read(build->site->arena, (struct gh_strs){ &pointer, 1 }, &alone);
    build->teller->out_of_memory |= reason == GH_OUT_OF_MEMORY;
    if (reason != GH_OK)
        gh_tell_error(
            build->teller, node, key, gh_tell_quoted(build->teller, pointer),
            GH_STR("a JSON pointer into the arguments, of ASCII, such as /amount or /to/0/account"));
    else if (pointers->count == GH_RPC_VALUES_MAX)
        gh_tell_error(build->teller, node, key, gh_tell_quoted(build->teller, pointer),
                      GH_STR("at most 32 different pointers on a route"));
    else
        pointers->at[pointers->count++] = pointer;
    return pointers->count > 0 ? pointers->count - 1 : 0;
}

void gh_build_paths(struct gh_build *build, const struct gh_settings_route *from,
                    const struct gh_pointers *pointers, struct gh_policy *policy)
{
    if (pointers->count == 0)
        return;
    enum gh_reason reason = gh_rpc_paths_read(
        build->site->arena, (struct gh_strs){ pointers->at, pointers->count }, &policy->paths);
    build->teller->out_of_memory |= reason == GH_OUT_OF_MEMORY;
    if (reason == GH_RPC_DUPLICATE)
        gh_tell_error(build->teller, from->at.node, "rules",
                      GH_STR("two arguments whose names differ by letter case alone"),
                      GH_STR("one of them: calls that have both are refused"));
}

static void check_argument(struct gh_build *build, const struct gh_settings_argument *from,
                           const struct gh_argument_test *test)
{
    const struct gh_node *node = from->at.node;
    if (test->one_of_count + test->patterns.count == 0 && !test->has_min && !test->has_max)
        gh_tell_error(build->teller, node, NULL, GH_STR("nothing"),
                      GH_STR("at least one of equals, pattern, min and max"));
    if (test->has_min && test->has_max && test->min > test->max)
        gh_tell_wrong(build->teller, node, "max", GH_STR("at least as much as min"));
    for (size_t i = 0; i < test->patterns.count; i++)
        if (gh_str_eq(test->patterns.at[i], GH_STR("*")) || gh_str_eq(test->patterns.at[i], GH_STR("**")))
            gh_tell_error(build->teller, node, "pattern", gh_tell_quoted(build->teller, test->patterns.at[i]),
                          GH_STR("a pattern that some text does not match"));
}

static void build_arguments(struct gh_build *build, const struct gh_settings_rule *from,
                            struct gh_pointers *pointers, struct gh_call_rule *rule)
{
    const struct gh_settings_argument *all = from->arguments.at;
    struct gh_argument_test *tests = gh_build_alloc(build, from->arguments.count, sizeof(*tests));
    for (size_t i = 0; tests != NULL && i < from->arguments.count; i++) {
        struct gh_argument_test *test = &tests[i];
        *test = (struct gh_argument_test){ .value = gh_build_pointer(build, all[i].at.node, NULL,
                                                                     all[i].at.name, pointers),
                                           .one_of = all[i].equals.at,
                                           .one_of_count = all[i].equals.count,
                                           .patterns = all[i].patterns,
                                           .has_min = all[i].min.what == GH_RPC_NUMBER,
                                           .has_max = all[i].max.what == GH_RPC_NUMBER };
        if (test->has_min)
            (void)!gh_number_read(all[i].min.text, &test->min);
        if (test->has_max)
            (void)!gh_number_read(all[i].max.text, &test->max);
        check_argument(build, &all[i], test);
    }
    rule->arguments = tests;
    rule->argument_count = from->arguments.count;
}

/* ---- what is never reached ---- */

/* Each is compared with all before it: of more the warnings are done without. */
#define REACH_MAX 10000u

static bool is_unconditional(const struct gh_call_rule *rule)
{
    return rule->claims == NULL && rule->argument_count == 0;
}

void gh_check_reach(struct gh_build *build, const struct gh_call_target *targets,
                    const struct gh_node *const *nodes, size_t count, const char *kind, bool are_paths)
{
    for (size_t i = 0; i < count && count <= REACH_MAX; i++) {
        for (size_t j = 0; j < i; j++) {
            const struct gh_call_target *before = &targets[j], *target = &targets[i];
            if (before->rule == target->rule || !is_unconditional(before->rule) ||
                !gh_call_target_covers(before, target->name, are_paths))
                continue;
            gh_tell_warning(build->teller, nodes[i], kind,
                            gh_tell_text(build->teller, "%s, about which rule %.*s decides before",
                                         gh_tell_quoted(build->teller, target->name).ptr,
                                         GH_STR_FMT(before->rule->name)),
                            GH_STR("a place before that rule, or none"));
            break;
        }
    }
}
