/* conf/table_authz.c: what the policies of tests/tables/authz allow, from the settings' text to the verdict.
 */
#include <stdlib.h>

#include "base/str.h"
#include "conf/conf.h"
#include "gatehouse/rpc.h"
#include "support/table.h"

#define NOW 1767225600

static struct gh_conf *load(struct gh_arena *arena, gh_str name)
{
    struct gh_conf_errors errors;
    struct gh_conf *conf = NULL;
    gh_str path = gh_arena_printf(arena, "%s/authz/%.*s.yaml", getenv("GH_TABLES"), GH_STR_FMT(name));
    if (gh_conf_errors_init(&errors) != GH_OK)
        return NULL;
    if (gh_conf_load(path, &conf, &errors) != GH_OK)
        gh_conf_errors_print(&errors, stderr);
    gh_conf_errors_done(&errors);
    return conf;
}

static struct gh_strs list_of(struct gh_arena *arena, gh_str text)
{
    gh_str *at = gh_arena_calloc(arena, text.len + 1, sizeof(*at));
    size_t count = 0;
    while (text.ptr != NULL && text.len > 0)
        at[count++] = gh_str_cut(&text, ',');
    return (struct gh_strs){ at, count };
}

/* "alice scopes=a,b groups=c signed-in=60": groups=? are unknown. */
static struct gh_principal principal_of(struct gh_arena *arena, gh_str text)
{
    struct gh_principal who = { .subject = gh_table_word(&text) };
    for (gh_str word = gh_table_word(&text); word.ptr != NULL; word = gh_table_word(&text)) {
        uint64_t ago;
        gh_str key = gh_str_cut(&word, '=');
        bool is_unknown = gh_str_eq(word, GH_STR("?"));
        struct gh_strs list = list_of(arena, is_unknown ? GH_STR("") : word);
        if (gh_str_eq(key, GH_STR("scopes")))
            who.scopes = list;
        else if (gh_str_eq(key, GH_STR("groups")))
            who.groups = list, who.groups_unknown = is_unknown;
        else if (gh_str_eq(key, GH_STR("roles")))
            who.roles = list, who.roles_unknown = is_unknown;
        else if (gh_str_eq(key, GH_STR("issuer")))
            who.issuer_name = word;
        else if (gh_str_eq(key, GH_STR("client")))
            who.client = word;
        else if (gh_str_eq(key, GH_STR("agent")))
            who.actors[who.actor_count++].sub = word;
        else if (gh_str_eq(key, GH_STR("acr")))
            who.acr = word;
        else if (gh_str_eq(key, GH_STR("signed-in")) && gh_str_to_u64(word, &ago))
            who.auth_time = NOW - (int64_t)ago;
        else
            abort();
    }
    return who;
}

/* A URI of a resource or of a template, or the name of a prompt (MCP "Completion"). */
static gh_str completion_of(struct gh_arena *arena, gh_str name)
{
    bool by_uri = gh_str_find(name, ':') < name.len;
    return gh_arena_printf(arena,
                           "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"completion/complete\",\"params\":{"
                           "\"ref\":{\"type\":\"ref/%s\",\"%s\":\"%.*s\"},"
                           "\"argument\":{\"name\":\"a\",\"value\":\"b\"}}}",
                           by_uri ? "resource" : "prompt", by_uri ? "uri" : "name", GH_STR_FMT(name));
}

/* "tools/call NAME ARGUMENTS" as a body. */
static gh_str body_of(struct gh_arena *arena, gh_str call)
{
    gh_str method = gh_table_word(&call);
    bool by_uri = gh_str_starts(method, GH_STR("resources/"));
    gh_str name = gh_table_word(&call), arguments = gh_str_trim(call);
    if (gh_str_eq(method, GH_STR("completion/complete")))
        return completion_of(arena, name);
    if (name.ptr == NULL)
        return gh_arena_printf(arena, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%.*s\"}",
                               GH_STR_FMT(method));
    return gh_arena_printf(arena,
                           "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%.*s\",\"params\":{\"%s\":\"%.*s\""
                           "%s%.*s}}",
                           GH_STR_FMT(method), by_uri ? "uri" : "name", GH_STR_FMT(name),
                           arguments.len > 0 ? ",\"arguments\":" : "", GH_STR_FMT(arguments));
}

static enum gh_reason ask(struct gh_arena *arena, const struct gh_policy *policy,
                          const struct gh_principal *who, gh_str call, struct gh_call_verdict *verdict)
{
    static const struct gh_rpc_limits limits = { .depth = 16, .members = 100, .string = 10000 };
    static const uint64_t seed[2] = { 1, 2 };
    struct gh_rpc_message message;
    *verdict = (struct gh_call_verdict){ 0 };
    struct gh_rpc_scanner *scanner = gh_rpc_scanner_new(&limits, seed);
    enum gh_reason reason = gh_rpc_scan(scanner, policy->paths, body_of(arena, call), &message);
    if (reason == GH_OK)
        reason = gh_policy_call(policy, who, NOW, &message, verdict);
    gh_rpc_scanner_free(scanner);
    return reason;
}

/* "tools NAME", "templates URI": is it in the list? */
static enum gh_reason ask_list(const struct gh_policy *policy, const struct gh_principal *who, gh_str call)
{
    gh_str kind = gh_table_word(&call), name = gh_table_word(&call);
    bool is_template = gh_str_eq(kind, GH_STR("templates"));
    enum gh_rpc_names names = gh_str_eq(kind, GH_STR("tools"))     ? GH_RPC_NAMES_TOOL
                              : gh_str_eq(kind, GH_STR("prompts")) ? GH_RPC_NAMES_PROMPT
                                                                   : GH_RPC_NAMES_RESOURCE;
    return gh_policy_listed(policy, who, NOW, names, name, is_template);
}

/* "payments | alice scopes=pay:small | tools/call transfer {...}" */
static void answer(struct gh_arena *arena, gh_str line, struct gh_buf *out)
{
    struct gh_conf *conf = load(arena, gh_str_trim(gh_str_cut(&line, '|')));
    if (conf == NULL)
        return;
    const struct gh_policy *policy = &conf->site->routes[0].policy;
    struct gh_principal who = principal_of(arena, gh_str_trim(gh_str_cut(&line, '|')));
    struct gh_call_verdict verdict = { 0 };
    gh_str call = gh_str_trim(line), rest = call;
    bool is_list = gh_str_eq(gh_table_word(&rest), GH_STR("list"));
    enum gh_reason reason = is_list ? ask_list(policy, &who, rest) : ask(arena, policy, &who, call, &verdict);
    const struct gh_call_rule *rule = verdict.name != NULL ? verdict.name : verdict.method;
    bool ok = gh_buf_printf(out, "%s", gh_reason_row(reason)->slug) &&
              (rule == NULL || gh_buf_printf(out, " by %.*s", GH_STR_FMT(rule->name)));
    for (size_t i = 0; ok && i < verdict.needed.count; i++)
        ok = gh_buf_printf(out, "%s%.*s", i == 0 ? ", needs " : " ", GH_STR_FMT(verdict.needed.at[i]));
    gh_conf_free(conf);
}

int main(void)
{
    return gh_table_run("authz", answer);
}
