/* Signing keys as a row: what is written comes back, to whom it belongs alone, and every changed byte is
 * seen.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/cm.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "base/arena.h"
#include "base/secret.h"
#include "base/str.h"
#include "gatehouse/signing_row.h"

static const unsigned char nonce[GH_SIGNING_ROW_NONCE] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 };
static struct gh_arena *arena;
static struct gh_secret sealing_key;
static struct gh_signing_seal seal;
static struct gh_signing_set set;

/* By Python's cryptography, under this key-encryption key, of an ES256 and an Ed25519 key. */
#define KEK "0123456789abcdef0123456789abcdef"
static const char by_others[] =
    "{\"v\":1,\"ring\":7,\"sealed\":\""
    "AAECAwQFBgcICQoL2fhRJrv4fOBqm0WMOX96z_ccmWV1pYm_8y5TuHAT5zRpPfi8LAylX_nUDlRP1AEscjt6lhsr"
    "kEbq9OTVaViVWJ-18FvCZU9Q8f8lqiasUv_T0EB4Rf_mMoMv1sdTq44_yAq0lVOep3HYg0JpsVaYZagBtq5T4u8i"
    "wnUHsReqh5yKc2KMYeKcNjDV3EwN58c3_Igiz_gHpPSquBsiWyTCir5VA4R67TtKvMqwf-WGXspqDgQHesfR66YJ"
    "DWJ7dZPUI3GoajxghvETmzp6L2YXUUTwg-_rxeb0Cm8E_ww8UlL9WCR-mWWjRhNkgyYmabeTps_7gvNDTnWo_gbs"
    "LHwnkh__xpIt7RScEGiNyWqpcgO0Xxr8tXwCosAOhTSVivul-hCwbaA9mWsbujmoVseqNBstU6HXmGi9XAYszc8a"
    "XqQRCZJA8VFgaWLvwD-vUfK9KVVZSVVf4p9TkP106uzRMbEPuRfM_h7ob9DOBbykqT-mhYZ-GG_BLFpM0kuoXUSo"
    "xQPKsDvHxnskmQ\"}";

static struct gh_signing_key *key_of(EVP_PKEY *pkey)
{
    struct gh_signing_key *key = NULL;
    enum gh_signing_fault fault;
    char *pem = NULL;
    BIO *bio = BIO_new(BIO_s_mem());
    assert_int_equal(PEM_write_bio_PKCS8PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL), 1);
    long len = BIO_get_mem_data(bio, &pem);
    assert_int_equal(gh_signing_key_read(gh_str_of(pem, (size_t)len), &fault, &key), GH_OK);
    BIO_free(bio);
    EVP_PKEY_free(pkey);
    return key;
}

static void make_key(const char *kek, struct gh_secret *ret_key)
{
    struct gh_secret secret = { 0 };
    assert_true(gh_secret_set(&secret, gh_str_from(kek)));
    assert_int_equal(gh_signing_row_key(&secret, ret_key), GH_OK);
    gh_secret_done(&secret);
}

static int set_up(void **state)
{
    arena = gh_arena_new(0);
    make_key(KEK, &sealing_key);
    seal = (struct gh_signing_seal){ .key = &sealing_key,
                                     .tenant = GH_STR("acme"),
                                     .issuer = GH_STR("https://auth.example") };
    set = (struct gh_signing_set){ .number = 7, .count = 2 };
    set.at[0].created = 1000;
    set.at[0].key = key_of(EVP_EC_gen("P-256"));
    set.at[1].created = 2000;
    set.at[1].key = key_of(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"));
    return 0;
}

static int tear_down(void **state)
{
    gh_signing_set_done(&set);
    gh_secret_done(&sealing_key);
    gh_arena_free(arena);
    return 0;
}

static enum gh_reason open_by(const struct gh_signing_seal *by, gh_str value, struct gh_signing_set *ret_set)
{
    const char *why = NULL;
    enum gh_reason reason = gh_signing_row_read(arena, by, value, ret_set, &why);
    assert_true(reason != GH_KEYS_MALFORMED || why != NULL);
    return reason;
}

static void same_as_written(const struct gh_signing_set *found)
{
    assert_int_equal(found->number, set.number);
    assert_int_equal(found->count, set.count);
    for (size_t i = 0; i < set.count; i++) {
        assert_int_equal(found->at[i].created, set.at[i].created);
        assert_true(gh_str_eq(gh_signing_key_jwk(found->at[i].key), gh_signing_key_jwk(set.at[i].key)));
    }
}

static gh_str written(void)
{
    gh_str value = gh_signing_row_write(arena, &seal, &set, nonce);
    assert_non_null(value.ptr);
    return value;
}

static void comes_back(void **state)
{
    struct gh_signing_set found = { .count = 0 };
    gh_str value = written();
    assert_true(gh_str_starts(value, GH_STR("{\"v\":1,\"ring\":7,\"sealed\":\"")));
    assert_false(gh_str_contains(value, GH_STR("PRIVATE")));
    assert_int_equal(open_by(&seal, value, &found), GH_OK);
    same_as_written(&found);
    gh_signing_set_done(&found);
    assert_true(gh_str_eq(written(), value)); /* nothing but what it is made of */
}

static void as_others_compute_it(void **state)
{
    struct gh_signing_set found = { .count = 0 };
    assert_int_equal(open_by(&seal, gh_str_from(by_others), &found), GH_OK);
    assert_true(found.number == 7 && found.count == 2);
    assert_true(found.at[0].created == 1000 && found.at[1].created == 2000);
    assert_int_equal(gh_signing_key_alg(found.at[0].key), GH_ALG_ES256);
    assert_int_equal(gh_signing_key_alg(found.at[1].key), GH_ALG_EDDSA);
    gh_signing_set_done(&found);
}

/* As many as there may be, and of the largest. */
static void the_largest(void **state)
{
    struct gh_signing_set found = { .count = 0 };
    gh_signing_set_done(&set);
    for (; set.count < GH_SIGNING_KEYS_MAX; set.count++) {
        set.at[set.count].created = (int64_t)set.count;
        set.at[set.count].key =
            key_of(set.count == 0 ? EVP_RSA_gen(4096) : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"));
    }
    assert_int_equal(open_by(&seal, written(), &found), GH_OK);
    same_as_written(&found);
    gh_signing_set_done(&found);
}

static void for_nobody_else(void **state)
{
    struct gh_signing_set found;
    struct gh_secret other = { 0 };
    gh_str value = written();
    struct gh_signing_seal by = seal;
    by.tenant = GH_STR("other");
    assert_int_equal(open_by(&by, value, &found), GH_KEYS_MALFORMED);
    by = seal;
    by.issuer = GH_STR("https://auth.example/t");
    assert_int_equal(open_by(&by, value, &found), GH_KEYS_MALFORMED);
    by = seal;
    by.tenant = GH_STR("acmeh"); /* where one ends and the next begins is a part of it */
    by.issuer = GH_STR("ttps://auth.example");
    assert_int_equal(open_by(&by, value, &found), GH_KEYS_MALFORMED);
    make_key("0123456789abcdef0123456789abcdeg", &other);
    by = seal;
    by.key = &other;
    assert_int_equal(open_by(&by, value, &found), GH_KEYS_MALFORMED);
    gh_secret_done(&other);
    assert_int_equal(open_by(&seal, value, &found), GH_OK);
    gh_signing_set_done(&found);
}

/* Somebody who may write to the store can spoil a row and nothing else: each of its characters counts. */
static void every_change_is_seen(void **state)
{
    struct gh_signing_set found;
    gh_str value = written();
    char *copy = gh_arena_alloc(arena, value.len);
    for (size_t i = 0; i < value.len; i++) {
        memcpy(copy, value.ptr, value.len);
        copy[i] = copy[i] == 'A' ? 'B' : copy[i] == '7' ? '8' : 'A';
        assert_int_equal(open_by(&seal, gh_str_of(copy, value.len), &found), GH_KEYS_MALFORMED);
    }
    for (size_t len = 0; len < value.len; len += 7)
        assert_int_equal(open_by(&seal, gh_str_take(value, len), &found), GH_KEYS_MALFORMED);
}

static void no_rows(void **state)
{
    static const char *const values[] = { "",
                                          "[]",
                                          "{}",
                                          "{\"v\":1,\"ring\":7}",
                                          "{\"v\":1,\"ring\":7,\"sealed\":\"\"}",
                                          "{\"v\":1,\"ring\":7,\"sealed\":\"AAAA\"}",
                                          "{\"v\":1,\"ring\":0,\"sealed\":\"AAAA\"}",
                                          "{\"v\":1,\"ring\":7.5,\"sealed\":\"AAAA\"}",
                                          "{\"v\":2,\"ring\":7,\"sealed\":\"AAAA\"}",
                                          "{\"v\":1,\"ring\":7,\"sealed\":7}",
                                          "{\"v\":1,\"v\":1,\"ring\":7,\"sealed\":\"AAAA\"}",
                                          "{\"v\":1,\"ring\":7,\"sealed\":\"AAAA\",\"more\":1}" };
    struct gh_signing_set found;
    for (size_t i = 0; i < GH_ARRAY_LEN(values); i++)
        assert_int_equal(open_by(&seal, gh_str_from(values[i]), &found), GH_KEYS_MALFORMED);
}

/* ---- without the seal ---- */

static enum gh_reason read_plain(gh_str plain)
{
    struct gh_signing_set found = { .count = 0 };
    enum gh_reason reason = gh_signing_keys_read(plain, 1, &found);
    gh_signing_set_done(&found);
    return reason;
}

static void plain_texts(void **state)
{
    struct gh_secret plain = { 0 }, pem = { 0 };
    assert_int_equal(gh_signing_keys_write(&set, &plain), GH_OK);
    gh_str text = gh_str_of(plain.bytes, plain.len);
    assert_int_equal(read_plain(text), GH_OK);
    assert_int_equal(read_plain(gh_str_take(text, text.len - 1)), GH_KEYS_MALFORMED);
    assert_int_equal(gh_signing_key_write(set.at[0].key, &pem), GH_OK);
    const char *one = gh_arena_printf(arena, "%zu\n%s", pem.len, (const char *)pem.bytes).ptr;
    assert_int_equal(read_plain(gh_arena_printf(arena, "5 %s", one)), GH_OK);
    assert_int_equal(read_plain(gh_arena_printf(arena, "5 %s6 %s", one, one)), GH_KEYS_MALFORMED); /* twins */
    assert_int_equal(read_plain(gh_arena_printf(arena, "-5 %s", one)), GH_KEYS_MALFORMED);
    assert_int_equal(read_plain(gh_arena_printf(arena, "9223372036854775807 %s", one)), GH_KEYS_MALFORMED);
    assert_int_equal(read_plain(gh_arena_printf(arena, "%s", one)), GH_KEYS_MALFORMED);
    assert_int_equal(read_plain(gh_arena_printf(arena, "5 %s ", one)), GH_KEYS_MALFORMED);
    assert_int_equal(read_plain(GH_STR("5 99999999999\nx")), GH_KEYS_MALFORMED);
    assert_int_equal(read_plain(GH_STR("5 1\nx")), GH_KEYS_MALFORMED);
    assert_int_equal(read_plain(GH_STR("")), GH_KEYS_MALFORMED);
    gh_secret_done(&plain);
    gh_secret_done(&pem);
}

static void memory_runs_out(void **state)
{
    unsigned failures = 0;
    gh_str value = written();
    for (unsigned long n = 1, quiet = 0; quiet < 3; n++) {
        struct gh_signing_set found = { .count = 0 };
        struct gh_arena *scratch = gh_arena_new(0);
        const char *why;
        gh_alloc_fail_at(n);
        enum gh_reason reason = gh_signing_row_read(scratch, &seal, value, &found, &why);
        gh_str again = gh_signing_row_write(scratch, &seal, &set, nonce);
        gh_alloc_fail_at(0);
        assert_true(reason == GH_OK || reason == GH_OUT_OF_MEMORY);
        bool failed = reason != GH_OK || again.ptr == NULL;
        quiet = failed ? 0 : quiet + 1;
        failures += failed;
        gh_signing_set_done(&found);
        gh_arena_free(scratch);
    }
    assert_true(failures > 10);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = { TEST(comes_back),      TEST(as_others_compute_it), TEST(the_largest),
                                        TEST(for_nobody_else), TEST(every_change_is_seen), TEST(no_rows),
                                        TEST(plain_texts),     TEST(memory_runs_out) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
