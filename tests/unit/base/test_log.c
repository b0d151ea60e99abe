/* base/test_log.c: log lines are one line of JSON whatever the fields hold. */
#include "base/buf.h"
#include "base/log.h"
#include "base/log_limit.h"
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

/* Each of the 256 values, alone and between others, in a key, a value and a message: one line of JSON with
 * nothing raw in it that a terminal obeys. */
static void test_every_byte(void **state)
{
    for (unsigned byte = 1; byte < 256; byte++) {
        char text[4] = { 'a', (char)byte, 'z', '\0' };
        gh_log(GH_LOG_ERROR, text, GH_FIELD(text, gh_str_of(text, 3)), GH_FIELD("k", gh_str_of(text + 1, 1)));
    }
    char zero[3] = { 'a', '\0', 'z' };
    gh_log(GH_LOG_ERROR, "zero", GH_FIELD("k", gh_str_of(zero, 3)));
    gh_str all = gh_buf_peek(&lines);
    size_t count = 0;
    for (size_t i = 0; i < all.len; i++) {
        unsigned char c = (unsigned char)all.ptr[i];
        count += c == '\n';
        assert_true(c == '\n' || (c >= 0x20 && c < 0x7f)); /* no byte above 127 alone is UTF-8 */
    }
    assert_int_equal(count, 256);
}

/* A kind has 3 lines at once and one a second; others do not pay for it, and what was left out is told. */
static void test_limit(void **state)
{
    static struct gh_log_limit limit;
    static const char message[] = "refused", other[] = "cut", reason[] = "tls_failed",
                      second[] = "tls_timeout";
    struct gh_log_rate rate = { .burst = 3, .per_s = 1, .now_ms = 1000 };
    uint64_t left_out = 99;
    for (int i = 0; i < 3; i++)
        assert_true(gh_log_limit_admits(&limit, message, reason, &rate, &left_out) && left_out == 0);
    for (int i = 0; i < 1000; i++)
        assert_false(gh_log_limit_admits(&limit, message, reason, &rate, &left_out));
    assert_true(gh_log_limit_admits(&limit, message, second, &rate, &left_out) && left_out == 0);
    assert_true(gh_log_limit_admits(&limit, other, NULL, &rate, &left_out) && left_out == 0);
    rate.now_ms += 1000;
    assert_true(gh_log_limit_admits(&limit, message, reason, &rate, &left_out));
    assert_int_equal(left_out, 1000);
    assert_false(gh_log_limit_admits(&limit, message, reason, &rate, &left_out));
    rate.burst = 0;
    assert_true(gh_log_limit_admits(&limit, message, reason, &rate, &left_out));
}

/* Wherever their texts stand in memory, a few kinds never take each other's count. */
static void test_kinds_that_meet(void **state)
{
    static const char texts[256];
    for (size_t i = 0; i + 8 <= sizeof(texts); i++) {
        struct gh_log_limit limit = { 0 };
        struct gh_log_rate rate = { .burst = 1, .per_s = 0, .now_ms = 1000 };
        uint64_t left_out;
        for (size_t k = 0; k < 8; k++)
            assert_true(gh_log_limit_admits(&limit, texts + i + k, NULL, &rate, &left_out));
        for (size_t k = 0; k < 8; k++)
            assert_false(gh_log_limit_admits(&limit, texts + i + k, NULL, &rate, &left_out));
    }
}

static void test_a_flood_of_one_kind(void **state)
{
    uint64_t before = gh_log_dropped();
    gh_log_set_limit(4, 1);
    for (int i = 0; i < 1000; i++)
        gh_log(GH_LOG_WARN, "flood", GH_FIELD("reason", GH_STR("tls_failed")));
    gh_log(GH_LOG_WARN, "flood", GH_FIELD("reason", GH_STR("something else")));
    gh_log_set_limit(0, 0);
    gh_log(GH_LOG_WARN, "after");
    uint64_t dropped = gh_log_dropped() - before;
    assert_true(dropped >= 900 && dropped <= 996); /* a second or more may have passed */
    assert_true(gh_str_contains(gh_buf_peek(&lines), GH_STR("something else")));
    assert_true(gh_str_contains(gh_buf_peek(&lines), GH_STR("\"after\"}")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_line, setup, teardown),
        cmocka_unit_test_setup_teardown(test_longest, setup, teardown),
        cmocka_unit_test_setup_teardown(test_level, setup, teardown),
        cmocka_unit_test(test_escape),
        cmocka_unit_test(test_escape_each_byte),
        cmocka_unit_test_setup_teardown(test_every_byte, setup, teardown),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_kinds_that_meet),
        cmocka_unit_test_setup_teardown(test_a_flood_of_one_kind, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
