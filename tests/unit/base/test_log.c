/* base/test_log.c: log lines are one line of JSON whatever the fields hold. */
#include "base/buf.h"
#include "base/log.h"
#include "support/cm.h"

static struct gh_buf lines;

static void collect(void *ctx, gh_str line)
{
    assert_true(gh_buf_add(ctx, line));
}

static int setup(void **state)
{
    gh_log_set_writer(collect, &lines);
    return 0;
}

static int teardown(void **state)
{
    gh_log_set_writer(NULL, NULL);
    gh_buf_done(&lines);
    return 0;
}

static void test_line(void **state)
{
    gh_log(GH_LOG_DEBUG, "hidden");
    assert_int_equal(gh_buf_len(&lines), 0);
    gh_log(GH_LOG_WARN, "a \"quoted\"\n", GH_FIELD("k", GH_STR("v\r\n")), GH_FIELD("n", GH_STR_NONE));
    gh_str line = gh_buf_peek(&lines);
    assert_true(gh_str_starts(line, GH_STR("{\"time\":\"2")));
    assert_true(gh_str_ends(line, GH_STR("Z\",\"level\":\"warn\",\"message\":\"a \\\"quoted\\\"\\n\","
                                         "\"k\":\"v\\r\\n\",\"n\":\"\"}\n")));
}

static void test_longest(void **state)
{
    char bytes[2000];
    memset(bytes, 1, sizeof(bytes));
    gh_str all = gh_str_of(bytes, sizeof(bytes));
    bytes[1999] = '\0';
    gh_log(GH_LOG_ERROR, bytes, GH_FIELD(bytes, all), GH_FIELD(bytes, all), GH_FIELD(bytes, all),
           GH_FIELD(bytes, all), GH_FIELD(bytes, all), GH_FIELD(bytes, all), GH_FIELD(bytes, all),
           GH_FIELD(bytes, all), GH_FIELD("ninth", all));
    gh_str line = gh_buf_peek(&lines);
    assert_true(gh_str_ends(line, GH_STR("\\u0001\"}\n")));
    assert_false(gh_str_contains(line, GH_STR("ninth")));
    assert_int_equal(gh_str_find(line, '\n'), line.len - 1);
}

static void test_level(void **state)
{
    gh_log_set_level(GH_LOG_ERROR);
    gh_log(GH_LOG_WARN, "hidden");
    assert_int_equal(gh_buf_len(&lines), 0);
    gh_log_set_level(GH_LOG_INFO);
    assert_true(gh_log_is_on(GH_LOG_INFO));
}

static void test_escape(void **state)
{
    static const struct {
        const char *in, *out;
    } rows[] = {
        { "plain", "plain" },
        { "\"\\/", "\\\"\\\\/" },
        { "\t\r\n\x01\x1f\x7f", "\\t\\r\\n\\u0001\\u001f\\u007f" },
        { "Z\xc3\xbcrich \xe2\x82\xac \xf0\x9f\x98\x80", "Z\xc3\xbcrich \xe2\x82\xac \xf0\x9f\x98\x80" },
        { "\xc2\x85", "\\u0085" }, /* C1 */
        { "\xe2\x80\xae"
          "evil",
          "\\u202eevil" },                                /* right-to-left override */
        { "\xe2\x81\xa6\xe2\x80\xa8", "\\u2066\\u2028" }, /* isolate, line separator */
        { "\xff", "\\ufffd" },
        { "\xc0\xae", "\\ufffd\\ufffd" }, /* overlong */
        { "\xe0\x80\xaf", "\\ufffd\\ufffd\\ufffd" },
        { "\xed\xa0\x80", "\\ufffd\\ufffd\\ufffd" }, /* surrogate */
        { "\xf4\x90\x80\x80", "\\ufffd\\ufffd\\ufffd\\ufffd" },
        { "\xe2\x82", "\\ufffd\\ufffd" }, /* cut off */
    };
    for (size_t i = 0; i < GH_ARRAY_LEN(rows); i++) {
        char out[64];
        gh_str in = gh_str_from(rows[i].in);
        size_t len = gh_json_escape(in, out, sizeof(out));
        assert_int_equal(len, strlen(rows[i].out));
        assert_memory_equal(out, rows[i].out, len);
        for (size_t cap = 0; cap < len; cap++) {
            size_t cut = gh_json_escape(in, out, cap);
            assert_true(cut <= cap);
            assert_memory_equal(out, rows[i].out, cut);
        }
    }
}

/* Each byte at each place: what needs no escape stands for itself, and all around it does too. */
static void test_escape_each_byte(void **state)
{
    for (unsigned byte = 0; byte < 256; byte++) {
        for (size_t len = 1; len < 20; len++) {
            char in[20], out[64], expected[64];
            size_t at = byte % len;
            char c = (char)byte;
            bool plain = byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\';
            size_t one = gh_json_escape(gh_str_of(&c, 1), expected + at, 8);
            assert_int_equal(one == 1 && expected[at] == c, plain);
            memset(in, 'x', len);
            in[at] = c;
            memset(expected, 'x', at);
            memset(expected + at + one, 'x', len - 1 - at);
            assert_int_equal(gh_json_escape(gh_str_of(in, len), out, sizeof(out)), len - 1 + one);
            assert_memory_equal(out, expected, len - 1 + one);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_line, setup, teardown),
        cmocka_unit_test_setup_teardown(test_longest, setup, teardown),
        cmocka_unit_test_setup_teardown(test_level, setup, teardown),
        cmocka_unit_test(test_escape),
        cmocka_unit_test(test_escape_each_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
