/* Signatures of every algorithm: accepted under their key, refused under any other and after any change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/str.h"
#include "gatehouse/token.h"
#include "support/sign.h"

static const char *const algs[GH_ALG_COUNT] = {
    [GH_ALG_RS256] = "RS256", [GH_ALG_RS384] = "RS384", [GH_ALG_RS512] = "RS512", [GH_ALG_PS256] = "PS256",
    [GH_ALG_PS384] = "PS384", [GH_ALG_PS512] = "PS512", [GH_ALG_ES256] = "ES256", [GH_ALG_ES384] = "ES384",
    [GH_ALG_ES512] = "ES512", [GH_ALG_EDDSA] = "EdDSA",
};
#define ALL_ALGS ((1u << GH_ALG_COUNT) - 1u)

struct fixture {
    struct gh_arena *arena;
    struct gh_signer *signers[GH_ALG_COUNT];
    struct gh_jwks *set;
};

static int set_up(void **state)
{
    static struct fixture fixture;
    fixture.arena = gh_arena_new(0);
    gh_str keys = GH_STR("");
    for (size_t i = 0; i < GH_ALG_COUNT; i++) {
        fixture.signers[i] = gh_signer_new(algs[i]);
        gh_str more = gh_arena_printf(fixture.arena, ",\"kid\":\"%s\",\"alg\":\"%s\"", algs[i], algs[i]);
        gh_str jwk = gh_signer_jwk(fixture.arena, fixture.signers[i], more.ptr);
        keys = gh_arena_printf(fixture.arena, "%.*s%s%s", GH_STR_FMT(keys), i != 0 ? "," : "", jwk.ptr);
    }
    gh_str doc = gh_arena_printf(fixture.arena, "{\"keys\":[%s]}", keys.ptr);
    assert_int_equal(gh_jwks_read(doc, ALL_ALGS, NULL, &fixture.set), GH_OK);
    assert_int_equal(gh_jwks_count(fixture.set), GH_ALG_COUNT);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    for (size_t i = 0; i < GH_ALG_COUNT; i++)
        gh_signer_free(fixture->signers[i]);
    gh_jwks_unref(fixture->set);
    gh_arena_free(fixture->arena);
    return 0;
}

static struct gh_token signed_token(struct fixture *fixture, size_t alg)
{
    gh_str header = gh_arena_printf(fixture->arena, "{\"alg\":\"%s\",\"kid\":\"%s\"}", algs[alg], algs[alg]);
    gh_str text = gh_signer_token(fixture->arena, fixture->signers[alg], algs[alg], header,
                                  GH_STR("{\"iss\":\"https://as.example\",\"exp\":1}"));
    struct gh_token token;
    assert_int_equal(gh_token_open(fixture->arena, text, &token), GH_OK);
    return token;
}

static void every_algorithm_is_verified_end_to_end(void **state)
{
    struct fixture *fixture = *state;
    for (size_t i = 0; i < GH_ALG_COUNT; i++) {
        struct gh_token token = signed_token(fixture, i);
        assert_int_equal(token.alg, i);
        assert_true(gh_str_eq(token.iss, GH_STR("https://as.example")));
        struct gh_profile profile = { .algs = ALL_ALGS };
        struct gh_key *key = NULL;
        assert_int_equal(gh_token_key(fixture->set, &token, &profile, &key), GH_OK);
        assert_int_equal(gh_token_signature(key, token.alg, token.signed_part, token.signature), GH_OK);
    }
}

static void a_key_serves_its_own_algorithm_alone(void **state)
{
    struct fixture *fixture = *state;
    for (size_t i = 0; i < GH_ALG_COUNT; i++) {
        struct gh_token token = signed_token(fixture, i);
        for (size_t k = 0; k < GH_ALG_COUNT; k++) {
            const struct gh_key *key = gh_jwks_peek_key(fixture->set, k);
            for (unsigned alg = 0; alg < GH_ALG_COUNT; alg++) {
                enum gh_reason expected = alg != k ? GH_TOKEN_ALGORITHM : i == k ? GH_OK : GH_TOKEN_SIGNATURE;
                assert_int_equal(
                    gh_token_signature(key, (enum gh_alg)alg, token.signed_part, token.signature), expected);
            }
        }
    }
}

static enum gh_reason verify(struct fixture *fixture, struct gh_token token, gh_str signature)
{
    struct gh_key *key = gh_jwks_find(fixture->set, token.kid, token.alg);
    return gh_token_signature(key, token.alg, token.signed_part, signature);
}

static void changed_signatures_are_refused(void **state)
{
    struct fixture *fixture = *state;
    for (size_t i = 0; i < GH_ALG_COUNT; i++) {
        struct gh_token token = signed_token(fixture, i);
        size_t len = token.signature.len;
        char *copy = gh_arena_alloc(fixture->arena, len + 1);
        for (size_t at = 0; at < len; at += 7) {
            memcpy(copy, token.signature.ptr, len);
            copy[at] = (char)(copy[at] ^ 1);
            assert_int_equal(verify(fixture, token, gh_str_of(copy, len)), GH_TOKEN_SIGNATURE);
        }
        memcpy(copy, token.signature.ptr, len);
        copy[len] = 0;
        assert_int_equal(verify(fixture, token, gh_str_of(copy, len + 1)), GH_TOKEN_SIGNATURE);
        assert_int_equal(verify(fixture, token, gh_str_of(copy, len - 1)), GH_TOKEN_SIGNATURE);
        assert_int_equal(verify(fixture, token, GH_STR("")), GH_TOKEN_SIGNATURE);
        memset(copy, 0, len);
        assert_int_equal(verify(fixture, token, gh_str_of(copy, len)), GH_TOKEN_SIGNATURE);
        memset(copy, 0xff, len);
        assert_int_equal(verify(fixture, token, gh_str_of(copy, len)), GH_TOKEN_SIGNATURE);
        assert_int_equal(verify(fixture, token, token.signature), GH_OK);
    }
}

static void costly_ones_are_named(void **state)
{
    (void)state;
    for (unsigned alg = 0; alg < GH_ALG_COUNT; alg++)
        assert_int_equal(gh_alg_is_costly((enum gh_alg)alg), alg == GH_ALG_ES384 || alg == GH_ALG_ES512);
}

static void names_are_exact(void **state)
{
    (void)state;
    enum gh_alg alg;
    for (unsigned i = 0; i < GH_ALG_COUNT; i++) {
        assert_int_equal(gh_alg_read(gh_str_from(algs[i]), &alg), GH_OK);
        assert_int_equal(alg, i);
        assert_true(gh_str_eq(gh_alg_name(alg), gh_str_from(algs[i])));
    }
    assert_int_equal(gh_alg_read(GH_STR("Ed25519"), &alg), GH_OK);
    assert_int_equal(alg, GH_ALG_EDDSA);
    static const char *const others[] = {
        "",       "none",   "None",  "HS256", "HS384",  "HS512",   "rs256",
        "RS256 ", "ES256K", "Ed448", "RS1",   "EdDSA2", "ed25519", "RS2560"
    };
    for (size_t i = 0; i < GH_ARRAY_LEN(others); i++)
        assert_int_equal(gh_alg_read(gh_str_from(others[i]), &alg), GH_TOKEN_ALGORITHM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_algorithm_is_verified_end_to_end),
        cmocka_unit_test(a_key_serves_its_own_algorithm_alone),
        cmocka_unit_test(changed_signatures_are_refused),
        cmocka_unit_test(costly_ones_are_named),
        cmocka_unit_test(names_are_exact),
    };
    return cmocka_run_group_tests_name("signature", tests, set_up, tear_down);
}
