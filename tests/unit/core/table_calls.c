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
        struct gh_call_rule *at = gh_arena_calloc(arena, rules->count + 1, sizeof(*at));
        for (size_t j = 0; j < rules->count; j++)
            at[j] = rules->at[j];
        at[rules->count].name = gh_str_cut(&rule, '=');
        at[rules->count].scopes = scopes_of(arena, rule);
        gh_call_rules_sort(at, rules->count + 1);
        *rules = (struct gh_call_rules){ true, at, rules->count + 1 };
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
    struct gh_strs needed = { 0 };
    bool ok =
        gh_buf_printf(out, "%s", gh_reason_row(gh_policy_call(&policy, &principal, &message, &needed))->slug);
    for (size_t i = 0; ok && i < needed.count; i++)
        ok = gh_buf_printf(out, " %.*s", GH_STR_FMT(needed.at[i]));
}

int main(void)
{
    return gh_table_run("calls", answer);
}
