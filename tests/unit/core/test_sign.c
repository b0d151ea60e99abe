/* Private keys and what they sign: read from PEM or refused, verified by our own verifier, published as JWKs.
 */
#include <string.h>

#include "support/cm.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "base/arena.h"
#include "base/base64.h"
#include "gatehouse/sign.h"
#include "support/sign.h"

#define ALL_ALGS ((1u << GH_ALG_COUNT) - 1u)
#define CLAIMS                                                                                               \
    "{\"iss\":\"https://gw.example\",\"aud\":\"http://mcp:3000\",\"sub\":\"alice\",\"exp\":2000,"            \
    "\"iat\":1000}"

static struct gh_arena *arena;

/* ---- PEM of every sort ---- */

enum form { FORM_PKCS8, FORM_TRADITIONAL, FORM_ENCRYPTED, FORM_OLD_ENCRYPTED, FORM_PUBLIC };

static gh_str taken(BIO *bio)
{
    char *bytes = NULL;
    long len = BIO_get_mem_data(bio, &bytes);
    gh_str copy = gh_arena_dup(arena, gh_str_of(bytes, (size_t)len));
    BIO_free(bio);
    return copy;
}

static gh_str pem_of(const EVP_PKEY *pkey, enum form form)
{
    static char word[] = "secret";
    BIO *bio = BIO_new(BIO_s_mem());
    int done = 0;
    switch (form) {
    case FORM_PKCS8:
        done = PEM_write_bio_PKCS8PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL);
        break;
    case FORM_TRADITIONAL:
        done = PEM_write_bio_PrivateKey_traditional(bio, pkey, NULL, NULL, 0, NULL, NULL);
        break;
    case FORM_ENCRYPTED:
        done = PEM_write_bio_PKCS8PrivateKey(bio, pkey, EVP_aes_128_cbc(), word, 6, NULL, NULL);
        break;
    case FORM_OLD_ENCRYPTED:
        done = PEM_write_bio_PrivateKey_traditional(bio, pkey, EVP_aes_128_cbc(), (unsigned char *)word, 6,
                                                    NULL, NULL);
        break;
    case FORM_PUBLIC:
        done = PEM_write_bio_PUBKEY(bio, pkey);
        break;
    }
    assert_int_equal(done, 1);
    return taken(bio);
}

static gh_str pem_and_free(EVP_PKEY *pkey)
{
    assert_non_null(pkey);
    gh_str pem = pem_of(pkey, FORM_PKCS8);
    EVP_PKEY_free(pkey);
    return pem;
}

/* A block made of bytes: OpenSSL does not write what it would not read. */
static gh_str block(const char *name, const void *der, size_t len)
{
    BIO *bio = BIO_new(BIO_s_mem());
    assert_true(PEM_write_bio(bio, name, "", der, (long)len) > 0);
    return taken(bio);
}

static EVP_PKEY *rsa_of(unsigned bits, unsigned long exponent)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    BIGNUM *e = BN_new();
    EVP_PKEY *pkey = NULL;
    assert_true(BN_set_word(e, exponent) == 1 && EVP_PKEY_keygen_init(ctx) == 1 &&
                EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, (int)bits) == 1 &&
                EVP_PKEY_CTX_set1_rsa_keygen_pubexp(ctx, e) == 1 && EVP_PKEY_generate(ctx, &pkey) == 1);
    BN_free(e);
    EVP_PKEY_CTX_free(ctx);
    return pkey;
}

static struct gh_signing_key *read_key(gh_str pem)
{
    struct gh_signing_key *key = NULL;
    enum gh_signing_fault fault = GH_SIGNING_FAULT_COUNT;
    assert_int_equal(gh_signing_key_read(pem, &fault, &key), GH_OK);
    return key;
}

static void is_refused(gh_str pem, enum gh_signing_fault expected)
{
    struct gh_signing_key *key = NULL;
    enum gh_signing_fault fault = GH_SIGNING_FAULT_COUNT;
    assert_int_equal(gh_signing_key_read(pem, &fault, &key), GH_KEYS_MALFORMED);
    assert_int_equal(fault, expected);
    assert_null(key);
    assert_true(gh_signing_fault_text(fault).len != 0);
}

static gh_str p256(void)
{
    return pem_and_free(EVP_EC_gen("P-256"));
}

/* ---- which keys are taken ---- */

static void keys_of_three_kinds_are_read(void **state)
{
    struct {
        gh_str pem;
        enum gh_alg alg;
    } keys[] = { { p256(), GH_ALG_ES256 },
                 { pem_and_free(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")), GH_ALG_EDDSA },
                 { pem_and_free(EVP_RSA_gen(2048)), GH_ALG_RS256 },
                 { pem_and_free(EVP_RSA_gen(3072)), GH_ALG_RS256 } };
    (void)state;
    for (size_t i = 0; i < GH_ARRAY_LEN(keys); i++) {
        struct gh_signing_key *key = read_key(keys[i].pem);
        assert_int_equal(gh_signing_key_alg(key), keys[i].alg);
        assert_int_equal(gh_signing_key_is_costly(key), keys[i].alg == GH_ALG_RS256);
        assert_int_equal(gh_signing_key_kid(key).len, 43);
        /* Words before the block and line ends of another system change nothing. */
        struct gh_signing_key *again =
            read_key(gh_arena_printf(arena, "# made by hand\r\n%s\r\n", keys[i].pem.ptr));
        assert_true(gh_str_eq(gh_signing_key_kid(again), gh_signing_key_kid(key)));
        gh_signing_key_unref(again);
        gh_signing_key_unref(gh_signing_key_ref(key));
        gh_signing_key_unref(key);
    }
}

/* RFC 8037 appendix A: the private key of A.1, the public key of A.2, the thumbprint of A.3. */
static void the_thumbprint_is_that_of_the_rfc(void **state)
{
    static const unsigned char head[] = { 0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06,
                                          0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20 };
    unsigned char der[48];
    (void)state;
    memcpy(der, head, sizeof(head));
    assert_true(
        gh_base64url_decode(GH_STR("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"), der + sizeof(head)));
    struct gh_signing_key *key = read_key(block("PRIVATE KEY", der, sizeof(der)));
    assert_str_eq(gh_signing_key_kid(key), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    assert_str_eq(
        gh_signing_key_jwk(key),
        "{\"crv\":\"Ed25519\",\"kty\":\"OKP\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\","
        "\"kid\":\"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k\",\"alg\":\"EdDSA\",\"use\":\"sig\"}");
    gh_signing_key_unref(key);
}

static void keys_of_other_kinds_are_refused(void **state)
{
    static const char *const curves[] = { "P-384", "P-521", "secp256k1", "brainpoolP256r1" };
    static const char *const kinds[] = { "X25519", "ED448", "X448" };
    (void)state;
    for (size_t i = 0; i < GH_ARRAY_LEN(curves); i++)
        is_refused(pem_and_free(EVP_EC_gen(curves[i])), GH_SIGNING_FAULT_TYPE);
    for (size_t i = 0; i < GH_ARRAY_LEN(kinds); i++)
        is_refused(pem_and_free(EVP_PKEY_Q_keygen(NULL, NULL, kinds[i])), GH_SIGNING_FAULT_TYPE);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA-PSS", NULL);
    EVP_PKEY *pss = NULL;
    assert_true(EVP_PKEY_keygen_init(ctx) == 1 && EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, 2048) == 1 &&
                EVP_PKEY_generate(ctx, &pss) == 1);
    EVP_PKEY_CTX_free(ctx);
    is_refused(pem_and_free(pss), GH_SIGNING_FAULT_TYPE);
    is_refused(pem_and_free(rsa_of(1024, 65537)), GH_SIGNING_FAULT_WEAK);
    is_refused(pem_and_free(rsa_of(2047, 65537)), GH_SIGNING_FAULT_WEAK);
    is_refused(pem_and_free(rsa_of(2048, 3)), GH_SIGNING_FAULT_WEAK);
    gh_signing_key_unref(read_key(pem_and_free(rsa_of(2048, 65537))));
}

static void other_forms_are_refused(void **state)
{
    EVP_PKEY *ec = EVP_EC_gen("P-256"), *rsa = EVP_RSA_gen(2048);
    gh_str good = pem_of(ec, FORM_PKCS8);
    (void)state;
    gh_signing_key_unref(read_key(good));
    is_refused(pem_of(ec, FORM_TRADITIONAL), GH_SIGNING_FAULT_PKCS8);
    is_refused(pem_of(rsa, FORM_TRADITIONAL), GH_SIGNING_FAULT_PKCS8);
    is_refused(pem_of(ec, FORM_PUBLIC), GH_SIGNING_FAULT_PKCS8);
    is_refused(pem_of(ec, FORM_ENCRYPTED), GH_SIGNING_FAULT_ENCRYPTED);
    is_refused(pem_of(rsa, FORM_OLD_ENCRYPTED), GH_SIGNING_FAULT_ENCRYPTED);
    is_refused(GH_STR(""), GH_SIGNING_FAULT_PEM);
    is_refused(GH_STR_NONE, GH_SIGNING_FAULT_PEM);
    is_refused(GH_STR("nothing of the kind\n"), GH_SIGNING_FAULT_PEM);
    is_refused(gh_arena_printf(arena, "%s%s", good.ptr, good.ptr), GH_SIGNING_FAULT_PEM);
    is_refused(gh_arena_printf(arena, "%s%s", good.ptr, pem_of(ec, FORM_PUBLIC).ptr), GH_SIGNING_FAULT_PEM);
    is_refused(gh_arena_printf(arena, "%s-----BEGIN X-----\n", good.ptr), GH_SIGNING_FAULT_PEM);
    for (size_t len = 0; len + 2 < good.len; len += 5)
        is_refused(gh_str_take(good, len), GH_SIGNING_FAULT_PEM);
    EVP_PKEY_free(ec);
    EVP_PKEY_free(rsa);
}

/* ---- keys that are broken inside ---- */

static gh_str der_of(const EVP_PKEY *pkey)
{
    unsigned char *der = NULL;
    PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(pkey);
    int len = i2d_PKCS8_PRIV_KEY_INFO(info, &der);
    assert_true(len > 0);
    gh_str copy = gh_arena_dup(arena, gh_str_of(der, (size_t)len));
    OPENSSL_free(der);
    PKCS8_PRIV_KEY_INFO_free(info);
    return copy;
}

static void bytes_behind_the_key_are_refused(void **state)
{
    EVP_PKEY *ec = EVP_EC_gen("P-256");
    gh_str der = der_of(ec);
    (void)state;
    gh_signing_key_unref(read_key(block("PRIVATE KEY", der.ptr, der.len)));
    is_refused(block("PRIVATE KEY", der.ptr, der.len + 1), GH_SIGNING_FAULT_MALFORMED); /* its NUL */
    is_refused(block("PRIVATE KEY", der.ptr, der.len - 1), GH_SIGNING_FAULT_MALFORMED);
    is_refused(block("PRIVATE KEY", "\x30", 1), GH_SIGNING_FAULT_MALFORMED);
    is_refused(GH_STR("-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n"), GH_SIGNING_FAULT_PEM);
    EVP_PKEY_free(ec);
}

/* The private half of one key beside the public half of another. */
static void halves_that_do_not_belong_together_are_refused(void **state)
{
    EVP_PKEY *one = EVP_EC_gen("P-256"), *two = EVP_EC_gen("P-256");
    gh_str a = der_of(one), b = der_of(two);
    (void)state;
    assert_int_equal(a.len, b.len);
    char *mixed = (char *)(uintptr_t)gh_arena_dup(arena, a).ptr;
    memcpy(mixed + a.len - 64, b.ptr + b.len - 64, 64);
    is_refused(block("PRIVATE KEY", mixed, a.len), GH_SIGNING_FAULT_MALFORMED);
    memcpy(mixed, a.ptr, a.len);
    mixed[a.len - 1] ^= 1; /* a point that is not on the curve */
    is_refused(block("PRIVATE KEY", mixed, a.len), GH_SIGNING_FAULT_MALFORMED);
    EVP_PKEY_free(one);
    EVP_PKEY_free(two);
}

/* Wherever a bit is turned: the key is refused, or it is another key that works. */
static void a_turned_bit_never_gives_a_key_that_cannot_sign(void **state)
{
    EVP_PKEY *pkeys[] = { EVP_EC_gen("P-256"), EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), EVP_RSA_gen(2048) };
    unsigned refused = 0;
    (void)state;
    for (size_t i = 0; i < GH_ARRAY_LEN(pkeys); i++) {
        gh_str der = der_of(pkeys[i]);
        for (size_t at = 0; at < der.len; at += i == 2 ? 13 : 1) {
            char *bent = (char *)(uintptr_t)gh_arena_dup(arena, der).ptr;
            bent[at] ^= 4;
            struct gh_signing_key *key = NULL;
            enum gh_signing_fault fault = GH_SIGNING_FAULT_COUNT;
            enum gh_reason reason = gh_signing_key_read(block("PRIVATE KEY", bent, der.len), &fault, &key);
            assert_true(reason == GH_KEYS_MALFORMED ? fault < GH_SIGNING_FAULT_COUNT : reason == GH_OK);
            refused += reason != GH_OK;
            gh_signing_key_unref(key);
        }
        EVP_PKEY_free(pkeys[i]);
    }
    assert_true(refused > 100);
}

/* ---- signing ---- */

static struct gh_jwks *published(struct gh_signing_key *const *keys, size_t count)
{
    struct gh_jwks *set = NULL;
    unsigned faults[GH_KEY_FAULT_COUNT];
    gh_str text = gh_jwks_write(arena, keys, count);
    assert_int_equal(gh_jwks_read(text, ALL_ALGS, faults, &set), GH_OK);
    assert_int_equal(gh_jwks_count(set), count);
    return set;
}

static enum gh_reason verify(const struct gh_jwks *set, gh_str text, gh_str typ)
{
    static const gh_str issuers[] = { GH_STR_INIT("https://gw.example") },
                        auds[] = { GH_STR_INIT("http://mcp:3000") };
    struct gh_profile profile = *gh_profile_builtin(GH_STR("generic"));
    const struct gh_binding binding = { .audiences = { auds, 1 } };
    struct gh_token token;
    struct gh_key *key = NULL;
    struct gh_principal principal;
    profile.issuers = (struct gh_strs){ issuers, 1 };
    profile.types = (struct gh_strs){ &typ, 1 };
    profile.algs = ALL_ALGS;
    enum gh_reason reason = gh_token_open(arena, text, &token);
    if (reason == GH_OK)
        reason = gh_token_fits(&token, &profile);
    if (reason == GH_OK)
        reason = gh_token_key(set, &token, &profile, &key);
    if (reason == GH_OK)
        reason = gh_token_signature(key, token.alg, token.signed_part, token.signature);
    if (reason == GH_OK)
        reason = gh_token_judge(arena, &token, &profile, &binding, 1500, &principal);
    if (reason == GH_OK)
        assert_str_eq(principal.subject, "alice");
    return reason;
}

static void tokens_are_verified_by_our_own_verifier(void **state)
{
    struct gh_signing_key *keys[] = { read_key(p256()),
                                      read_key(pem_and_free(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"))),
                                      read_key(pem_and_free(EVP_RSA_gen(2048))) };
    struct gh_jwks *set = published(keys, GH_ARRAY_LEN(keys));
    (void)state;
    for (size_t i = 0; i < GH_ARRAY_LEN(keys); i++) {
        gh_str token = GH_STR_NONE;
        gh_str typ = GH_STR(GH_ASSERTION_TYP);
        struct gh_jwks *others = published(keys + (i + 1) % 3, 1);
        assert_int_equal(gh_token_sign(arena, keys[i], typ, GH_STR(CLAIMS), &token), GH_OK);
        assert_int_equal(verify(set, token, typ), GH_OK);
        assert_int_equal(verify(set, token, GH_STR("at+jwt")), GH_TOKEN_TYPE);
        assert_int_equal(verify(others, token, typ), GH_TOKEN_KEY_UNKNOWN);
        char *bent = (char *)(uintptr_t)gh_arena_dup(arena, token).ptr;
        bent[token.len - 10] = bent[token.len - 10] == 'A' ? 'B' : 'A';
        assert_int_equal(verify(set, gh_str_of(bent, token.len), typ), GH_TOKEN_SIGNATURE);
        gh_jwks_unref(others);
    }
    for (size_t i = 0; i < GH_ARRAY_LEN(keys); i++)
        gh_signing_key_unref(keys[i]);
    gh_jwks_unref(set);
}

static gh_str header_of(gh_str token)
{
    gh_str part = gh_str_take(token, gh_str_find(token, '.'));
    size_t len = gh_base64url_decoded_len(part.len);
    char *bytes = gh_arena_alloc(arena, len + 1);
    assert_true(gh_base64url_decode(part, bytes));
    return gh_str_of(bytes, len);
}

static void the_header_says_alg_typ_and_kid(void **state)
{
    struct gh_signing_key *key = read_key(p256());
    gh_str token = GH_STR_NONE;
    (void)state;
    assert_int_equal(gh_token_sign(arena, key, GH_STR("at+jwt"), GH_STR(CLAIMS), &token), GH_OK);
    gh_str full = gh_arena_printf(arena, "{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"%.*s\"}",
                                  GH_STR_FMT(gh_signing_key_kid(key)));
    assert_true(gh_str_eq(header_of(token), full));
    assert_int_equal(gh_token_sign(arena, key, GH_STR(""), GH_STR("{}"), &token), GH_OK);
    gh_str bare =
        gh_arena_printf(arena, "{\"alg\":\"ES256\",\"kid\":\"%.*s\"}", GH_STR_FMT(gh_signing_key_kid(key)));
    assert_true(gh_str_eq(header_of(token), bare));
    gh_signing_key_unref(key);
}

/* RFC 7518 section 3.4: r and s keep their leading zeros. Every 128th signature or so has one; that 20,000
 * have none happens once in 10^136 runs. */
static void signatures_have_one_width(void **state)
{
    struct gh_signing_key *key = read_key(p256());
    struct gh_jwks *set = published(&key, 1);
    bool zero = false;
    (void)state;
    for (unsigned i = 0; i < 20000 && !zero; i++) {
        struct gh_arena *scratch = gh_arena_new(0);
        gh_str text = GH_STR_NONE;
        struct gh_token token;
        assert_int_equal(gh_token_sign(scratch, key, GH_STR("x"), GH_STR(CLAIMS), &text), GH_OK);
        assert_int_equal(gh_token_open(scratch, text, &token), GH_OK);
        assert_int_equal(token.signature.len, 64);
        assert_int_equal(
            gh_token_signature(gh_jwks_peek_key(set, 0), token.alg, token.signed_part, token.signature),
            GH_OK);
        zero = token.signature.ptr[0] == 0 || token.signature.ptr[32] == 0;
        gh_arena_free(scratch);
    }
    assert_true(zero);
    gh_jwks_unref(set);
    gh_signing_key_unref(key);
}

/* Twice the same nonce would give the key away. */
static void no_signature_comes_twice(void **state)
{
    struct gh_signing_key *key = read_key(p256());
    gh_str one = GH_STR_NONE, two = GH_STR_NONE;
    (void)state;
    assert_int_equal(gh_token_sign(arena, key, GH_STR("x"), GH_STR("{}"), &one), GH_OK);
    assert_int_equal(gh_token_sign(arena, key, GH_STR("x"), GH_STR("{}"), &two), GH_OK);
    size_t at = gh_str_rfind(one, '.');
    assert_true(gh_str_eq(gh_str_take(one, at), gh_str_take(two, at)));
    assert_false(gh_str_eq(gh_str_take(gh_str_skip(one, at), 42), gh_str_take(gh_str_skip(two, at), 42)));
    gh_signing_key_unref(key);
}

/* test_memory.c does the same with the allocations of OpenSSL. */
static enum gh_reason read_and_sign(gh_str pem)
{
    struct gh_signing_key *key = NULL;
    enum gh_signing_fault fault;
    struct gh_arena *scratch = gh_arena_new(64);
    gh_str token = GH_STR_NONE;
    enum gh_reason reason = scratch != NULL ? gh_signing_key_read(pem, &fault, &key) : GH_OUT_OF_MEMORY;
    if (reason == GH_OK && gh_jwks_write(scratch, &key, 1).ptr == NULL)
        reason = GH_OUT_OF_MEMORY;
    if (reason == GH_OK)
        reason = gh_token_sign(scratch, key, GH_STR("x"), GH_STR(CLAIMS), &token);
    assert_true((reason == GH_OK) == (token.len != 0));
    gh_signing_key_unref(key);
    gh_arena_free(scratch);
    return reason;
}

static void each_allocation_of_ours_fails_once(void **state)
{
    gh_str pems[] = { p256(), pem_and_free(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")),
                      pem_and_free(EVP_RSA_gen(2048)) };
    (void)state;
    for (size_t i = 0; i < GH_ARRAY_LEN(pems); i++) {
        unsigned failures = 0;
        for (unsigned long n = 1, left = 0; left == 0; n++) {
            gh_alloc_fail_at(n);
            enum gh_reason reason = read_and_sign(pems[i]);
            left = gh_alloc_fail_at(0);
            assert_int_equal(reason, left != 0 ? GH_OK : GH_OUT_OF_MEMORY);
            failures += reason != GH_OK;
        }
        assert_true(failures > 5);
    }
}

static void an_empty_set_is_a_set(void **state)
{
    (void)state;
    assert_str_eq(gh_jwks_write(arena, NULL, 0), "{\"keys\":[]}");
}

int main(void)
{
    arena = gh_arena_new(0);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_of_three_kinds_are_read),
        cmocka_unit_test(the_thumbprint_is_that_of_the_rfc),
        cmocka_unit_test(keys_of_other_kinds_are_refused),
        cmocka_unit_test(other_forms_are_refused),
        cmocka_unit_test(bytes_behind_the_key_are_refused),
        cmocka_unit_test(halves_that_do_not_belong_together_are_refused),
        cmocka_unit_test(a_turned_bit_never_gives_a_key_that_cannot_sign),
        cmocka_unit_test(tokens_are_verified_by_our_own_verifier),
        cmocka_unit_test(the_header_says_alg_typ_and_kid),
        cmocka_unit_test(signatures_have_one_width),
        cmocka_unit_test(no_signature_comes_twice),
        cmocka_unit_test(each_allocation_of_ours_fails_once),
        cmocka_unit_test(an_empty_set_is_a_set),
    };
    int failed = cmocka_run_group_tests_name("sign", tests, NULL, NULL);
    gh_arena_free(arena);
    return failed;
}
