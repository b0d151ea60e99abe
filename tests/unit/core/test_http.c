/* core/test_http.c: header lists, methods, URLs, and the reason table. */
#include "base/arena.h"
#include "gatehouse/http.h"
#include "support/cm.h"

static void test_methods(void **state)
{
    static const char *const unknown[] = { "",      "get", "Get",      "GET ", "CONNECT",
                                           "TRACE", "PRI", "PROPFIND", "GETT", "GE" };
    enum gh_method method;
    for (unsigned i = 0; i < (unsigned)GH_METHOD_COUNT; i++) {
        assert_int_equal(gh_method_read(gh_method_text((enum gh_method)i), &method), GH_OK);
        assert_int_equal(method, i);
    }
    for (size_t i = 0; i < GH_ARRAY_LEN(unknown); i++)
        assert_int_equal(gh_method_read(gh_str_from(unknown[i]), &method), GH_HTTP_METHOD_UNKNOWN);
    assert_null(gh_method_text(GH_METHOD_COUNT).ptr);
}

static void test_headers(void **state)
{
    struct gh_arena *arena = gh_arena_new(0);
    struct gh_headers headers;
    assert_int_equal(gh_headers_init(&headers, arena, 3), GH_OK);
    assert_null(gh_headers_find(&headers, GH_STR("a")));
    assert_int_equal(gh_headers_add(&headers, GH_STR("a"), GH_STR("1")), GH_OK);
    assert_int_equal(gh_headers_add(&headers, GH_STR("b"), GH_STR("2")), GH_OK);
    assert_int_equal(gh_headers_add(&headers, GH_STR("a"), GH_STR("3")), GH_OK);
    assert_int_equal(gh_headers_add(&headers, GH_STR("c"), GH_STR("4")), GH_HTTP_FIELDS_MANY);
    assert_int_equal(headers.count, 3);
    assert_str_eq(gh_headers_find(&headers, GH_STR("a"))->value, "1");
    assert_int_equal(gh_headers_count(&headers, GH_STR("a")), 2);
    assert_int_equal(gh_headers_count(&headers, GH_STR("A")), 0);
    gh_arena_free(arena);
}

static void test_grammar(void **state)
{
    static const char *const names[] = { "a", "content-type", "mcp-param-x1", "x.y", "!#$%&'*+-.^`|~" };
    static const char *const no_names[] = {
        "", "A", "a b", "a_b", "a:", ":path", "a\x80", "a\n", "a(", "a\""
    };
    static const char *const values[] = { "", "a", "a b", "a\tb", "\"x\", y=z;" };
    static const char *const no_values[] = {
        " a", "a ", "\ta", "a\t", "a\r", "a\nb", "a\x7f", "a\x80", "\x01"
    };
    for (size_t i = 0; i < GH_ARRAY_LEN(names); i++)
        assert_true(gh_header_name_is_legal(gh_str_from(names[i])));
    for (size_t i = 0; i < GH_ARRAY_LEN(no_names); i++)
        assert_false(gh_header_name_is_legal(gh_str_from(no_names[i])));
    assert_false(gh_header_name_is_legal(gh_str_of("a\0b", 3)));
    for (size_t i = 0; i < GH_ARRAY_LEN(values); i++)
        assert_true(gh_header_value_is_legal(gh_str_from(values[i])));
    for (size_t i = 0; i < GH_ARRAY_LEN(no_values); i++)
        assert_false(gh_header_value_is_legal(gh_str_from(no_values[i])));
    assert_false(gh_header_value_is_legal(gh_str_of("a\0b", 3)));
    assert_true(gh_header_list_has(GH_STR("keep-alive ,\tUpgrade"), GH_STR("upgrade")));
    assert_false(gh_header_list_has(GH_STR("keep-alive, x-upgrade"), GH_STR("upgrade")));
    assert_false(gh_header_list_has(GH_STR_NONE, GH_STR("upgrade")));
}

static bool is_listed(const char *list, unsigned char byte)
{
    return byte != 0 && strchr(list, byte) != NULL;
}

/* Long values are looked at many bytes at a time: each byte at each place, against lists written out. */
static void test_grammar_of_each_byte(void **state)
{
    static const char names[] = "abcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^`|~";
    static const char tokens[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~+/";
    for (unsigned i = 0; i < 256 * 41; i++) {
        char text[64] = "Bearer aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.b";
        unsigned char byte = (unsigned char)i;
        gh_str value = gh_str_of(text, 7 + 42), token = gh_str_skip(value, 7);
        text[7 + i / 256] = (char)byte;
        struct gh_header field = { .name = GH_STR("authorization"), .value = value };
        const struct gh_headers headers = { .at = &field, .count = 1, .cap = 1 };
        struct gh_credential credential;
        bool skipped = byte == ' ' && i / 256 == 0; /* one space more in front of the token */
        assert_int_equal(gh_header_name_is_legal(token), is_listed(names, byte));
        assert_int_equal(gh_header_value_is_legal(value), (byte >= 0x20 && byte < 0x7f) || byte == '\t');
        assert_int_equal(gh_credential_read(&headers, 100, &credential),
                         is_listed(tokens, byte) || skipped ? GH_OK : GH_AUTHORIZATION_MALFORMED);
    }
}

static void test_urls(void **state)
{
    static const struct {
        const char *text, *scheme, *authority, *path, *query;
        uint16_t port;
    } rows[] = {
        { "https://mcp.acme.example/weather/mcp", "https", "mcp.acme.example", "/weather/mcp", NULL, 443 },
        { "HTTPS://MCP.Acme.Example:443", "https", "mcp.acme.example", "/", NULL, 443 },
        { "http://127.0.0.1:3000/mcp?a=b?c", "http", "127.0.0.1:3000", "/mcp", "a=b?c", 3000 },
        { "http://[2001:DB8::1]:80/", "http", "[2001:db8::1]", "/", NULL, 80 },
        { "https://[::1]:8443?x", "https", "[::1]:8443", "/", "x", 8443 },
        { "http://a:443/", "http", "a:443", "/", NULL, 443 },
        { "https://a.example/%7Eb;c//d/../e", "https", "a.example", "/%7Eb;c//d/../e", NULL, 443 },
    };
    static const char *const bad[] = { "",
                                       "https",
                                       "https:",
                                       "https:/a",
                                       "https:///a",
                                       "//a/b",
                                       "/a",
                                       "ftp://a/",
                                       "https://a#b",
                                       "https://u@a/",
                                       "https://a b",
                                       "https://a/ ",
                                       " https://a",
                                       "https://a:0/",
                                       "https://a/%",
                                       "https://a/%g0",
                                       "https://a/\xc3",
                                       "https://a\\b/",
                                       "https://a/\"" };
    struct gh_arena *arena = gh_arena_new(0);
    struct gh_url url;
    for (size_t i = 0; i < GH_ARRAY_LEN(rows); i++) {
        assert_int_equal(gh_url_read(arena, gh_str_from(rows[i].text), &url), GH_OK);
        assert_true(gh_str_eq(url.scheme, gh_str_from(rows[i].scheme)));
        assert_true(gh_str_eq(url.authority_text, gh_str_from(rows[i].authority)));
        assert_true(gh_str_eq(url.path, gh_str_from(rows[i].path)));
        assert_int_equal(url.query.ptr != NULL, rows[i].query != NULL);
        assert_true(gh_str_eq(url.query, gh_str_from(rows[i].query)));
        assert_int_equal(url.port, rows[i].port);
    }
    for (size_t i = 0; i < GH_ARRAY_LEN(bad); i++)
        assert_int_equal(gh_url_read(arena, gh_str_from(bad[i]), &url), GH_SETTINGS_INVALID);
    gh_arena_free(arena);
}

/* What every row must be for the challenge and the body to be well-formed. */
static void test_reasons(void **state)
{
    for (unsigned i = 0; i < (unsigned)GH_REASON_COUNT; i++) {
        const struct gh_reason_row *row = gh_reason_row((enum gh_reason)i);
        assert_int_equal(gh_reason_from_slug(gh_str_from(row->slug)), i);
        assert_true(row->status >= 200 && row->status <= 599);
        assert_true(row->error == NULL || row->text != NULL);
        for (const char *c = row->slug; *c != '\0'; c++)
            assert_true((*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9') || *c == '_');
        for (const char *c = row->text != NULL ? row->text : ""; *c != '\0'; c++)
            assert_true(*c >= 0x20 && *c < 0x7f && *c != '"' && *c != '\\');
    }
    assert_string_equal(gh_reason_row(GH_REASON_COUNT)->slug, "internal");
    assert_int_equal(gh_reason_from_slug(GH_STR("token_expire")), GH_REASON_COUNT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_methods), cmocka_unit_test(test_headers),
        cmocka_unit_test(test_grammar), cmocka_unit_test(test_grammar_of_each_byte),
        cmocka_unit_test(test_urls),    cmocka_unit_test(test_reasons),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
