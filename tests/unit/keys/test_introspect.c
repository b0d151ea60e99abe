/* keys/test_introspect.c: opaque tokens: asked once for all, within a limit, and down is never inactive. */
#include <stdio.h>
#include <stdlib.h>

#include "world.h"

#define ACTIVE "{\"active\":true,\"sub\":\"alice\"}"

/* What came back. */
static struct {
    unsigned times;
    enum gh_reason reason;
    char text[256];
} introspected;

static void on_introspected(void *ctx, enum gh_reason reason, gh_str answer)
{
    introspected.times++;
    introspected.reason = reason;
    (void)snprintf(introspected.text, sizeof(introspected.text), "%.*s", GH_STR_FMT(answer));
}

static int set_up(void **state)
{
    memset(&introspected, 0, sizeof(introspected));
    return world_set_up(state);
}

static uint32_t opaque(void)
{
    world.conf.introspection_url = url("/introspect");
    world.conf.introspection_client = GH_STR("gateway");
    world.conf.introspection_secret_file =
        gh_str_from(gh_test_file("client.secret", GH_STR("s3cret/\n"), 0600));
    put_json("/introspect", "", GH_STR(ACTIVE));
    uint32_t slot = load(&world.conf);
    assert_int_equal(world.seen[slot].status, GH_KEYS_READY);
    assert_null(world.seen[slot].set);
    return slot;
}

static void ask(uint32_t slot, const char *token)
{
    unsigned before = introspected.times;
    const struct gh_introspection_request request = { .slot = slot, .token = gh_str_from(token) };
    assert_true(gh_keyrings_introspect(world.rings, &request, on_introspected, NULL));
    assert_int_equal(introspected.times, before);
}

static void ask_and_wait(uint32_t slot, const char *token)
{
    unsigned before = introspected.times;
    ask(slot, token);
    await(introspected.times == before + 1);
}

static void an_active_token(void **state)
{
    uint32_t slot = opaque();
    ask_and_wait(slot, "ory_at_a+b/c=");
    assert_int_equal(introspected.reason, GH_OK);
    assert_string_equal(introspected.text, ACTIVE);
    assert_string_equal(world.last_path, "/introspect"); /* never a token in a URL */
    assert_str_eq(gh_buf_peek(&world.last_body), "token=ory_at_a%2Bb%2Fc%3D&token_type_hint=access_token");
    /* base64 of gateway:s3cret%2F */
    assert_true(gh_str_contains(gh_buf_peek(&world.last_head),
                                GH_STR("Authorization: Basic Z2F0ZXdheTpzM2NyZXQlMkY=\r\n")));
    ask_and_wait(slot, "ory_at_a+b/c="); /* what is active is remembered by workers, not here */
    assert_int_equal(world.fetches, 2);
    gh_str name;
    assert_true(gh_keyrings_ready(world.rings, &name));
    assert_false(logged("ory_at"));
    assert_false(logged("s3cret"));
}

static void one_question_for_all(void **state)
{
    uint32_t slot = opaque();
    for (int i = 0; i < 500; i++)
        ask(slot, "the-same");
    await(introspected.times == 500);
    assert_int_equal(world.fetches, 1);
    assert_int_equal(introspected.reason, GH_OK);
}

static void inactive_is_remembered_for_5_s(void **state)
{
    static const char *const answers[] = { "{\"active\":false}", "{}", "{\"active\":\"true\"}",
                                           "{\"active\":1}" };
    uint32_t slot = opaque();
    for (size_t i = 0; i < GH_ARRAY_LEN(answers); i++) {
        put_json("/introspect", "", gh_str_from(answers[i]));
        world.fetches = 0;
        ask_and_wait(slot, "ended");
        assert_int_equal(introspected.reason, GH_OK);
        assert_string_equal(introspected.text, answers[i]);
        ask_and_wait(slot, "ended");
        assert_int_equal(introspected.reason, GH_OK);
        assert_string_equal(introspected.text, "{\"active\":false}");
        assert_int_equal(world.fetches, 1);
        ask_and_wait(slot, "another");
        assert_int_equal(world.fetches, 2);
        pass_ms(5001);
    }
    put_json("/introspect", "", GH_STR(ACTIVE));
    ask_and_wait(slot, "ended");
    assert_string_equal(introspected.text, ACTIVE);
}

/* Unreachable is 503 and not 401: clients would throw good tokens away. */
static void down_is_not_inactive(void **state)
{
    static const char *const bad[] = {
        "HTTP/1.1 401 No\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n{\"active\":false}",
        "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 302 There\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 15\r\n\r\n{\"active\":true}",
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 4\r\n\r\ntrue",
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 14\r\n\r\n{\"active\":true}",
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{\"active\":false,\"active\":true}",
        "",
    };
    uint32_t slot = opaque();
    for (size_t i = 0; i < GH_ARRAY_LEN(bad); i++) {
        put_raw("/introspect", gh_str_from(bad[i]));
        ask_and_wait(slot, "t");
        assert_int_equal(introspected.reason, GH_INTROSPECTION_DOWN);
        assert_string_equal(introspected.text, "");
    }
    assert_true(logged("introspection at an issuer fails"));
    put_json("/introspect", "", GH_STR(ACTIVE));
    ask_and_wait(slot, "t");
    assert_int_equal(introspected.reason, GH_OK);
    assert_true(logged("well again"));
}

static void no_more_than_the_limit(void **state)
{
    uint32_t slot = opaque();
    document("/introspect")->answer = (struct gh_web_answer){ .hold = true };
    ask(slot, "a");
    ask(slot, "b");
    ask(slot, "c");
    ask(slot, "a"); /* joins */
    turns(2);
    assert_int_equal(introspected.times, 1);
    assert_int_equal(introspected.reason, GH_OVERLOADED);
    await(introspected.times == 4);
    assert_int_equal(introspected.reason, GH_INTROSPECTION_DOWN);
    put_json("/introspect", "", GH_STR(ACTIVE));
    ask_and_wait(slot, "c");
    assert_int_equal(introspected.reason, GH_OK);
}

/* Who has failed too often gets half of the questions, and the other half stays free for everybody else. */
static void suspects_leave_room(void **state)
{
    uint32_t slot = opaque(); /* two questions at once */
    struct gh_introspection_request guess = { .slot = slot, .token = GH_STR("a"), .suspect = true };
    document("/introspect")->answer = (struct gh_web_answer){ .hold = true };
    assert_true(gh_keyrings_introspect(world.rings, &guess, on_introspected, NULL));
    guess.token = GH_STR("b");
    assert_true(gh_keyrings_introspect(world.rings, &guess, on_introspected, NULL));
    turns(2);
    assert_int_equal(introspected.times, 1);
    assert_int_equal(introspected.reason, GH_VERIFY_BUDGET);
    ask(slot, "c");
    turns(2);
    assert_int_equal(introspected.times, 1); /* it is being asked */
    await(introspected.times == 3);
    put_json("/introspect", "", GH_STR(ACTIVE));
    assert_true(gh_keyrings_introspect(world.rings, &guess, on_introspected, NULL));
    await(introspected.times == 4);
    assert_int_equal(introspected.reason, GH_OK);
}

/* private_key_jwt: no Basic, and a fresh assertion for each question, for this issuer and under our key. */
static void a_key_instead_of_a_secret(void **state)
{
    struct gh_signer *signer = gh_signer_new("ES256");
    gh_str pem = gh_signer_pem(world.arena, signer);
    world.conf.introspection_url = url("/introspect");
    world.conf.introspection_client = GH_STR("gateway");
    world.conf.introspection_key_file = gh_str_from(gh_test_file("client.pem", pem, 0600));
    put_json("/introspect", "", GH_STR(ACTIVE));
    uint32_t slot = load(&world.conf);
    gh_str jwk = gh_signer_jwk(world.arena, signer, "");
    struct gh_jwks *set = NULL;
    assert_int_equal(gh_jwks_read(gh_arena_printf(world.arena, "{\"keys\":[%s]}", jwk.ptr),
                                  GH_ALG_BIT(GH_ALG_ES256), NULL, &set),
                     GH_OK);
    gh_str first = GH_STR_NONE;
    for (int i = 0; i < 2; i++) {
        ask_and_wait(slot, i == 0 ? "opaque" : "other");
        gh_str body = gh_arena_dup(world.arena, gh_buf_peek(&world.last_body));
        assert_false(gh_str_contains(gh_buf_peek(&world.last_head), GH_STR("Authorization")));
        gh_str rest = body;
        while (rest.len > 0 && !gh_str_starts(rest, GH_STR("&client_assertion=")))
            rest = gh_str_skip(rest, 1);
        assert_true(gh_str_contains(
            body,
            GH_STR(
                "&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&")));
        gh_str text = gh_str_skip(rest, sizeof("&client_assertion=") - 1);
        struct gh_token token;
        assert_int_equal(gh_token_open(world.arena, text, &token), GH_OK);
        assert_str_eq(token.iss, "gateway");
        assert_str_eq(token.typ, "client-authentication+jwt");
        assert_int_equal(
            gh_token_signature(gh_jwks_peek_key(set, 0), token.alg, token.signed_part, token.signature),
            GH_OK);
        assert_false(gh_str_eq(first, text));
        first = text;
    }
    gh_jwks_unref(set);
    gh_signer_free(signer);
}

static void keys_that_are_none(void **state)
{
    world.conf.introspection_url = url("/introspect");
    world.conf.introspection_client = GH_STR("gateway");
    world.conf.introspection_key_file = gh_str_from(gh_test_file("client.pem", GH_STR("s3cret"), 0600));
    gh_keyrings_begin(world.rings);
    assert_int_equal(add(&world.conf), UINT32_MAX);
    gh_keyrings_end(world.rings, false);
    assert_non_null(strstr(world.why, "client.pem: holds "));
    assert_null(strstr(world.why, "s3cret"));
}

static void issuers_that_are_not_asked(void **state)
{
    uint32_t slot = load(&world.conf);
    await(has(slot, "k1"));
    ask_and_wait(slot, "t");
    assert_int_equal(introspected.reason, GH_INTROSPECTION_DOWN);
    ask_and_wait(7, "t");
    assert_int_equal(introspected.reason, GH_INTROSPECTION_DOWN);
}

static void an_end_while_it_is_asked(void **state)
{
    uint32_t slot = opaque();
    document("/introspect")->answer = (struct gh_web_answer){ .hold = true };
    ask(slot, "a");
    ask(slot, "a");
    await(world.fetches == 1);
    gh_keyrings_begin(world.rings);
    gh_keyrings_end(world.rings, true); /* the issuer is gone */
    turns(2);
    assert_int_equal(introspected.times, 2);
    assert_int_equal(introspected.reason, GH_SHUTTING_DOWN);
    slot = opaque();
    document("/introspect")->answer = (struct gh_web_answer){ .hold = true };
    ask(slot, "b");
    await(world.fetches == 2);
    gh_keyrings_free(world.rings);
    world.rings = NULL;
    assert_int_equal(introspected.times, 3);
}

#define ASK(name) cmocka_unit_test_setup_teardown(name, set_up, world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ASK(an_active_token),           ASK(one_question_for_all),   ASK(inactive_is_remembered_for_5_s),
        ASK(down_is_not_inactive),      ASK(no_more_than_the_limit), ASK(suspects_leave_room),
        ASK(a_key_instead_of_a_secret), ASK(keys_that_are_none),     ASK(issuers_that_are_not_asked),
        ASK(an_end_while_it_is_asked),
    };
    return cmocka_run_group_tests_name("introspection", tests, NULL, NULL);
}
