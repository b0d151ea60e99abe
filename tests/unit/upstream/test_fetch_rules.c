/* upstream/test_fetch_rules.c: which URLs and addresses may be fetched from, and what an answer's header
 * says. */
#include <stdlib.h>

#include "support/certs.h"
#include "support/cm.h"
#include "upstream/fetch_private.h"

static struct fetch_rules *rules_of(const char *proxy, bool loopback, const char *allow)
{
    static struct gh_cidr cidr;
    struct gh_fetch_conf conf = {
        .proxy = gh_str_from(proxy), .allow_http_loopback = loopback, .timeout_ms = 3000, .max_body = 1024
    };
    if (allow != NULL) {
        assert_int_equal(gh_cidr_read(gh_str_from(allow), &cidr), GH_OK);
        conf.allow = (struct gh_cidrs){ .at = &cidr, .count = 1 };
    }
    struct fetch_rules *rules = gh_fetch_rules_new(&conf);
    assert_non_null(rules);
    return rules;
}

static bool allows(struct fetch_rules *rules, bool plain, const char *text)
{
    struct gh_address address;
    assert_int_equal(gh_address_read(gh_str_from(text), &address), GH_OK);
    return gh_fetch_rules_allow(rules, plain, &address);
}

/* threats.md A12 and K6: what a name may resolve to. The first rows are the accepted twins. */
static void special_addresses_are_refused(void **state)
{
    static const char *const good[] = { "93.184.215.14:443", "8.8.8.8:443", "[2606:2800:21f::1]:443" };
    static const char *const bad[] = {
        "0.0.0.0:443",
        "10.0.0.1:443",
        "100.64.0.1:443",
        "127.0.0.1:443",
        "127.255.255.254:443",
        "169.254.169.254:443",
        "172.16.0.1:443",
        "172.31.255.255:443",
        "192.0.0.8:443",
        "192.0.2.1:443",
        "192.88.99.1:443",
        "192.168.1.1:443",
        "198.18.0.1:443",
        "198.51.100.1:443",
        "203.0.113.1:443",
        "224.0.0.1:443",
        "255.255.255.255:443",
        "[::]:443",
        "[::1]:443",
        "[::ffff:127.0.0.1]:443",
        "[::ffff:8.8.8.8]:443",
        "[::127.0.0.1]:443",
        "[64:ff9b::a00:1]:443",
        "[64:ff9b:1::1]:443",
        "[100::1]:443",
        "[2001::1]:443",
        "[2001:db8::1]:443",
        "[2002:7f00:1::1]:443",
        "[fc00::1]:443",
        "[fd12:3456::1]:443",
        "[fe80::1]:443",
        "[fec0::1]:443",
        "[ff02::1]:443",
        "unix:/run/x.sock",
    };
    struct fetch_rules *rules = rules_of("", false, NULL);
    for (size_t i = 0; i < GH_ARRAY_LEN(good); i++)
        assert_true(allows(rules, false, good[i]));
    for (size_t i = 0; i < GH_ARRAY_LEN(bad); i++)
        assert_false(allows(rules, false, bad[i]));
    gh_fetch_rules_unref(rules);
}

static void listed_ranges_and_loopback(void **state)
{
    struct fetch_rules *rules = rules_of("", false, "10.1.0.0/16");
    assert_true(allows(rules, false, "10.1.2.3:443"));
    assert_false(allows(rules, false, "10.2.2.3:443"));
    assert_false(allows(rules, false, "127.0.0.1:443"));
    assert_false(allows(rules, true, "10.1.2.3:80"));
    gh_fetch_rules_unref(rules);
    rules = rules_of("", true, "10.1.0.0/16");
    assert_true(allows(rules, false, "127.0.0.1:443"));
    assert_true(allows(rules, true, "127.0.0.1:80"));
    assert_true(allows(rules, true, "[::1]:80"));
    assert_false(allows(rules, true, "10.1.2.3:80")); /* http never leaves this machine */
    assert_false(allows(rules, true, "93.184.215.14:80"));
    assert_false(allows(rules, true, "unix:/run/x.sock"));
    gh_fetch_rules_unref(rules);
}

static const char *refusal(const char *proxy, bool loopback, gh_str url)
{
    struct fetch_rules *rules = rules_of(proxy, loopback, NULL);
    bool plain;
    const char *why = gh_fetch_rules_refuse_url(rules, url, &plain);
    gh_fetch_rules_unref(rules);
    return why;
}

static void urls(void **state)
{
    static const char *const never[] = {
        "",
        "idp.example/jwks",
        "ftp://idp.example/jwks",
        "file:///etc/passwd",
        "gopher://127.0.0.1:6379/_x",
        "https://user:pass@idp.example/",
        "https://idp.example/#fragment",
        "https://idp.example/a b",
        "https://idp.example\\@evil.example/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0177.0.0.1/",
        "https://127.1/",
    };
    assert_null(refusal("", false, GH_STR("https://idp.example/jwks?x=1")));
    for (size_t i = 0; i < GH_ARRAY_LEN(never); i++)
        assert_non_null(refusal("", true, gh_str_from(never[i])));
    assert_non_null(refusal("", false, GH_STR("http://127.0.0.1/jwks")));
    assert_null(refusal("", true, GH_STR("http://127.0.0.1/jwks")));
    assert_non_null(refusal("", false, GH_STR("https://idp.example/a\0b")));
}

/* Behind a proxy only what the URL itself says can be held against it. */
static void urls_behind_a_proxy(void **state)
{
    static const char *const never[] = { "https://127.0.0.1/", "https://169.254.169.254/latest/meta-data",
                                         "https://[::1]/",     "https://[::ffff:10.0.0.1]/",
                                         "https://localhost/", "https://x.localhost/" };
    for (size_t i = 0; i < GH_ARRAY_LEN(never); i++) {
        assert_null(refusal("", false, gh_str_from(never[i]))); /* there the socket is where it ends */
        assert_non_null(refusal("http://proxy.example:3128", false, gh_str_from(never[i])));
    }
    assert_null(refusal("http://proxy.example:3128", false, GH_STR("https://idp.example/")));
    assert_null(refusal("http://proxy.example:3128", false, GH_STR("https://93.184.215.14/")));
}

static void media_types(void **state)
{
    static const char *const good[] = { "application/json", "Application/JSON; charset=utf-8",
                                        "application/jwk-set+json", "application/token-introspection+JSON",
                                        "application/json ;x=y" };
    static const char *const bad[] = { "",
                                       "text/html",
                                       "application/jsonp",
                                       "application/",
                                       "/json",
                                       "json",
                                       "application/+json",
                                       "text/plain; application/json",
                                       "application/xjson",
                                       "+json",
                                       "application/jwt" };
    for (size_t i = 0; i < GH_ARRAY_LEN(good); i++)
        assert_true(gh_fetch_is_json(gh_str_from(good[i])));
    for (size_t i = 0; i < GH_ARRAY_LEN(bad); i++)
        assert_false(gh_fetch_is_json(gh_str_from(bad[i])));
}

static void max_age(void **state)
{
    static const struct {
        const char *text;
        int64_t seconds;
    } rows[] = {
        { "", -1 },
        { "public", -1 },
        { "max-age=600", 600 },
        { "public, MAX-AGE = 600 , must-revalidate", 600 },
        { "max-age=\"600\"", 600 },
        { "max-age=600, max-age=300", 300 },
        { "max-age=-1", 0 },
        { "max-age", 0 },
        { "max-age=abc", 0 },
        { "max-age=99999999999999999999999", INT32_MAX },
        { "max-age=4294967296", INT32_MAX },
        { "no-store", 0 },
        { "max-age=600, no-cache", 0 },
        { "s-maxage=5", -1 },
        { ",,,max-age=7", 7 },
    };
    for (size_t i = 0; i < GH_ARRAY_LEN(rows); i++)
        assert_int_equal(gh_fetch_max_age(gh_str_from(rows[i].text)), rows[i].seconds);
}

static void authorities_that_are_none(void **state)
{
    struct gh_fetch_conf conf = { .timeout_ms = 3000, .max_body = 1024, .ca_file = GH_STR("missing.pem") };
    assert_null(gh_fetch_rules_new(&conf));
    conf.ca_file = gh_str_from(gh_test_file("none.pem", GH_STR("hello"), 0600));
    assert_null(gh_fetch_rules_new(&conf));
    conf.ca_file = gh_str_from(gh_test_file("empty.pem", GH_STR(""), 0600));
    assert_null(gh_fetch_rules_new(&conf));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(special_addresses_are_refused),
        cmocka_unit_test(listed_ranges_and_loopback),
        cmocka_unit_test(urls),
        cmocka_unit_test(urls_behind_a_proxy),
        cmocka_unit_test(media_types),
        cmocka_unit_test(max_age),
        cmocka_unit_test(authorities_that_are_none),
    };
    return cmocka_run_group_tests_name("what may be fetched", tests, NULL, NULL);
}
