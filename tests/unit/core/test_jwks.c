/* Key sets: which keys are kept, which are left out for which fault, and which one a token finds. */
#include <stdio.h>
#include <string.h>

#include "support/cm.h"

#include "base/arena.h"
#include "gatehouse/token.h"
#include "support/sign.h"

#define ALL_ALGS ((1u << GH_ALG_COUNT) - 1u)
#define RSA_ALGS (GH_ALG_BIT(GH_ALG_RS256) | GH_ALG_BIT(GH_ALG_PS256))

static struct gh_arena *arena;
static struct gh_signer *rsa, *rsa_other, *p256, *p521, *ed;

static int set_up(void **state)
{
    (void)state;
    arena = gh_arena_new(0);
    rsa = gh_signer_new("RS256");
    rsa_other = gh_signer_new("RS256");
    p256 = gh_signer_new("ES256");
    p521 = gh_signer_new("ES512");
    ed = gh_signer_new("EdDSA");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    gh_signer_free(rsa);
    gh_signer_free(rsa_other);
    gh_signer_free(p256);
    gh_signer_free(p521);
    gh_signer_free(ed);
    gh_arena_free(arena);
    return 0;
}

static gh_str jwk(const struct gh_signer *signer, const char *more)
{
    return gh_signer_jwk(arena, signer, more);
}

static enum gh_reason read_set(gh_algs allowed, unsigned *faults, struct gh_jwks **set, gh_str keys)
{
    return gh_jwks_read(gh_arena_printf(arena, "{\"keys\":[%.*s]}", GH_STR_FMT(keys)), allowed, faults, set);
}

/* The key beside a good one: it is left out for that fault, and the good one stays. */
static void check_fault(gh_str key, enum gh_key_fault fault)
{
    unsigned faults[GH_KEY_FAULT_COUNT];
    struct gh_jwks *set = NULL;
    gh_str good = jwk(ed, ",\"kid\":\"good\"");
    gh_str keys = gh_arena_printf(arena, "%.*s,%.*s", GH_STR_FMT(key), GH_STR_FMT(good));
    assert_int_equal(read_set(ALL_ALGS, faults, &set, keys), GH_OK);
    assert_int_equal(gh_jwks_count(set), 1);
    assert_str_eq(gh_key_kid(gh_jwks_peek_key(set, 0)), "good");
    for (unsigned i = 0; i < GH_KEY_FAULT_COUNT; i++)
        assert_int_equal(faults[i], i == (unsigned)fault ? 1 : 0);
    gh_jwks_unref(set);
    assert_int_equal(read_set(ALL_ALGS, NULL, &set, key), GH_KEYS_MALFORMED);
}

static void every_kind_of_key_loads_alone(void **state)
{
    struct gh_signer *const signers[] = { rsa, p256, p521, ed };
    const gh_algs algs[] = { RSA_ALGS, GH_ALG_BIT(GH_ALG_ES256), GH_ALG_BIT(GH_ALG_ES512),
                             GH_ALG_BIT(GH_ALG_EDDSA) };
    (void)state;
    for (size_t i = 0; i < GH_ARRAY_LEN(signers); i++) {
        struct gh_jwks *set = NULL;
        gh_algs allowed = RSA_ALGS | algs[1] | algs[2] | algs[3];
        assert_int_equal(
            read_set(allowed, NULL, &set, jwk(signers[i], ",\"use\":\"sig\",\"key_ops\":[\"verify\"]")),
            GH_OK);
        assert_int_equal(gh_key_algs(gh_jwks_peek_key(set, 0)), algs[i]);
        assert_null(gh_key_kid(gh_jwks_peek_key(set, 0)).ptr);
        assert_null(gh_jwks_peek_key(set, 1));
        gh_jwks_unref(set);
    }
}

static void faults_are_named(void **state)
{
    (void)state;
    check_fault(GH_STR("7"), GH_KEY_FAULT_MALFORMED);
    check_fault(GH_STR("{\"kty\":\"oct\",\"k\":\"AAAA\"}"), GH_KEY_FAULT_TYPE);
    check_fault(GH_STR("{\"kty\":\"rsa\"}"), GH_KEY_FAULT_TYPE);
    check_fault(GH_STR("{\"kty\":\"EC\",\"crv\":\"secp256k1\",\"x\":\"AA\",\"y\":\"AA\"}"),
                GH_KEY_FAULT_TYPE);
    check_fault(GH_STR("{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"AA\"}"), GH_KEY_FAULT_TYPE);
    check_fault(GH_STR("{\"kty\":\"OKP\",\"crv\":\"Ed448\",\"x\":\"AA\"}"), GH_KEY_FAULT_TYPE);
    check_fault(GH_STR("{\"kty\":\"EC\",\"x\":\"AA\",\"y\":\"AA\"}"), GH_KEY_FAULT_TYPE);
    check_fault(jwk(rsa, ",\"use\":\"enc\""), GH_KEY_FAULT_USE);
    check_fault(jwk(rsa, ",\"use\":7"), GH_KEY_FAULT_USE);
    check_fault(jwk(rsa, ",\"key_ops\":[\"sign\",\"encrypt\"]"), GH_KEY_FAULT_USE);
    check_fault(jwk(rsa, ",\"key_ops\":\"verify\""), GH_KEY_FAULT_USE);
    check_fault(jwk(rsa, ",\"alg\":\"RSA-OAEP\""), GH_KEY_FAULT_ALGORITHM);
    check_fault(jwk(rsa, ",\"alg\":\"HS256\""), GH_KEY_FAULT_ALGORITHM);
    check_fault(jwk(rsa, ",\"alg\":\"ES256\""), GH_KEY_FAULT_ALGORITHM);
    check_fault(jwk(p256, ",\"alg\":\"ES384\""), GH_KEY_FAULT_ALGORITHM);
    check_fault(jwk(p256, ",\"alg\":null"), GH_KEY_FAULT_ALGORITHM);
    check_fault(jwk(rsa, ",\"kid\":7"), GH_KEY_FAULT_MALFORMED);
    check_fault(jwk(p256, ",\"d\":\"AAAA\""), GH_KEY_FAULT_WEAK);
    check_fault(GH_STR("{\"kty\":\"RSA\",\"e\":\"AQAB\"}"), GH_KEY_FAULT_MALFORMED);
    check_fault(GH_STR("{\"kty\":\"RSA\",\"n\":\"A\",\"e\":\"AQAB\"}"), GH_KEY_FAULT_MALFORMED);
    check_fault(GH_STR("{\"kty\":\"RSA\",\"n\":\"AQAB=\",\"e\":\"AQAB\"}"), GH_KEY_FAULT_MALFORMED);
    check_fault(GH_STR("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AQAB\",\"y\":\"AQAB\"}"),
                GH_KEY_FAULT_MALFORMED);
}

/* An EC point whose coordinates were swapped, or cut, is no point of the curve. */
static void points_off_the_curve_are_left_out(void **state)
{
    static const char zeros[] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    (void)state;
    check_fault(
        gh_arena_printf(arena, "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"%s\",\"y\":\"%s\"}", zeros, zeros),
        GH_KEY_FAULT_MALFORMED);
    static const char edge[] = "_________________________________________38"; /* above the field's prime */
    check_fault(
        gh_arena_printf(arena, "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"%s\",\"y\":\"%s\"}", edge, edge),
        GH_KEY_FAULT_MALFORMED);
}

static gh_str okp(const unsigned char x[32])
{
    return gh_arena_printf(arena, "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"%s\"}",
                           gh_test_base64url(arena, gh_str_of(x, 32)).ptr);
}

/* The eight points of small order and their other encodings, y from p upwards, and a y without any x. */
static void unsound_ed25519_keys_are_left_out(void **state)
{
    static const char *const points[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "0200000000000000000000000000000000000000000000000000000000000000",
    };
    (void)state;
    for (size_t i = 0; i < GH_ARRAY_LEN(points); i++) {
        unsigned char x[32];
        for (size_t k = 0; k < 32; k++) {
            unsigned byte = 0;
            assert_int_equal(sscanf(points[i] + 2 * k, "%2x", &byte), 1);
            x[k] = (unsigned char)byte;
        }
        check_fault(okp(x), GH_KEY_FAULT_WEAK);
        x[31] |= 0x80; /* the other sign */
        check_fault(okp(x), GH_KEY_FAULT_WEAK);
    }
    check_fault(GH_STR("{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AQAB\"}"), GH_KEY_FAULT_WEAK);
}

static gh_str rsa_of(size_t bytes, unsigned char first, unsigned char last, const char *e)
{
    char *n = gh_arena_alloc(arena, bytes);
    memset(n, 0x5a, bytes);
    n[0] = (char)first;
    n[bytes - 1] = (char)last;
    return gh_arena_printf(arena, "{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"%s\"}",
                           gh_test_base64url(arena, gh_str_of(n, bytes)).ptr, e);
}

static void weak_rsa_keys_are_left_out(void **state)
{
    (void)state;
    check_fault(rsa_of(128, 0x80, 1, "AQAB"), GH_KEY_FAULT_WEAK);
    check_fault(rsa_of(256, 0x7f, 1, "AQAB"), GH_KEY_FAULT_WEAK); /* 2,047 bits */
    check_fault(rsa_of(513, 0x01, 1, "AQAB"), GH_KEY_FAULT_WEAK); /* 4,097 bits */
    check_fault(rsa_of(256, 0x80, 2, "AQAB"), GH_KEY_FAULT_WEAK); /* even */
    static const char *const exponents[] = { "AA", "AQ", "Aw", "EQ", "__8", "AQAA", "AQAC", "AQAAAAAAAAAB" };
    for (size_t i = 0; i < GH_ARRAY_LEN(exponents); i++) {
        gh_str key = jwk(rsa, "");
        gh_str changed = gh_arena_printf(arena, "%.*s\"e\":\"%s\"}",
                                         (int)(key.len - strlen("\"e\":\"AQAB\"}")), key.ptr, exponents[i]);
        check_fault(changed, GH_KEY_FAULT_WEAK);
    }
}

static void two_keys_under_one_kid_both_go(void **state)
{
    unsigned faults[GH_KEY_FAULT_COUNT];
    struct gh_jwks *set = NULL;
    (void)state;
    gh_str keys = gh_arena_printf(arena, "%s,%s,%s", jwk(rsa, ",\"kid\":\"a\"").ptr,
                                  jwk(rsa_other, ",\"kid\":\"a\"").ptr, jwk(p256, ",\"kid\":\"b\"").ptr);
    assert_int_equal(read_set(ALL_ALGS, faults, &set, keys), GH_OK);
    assert_int_equal(gh_jwks_count(set), 1);
    assert_int_equal(faults[GH_KEY_FAULT_DUPLICATE], 2);
    assert_null(gh_jwks_find(set, GH_STR("a"), GH_ALG_RS256));
    assert_true(gh_jwks_has_kid(set, GH_STR("a")));
    assert_non_null(gh_jwks_find(set, GH_STR("b"), GH_ALG_ES256));
    gh_jwks_unref(set);
    /* The same key twice is one key; under another algorithm it is another one. */
    gh_str same = jwk(rsa, ",\"kid\":\"a\"");
    assert_int_equal(read_set(ALL_ALGS, faults, &set, gh_arena_printf(arena, "%s,%s", same.ptr, same.ptr)),
                     GH_OK);
    assert_int_equal(gh_jwks_count(set), 1);
    assert_int_equal(faults[GH_KEY_FAULT_DUPLICATE], 0);
    gh_jwks_unref(set);
    keys = gh_arena_printf(arena, "%s,%s", jwk(rsa, ",\"kid\":\"a\",\"alg\":\"RS256\"").ptr,
                           jwk(rsa, ",\"kid\":\"a\",\"alg\":\"PS256\"").ptr);
    assert_int_equal(read_set(ALL_ALGS, faults, &set, keys), GH_KEYS_MALFORMED);
    assert_int_equal(faults[GH_KEY_FAULT_DUPLICATE], 2);
}

static void kids_are_bytes(void **state)
{
    struct gh_jwks *set = NULL;
    (void)state;
    gh_str keys = gh_arena_printf(arena, "%s,%s", jwk(rsa, ",\"kid\":\"a/../b' --\\r\\n\"").ptr,
                                  jwk(p256, ",\"kid\":\"\"").ptr);
    assert_int_equal(read_set(ALL_ALGS, NULL, &set, keys), GH_OK);
    assert_non_null(gh_jwks_find(set, GH_STR("a/../b' --\r\n"), GH_ALG_RS256));
    assert_null(gh_jwks_find(set, GH_STR("A/../b' --\r\n"), GH_ALG_RS256));
    assert_null(gh_jwks_find(set, GH_STR("a/../b' --\r\n"), GH_ALG_ES256));
    assert_non_null(gh_jwks_find(set, GH_STR(""), GH_ALG_ES256));
    assert_non_null(gh_jwks_find(set, GH_STR_NONE, GH_ALG_ES256));
    assert_non_null(gh_jwks_find(set, GH_STR_NONE, GH_ALG_RS256));
    assert_null(gh_jwks_find(set, GH_STR_NONE, GH_ALG_EDDSA));
    assert_false(gh_jwks_has_kid(set, GH_STR("b")));
    gh_jwks_unref(set);
}

static void keys_without_kid_serve_tokens_without_kid(void **state)
{
    struct gh_jwks *set = NULL;
    (void)state;
    gh_str keys =
        gh_arena_printf(arena, "%s,%s,%s", jwk(rsa, "").ptr, jwk(rsa_other, "").ptr, jwk(p256, "").ptr);
    assert_int_equal(read_set(ALL_ALGS, NULL, &set, keys), GH_OK);
    assert_int_equal(gh_jwks_count(set), 3);
    assert_null(gh_jwks_find(set, GH_STR_NONE, GH_ALG_RS256)); /* two fit: neither */
    assert_non_null(gh_jwks_find(set, GH_STR_NONE, GH_ALG_ES256));
    assert_null(gh_jwks_find(set, GH_STR("a"), GH_ALG_ES256));
    gh_jwks_unref(set);
}

static void at_most_64_keys(void **state)
{
    unsigned faults[GH_KEY_FAULT_COUNT];
    struct gh_jwks *set = NULL;
    gh_str keys = GH_STR("");
    (void)state;
    for (unsigned i = 0; i < 66; i++) {
        gh_str more = gh_arena_printf(arena, ",\"kid\":\"k%u\"", i);
        keys = gh_arena_printf(arena, "%.*s%s%s", GH_STR_FMT(keys), i != 0 ? "," : "", jwk(ed, more.ptr).ptr);
    }
    assert_int_equal(read_set(ALL_ALGS, faults, &set, keys), GH_OK);
    assert_int_equal(gh_jwks_count(set), 64);
    assert_int_equal(faults[GH_KEY_FAULT_EXCESS], 2);
    assert_non_null(gh_jwks_find(set, GH_STR("k63"), GH_ALG_EDDSA));
    assert_null(gh_jwks_find(set, GH_STR("k64"), GH_ALG_EDDSA));
    gh_jwks_unref(set);
}

/* RFC 7638 section 3.1 gives this key and its thumbprint. */
static void thumbprints_are_those_of_the_key(void **state)
{
    static const unsigned char expected[32] = { 0x37, 0x36, 0xcb, 0xb1, 0x78, 0x7c, 0xb8, 0x30,
                                                0x9c, 0x77, 0xee, 0x8c, 0x37, 0x05, 0xc5, 0xe1,
                                                0x6f, 0xfb, 0x9e, 0x85, 0x97, 0x15, 0x90, 0x1f,
                                                0x1e, 0x4c, 0x59, 0xb1, 0x11, 0x82, 0xf5, 0x7b };
    struct gh_jwks *set = NULL, *padded = NULL;
    (void)state;
    static const char n[] = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1"
                            "L6tSoc_BJECPebWKRXjBZCiFV4n3okn"
                            "jhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_"
                            "FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6q"
                            "MQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_"
                            "xBniIqbw0Ls1jF44-csFCur-kEgU8awap"
                            "JzKnqDKgw";
    gh_str key = gh_arena_printf(arena, "{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"AQAB\",\"kid\":\"x\"}", n);
    assert_int_equal(read_set(ALL_ALGS, NULL, &set, key), GH_OK);
    assert_memory_equal(gh_key_thumbprint(gh_jwks_peek_key(set, 0)), expected, 32);
    assert_true(gh_jwks_has_thumbprint(set, expected));
    /* A leading zero changes the text, not the key. */
    key = gh_arena_printf(arena, "{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"AAEAAQ\"}", n);
    assert_int_equal(read_set(ALL_ALGS, NULL, &padded, key), GH_OK);
    assert_true(gh_jwks_has_thumbprint(padded, expected));
    gh_jwks_unref(padded);
    assert_int_equal(read_set(ALL_ALGS, NULL, &padded, jwk(p256, "")), GH_OK);
    assert_false(gh_jwks_has_thumbprint(padded, expected));
    gh_jwks_unref(padded);
    gh_jwks_unref(set);
}

static void keys_and_sets_live_as_long_as_their_references(void **state)
{
    struct gh_jwks *set = NULL;
    (void)state;
    assert_int_equal(read_set(ALL_ALGS, NULL, &set, jwk(p256, ",\"kid\":\"a\"")), GH_OK);
    struct gh_key *key = gh_key_ref(gh_jwks_peek_key(set, 0));
    struct gh_jwks *again = gh_jwks_ref(set);
    gh_jwks_unref(set);
    assert_int_equal(gh_jwks_count(again), 1);
    gh_jwks_unref(again);
    assert_str_eq(gh_key_kid(key), "a");
    gh_str signature = gh_signer_sign(arena, p256, "ES256", GH_STR("x"));
    assert_int_equal(gh_token_signature(key, GH_ALG_ES256, GH_STR("x"), signature), GH_OK);
    gh_key_unref(key);
    gh_key_unref(NULL);
    gh_jwks_unref(NULL);
}

static void other_documents_are_no_key_set(void **state)
{
    static const char *const texts[] = {
        "",  "{}",          "[]", "{\"keys\":{}}",  "{\"keys\":[]}", "{\"keys\":[],\"keys\":[]}",
        "x", "{\"keys\":[", "7",  "{\"keys\":null}"
    };
    (void)state;
    for (size_t i = 0; i < GH_ARRAY_LEN(texts); i++) {
        struct gh_jwks *set = NULL;
        assert_int_equal(gh_jwks_read(gh_str_from(texts[i]), ALL_ALGS, NULL, &set), GH_KEYS_MALFORMED);
        assert_null(set);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_key_loads_alone),
        cmocka_unit_test(faults_are_named),
        cmocka_unit_test(points_off_the_curve_are_left_out),
        cmocka_unit_test(unsound_ed25519_keys_are_left_out),
        cmocka_unit_test(weak_rsa_keys_are_left_out),
        cmocka_unit_test(two_keys_under_one_kid_both_go),
        cmocka_unit_test(kids_are_bytes),
        cmocka_unit_test(keys_without_kid_serve_tokens_without_kid),
        cmocka_unit_test(at_most_64_keys),
        cmocka_unit_test(thumbprints_are_those_of_the_key),
        cmocka_unit_test(keys_and_sets_live_as_long_as_their_references),
        cmocka_unit_test(other_documents_are_no_key_set),
    };
    return cmocka_run_group_tests_name("jwks", tests, set_up, tear_down);
}
