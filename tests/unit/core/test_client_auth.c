/* How clients prove who they are at the token endpoint: secrets by two ways, signed assertions, and not at
 * all. */
#include <stdio.h>

#include "support/cm.h"

#include "base/arena.h"
#include "base/base64.h"
#include "gatehouse/client.h"
#include "support/sign.h"

#define ISSUER "https://gw.example"
#define TYPE   "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

static struct gh_arena *arena;
static struct gh_signer *signer;
static struct gh_jwks *keys;

static int begin(void **state)
{
    arena = gh_arena_new(0);
    signer = gh_signer_new("ES256");
    gh_str set =
        gh_arena_printf(arena, "{\"keys\":[%s]}", gh_signer_jwk(arena, signer, ",\"kid\":\"k\"").ptr);
    return gh_jwks_read(set, (1u << GH_ALG_COUNT) - 1u, NULL, &keys) != GH_OK;
}

static int end(void **state)
{
    gh_jwks_unref(keys);
    gh_signer_free(signer);
    gh_arena_free(arena);
    return 0;
}

static gh_str basic(const char *pair)
{
    gh_str plain = gh_str_from(pair);
    char *text = gh_arena_alloc(arena, gh_base64_encoded_len(plain.len) + 1);
    gh_base64_encode(plain, text);
    text[gh_base64_encoded_len(plain.len)] = '\0';
    return gh_arena_printf(arena, "Basic %s", text);
}

static enum gh_reason read_credential(const char *authorization, const char *body,
                                      struct gh_client_credential *ret_credential)
{
    struct gh_headers headers;
    struct gh_form form;
    assert_int_equal(gh_headers_init(&headers, arena, 4), GH_OK);
    if (authorization != NULL)
        assert_int_equal(gh_headers_add(&headers, GH_STR("authorization"), gh_str_from(authorization)),
                         GH_OK);
    assert_int_equal(gh_form_read(arena, gh_str_from(body), &form), GH_OK);
    return gh_client_credential_read(arena, &headers, &form, ret_credential);
}

static void one_method(void **state)
{
    struct gh_client_credential c;
    assert_int_equal(read_credential(NULL, "client_id=app", &c), GH_OK);
    assert_int_equal(c.method, GH_CLIENT_AUTH_NONE);
    assert_int_equal(read_credential(NULL, "client_id=app&client_secret=s", &c), GH_OK);
    assert_int_equal(c.method, GH_CLIENT_AUTH_POST);
    assert_int_equal(read_credential(basic("a%3Ab:s%20t").ptr, "", &c), GH_OK);
    assert_int_equal(c.method, GH_CLIENT_AUTH_BASIC);
    assert_str_eq(c.client_id, "a:b");
    assert_str_eq(c.secret, "s t");
    assert_int_equal(read_credential(basic("app:s+t").ptr, "client_id=app", &c), GH_OK);
    assert_str_eq(c.secret, "s t");
    /* reason: client_unauthenticated */
    assert_int_equal(read_credential(basic("app:s").ptr, "client_id=app&client_secret=s", &c),
                     GH_CLIENT_UNAUTHENTICATED);
    assert_int_equal(read_credential(basic("app:s").ptr, "client_id=other", &c), GH_CLIENT_UNAUTHENTICATED);
    assert_int_equal(read_credential(basic("app").ptr, "", &c), GH_CLIENT_UNAUTHENTICATED);
    assert_int_equal(read_credential(basic(":s").ptr, "", &c), GH_CLIENT_UNAUTHENTICATED);
    assert_int_equal(read_credential(basic("app:%00").ptr, "", &c), GH_CLIENT_UNAUTHENTICATED);
    assert_int_equal(read_credential(basic("app:s&x=y").ptr, "", &c), GH_CLIENT_UNAUTHENTICATED);
    assert_int_equal(read_credential("Basic !!!", "", &c), GH_CLIENT_UNAUTHENTICATED);
    assert_int_equal(read_credential("Basic YXBwOnM=x", "", &c), GH_CLIENT_UNAUTHENTICATED);
    assert_int_equal(read_credential("Bearer abc", "client_id=app", &c), GH_CLIENT_UNAUTHENTICATED);
    assert_int_equal(read_credential(NULL, "", &c), GH_CLIENT_UNAUTHENTICATED);
    assert_int_equal(read_credential(NULL, "client_secret=s", &c), GH_CLIENT_UNAUTHENTICATED);
    assert_int_equal(read_credential(NULL, "client_assertion=x&client_id=app", &c),
                     GH_CLIENT_UNAUTHENTICATED);
}

static void secrets(void **state)
{
    const gh_str hashes[] = { gh_secret_hash(arena, GH_STR("old")), gh_secret_hash(arena, GH_STR("new")) };
    struct gh_client client = { .id = GH_STR("app"), .auth = GH_CLIENT_AUTH_POST, .secrets = { hashes, 2 } };
    struct gh_client_credential c;
    struct gh_effects effects = { 0 };
    assert_int_equal(read_credential(NULL, "client_id=app&client_secret=new", &c), GH_OK);
    assert_int_equal(gh_client_verify(arena, GH_STR(ISSUER), &client, &c, NULL, 1000, &effects), GH_OK);
    assert_int_equal(read_credential(NULL, "client_id=app&client_secret=old", &c), GH_OK);
    assert_int_equal(gh_client_verify(arena, GH_STR(ISSUER), &client, &c, NULL, 1000, &effects), GH_OK);
    assert_int_equal(read_credential(NULL, "client_id=app&client_secret=none", &c), GH_OK);
    assert_int_equal(gh_client_verify(arena, GH_STR(ISSUER), &client, &c, NULL, 1000, &effects),
                     GH_CLIENT_UNAUTHENTICATED);
    /* the method is the registered one, and nothing at all is no method of a confidential client (A15) */
    assert_int_equal(read_credential(basic("app:new").ptr, "", &c), GH_OK);
    assert_int_equal(gh_client_verify(arena, GH_STR(ISSUER), &client, &c, NULL, 1000, &effects),
                     GH_CLIENT_UNAUTHENTICATED);
    assert_int_equal(read_credential(NULL, "client_id=app", &c), GH_OK);
    assert_int_equal(gh_client_verify(arena, GH_STR(ISSUER), &client, &c, NULL, 1000, &effects),
                     GH_CLIENT_UNAUTHENTICATED);
    client.auth = GH_CLIENT_AUTH_NONE;
    assert_int_equal(gh_client_verify(arena, GH_STR(ISSUER), &client, &c, NULL, 1000, &effects), GH_OK);
}

static enum gh_reason assert_with(struct gh_signer *with, const char *header, const char *payload,
                                  struct gh_effects *effects)
{
    const struct gh_client client = { .id = GH_STR("svc"), .auth = GH_CLIENT_AUTH_KEY };
    struct gh_client_credential c;
    gh_str token = gh_signer_token(arena, with, "ES256", gh_str_from(header), gh_str_from(payload));
    gh_str body =
        gh_arena_printf(arena, "client_assertion_type=%s&client_assertion=%.*s", TYPE, GH_STR_FMT(token));
    enum gh_reason reason = read_credential(NULL, body.ptr, &c);
    return reason == GH_OK ? gh_client_verify(arena, GH_STR(ISSUER), &client, &c, keys, 1000, effects)
                           : reason;
}

#define HEADER "{\"alg\":\"ES256\",\"kid\":\"k\"}"
#define WHO    "{\"iss\":\"svc\",\"sub\":\"svc\","
#define GOOD   WHO "\"aud\":\"" ISSUER "\",\"jti\":\"j\",\"exp\":1300}"

static void assertions(void **state)
{
    static const char *const good[][2] = {
        { HEADER, GOOD },
        { "{\"alg\":\"ES256\",\"kid\":\"k\",\"typ\":\"JWT\"}", GOOD },
        { "{\"alg\":\"ES256\",\"kid\":\"k\",\"typ\":\"client-authentication+jwt\"}", GOOD },
        { HEADER, WHO "\"aud\":[\"" ISSUER "\"],\"jti\":\"j\",\"exp\":1001,\"iat\":1000,\"nbf\":1000}" },
    };
    static const char *const bad[][2] = {
        { HEADER, WHO "\"aud\":\"" ISSUER "/oauth/token\",\"jti\":\"j\",\"exp\":1300}" },
        { HEADER, WHO "\"aud\":[\"" ISSUER "\",\"https://other.example\"],\"jti\":\"j\",\"exp\":1300}" },
        { HEADER, WHO "\"aud\":\"https://other.example\",\"jti\":\"j\",\"exp\":1300}" },
        { HEADER, WHO "\"jti\":\"j\",\"exp\":1300}" },
        { HEADER, WHO "\"aud\":\"" ISSUER "\",\"jti\":\"j\"}" },
        { HEADER, WHO "\"aud\":\"" ISSUER "\",\"jti\":\"j\",\"exp\":\"1300\"}" },
        { HEADER, WHO "\"aud\":\"" ISSUER "\",\"jti\":\"j\",\"exp\":969}" },
        { HEADER, WHO "\"aud\":\"" ISSUER "\",\"jti\":\"j\",\"exp\":1331}" },
        { HEADER, WHO "\"aud\":\"" ISSUER "\",\"jti\":\"j\",\"exp\":1300,\"nbf\":1031}" },
        { HEADER, WHO "\"aud\":\"" ISSUER "\",\"jti\":\"j\",\"exp\":1300,\"iat\":1031}" },
        { HEADER, WHO "\"aud\":\"" ISSUER "\",\"exp\":1300}" },
        { HEADER, WHO "\"aud\":\"" ISSUER "\",\"jti\":\"\",\"exp\":1300}" },
        { HEADER, "{\"iss\":\"svc\",\"aud\":\"" ISSUER "\",\"jti\":\"j\",\"exp\":1300}" },
        { HEADER, "{\"iss\":\"svc\",\"sub\":\"other\",\"aud\":\"" ISSUER "\",\"jti\":\"j\",\"exp\":1300}" },
        { HEADER, "{\"iss\":\"other\",\"sub\":\"other\",\"aud\":\"" ISSUER "\",\"jti\":\"j\",\"exp\":1300}" },
        { "{\"alg\":\"ES256\",\"kid\":\"unknown\"}", GOOD },
        { "{\"alg\":\"ES384\",\"kid\":\"k\"}", GOOD },
        { "{\"alg\":\"none\"}", GOOD },
        { "{\"alg\":\"HS256\",\"kid\":\"k\"}", GOOD },
        { "{\"alg\":\"ES256\",\"kid\":\"k\",\"typ\":\"at+jwt\"}", GOOD },
    };
    struct gh_effects effects;
    for (size_t i = 0; i < GH_ARRAY_LEN(good); i++) {
        effects = (struct gh_effects){ 0 };
        assert_int_equal(assert_with(signer, good[i][0], good[i][1], &effects), GH_OK);
        /* A16: the jti counts once, wherever it is presented next */
        assert_int_equal(effects.precondition_count, 1);
        assert_int_equal(effects.preconditions[0].version, 0);
        assert_int_equal(effects.write_count, 1);
        assert_true(effects.writes[0].expires >= 1001);
    }
    for (size_t i = 0; i < GH_ARRAY_LEN(bad); i++) {
        effects = (struct gh_effects){ 0 };
        if (assert_with(signer, bad[i][0], bad[i][1], &effects) != GH_CLIENT_UNAUTHENTICATED)
            fail_msg("case %zu: %s", i, bad[i][1]);
        assert_int_equal(effects.write_count, 0);
    }
    struct gh_signer *foreign = gh_signer_new("ES256");
    assert_int_equal(assert_with(foreign, HEADER, GOOD, &effects), GH_CLIENT_UNAUTHENTICATED);
    gh_signer_free(foreign);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
    const struct CMUnitTest tests[] = { TEST(one_method), TEST(secrets), TEST(assertions) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
