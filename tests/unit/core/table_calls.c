/* core/table_calls.c: which calls a route's rules allow. */
#include "gatehouse/policy.h"
#include "lines.h"
#include "support/table.h"

static const char *const kinds[] = { "nothing", "tool", "prompt", "resource", "unknown" };

static enum gh_rpc_names kind_of(gh_str word)
{
    for (size_t i = 0; i < GH_ARRAY_LEN(kinds); i++)
        if (gh_str_eq(word, gh_str_from(kinds[i])))
            return (enum gh_rpc_names)i;
    return GH_RPC_NAMES_NOTHING;
}

static struct gh_strs scopes_of(struct gh_arena *arena, gh_str text)
{
    gh_str *at = gh_arena_calloc(arena, 8, sizeof(*at));
    size_t count = 0;
    while (text.len > 0 && count < 8)
        at[count++] = gh_str_cut(&text, '+');
    return (struct gh_strs){ at, count };
}

static void read_rules(struct gh_arena *arena, gh_str text, struct gh_policy *policy)
{
    struct gh_strs list = list_of(arena, text);
    for (size_t i = 0; i < list.count; i++) {
        gh_str rule = list.at[i];
        struct gh_call_rules *rules = &policy->calls[kind_of(gh_table_word(&rule))];
        size_t count = rules->exact_count + rules->pattern_count;
        struct gh_call_target *at = gh_arena_calloc(arena, count + 1, sizeof(*at));
        struct gh_call_rule *made = gh_arena_calloc(arena, 1, sizeof(*made));
        for (size_t j = 0; j < count; j++)
            at[j] = rules->exact[j]; /* the patterns stand behind */
        gh_str name = gh_str_cut(&rule, '=');
        made->denies = gh_str_eq(rule, GH_STR("no"));
        made->scopes = made->denies ? (struct gh_strs){ 0 } : scopes_of(arena, rule);
        at[count] = (struct gh_call_target){ .name = name, .rule = made, .order = (unsigned)i };
        gh_call_rules_sort(at, count + 1, rules == &policy->calls[GH_RPC_NAMES_RESOURCE], rules);
    }
}

static void answer(struct gh_arena *arena, gh_str line, struct gh_buf *out)
{
    struct gh_policy policy = { .scope_hierarchy = list_of(arena, GH_STR("mcp:admin>mcp:execute")) };
    read_rules(arena, gh_str_trim(gh_str_cut(&line, '|')), &policy);
    struct gh_principal principal = { .scopes = list_of(arena, gh_str_trim(gh_str_cut(&line, '|'))) };
    gh_str kind = gh_table_word(&line);
    struct gh_rpc_message message = { .names = kind_of(kind), .name = gh_table_word(&line) };
    if (gh_str_eq(kind, GH_STR("response")))
        message.kind = GH_RPC_RESPONSE;
    struct gh_call_verdict verdict;
    enum gh_reason reason = gh_policy_call(&policy, &principal, 0, &message, &verdict);
    bool ok = gh_buf_printf(out, "%s", gh_reason_row(reason)->slug);
    for (size_t i = 0; ok && i < verdict.needed.count; i++)
        ok = gh_buf_printf(out, " %.*s", GH_STR_FMT(verdict.needed.at[i]));
}

int main(void)
{
    return gh_table_run("calls", answer);
}
