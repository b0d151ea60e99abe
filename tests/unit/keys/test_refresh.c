/* keys/test_refresh.c: fetched keys: found by discovery, kept while the issuer fails, healed by themselves.
 */
#include <stdio.h>
#include <stdlib.h>

#include "world.h"

#define META "/.well-known/oauth-authorization-server"

static struct gh_issuer_stats *stats(void)
{
    return gh_registry_issuer_stats(world.registry, GH_STR("idp"));
}

static void keys_are_found(void **state)
{
    gh_str name;
    uint32_t slot = load(&world.conf);
    assert_int_equal(world.seen[slot].status, GH_KEYS_WAITING);
    assert_false(gh_keyrings_ready(world.rings, &name));
    assert_str_eq(name, "idp");
    await(world.seen[slot].status == GH_KEYS_READY);
    assert_true(has(slot, "k1"));
    assert_true(gh_keyrings_ready(world.rings, &name));
    assert_int_equal(document(META)->fetches, 1);
    assert_int_equal(document("/jwks")->fetches, 1);
    assert_int_equal(stats()->fetches_ok, 1);
    assert_int_equal(stats()->fetches_failed, 0);
    assert_int_equal(stats()->keys_usable, 1);
    assert_int_equal(stats()->ready, 1);
    assert_true(logged("the keys of an issuer are here"));
}

static void one_bad_key_does_not_spoil_the_set(void **state)
{
    gh_str good = key_set("k1");
    gh_str mixed = gh_arena_printf(
        world.arena, "{\"keys\":[{\"kty\":\"oct\",\"k\":\"c2VjcmV0\",\"kid\":\"h\"},{\"kty\":\"RSA\"},%.*s",
        GH_STR_FMT(gh_str_skip(good, sizeof("{\"keys\":[") - 1)));
    put_json("/jwks", "", mixed);
    uint32_t slot = load(&world.conf);
    await(has(slot, "k1"));
    assert_int_equal(stats()->keys_usable, 1);
    assert_int_equal(stats()->keys_rejected[GH_KEY_FAULT_TYPE], 1);
    assert_int_equal(stats()->keys_rejected[GH_KEY_FAULT_ALGORITHM], 1);
}

/* The four layouts, in their order. */
static void discovery_layouts(void **state)
{
    static const char *const places[] = { "/.well-known/oauth-authorization-server/t1",
                                          "/.well-known/openid-configuration/t1",
                                          "/t1/.well-known/openid-configuration",
                                          "/t1/.well-known/oauth-authorization-server" };
    gh_str issuer = url("/t1");
    const gh_str issuers[1] = { issuer };
    gh_str metadata =
        gh_arena_printf(world.arena, "{\"issuer\":\"%s\",\"jwks_uri\":\"%s\"}", issuer.ptr, url("/jwks").ptr);
    world.conf.profile.issuers.at = issuers;
    for (size_t i = 0; i < GH_ARRAY_LEN(places); i++) {
        memset(world.documents, 0, sizeof(world.documents));
        world.fetches = 0;
        put_keys("k1", "");
        for (size_t before = 0; before < i; before++) /* what is no JSON document does not count */
            put_raw(places[before], GH_STR("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>"));
        put_json(places[i], "", metadata);
        world.conf.profile.name = gh_arena_printf(world.arena, "idp%zu", i);
        uint32_t slot = load(&world.conf);
        await(has(slot, "k1"));
        assert_int_equal(world.fetches, i + 2);
    }
}

static void explicit_places(void **state)
{
    world.conf.jwks_url = url("/jwks");
    uint32_t slot = load(&world.conf);
    await(has(slot, "k1"));
    assert_int_equal(world.fetches, 1);
    world.conf.jwks_url = GH_STR_NONE;
    world.conf.discovery_url = url("/here");
    put_json("/here", "",
             gh_arena_printf(world.arena, "{\"issuer\":\"%s\",\"jwks_uri\":\"%s\"}", world.issuer.ptr,
                             url("/jwks").ptr));
    slot = load(&world.conf);
    await(has(slot, "k1"));
    assert_int_equal(document("/here")->fetches, 1);
}

/* RFC 8414 section 3.3, threats.md K6: byte for byte, and nothing after it is believed or asked. */
static void metadata_of_another_issuer(void **state)
{
    const char *const liars[] = { "https://evil.example", "%s/", "" };
    uint32_t slot = UINT32_MAX;
    for (size_t i = 0; i < GH_ARRAY_LEN(liars); i++) {
        gh_str liar = i == 1 ? gh_arena_printf(world.arena, "%s/", world.issuer.ptr) : gh_str_from(liars[i]);
        put_json(META, "",
                 gh_arena_printf(world.arena, "{\"issuer\":\"%s\",\"jwks_uri\":\"%s\"}", liar.ptr,
                                 url("/jwks").ptr));
        world.conf.profile.name = gh_arena_printf(world.arena, "liar%zu", i);
        slot = load(&world.conf);
        await(world.seen[slot].status == GH_KEYS_STALE);
    }
    assert_int_equal(document("/jwks")->fetches, 0);
    assert_true(logged("another issuer's"));
    world.conf.profile.name = GH_STR("idp");
    put_json(META, "",
             gh_arena_printf(world.arena, "{\"issuer\":\"%s\",\"jwks_uri\":\"%s\"}", world.issuer.ptr,
                             url("/jwks").ptr));
    slot = load(&world.conf);
    await(has(slot, "k1"));
}

/* K6: where the metadata leads is checked as any other address. */
static void jwks_uri_at_a_special_address(void **state)
{
    static const char *const places[] = { "https://169.254.169.254/latest", "http://93.184.215.14/jwks",
                                          "file:///etc/passwd", "" };
    for (size_t i = 0; i < GH_ARRAY_LEN(places); i++) {
        put_json(META, "",
                 gh_arena_printf(world.arena, "{\"issuer\":\"%s\",\"jwks_uri\":\"%s\"}", world.issuer.ptr,
                                 places[i]));
        world.conf.profile.name = gh_arena_printf(world.arena, "lost%zu", i);
        uint32_t slot = load(&world.conf);
        await(world.seen[slot].status == GH_KEYS_STALE);
    }
    assert_true(logged("169.254.169.254 is not allowed"));
}

/* K4: none of it replaces a good set, and each is met at the next due time. */
static void bad_answers_never_replace_a_good_set(void **state)
{
    static const char *const bad[] = {
        "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 302 There\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 11\r\n\r\n{\"keys\":[]}",
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{\"keys\":[]}",
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{\"keys\":[",
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 999\r\n\r\n{\"keys\":[]}",
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n[]",
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99999999\r\n\r\n",
        "garbage",
        "",
    };
    world.conf.jwks_url = url("/jwks");
    uint32_t slot = load(&world.conf);
    await(has(slot, "k1"));
    pass_ms(480 * 1000 + 100);
    await(stats()->fetches_ok == 2);
    for (size_t i = 0; i < GH_ARRAY_LEN(bad); i++) {
        uint64_t failed = stats()->fetches_failed;
        put_raw("/jwks", gh_str_from(bad[i]));
        pass_ms(i == 0 ? 480 * 1000 + 100 : 30 * 1000 + 100);
        await(stats()->fetches_failed == failed + 1);
        assert_true(has(slot, "k1"));
        assert_int_equal(world.seen[slot].status, GH_KEYS_READY);
        assert_int_equal(stats()->ready, 1);
    }
    put_keys("k2", "");
    pass_ms(30 * 1000 + 100);
    await(has(slot, "k2"));
    assert_false(has(slot, "k1"));
}

static void slow_and_dripping_answers(void **state)
{
    world.conf.jwks_url = url("/jwks");
    uint32_t slot = load(&world.conf);
    await(has(slot, "k1"));
    struct document *jwks = document("/jwks");
    struct gh_web_answer good = jwks->answer;
    jwks->answer = (struct gh_web_answer){ .hold = true };
    pass_ms(480 * 1000 + 100);
    await(stats()->fetches_failed == 1);
    jwks->answer = good;
    jwks->answer.drip_ms = 50;
    pass_ms(30 * 1000 + 100);
    await(stats()->fetches_failed == 2);
    assert_true(has(slot, "k1"));
    jwks->answer = good;
    pass_ms(30 * 1000 + 100);
    await(stats()->fetches_ok == 2);
}

/* Kept for max_stale, then refused, then healed without anybody's help. */
static void stale_then_unavailable_then_healed(void **state)
{
    world.conf.jwks_url = url("/jwks");
    uint32_t slot = load(&world.conf);
    await(has(slot, "k1"));
    put_raw("/jwks", GH_STR("HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"));
    live_ms(3500 * 1000, 20 * 1000);
    assert_int_equal(world.seen[slot].status, GH_KEYS_READY);
    assert_true(has(slot, "k1"));
    assert_true(stats()->fetches_failed > 50 && stats()->fetches_failed < 250);
    live_ms(200 * 1000, 20 * 1000);
    assert_int_equal(world.seen[slot].status, GH_KEYS_STALE);
    assert_null(world.seen[slot].set);
    assert_true(world.seen[slot].retry_after_s >= 1 && world.seen[slot].retry_after_s <= 30);
    assert_int_equal(stats()->ready, 0);
    gh_str name;
    assert_false(gh_keyrings_ready(world.rings, &name));
    assert_true(logged("too old"));
    put_keys("k1", "");
    pass_ms(30 * 1000 + 100);
    await(has(slot, "k1"));
    assert_int_equal(stats()->ready, 1);
    assert_true(gh_keyrings_ready(world.rings, &name));
}

static void nobody_waits_for_a_provider_of_sign_ins(void **state)
{
    gh_str name;
    put_raw(META, GH_STR("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"));
    world.conf.is_login = true;
    uint32_t slot = load(&world.conf);
    assert_true(gh_keyrings_ready(world.rings, &name));
    await(world.seen[slot].status == GH_KEYS_STALE);
    assert_true(gh_keyrings_ready(world.rings, &name));
    assert_int_equal(stats()->ready, 0);
}

static void an_issuer_that_is_down_at_the_start(void **state)
{
    put_raw(META, GH_STR("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"));
    uint32_t slot = load(&world.conf);
    await(world.seen[slot].status == GH_KEYS_STALE);
    assert_true(world.seen[slot].retry_after_s >= 1 && world.seen[slot].retry_after_s <= 2);
    live_ms(120 * 1000, 500);
    uint64_t failed = stats()->fetches_failed;
    assert_true(failed >= 7 && failed <= 14); /* 1 s, 2, 4, 8, 15 to 30 ... */
    put_json(META, "",
             gh_arena_printf(world.arena, "{\"issuer\":\"%s\",\"jwks_uri\":\"%s\"}", world.issuer.ptr,
                             url("/jwks").ptr));
    pass_ms(30 * 1000 + 100);
    await(has(slot, "k1"));
}

/* A reload is a new try. */
static void a_reload_does_not_wait_for_the_back_off(void **state)
{
    put_raw("/jwks", GH_STR("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"));
    uint32_t slot = load(&world.conf);
    await(stats()->fetches_failed == 1);
    live_ms(60 * 1000, 500);
    put_keys("k1", "");
    assert_int_equal(load(&world.conf), slot);
    pass_ms(1100);
    await(has(slot, "k1"));
}

static int64_t fetched_after_s(const char *cache_control, int64_t max_age_s)
{
    world.conf.jwks_url = url("/jwks");
    world.conf.max_age_s = max_age_s;
    world.conf.profile.name = gh_arena_printf(world.arena, "i%s%d", cache_control, (int)max_age_s);
    put_keys("k1", cache_control);
    unsigned before = world.fetches;
    uint32_t slot = load(&world.conf);
    await(has(slot, "k1"));
    assert_int_equal(world.fetches, before + 1);
    for (int64_t s = 0; s < 200000; s += 10) {
        pass_ms(10 * 1000);
        if (world.fetches != before + 1)
            return s;
    }
    return -1;
}
#define assert_within(value, low, high)                                                                      \
    do {                                                                                                     \
        int64_t value_ = (value);                                                                            \
        assert_true(value_ >= (low)-20 && value_ <= (high) + 20);                                            \
    } while (0)

/* 72 to 80 % of max-age within 5 min and the settings' max_age. */
static void the_time_to_live(void **state)
{
    world.conf.max_stale_s = 86400;
    assert_within(fetched_after_s("", 600), 432, 480);
    assert_within(fetched_after_s("Cache-Control: max-age=60\r\n", 600), 216, 240);
    assert_within(fetched_after_s("Cache-Control: max-age=400\r\n", 600), 288, 320);
    assert_within(fetched_after_s("Cache-Control: max-age=86400\r\n", 600), 432, 480);
    assert_within(fetched_after_s("Cache-Control: no-store\r\n", 3600), 216, 240);
    world.conf.max_stale_s = 100;
    assert_within(fetched_after_s("", 600), 72, 80);
}

/* The same bytes again are no news for workers. */
static void an_unchanged_set_is_not_published(void **state)
{
    uint32_t slot = load(&world.conf);
    await(has(slot, "k1"));
    unsigned published = world.published;
    const struct gh_jwks *set = world.seen[slot].set;
    pass_ms(480 * 1000 + 100);
    await(stats()->fetches_ok == 2);
    assert_int_equal(world.published, published);
    assert_ptr_equal(world.seen[slot].set, set);
    assert_int_equal(stats()->keys_fetched_at_s, gh_loop_wall_s(world.loop));
}

/* The metadata is read again each hour, and after the keys could not be had; it may be down meanwhile. */
static void metadata_in_time(void **state)
{
    uint32_t slot = load(&world.conf);
    await(has(slot, "k1"));
    live_ms(3500 * 1000, 20 * 1000);
    assert_int_equal(document(META)->fetches, 1);
    live_ms(600 * 1000, 20 * 1000);
    assert_int_equal(document(META)->fetches, 2);
    put_raw(META, GH_STR("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"));
    live_ms(4200 * 1000, 20 * 1000);
    assert_true(document(META)->fetches > 2);
    assert_int_equal(world.seen[slot].status, GH_KEYS_READY);
    assert_int_equal(stats()->fetches_failed, 0);
    assert_true(logged("its last jwks_uri is used"));
    put_raw("/jwks", GH_STR("HTTP/1.1 410 Moved\r\nContent-Length: 0\r\n\r\n"));
    put_json(META, "",
             gh_arena_printf(world.arena, "{\"issuer\":\"%s\",\"jwks_uri\":\"%s\"}", world.issuer.ptr,
                             url("/moved").ptr));
    put_json("/moved", "", key_set("k2"));
    live_ms(600 * 1000, 20 * 1000);
    await(has(slot, "k2"));
}

static void an_issuer_that_goes_with_a_fetch_under_way(void **state)
{
    document(META)->answer = (struct gh_web_answer){ .hold = true };
    uint32_t slot = load(&world.conf);
    await(world.fetches == 1);
    want(slot, "k1");
    turns(3);
    assert_int_equal(world.keys_came, 0); /* it waits for the fetch */
    gh_keyrings_begin(world.rings);
    gh_keyrings_end(world.rings, true);
    turns(2);
    assert_int_equal(world.keys_came, 1);
    live_ms(100, 1);
    gh_str name;
    assert_true(gh_keyrings_ready(world.rings, &name));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(keys_are_found),
        TEST(one_bad_key_does_not_spoil_the_set),
        TEST(discovery_layouts),
        TEST(explicit_places),
        TEST(metadata_of_another_issuer),
        TEST(jwks_uri_at_a_special_address),
        TEST(bad_answers_never_replace_a_good_set),
        TEST(slow_and_dripping_answers),
        TEST(stale_then_unavailable_then_healed),
        TEST(nobody_waits_for_a_provider_of_sign_ins),
        TEST(an_issuer_that_is_down_at_the_start),
        TEST(a_reload_does_not_wait_for_the_back_off),
        TEST(the_time_to_live),
        TEST(an_unchanged_set_is_not_published),
        TEST(metadata_in_time),
        TEST(an_issuer_that_goes_with_a_fetch_under_way),
    };
    return cmocka_run_group_tests_name("refresh", tests, NULL, NULL);
}
