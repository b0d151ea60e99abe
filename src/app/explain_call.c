/* app/explain_call.c: whether a token's call would pass, and what each rule about it came to. */
#include "app/explain_detail.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/str.h"
#include "gatehouse/rpc.h"

/* "tools/call NAME {...}" as a body; what begins with a brace is one already. */
static gh_str body_of(struct gh_arena *arena, gh_str call)
{
    if (gh_str_starts(call, GH_STR("{")))
        return call;
    gh_str rest = call;
    gh_str method = gh_explain_quoted(arena, gh_str_cut(&rest, ' '));
    rest = gh_str_trim(rest);
    gh_str name = gh_explain_quoted(arena, gh_str_cut(&rest, ' ')), arguments = gh_str_trim(rest);
    const char *member = gh_str_starts(method, GH_STR("resources/")) ? "uri" : "name";
    if (name.len == 0)
        return gh_arena_printf(arena, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%.*s\"}",
                               GH_STR_FMT(method));
    return gh_arena_printf(
        arena, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%.*s\",\"params\":{\"%s\":\"%.*s\"%s%.*s}}",
        GH_STR_FMT(method), member, GH_STR_FMT(name), arguments.len > 0 ? ",\"arguments\":" : "",
        GH_STR_FMT(arguments));
}

/* ---- the rules, one by one */

struct telling {
    struct gh_arena *arena;
    gh_str text;
};

static const char *truth_text(enum gh_truth truth)
{
    switch (truth) {
    case GH_FALSE:
        return "do not hold";
    case GH_UNKNOWN:
        return "unknown";
    case GH_TRUE:
        return "hold";
    }
    return "";
}

static void tell(void *ctx, const struct gh_call_rule *rule, enum gh_truth claims, enum gh_truth arguments)
{
    struct telling *telling = ctx;
    telling->text = gh_arena_printf(
        telling->arena, "%.*s%s{\"rule\":\"%.*s\",\"effect\":\"%s\",\"claims\":\"%s\",\"arguments\":\"%s\"}",
        GH_STR_FMT(telling->text), telling->text.len > 0 ? "," : "",
        GH_STR_FMT(gh_explain_quoted(telling->arena, rule->name)), rule->denies ? "deny" : "allow",
        truth_text(claims), claims == GH_FALSE ? "not looked at" : truth_text(arguments));
}

/* ---- the verdict */

static gh_str detail_of(const struct gh_story *story, enum gh_reason reason,
                        const struct gh_call_verdict *verdict)
{
    struct gh_arena *arena = story->arena;
    const struct gh_call_rule *rule = verdict->name != NULL ? verdict->name : verdict->method;
    struct gh_strs granted = story->principal.scopes;
    if (rule == NULL)
        return reason == GH_OK ? GH_STR("no rule is needed for it")
                               : GH_STR("no rule allows it, or its name is not in its one normal form");
    if (reason == GH_SCOPE_MISSING)
        return gh_arena_printf(arena, "rule %.*s needs %.*s; granted: %.*s", GH_STR_FMT(rule->name),
                               GH_STR_FMT(gh_arena_join(arena, verdict->needed, GH_STR(" "))),
                               GH_STR_FMT(gh_arena_join(arena, granted, GH_STR(" "))));
    return gh_arena_printf(arena, "rule %.*s %s it", GH_STR_FMT(rule->name),
                           reason == GH_OK ? "allows" : "denies");
}

enum gh_reason gh_explain_call(struct gh_story *story, gh_str call)
{
    const struct gh_policy *policy = &story->route->policy;
    struct gh_call_verdict verdict = { 0 };
    struct gh_rpc_message message;
    struct telling telling = { story->arena, GH_STR("") };
    uint64_t seed[2];
    gh_random_fill(seed, sizeof(seed));
    struct gh_rpc_scanner *scanner = gh_rpc_scanner_new(&story->with->site->limits.rpc, seed);
    if (scanner == NULL)
        return GH_OUT_OF_MEMORY;
    enum gh_reason reason = gh_rpc_scan(scanner, policy->paths, body_of(story->arena, call), &message);
    if (reason != GH_OK) {
        story->detail = GH_STR("no message that two readers read alike; see docs/reasons.md");
    } else {
        gh_policy_call_tell(policy, &story->principal, story->with->now, &message, tell, &telling);
        reason = gh_policy_call(policy, &story->principal, story->with->now, &message, &verdict);
        story->step = "call";
        story->detail = policy->reads_calls
                            ? detail_of(story, reason, &verdict)
                            : GH_STR("the route has no rules for calls: its bodies are not read");
        reason = policy->reads_calls ? reason : GH_OK;
    }
    story->called = gh_arena_printf(story->arena, ",\"rules\":[%.*s]", GH_STR_FMT(telling.text));
    gh_rpc_scanner_free(scanner);
    return reason;
}
