/* core/test_call.c: rules for calls: patterns against a plain reading of them, numbers, plain URIs, and lists
 * that show what can be called, over random policies. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/str.h"
#include "gatehouse/policy.h"
#include "support/cm.h"

/* ---- patterns ---- */

/* As the definition says it, without a thought for time. */
static bool matches(const char *p, const char *t, bool are_paths)
{
    if (*p == '\0')
        return *t == '\0';
    if (*p != '*')
        return *p == *t && matches(p + 1, t + 1, are_paths);
    bool is_double = p[1] == '*', stops = are_paths && !is_double;
    const char *rest = p + (is_double ? 2 : 1);
    for (;; t++) {
        if (matches(rest, t, are_paths))
            return true;
        if (*t == '\0' || (stops && *t == '/'))
            return false;
    }
}

static void fill(char *at, size_t most, const char *letters, unsigned *seed)
{
    size_t len = (size_t)rand_r(seed) % most;
    for (size_t i = 0; i < len; i++)
        at[i] = letters[(size_t)rand_r(seed) % strlen(letters)];
    at[len] = '\0';
}

static void test_patterns(void **state)
{
    unsigned seed = 20261127, matched = 0;
    print_message("# seed %u\n", seed);
    for (unsigned i = 0; i < 300000; i++) {
        char pattern[13], text[20];
        fill(pattern, sizeof(pattern), "ab/***", &seed);
        fill(text, sizeof(text), "aab/", &seed);
        bool is_all = strcmp(pattern, "*") == 0, are_paths = i % 2 == 0;
        bool found = are_paths ? gh_glob_paths(gh_str_from(pattern), gh_str_from(text))
                               : gh_glob(gh_str_from(pattern), gh_str_from(text));
        if (found != (is_all || matches(pattern, text, are_paths)))
            fail_msg("%s against %s, paths %d: %d", pattern, text, are_paths, found);
        matched += found;
    }
    assert_true(matched > 10000);
    (void)state;
}

/* ---- numbers ---- */

static bool reads(const char *text, double expected)
{
    double number;
    return gh_number_read(gh_str_from(text), &number) && number <= expected && number >= expected;
}

static void test_numbers(void **state)
{
    static const char *const refused[] = { "",
                                           "-",
                                           "01",
                                           "1.",
                                           ".5",
                                           "1e",
                                           "1e+",
                                           "0x10",
                                           "+1",
                                           "inf",
                                           "nan",
                                           "1 ",
                                           "1,5",
                                           "1e999",
                                           "1e-400",
                                           "1234567890123456",
                                           "0.1234567890123456",
                                           "100000000000000.01" };
    double number;
    (void)state;
    assert_true(reads("0", 0) && reads("-0", 0) && reads("100", 100) && reads("1e2", 100));
    assert_true(reads("1.50", 1.5) && reads("-2.5E-1", -0.25) && reads("123456789012345", 123456789012345.0));
    assert_true(reads("1000000000000000000", 1e18) && reads("0.000000000000001", 1e-15) && reads("0e9", 0));
    for (size_t i = 0; i < GH_ARRAY_LEN(refused); i++)
        if (gh_number_read(gh_str_from(refused[i]), &number))
            fail_msg("%s was read as a number", refused[i]);
}

/* ---- URIs ---- */

/* clang-format off */
static const char *const plain_uris[] = { "file:///a/b", "file:///", "file:///C:/a", "https://h.example/",
    "https://h.example/a%20b?c=%C3%A9", "https://h.example/a/", "http://h.example:8080/", "http://10.0.0.1/",
    "http://a1.0x.example/", "users://Jo/prof", "users://Jo", "notes://a/", "urn:x:y", "git+ssh://h/r.git",
    "a:..b/c...", "x:///a", "x://h:81/a", "x:a", "x:a?b/../c", "x:a+b", "x:a?b?c", "x://a/%7B%22%5B", "https://h_1.example/%23%3F" };
static const char *const odd_uris[] = { "", "a", "/a", "FILE:///a", "Users://a", "1a:b", "file:///a/../b",
    "file:///a/./b", "file:///..", "file:///a//b", "file:////a", "file:///a/", "file://h/a", "file:/a",
    "file:a", "file:///a?b", "file:///a%2fb", "file:///a%2Fb", "file:///%41", "file:///%2e%2e/b",
    "file:///a%5Cb", "file:///a\\b", "file:///a%", "file:///a%4", "file:///a%zz", "file:///a%c3%a9",
    "file:///a%00", "file:///a\n", "file:///a b", "file:///\xc3\xa9", "file:///a%252e", "file:///a[1]",
    "file:///%28", "file:///a%26b", "x://a?b%3Fc", "x://a?b+c", "x:/a", "x:", "x://", "x:?a", "x:a?", "x://a?", "x://:81/a", "x://a:/", "x://a:081/", "x://a:b/", "x://a:99999/", "x://@a/", "x://u:p@a/", "x://:@a/", "x://u@/a", "x://u@v@a/", "git+ssh://g@h/r.git", "x://a?'", "http://h.example:99999/", "x://a#b", "x://a/..", "x://..", "x://./a", "x://a//b", "x:////a",
    "x:a/./b", "x:a{b}", "https://h.example", "https://h.example?a", "https://H.example/", "https:/h.example/",
    "https:h.example/", "https:///a", "https://u@h.example/", "https://u:p@h.example/", "https://h.example:443/",
    "http://h.example:80/", "ws://h.example:80/", "wss://h.example:443/", "ftp://h.example:21/",
    "http://h.example:0080/", "http://h.example:0/", "http://h.example:8x/", "https://h.example:/a",
    "https://h.example./a", "https://.h.example/a", "https://%68.example/", "https://h%2eexample/",
    "http://10.0.0.01/", "http://10.0.1/", "http://167772161/", "http://0x0a000001/", "http://10.0.0.0x1/",
    "http://10.0.0.256/", "http://1.10.0.0.1/", "http://[::1]/", "http://\xef\xbd\x88.example/" };
/* clang-format on */

static void test_plain_uris(void **state)
{
    (void)state;
    for (size_t i = 0; i < GH_ARRAY_LEN(plain_uris); i++)
        if (!gh_uri_is_plain(gh_str_from(plain_uris[i])))
            fail_msg("%s is plain", plain_uris[i]);
    for (size_t i = 0; i < GH_ARRAY_LEN(odd_uris); i++)
        if (gh_uri_is_plain(gh_str_from(odd_uris[i])))
            fail_msg("%s is not plain", odd_uris[i]);
}

/* What rules compare of arguments: paths and URIs of which no other text names the same. */
/* clang-format off */
static const char *const plain_paths[] = { "", "a", "/", "/a/b", "a/b/", "C:a", "note: this",
    "a.b/..c", "x y", "file:///a", "https://h.example/a", "https://h.example", "https://h.example/a/#b c",
    "/a#b", "\xc3\xa9/b" };
static const char *const odd_paths[] = { "..", "a/../b", "/./a", "a//b", "//a", "a/b//", "a\\b",
    "a\tb", "\x7f", "http:/h.example/", "http:h.example", " HTTP:h.example", "file:/a", "see x://A b",
    "https://H.example/", "https://h.example?a", "file:///a/#", " a", "/a " };
/* clang-format on */

static void test_plain_paths(void **state)
{
    gh_str path;
    (void)state;
    for (size_t i = 0; i < GH_ARRAY_LEN(plain_paths); i++)
        if (!gh_path_is_plain(gh_str_from(plain_paths[i]), &path))
            fail_msg("%s is plain", plain_paths[i]);
    for (size_t i = 0; i < GH_ARRAY_LEN(odd_paths); i++)
        if (gh_path_is_plain(gh_str_from(odd_paths[i]), &path))
            fail_msg("%s is not plain", odd_paths[i]);
}

/* ---- lists show what can be called ---- */

#define RULES  6
#define TOOLS  5
#define ROUNDS 40000

static const gh_str tool_names[TOOLS] = { GH_STR_INIT("get"), GH_STR_INIT("get_all"), GH_STR_INIT("put"),
                                          GH_STR_INIT("put/x"), GH_STR_INIT("drop") };
static const gh_str patterns[] = { GH_STR_INIT("get"),   GH_STR_INIT("get_all"), GH_STR_INIT("put"),
                                   GH_STR_INIT("put/x"), GH_STR_INIT("drop"),    GH_STR_INIT("get*"),
                                   GH_STR_INIT("*t*"),   GH_STR_INIT("put*"),    GH_STR_INIT("*") };
static const gh_str scopes[] = { GH_STR_INIT("a"), GH_STR_INIT("b"), GH_STR_INIT("c") };
static const gh_str groups[] = { GH_STR_INIT("g"), GH_STR_INIT("h") };
/* All that an argument can be to a rule about it: absent, of another sort, and some of its own. */
static const struct gh_rpc_value arguments[] = { { GH_RPC_ABSENT, GH_STR_INIT("") },
                                                 { GH_RPC_ARRAY, GH_STR_INIT("") },
                                                 { GH_RPC_NUMBER, GH_STR_INIT("1") },
                                                 { GH_RPC_NUMBER, GH_STR_INIT("5") },
                                                 { GH_RPC_NUMBER, GH_STR_INIT("9") } };

struct world {
    struct gh_call_rule rules[RULES];
    struct gh_call_target targets[RULES];
    struct gh_claim_tests claims[RULES];
    struct gh_argument_test tests[RULES];
    struct gh_policy policy;
    struct gh_principal principal;
    bool reads_arguments;
};

/* Some of them, from the first on. */
static struct gh_strs some(const gh_str *at, size_t count, unsigned *seed)
{
    size_t first = (size_t)rand_r(seed) % count;
    return (struct gh_strs){ at + first, (size_t)rand_r(seed) % (count - first + 1) };
}

/* At most one rule of a world reads arguments: lists take each rule by itself. */
static void make(struct world *world, unsigned *seed)
{
    size_t count = 1 + (size_t)rand_r(seed) % RULES;
    int reader = rand_r(seed) % 3 == 0 ? rand_r(seed) % (int)count : -1;
    memset(world, 0, sizeof(*world));
    for (size_t i = 0; i < count; i++) {
        struct gh_call_rule *rule = &world->rules[i];
        world->claims[i].groups = some(groups, GH_ARRAY_LEN(groups), seed);
        rule->denies = rand_r(seed) % 3 == 0;
        rule->claims = rand_r(seed) % 2 == 0 ? &world->claims[i] : NULL;
        if (!rule->denies)
            rule->scopes = some(scopes, GH_ARRAY_LEN(scopes), seed);
        if ((int)i == reader) {
            world->tests[i] =
                (struct gh_argument_test){ .has_min = true, .min = 3, .has_max = true, .max = 7 };
            rule->arguments = &world->tests[i];
            rule->argument_count = 1;
        }
        world->targets[i] =
            (struct gh_call_target){ .name = patterns[(size_t)rand_r(seed) % GH_ARRAY_LEN(patterns)],
                                     .rule = rule,
                                     .order = (unsigned)i };
    }
    world->reads_arguments = reader >= 0;
    gh_call_rules_sort(world->targets, count, false, &world->policy.calls[GH_RPC_NAMES_TOOL]);
    world->principal.scopes = some(scopes, GH_ARRAY_LEN(scopes), seed);
    world->principal.groups = some(groups, GH_ARRAY_LEN(groups), seed);
    world->principal.groups_unknown = rand_r(seed) % 4 == 0;
}

/* The first rule about the name, found by trying each. */
static const struct gh_call_rule *first_about(const struct world *world, gh_str name)
{
    const struct gh_call_rules *rules = &world->policy.calls[GH_RPC_NAMES_TOOL];
    const struct gh_call_target *best = NULL;
    for (size_t i = 0; i < rules->exact_count + rules->pattern_count; i++) {
        const struct gh_call_target *target = &rules->exact[i]; /* the patterns stand behind */
        if (gh_glob(target->name, name) && (best == NULL || target->order < best->order))
            best = target;
    }
    return best != NULL ? best->rule : NULL;
}

/* The best that any arguments come to. */
static enum gh_reason best_of_calls(const struct world *world, gh_str name)
{
    enum gh_reason best = GH_RPC_DENIED;
    for (size_t i = 0; i < GH_ARRAY_LEN(arguments); i++) {
        const struct gh_rpc_message message = {
            .method = GH_STR("tools/call"), .names = GH_RPC_NAMES_TOOL, .name = name, .values = &arguments[i]
        };
        struct gh_call_verdict verdict;
        enum gh_reason reason = gh_policy_call(&world->policy, &world->principal, 0, &message, &verdict);
        if (reason == GH_OK || (reason == GH_SCOPE_MISSING && best != GH_OK))
            best = reason;
    }
    return best;
}

static void told(void *ctx, const struct gh_call_rule *rule, enum gh_truth claims, enum gh_truth of_arguments)
{
    const struct gh_call_rule **first = ctx;
    *first = *first == NULL ? rule : *first;
}

static void test_the_search_finds_the_first(void **state)
{
    unsigned seed = 27112026, found = 0;
    print_message("# seed %u\n", seed);
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct world world;
        make(&world, &seed);
        for (size_t i = 0; i < TOOLS; i++) {
            const struct gh_rpc_message message = { .method = GH_STR("tools/call"),
                                                    .names = GH_RPC_NAMES_TOOL,
                                                    .name = tool_names[i] };
            const struct gh_call_rule *first = NULL;
            gh_policy_call_tell(&world.policy, &world.principal, 0, &message, told, &first);
            assert_ptr_equal(first, first_about(&world, tool_names[i]));
            found += first != NULL;
        }
    }
    assert_true(found > 10000);
    (void)state;
}

static void test_listed_is_callable(void **state)
{
    unsigned seed = 20261127;
    unsigned seen[3] = { 0 }, with_arguments = 0;
    print_message("# seed %u\n", seed);
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct world world;
        make(&world, &seed);
        for (size_t i = 0; i < TOOLS; i++) {
            enum gh_reason called = best_of_calls(&world, tool_names[i]);
            enum gh_reason listed =
                gh_policy_listed(&world.policy, &world.principal, 0, GH_RPC_NAMES_TOOL, tool_names[i], false);
            if (called != listed)
                fail_msg("round %u, %s: listed %s, called %s", round, tool_names[i].ptr,
                         gh_reason_row(listed)->slug, gh_reason_row(called)->slug);
            seen[called == GH_OK ? 0 : called == GH_SCOPE_MISSING ? 1 : 2]++;
            with_arguments += world.reads_arguments;
        }
    }
    assert_true(seen[0] > 1000 && seen[1] > 1000 && seen[2] > 1000 && with_arguments > 10000);
    (void)state;
}

/* A name that is too long to be compared is denied, though "*" allows all and what denies cannot match it. */
static void test_long_names(void **state)
{
    static char text[GH_CALL_NAME_MAX + 2];
    static const struct gh_call_rule no = { .name = GH_STR_INIT("no"), .denies = true },
                                     all = { .name = GH_STR_INIT("all") };
    struct gh_call_target targets[3][2];
    struct gh_policy policy = { .reads_calls = true };
    const enum gh_rpc_names kinds[] = { GH_RPC_NAMES_METHOD, GH_RPC_NAMES_TOOL, GH_RPC_NAMES_RESOURCE };
    const struct gh_principal principal = { .subject = GH_STR("s") };
    for (size_t i = 0; i < GH_ARRAY_LEN(kinds); i++) {
        targets[i][0] = (struct gh_call_target){ .name = GH_STR("a:*"), .rule = &no };
        targets[i][1] = (struct gh_call_target){ .name = GH_STR("*"), .rule = &all, .order = 1 };
        gh_call_rules_sort(targets[i], 2, kinds[i] == GH_RPC_NAMES_RESOURCE, &policy.calls[kinds[i]]);
    }
    memset(text, 'a', sizeof(text) - 1);
    text[1] = ':';
    for (size_t len = GH_CALL_NAME_MAX; len <= GH_CALL_NAME_MAX + 1; len++) {
        gh_str name = gh_str_of(text, len);
        const struct gh_rpc_message messages[] = {
            { .method = name, .names = GH_RPC_NAMES_UNKNOWN },
            { .method = GH_STR("tools/call"), .names = GH_RPC_NAMES_TOOL, .name = name },
            { .method = GH_STR("resources/read"), .names = GH_RPC_NAMES_RESOURCE, .name = name },
        };
        for (size_t i = 0; i < GH_ARRAY_LEN(messages); i++) {
            struct gh_call_verdict verdict;
            assert_int_equal(gh_policy_call(&policy, &principal, 0, &messages[i], &verdict), GH_RPC_DENIED);
        }
    }
    (void)state;
}

/* ---- arguments where they stand ---- */

static void test_values(void **state)
{
    static const struct gh_rpc_limits limits = { .depth = 8, .members = 100, .string = 1000 };
    static const uint64_t random[2] = { 1, 2 };
    static const gh_str pointers[] = { GH_STR_INIT("/a"), GH_STR_INIT("/b/1/c~1d"), GH_STR_INIT("/b/1/e"),
                                       GH_STR_INIT("/f"), GH_STR_INIT("/b") };
    struct gh_arena *arena = gh_arena_new(0);
    struct gh_rpc_scanner *scanner = gh_rpc_scanner_new(&limits, random);
    const struct gh_rpc_paths *paths;
    struct gh_rpc_message found;
    assert_int_equal(gh_rpc_paths_read(arena, (struct gh_strs){ pointers, 5 }, &paths), GH_OK);
    gh_str text = GH_STR("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"x\","
                         "\"arguments\":{\"a\":\"x\\u0079\",\"b\":[{},{\"e\":-1.5,\"c/d\":null}]}}}");
    assert_int_equal(gh_rpc_scan(scanner, paths, text, &found), GH_OK);
    assert_int_equal(found.values[0].what, GH_RPC_STRING);
    assert_true(gh_str_eq(found.values[0].text, GH_STR("xy")));
    assert_int_equal(found.values[1].what, GH_RPC_NULL);
    assert_true(gh_str_eq(found.values[2].text, GH_STR("-1.5")));
    assert_int_equal(found.values[3].what, GH_RPC_ABSENT);
    assert_int_equal(found.values[4].what, GH_RPC_ARRAY);
    assert_true(gh_str_eq(found.arguments, gh_str_of(strstr(text.ptr, "{\"a\""), found.arguments.len)));
    /* Of the next message nothing is left. */
    text = GH_STR("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"x\"}}");
    assert_int_equal(gh_rpc_scan(scanner, paths, text, &found), GH_OK);
    assert_int_equal(found.values[0].what, GH_RPC_ABSENT);
    assert_null(found.arguments.ptr);
    gh_rpc_scanner_free(scanner);
    gh_arena_free(arena);
    (void)state;
}

static enum gh_reason read_pointer(struct gh_arena *arena, const char *pointer)
{
    const struct gh_rpc_paths *paths;
    gh_str text = gh_str_from(pointer);
    return gh_rpc_paths_read(arena, (struct gh_strs){ &text, 1 }, &paths);
}

static void test_pointers(void **state)
{
    struct gh_arena *arena = gh_arena_new(0);
    static const gh_str twins[] = { GH_STR_INIT("/a/Kind"), GH_STR_INIT("/a/kind") };
    const struct gh_rpc_paths *paths;
    assert_int_equal(read_pointer(arena, "/a/0/~0~1"), GH_OK);
    assert_int_equal(read_pointer(arena, "/"), GH_OK);
    assert_int_equal(read_pointer(arena, ""), GH_RPC_MESSAGE);
    assert_int_equal(read_pointer(arena, "a"), GH_RPC_MESSAGE);
    assert_int_equal(read_pointer(arena, "/a~2"), GH_RPC_MESSAGE);
    assert_int_equal(read_pointer(arena, "/a~"), GH_RPC_MESSAGE);
    assert_int_equal(read_pointer(arena, "/\xc3\xa9"), GH_RPC_MESSAGE);
    assert_int_equal(gh_rpc_paths_read(arena, (struct gh_strs){ twins, 2 }, &paths), GH_RPC_DUPLICATE);
    gh_arena_free(arena);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_patterns),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_plain_uris),
        cmocka_unit_test(test_plain_paths),
        cmocka_unit_test(test_the_search_finds_the_first),
        cmocka_unit_test(test_listed_is_callable),
        cmocka_unit_test(test_long_names),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_pointers),
    };
    return cmocka_run_group_tests_name("call", tests, NULL, NULL);
}
