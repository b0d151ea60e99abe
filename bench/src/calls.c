/* bench/src/calls.c: what it costs to read a body and to decide its call, against the marks: a KiB of long
 * texts, a KiB of many members, and a decision among a thousand rules of names or of patterns; and to leave
 * items out of a list. Run by hand: [ROUNDS]. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/str.h"
#include "gatehouse/list.h"
#include "gatehouse/policy.h"

#define ROUNDS        15u /* at least so many count */
#define ROUND_MAX     1000u
#define SCANS         2000u /* a round */
#define DECISIONS     20000u
#define RULES         1000u
#define BODY          (size_t)(64 * 1024)
#define MARK_TEXT_US  1.0 /* a KiB */
#define MARK_DENSE_US 3.0
#define MARK_RULE_US  2.0

static double now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, unsigned count)
{
    qsort(values, count, sizeof(*values), compare);
    return values[count / 2];
}

static void check(bool ok, const char *what)
{
    if (ok)
        return;
    (void)fprintf(stderr, "bench-calls: %s\n", what);
    exit(2);
}

/* ---- bodies: a call of a tool, whose arguments are long texts, or many small members */

static void add(struct gh_buf *body, const char *text)
{
    check(gh_buf_add(body, gh_str_from(text)), "out of memory");
}

static struct gh_buf body_of(bool dense)
{
    struct gh_buf body = { 0 };
    add(&body, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/"
               "call\",\"params\":{\"name\":\"put\",\"arguments\":{\"rows\":[0");
    for (unsigned i = 0; gh_buf_len(&body) < BODY; i++) {
        bool ok =
            dense ? gh_buf_printf(&body, ",{\"a\":%u,\"bc\":true,\"def\":\"x\"}", i)
                  : gh_buf_printf(&body, ",\"%0900u the quick brown fox, caf\xc3\xa9 and \\\"more\\\"\"", i);
        check(ok, "out of memory");
    }
    add(&body, "]}}}");
    return body;
}

static double scan_us_per_kib(struct gh_rpc_scanner *scanner, const struct gh_buf *body)
{
    struct gh_rpc_message message;
    double began = now_us();
    for (unsigned i = 0; i < SCANS; i++)
        check(gh_rpc_scan(scanner, NULL, gh_buf_peek(body), &message) == GH_OK, "a body was refused");
    return (now_us() - began) / SCANS / ((double)gh_buf_len(body) / 1024);
}

/* ---- rules */

static char names[RULES][32];
static const gh_str granted[] = { GH_STR_INIT("mcp:read"), GH_STR_INIT("mcp:write"),
                                  GH_STR_INIT("mcp:execute") };

static double decide_us(const struct gh_policy *policy)
{
    const struct gh_principal principal = { .scopes = { granted, 3 } };
    struct gh_call_verdict verdict;
    double began = now_us();
    for (unsigned i = 0; i < DECISIONS; i++) {
        const struct gh_rpc_message message = { .names = GH_RPC_NAMES_TOOL,
                                                .name = gh_str_from(names[i * 7919u % RULES]) };
        check(gh_policy_call(policy, &principal, 0, &message, &verdict) == GH_OK, "a call was refused");
    }
    return (now_us() - began) / DECISIONS;
}

/* A pattern begins like all others, and is tried against each name: the last of a thousand decides. */
static struct gh_policy policy_of(bool patterns)
{
    static struct gh_call_rule all_rules[2][RULES];
    static struct gh_call_target all_targets[2][RULES];
    static char all_names[2][RULES][32];
    struct gh_call_rule *rules = all_rules[patterns];
    struct gh_call_target *targets = all_targets[patterns];
    for (unsigned i = 0; i < RULES; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "tool_number_%u", i * 31);
        (void)snprintf(all_names[patterns][i], sizeof(names[i]),
                       patterns ? "tool_number_%u*" : "tool_number_%u", i * 31);
        gh_str name = gh_str_from(all_names[patterns][i]);
        rules[i] = (struct gh_call_rule){ .name = name, .scopes = { granted + 1, 2 } };
        targets[i] = (struct gh_call_target){ .name = name, .rule = &rules[i], .order = i };
    }
    struct gh_policy policy = { .reads_calls = true };
    gh_call_rules_sort(targets, RULES, false, &policy.calls[GH_RPC_NAMES_TOOL]);
    return policy;
}

/* ---- lists */

static bool shows(void *ctx, enum gh_rpc_names names_kind, bool is_template, gh_str name)
{
    return (*(unsigned *)ctx)++ % 2 == 0;
}

static struct gh_buf list_of(void)
{
    struct gh_buf list = { 0 };
    add(&list, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"tools\":[");
    for (unsigned i = 0; gh_buf_len(&list) < BODY; i++)
        check(gh_buf_printf(
                  &list,
                  "%s{\"name\":\"tool_%u\",\"description\":\"Does what a tool does, and says so at some "
                  "length\",\"inputSchema\":{\"type\":\"object\",\"properties\":{\"a\":{\"type\":"
                  "\"string\"},\"b\":{\"type\":\"integer\"}},\"required\":[\"a\"]}}",
                  i == 0 ? "" : ",", i),
              "out of memory");
    add(&list, "]}}");
    return list;
}

static double filter_us_per_kib(const struct gh_buf *list)
{
    double began = now_us();
    for (unsigned i = 0; i < SCANS; i++) {
        struct gh_buf out = { 0 };
        unsigned count = 0;
        bool changed;
        check(gh_list_filter(gh_buf_peek(list), shows, &count, &out, &changed) == GH_OK && changed,
              "a list was refused");
        gh_buf_done(&out);
    }
    return (now_us() - began) / SCANS / ((double)gh_buf_len(list) / 1024);
}

static bool say(const char *what, double *values, unsigned rounds, double mark)
{
    double found = median(values, rounds);
    printf("%-44s %7.3f us  (%.3f to %.3f, mark %.1f)  %s\n", what, found, values[rounds / 4],
           values[rounds * 3 / 4], mark, found <= mark ? "held" : "MISSED");
    return found <= mark;
}

int main(int argc, char **argv)
{
    static const struct gh_rpc_limits limits = { .depth = 64, .members = 10000, .string = 1 << 20 };
    static const uint64_t seed[2] = { 20261126, 7 };
    static double text[ROUND_MAX], dense[ROUND_MAX], rule[ROUND_MAX], pattern[ROUND_MAX], list[ROUND_MAX];
    unsigned rounds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : ROUNDS;
    check(rounds >= ROUNDS && rounds <= ROUND_MAX, "15 to 1000 rounds");
    struct gh_rpc_scanner *scanner = gh_rpc_scanner_new(&limits, seed);
    struct gh_buf texts = body_of(false), members = body_of(true);
    struct gh_buf tools = list_of();
    const struct gh_policy policy = policy_of(false), patterns = policy_of(true);
    check(scanner != NULL, "out of memory");
    for (unsigned i = 0; i < rounds; i++) {
        text[i] = scan_us_per_kib(scanner, &texts);
        dense[i] = scan_us_per_kib(scanner, &members);
        rule[i] = decide_us(&policy);
        pattern[i] = decide_us(&patterns);
        list[i] = filter_us_per_kib(&tools);
    }
    bool held = say("a KiB of texts", text, rounds, MARK_TEXT_US);
    held = say("a KiB of members", dense, rounds, MARK_DENSE_US) && held;
    held = say("a decision among 1,000 rules", rule, rounds, MARK_RULE_US) && held;
    held = say("a decision among 1,000 patterns", pattern, rounds, MARK_RULE_US) && held;
    held = say("a KiB of a list, half of it left out", list, rounds, MARK_DENSE_US) && held;
    gh_buf_done(&tools);
    gh_buf_done(&texts);
    gh_buf_done(&members);
    gh_rpc_scanner_free(scanner);
    return held ? 0 : 1;
}
