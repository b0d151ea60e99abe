/* upstream/test_fetch.c: fetches against a server that is slow, huge, compressed, lying, elsewhere: each mode
 * of threats.md K4 beside a good answer. */
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/clock.h"
#include "support/cm.h"
#include "support/web.h"
#include "upstream/fetch.h"

#define TIMEOUT_MS 400

static struct gh_loop *loop;
static struct gh_arena *arena;
static struct gh_fetcher *fetcher;
static struct gh_web *web;
static struct gh_fetch_conf conf;

/* What the server does, and what it was asked. */
static struct gh_web_answer script;
static struct gh_web_request asked;

/* What came of it. */
static struct {
    unsigned times;
    enum gh_reason reason;
    int status;
    gh_str body, why;
    int64_t max_age_s;
} got;

static void serve(void *ctx, const struct gh_web_request *request, struct gh_web_answer *ret_answer)
{
    asked = (struct gh_web_request){ .method = gh_arena_dup(arena, request->method),
                                     .path = gh_arena_dup(arena, request->path),
                                     .head = gh_arena_dup(arena, request->head),
                                     .body = gh_arena_dup(arena, request->body) };
    *ret_answer = script;
}

static void came(void *ctx, const struct gh_fetch_answer *answer)
{
    got.times++;
    got.reason = answer->reason;
    got.status = answer->status;
    got.body = gh_arena_dup(arena, answer->body);
    got.why = gh_arena_dup(arena, gh_str_from(answer->why));
    got.max_age_s = answer->max_age_s;
}

static int set_up(void **state)
{
    (void)setenv("http_proxy", "http://127.0.0.1:9", 1);
    (void)setenv("https_proxy", "http://127.0.0.1:9", 1);
    (void)setenv("ALL_PROXY", "http://127.0.0.1:9", 1);
    loop = gh_loop_new();
    arena = gh_arena_new(0);
    conf = (struct gh_fetch_conf){ .allow_http_loopback = true, .timeout_ms = TIMEOUT_MS, .max_body = 4096 };
    fetcher = gh_fetcher_new(loop, &conf);
    web = gh_web_new(loop, NULL, serve, NULL);
    assert_non_null(fetcher);
    script = (struct gh_web_answer){ 0 };
    memset(&got, 0, sizeof(got));
    asked = (struct gh_web_request){ 0 };
    return 0;
}

static int tear_down(void **state)
{
    gh_fetcher_free(fetcher);
    gh_web_free(web);
    gh_loop_turn(loop, 0);
    gh_loop_free(loop);
    gh_arena_free(arena);
    return 0;
}

static gh_str url(const char *path)
{
    return gh_arena_printf(arena, "http://127.0.0.1:%u%s", gh_web_port(web), path);
}

static void await(void)
{
    unsigned before = got.times;
    int64_t end = gh_clock_mono_ms() + 5000;
    while (got.times == before && gh_clock_mono_ms() < end)
        gh_loop_turn(loop, 50);
    assert_int_equal(got.times, before + 1);
}

static void fetch_it(const struct gh_fetch_request *request)
{
    unsigned before = got.times;
    assert_true(gh_fetch(fetcher, request, came, NULL));
    assert_int_equal(got.times, before); /* never inside */
    await();
}

static void fetch_url(gh_str target)
{
    fetch_it(&(struct gh_fetch_request){ .url = target });
}

/* One answer to one GET. */
static enum gh_reason get(const char *response)
{
    script.bytes = gh_str_from(response);
    fetch_url(url("/jwks"));
    return got.reason;
}

#define OK_HEAD "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
#define GOOD    OK_HEAD "Content-Length: 2\r\n\r\n{}"

static void a_good_answer(void **state)
{
    assert_int_equal(get(OK_HEAD "Cache-Control: public, max-age=321\r\nContent-Length: 2\r\n\r\n{}"), GH_OK);
    assert_int_equal(got.status, 200);
    assert_int_equal(got.max_age_s, 321);
    assert_str_eq(got.body, "{}");
    assert_str_eq(asked.method, "GET");
    assert_str_eq(asked.path, "/jwks");
    assert_true(gh_str_contains(asked.head, GH_STR("Accept: application/json\r\n")));
    assert_false(gh_str_contains(asked.head, GH_STR("Accept-Encoding")));
    assert_false(gh_str_contains(asked.head, GH_STR("Cookie")));
    assert_false(gh_str_contains(asked.head, GH_STR("Authorization")));
    assert_int_equal(get(GOOD), GH_OK);
    assert_int_equal(got.max_age_s, -1);
    assert_int_equal(get(OK_HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"), GH_OK);
    assert_str_eq(got.body, "{}");
    assert_int_equal(get("HTTP/1.1 200 OK\r\nContent-Type: application/jwk-set+json; charset=utf-8\r\n"
                         "Content-Encoding: identity\r\nContent-Length: 2\r\n\r\n{}"),
                     GH_OK);
}

static void bad_answers(void **state)
{
    static const struct {
        const char *response, *why;
    } rows[] = {
        { "HTTP/1.1 503 Busy\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}", "503" },
        { "HTTP/1.1 404 No\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}", "404" },
        { "HTTP/1.1 204 Empty\r\nContent-Type: application/json\r\n\r\n", "204" },
        { "HTTP/1.1 206 Part\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}", "206" },
        { "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\n{}", "text/html" },
        { "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "media type" },
        { OK_HEAD "Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}", "content coding" },
        { OK_HEAD "content-encoding: br\r\nContent-Length: 2\r\n\r\n{}", "content coding" },
        { OK_HEAD "Content-Length: 5000000\r\n\r\n{", "too large" },
        { OK_HEAD "Content-Length: 100\r\n\r\n{}", "" },             /* a length that promises too much */
        { OK_HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\n{}", "" }, /* cut off between chunks */
        { OK_HEAD "Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n", "" },
        { "{\"keys\":[]}", "" },
        { "garbage\r\n\r\n", "" },
        { "\x16\x03\x01\x02\x00", "" },
        { "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n", "" },
        { "", "" },
    };
    assert_int_equal(get(GOOD), GH_OK);
    for (size_t i = 0; i < GH_ARRAY_LEN(rows); i++) {
        if (get(rows[i].response) != GH_FETCH_FAILED)
            fail_msg("accepted: %s", rows[i].response);
        assert_int_equal(got.body.len, 0);
        assert_true(gh_str_contains(got.why, gh_str_from(rows[i].why)) && got.why.len != 0);
    }
    assert_int_equal(get(GOOD), GH_OK);
}

static void redirects_are_not_followed(void **state)
{
    static const int statuses[] = { 301, 302, 303, 307, 308 };
    for (size_t i = 0; i < GH_ARRAY_LEN(statuses); i++) {
        unsigned connections = gh_web_connections(web);
        gh_str answer =
            gh_arena_printf(arena, "HTTP/1.1 %d Elsewhere\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n",
                            statuses[i], url("/canary").ptr);
        assert_int_equal(get(answer.ptr), GH_FETCH_FAILED);
        assert_str_eq(asked.path, "/jwks");
        assert_int_equal(gh_web_connections(web), connections + 1);
        assert_true(gh_str_contains(got.why, GH_STR("redirects")));
    }
}

static void bodies_have_a_bound(void **state)
{
    char *spaces = gh_arena_alloc(arena, 5000);
    memset(spaces, ' ', 5000);
    gh_str full = gh_arena_printf(arena, OK_HEAD "\r\n%.*s", 4096, spaces);
    assert_int_equal(get(full.ptr), GH_OK);
    assert_int_equal(got.body.len, 4096);
    gh_str over = gh_arena_printf(arena, OK_HEAD "\r\n%.*s", 4097, spaces);
    assert_int_equal(get(over.ptr), GH_FETCH_FAILED);
    assert_true(gh_str_contains(got.why, GH_STR("too large")));
    gh_str chunked = gh_arena_printf(
        arena, OK_HEAD "Transfer-Encoding: chunked\r\n\r\n1388\r\n%.*s\r\n0\r\n\r\n", 5000, spaces);
    assert_int_equal(get(chunked.ptr), GH_FETCH_FAILED);
}

static void headers_have_a_bound(void **state)
{
    char *text = gh_arena_alloc(arena, 60000);
    memset(text, 'a', 60000);
    gh_str fits = gh_arena_printf(arena, OK_HEAD "X: %.*s\r\nContent-Length: 2\r\n\r\n{}", 20000, text);
    assert_int_equal(get(fits.ptr), GH_OK);
    gh_str over = gh_arena_printf(arena, OK_HEAD "X: %.*s\r\nContent-Length: 2\r\n\r\n{}", 50000, text);
    assert_int_equal(get(over.ptr), GH_FETCH_FAILED);
}

/* Never more than the time in all, however the bytes come. */
static void slow_answers(void **state)
{
    static const struct gh_web_answer rows[] = {
        { .hold = true },                                              /* nothing at all */
        { .bytes = GH_STR_INIT(GOOD), .drip_ms = 60 },                 /* a byte at a time */
        { .bytes = GH_STR_INIT("HTTP/1.1 200 OK\r\n"), .hold = true }, /* half a head */
        { .bytes = GH_STR_INIT(OK_HEAD "Content-Length: 2\r\n\r\n{"), .hold = true },
    };
    for (size_t i = 0; i < GH_ARRAY_LEN(rows); i++) {
        int64_t began = gh_clock_mono_ms();
        script = rows[i];
        fetch_url(url("/slow"));
        int64_t took = gh_clock_mono_ms() - began;
        assert_int_equal(got.reason, GH_FETCH_FAILED);
        assert_true(took >= TIMEOUT_MS - 20 && took < 4 * TIMEOUT_MS);
    }
}

static void nobody_there(void **state)
{
    fetch_url(GH_STR("http://127.0.0.1:1/jwks"));
    assert_int_equal(got.reason, GH_FETCH_FAILED);
    assert_int_equal(got.status, 0);
    assert_true(got.why.len != 0);
}

/* Whatever the name is, the address decides, where the socket is opened. */
static void refused_addresses(void **state)
{
    fetch_url(GH_STR("http://user@127.0.0.1/"));
    assert_int_equal(got.reason, GH_FETCH_REFUSED);
    fetch_url(GH_STR("https://10.0.0.1/jwks"));
    assert_int_equal(got.reason, GH_FETCH_REFUSED);
    assert_true(gh_str_contains(got.why, GH_STR("10.0.0.1")));
    fetch_url(GH_STR("https://169.254.169.254/latest/meta-data"));
    assert_int_equal(got.reason, GH_FETCH_REFUSED);
    fetch_url(GH_STR("https://[::ffff:169.254.169.254]/"));
    assert_int_equal(got.reason, GH_FETCH_REFUSED);
    fetch_url(GH_STR("http://93.184.215.14/")); /* http goes to loopback only */
    assert_int_equal(got.reason, GH_FETCH_REFUSED);
    fetch_url(gh_arena_printf(arena, "http://localhost:%u/", gh_web_port(web)));
    script.bytes = GH_STR(GOOD);
    assert_int_not_equal(got.reason, GH_FETCH_REFUSED);

    conf.allow_http_loopback = false;
    assert_true(gh_fetcher_configure(fetcher, &conf));
    unsigned connections = gh_web_connections(web);
    fetch_url(url("/jwks"));
    assert_int_equal(got.reason, GH_FETCH_REFUSED);
    fetch_url(gh_arena_printf(arena, "https://localhost:%u/", gh_web_port(web)));
    assert_int_equal(got.reason, GH_FETCH_REFUSED);
    assert_int_equal(gh_web_connections(web), connections);
}

static void forms_and_credentials(void **state)
{
    struct gh_secret password = { 0 };
    assert_true(gh_secret_set(&password, GH_STR("p:w d%")));
    script.bytes = GH_STR(GOOD);
    fetch_it(&(struct gh_fetch_request){ .url = url("/introspect"),
                                         .form = GH_STR("token=abc"),
                                         .user = GH_STR("a b"),
                                         .password = &password });
    assert_int_equal(got.reason, GH_OK);
    assert_str_eq(asked.method, "POST");
    assert_str_eq(asked.body, "token=abc");
    assert_true(gh_str_contains(asked.head, GH_STR("Content-Type: application/x-www-form-urlencoded\r\n")));
    /* base64 of a%20b:p%3Aw%20d%25 */
    assert_true(gh_str_contains(asked.head, GH_STR("Authorization: Basic YSUyMGI6cCUzQXclMjBkJTI1\r\n")));
    assert_false(gh_str_contains(asked.head, GH_STR("Expect")));
    gh_secret_done(&password);
}

static void connections_are_used_again(void **state)
{
    script = (struct gh_web_answer){ .bytes = GH_STR(GOOD), .hold = true };
    for (int i = 0; i < 5; i++) {
        fetch_url(url("/jwks"));
        assert_int_equal(got.reason, GH_OK);
    }
    assert_int_equal(gh_web_connections(web), 1);
}

/* Through the proxy the address is the proxy's, which the settings name. */
static void a_proxy_is_used(void **state)
{
    conf.proxy = url("");
    assert_true(gh_fetcher_configure(fetcher, &conf));
    script.bytes = GH_STR("HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n");
    fetch_url(GH_STR("https://idp.example/jwks"));
    assert_int_equal(got.reason, GH_FETCH_FAILED);
    assert_str_eq(asked.method, "CONNECT");
    assert_str_eq(asked.path, "idp.example:443");
    script.bytes = GH_STR(GOOD);
    fetch_url(url("/jwks")); /* http goes to loopback, without a proxy */
    assert_int_equal(got.reason, GH_OK);
    assert_str_eq(asked.path, "/jwks");
}

static void ending_with_fetches_under_way(void **state)
{
    script = (struct gh_web_answer){ .hold = true };
    for (int i = 0; i < 3; i++)
        assert_true(gh_fetch(fetcher, &(struct gh_fetch_request){ .url = url("/x") }, came, NULL));
    assert_true(gh_fetch(fetcher, &(struct gh_fetch_request){ .url = GH_STR("ftp://x/") }, came, NULL));
    for (int i = 0; i < 10; i++)
        gh_loop_turn(loop, 5);
    assert_int_equal(got.times, 1);
    gh_fetcher_free(fetcher);
    fetcher = NULL;
    assert_int_equal(got.times, 4);
    assert_int_equal(got.reason, GH_SHUTTING_DOWN);
}

static void certificates_are_verified(void **state)
{
    struct gh_identity *ca = gh_identity_new(&(struct gh_identity_plan){ .name = "ca", .ca = true });
    struct gh_identity *other = gh_identity_new(&(struct gh_identity_plan){ .name = "other", .ca = true });
    struct gh_identity *good =
        gh_identity_new(&(struct gh_identity_plan){ .name = "good", .san = "IP:127.0.0.1", .issuer = ca });
    struct gh_identity *elsewhere = gh_identity_new(
        &(struct gh_identity_plan){ .name = "elsewhere", .san = "DNS:idp.example", .issuer = ca });
    const struct {
        struct gh_identity *server, *trusted;
        enum gh_reason reason;
    } rows[] = {
        { good, ca, GH_OK },
        { good, other, GH_FETCH_FAILED },
        { good, NULL, GH_FETCH_FAILED },
        { elsewhere, ca, GH_FETCH_FAILED },
    };
    for (size_t i = 0; i < GH_ARRAY_LEN(rows); i++) {
        struct gh_web *secure = gh_web_new(loop, rows[i].server, serve, NULL);
        conf.timeout_ms = 3000;
        conf.ca_file = rows[i].trusted != NULL ? gh_str_from(rows[i].trusted->cert_file) : GH_STR_NONE;
        assert_true(gh_fetcher_configure(fetcher, &conf));
        script.bytes = GH_STR(GOOD);
        fetch_url(gh_arena_printf(arena, "https://127.0.0.1:%u/jwks", gh_web_port(secure)));
        assert_int_equal(got.reason, rows[i].reason);
        gh_web_free(secure);
    }
    gh_identity_free(ca);
    gh_identity_free(other);
    gh_identity_free(good);
    gh_identity_free(elsewhere);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_good_answer),
        TEST(bad_answers),
        TEST(redirects_are_not_followed),
        TEST(bodies_have_a_bound),
        TEST(headers_have_a_bound),
        TEST(slow_answers),
        TEST(nobody_there),
        TEST(refused_addresses),
        TEST(forms_and_credentials),
        TEST(connections_are_used_again),
        TEST(a_proxy_is_used),
        TEST(ending_with_fetches_under_way),
        TEST(certificates_are_verified),
    };
    return cmocka_run_group_tests_name("fetches", tests, NULL, NULL);
}
