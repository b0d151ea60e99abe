/* The strict reader of tokens and control documents: limits, and what a lenient reader would take. */
#include <string.h>

#include "support/cm.h"

#include "base/arena.h"
#include "core/json/fold.h"
#include "core/json/json.h"

static enum gh_reason read_text(gh_str text, const struct gh_json_limits *limits)
{
    struct gh_arena *arena = gh_arena_new(0);
    struct gh_json json;
    enum gh_reason reason = gh_json_read(arena, text, limits, GH_METADATA_MALFORMED, &json);
    gh_arena_free(arena);
    return reason;
}

static void strange_documents_are_refused(void **state)
{
    static const gh_str texts[] = {
        GH_STR_INIT(""),
        GH_STR_INIT(" "),
        GH_STR_INIT("[]"),
        GH_STR_INIT("null"),
        GH_STR_INIT("\"a\""),
        GH_STR_INIT("{}{}"),
        GH_STR_INIT("{} x"),
        GH_STR_INIT("{\"a\":1,}"),
        GH_STR_INIT("{a:1}"),
        GH_STR_INIT("{'a':1}"),
        GH_STR_INIT("{\"a\":01}"),
        GH_STR_INIT("{\"a\":+1}"),
        GH_STR_INIT("{\"a\":.5}"),
        GH_STR_INIT("{\"a\":NaN}"),
        GH_STR_INIT("{\"a\":1e999}"),
        GH_STR_INIT("/**/{}"),
        GH_STR_INIT("\xef\xbb\xbf{}"),
        GH_STR_INIT("{\"a\":1,\"a\":1}"),
        GH_STR_INIT("{\"a\":1,\"\\u0061\":1}"),
        GH_STR_INIT("{\"a\":{\"b\":1,\"b\":2}}"),
        GH_STR_INIT("{\"a\":\"\\u0000\"}"),
        GH_STR_INIT("{\"a\\u0000\":1}"),
        GH_STR_INIT("{\"a\":\"\0\"}"),
        GH_STR_INIT("{}\0"),
        GH_STR_INIT("{\"a\":\"\xff\"}"),
        GH_STR_INIT("{\"a\":\"\xc0\xaf\"}"),
        GH_STR_INIT("{\"a\":\"\xed\xa0\x80\"}"),
        GH_STR_INIT("{\"a\":\"\\ud800\"}"),
        GH_STR_INIT("{\"a\":\"\\udc00\\ud800\"}"),
        GH_STR_INIT("{\"a\":\"\n\"}"),
        GH_STR_INIT("{\"a\":\"\\x\"}"),

        GH_STR_INIT("}"),
        GH_STR_INIT("{\"a\":\"\\"),
    };
    (void)state;
    for (size_t i = 0; i < GH_ARRAY_LEN(texts); i++)
        assert_int_equal(read_text(texts[i], &gh_json_control_limits), GH_METADATA_MALFORMED);
    assert_int_equal(read_text(GH_STR(" {\"a\":[1,-0.5e3,\"\\ud83d\\ude00\",{\"a\":null}],\"A\":true}\n"),
                               &gh_json_control_limits),
                     GH_OK);
}

static gh_str nested(struct gh_arena *arena, size_t depth)
{
    char *text = gh_arena_alloc(arena, 2 * depth + 6);
    memcpy(text, "{\"a\":", 5);
    memset(text + 5, '[', depth - 1);
    memset(text + 4 + depth, ']', depth - 1);
    text[3 + 2 * depth] = '}';
    return gh_str_of(text, 4 + 2 * depth);
}

static void nesting_is_limited(void **state)
{
    struct gh_arena *arena = gh_arena_new(0);
    (void)state;
    assert_int_equal(read_text(nested(arena, 64), &gh_json_token_limits), GH_OK);
    assert_int_equal(read_text(nested(arena, 65), &gh_json_token_limits), GH_METADATA_MALFORMED);
    assert_int_equal(read_text(nested(arena, 10000), &gh_json_token_limits), GH_METADATA_MALFORMED);
    gh_arena_free(arena);
}

/* {"a":[0,0,...]} with that many values in all. */
static gh_str wide(struct gh_arena *arena, size_t values)
{
    char *text = gh_arena_alloc(arena, 2 * values + 8);
    size_t len = 0, zeros = values - 2;
    memcpy(text, "{\"a\":[", 6);
    for (len = 6; zeros != 0; zeros--) {
        text[len++] = '0';
        text[len++] = ',';
    }
    memcpy(text + len - 1, "]}", 2);
    return gh_str_of(text, len + 1);
}

static void values_are_counted(void **state)
{
    struct gh_arena *arena = gh_arena_new(0);
    (void)state;
    assert_int_equal(read_text(wide(arena, 4000), &gh_json_token_limits), GH_OK);
    assert_int_equal(read_text(wide(arena, 4002), &gh_json_token_limits), GH_METADATA_MALFORMED);
    assert_int_equal(read_text(wide(arena, 10000), &gh_json_control_limits), GH_OK);
    assert_int_equal(read_text(wide(arena, 10002), &gh_json_control_limits), GH_METADATA_MALFORMED);
    gh_arena_free(arena);
}

static void bytes_are_counted(void **state)
{
    struct gh_arena *arena = gh_arena_new(0);
    size_t most = gh_json_control_limits.bytes;
    char *text = gh_arena_alloc(arena, most + 1);
    (void)state;
    memset(text, ' ', most + 1);
    memcpy(text, "{}", 2);
    assert_int_equal(read_text(gh_str_of(text, most), &gh_json_control_limits), GH_OK);
    assert_int_equal(read_text(gh_str_of(text, most + 1), &gh_json_control_limits), GH_METADATA_MALFORMED);
    gh_arena_free(arena);
}

static void names_fold_as_readers_fold_them(void **state)
{
    (void)state;
    assert_true(gh_fold_eq(GH_STR("iss"), GH_STR("iss")));
    assert_true(gh_fold_eq(GH_STR("ISS"), GH_STR("iss")));
    assert_true(gh_fold_eq(GH_STR("i\xc5\xbf\xc5\xbf"), GH_STR("iss")));
    assert_true(gh_fold_eq(GH_STR("\xe2\x84\xaaid"), GH_STR("kid")));
    assert_true(gh_fold_eq(GH_STR("protocolversion"), GH_STR("protocolVersion")));
    assert_false(gh_fold_eq(GH_STR("is"), GH_STR("iss")));
    assert_false(gh_fold_eq(GH_STR("isss"), GH_STR("iss")));
    assert_false(gh_fold_eq(GH_STR("i\xc5"), GH_STR("is")));
    assert_false(gh_fold_eq(GH_STR("\xc4\xb1ss"), GH_STR("iss"))); /* dotless i folds to itself */
    assert_false(gh_fold_eq(GH_STR(""), GH_STR("iss")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strange_documents_are_refused),
        cmocka_unit_test(nesting_is_limited),
        cmocka_unit_test(values_are_counted),
        cmocka_unit_test(bytes_are_counted),
        cmocka_unit_test(names_fold_as_readers_fold_them),
    };
    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
