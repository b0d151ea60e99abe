/* The examples of RFC 7520, RFC 8037 and RFC 7797: what must verify does, the rest is refused by name. */
#include <stdlib.h>
#include <string.h>

#include "support/cm.h"

#include <jansson.h>

#include "base/arena.h"
#include "core/token/jws.h"
#include "support/shared.h"

#define ALL_ALGS ((1u << GH_ALG_COUNT) - 1u)

static json_t *read_file(struct gh_arena *arena, const char *name)
{
    gh_str path = gh_shared_path(arena, gh_arena_printf(arena, "corpora/jose-cookbook/%s", name).ptr);
    gh_str text = gh_file_read(arena, path);
    json_t *doc = json_loadb(text.ptr, text.len, 0, NULL);
    assert_non_null(doc);
    return doc;
}

static enum gh_reason read_key(const json_t *jwk, unsigned *faults, struct gh_jwks **ret_set)
{
    json_t *public = json_deep_copy(jwk);
    json_t *doc = json_pack("{s:[o]}", "keys", public);
    char *text = json_dumps(doc, JSON_COMPACT);
    enum gh_reason reason = gh_jwks_read(gh_str_from(text), ALL_ALGS, faults, ret_set);
    free(text);
    json_decref(doc);
    return reason;
}

static void public_keys_load_and_others_do_not(void **state)
{
    static const struct {
        const char *file;
        enum gh_reason reason;
        enum gh_key_fault fault;
    } keys[] = {
        { "jwk/3_1.ec_public_key.json", GH_OK, GH_KEY_FAULT_COUNT },
        { "jwk/3_3.rsa_public_key.json", GH_OK, GH_KEY_FAULT_COUNT },
        { "jwk/3_2.ec_private_key.json", GH_KEYS_MALFORMED, GH_KEY_FAULT_WEAK },
        { "jwk/3_4.rsa_private_key.json", GH_KEYS_MALFORMED, GH_KEY_FAULT_WEAK },
        { "jwk/3_5.symmetric_key_mac_computation.json", GH_KEYS_MALFORMED, GH_KEY_FAULT_TYPE },
        { "jwk/3_6.symmetric_key_encryption.json", GH_KEYS_MALFORMED, GH_KEY_FAULT_TYPE },
    };
    struct gh_arena *arena = gh_arena_new(0);
    (void)state;
    for (size_t i = 0; i < GH_ARRAY_LEN(keys); i++) {
        unsigned faults[GH_KEY_FAULT_COUNT];
        struct gh_jwks *set = NULL;
        json_t *jwk = read_file(arena, keys[i].file);
        assert_int_equal(read_key(jwk, faults, &set), keys[i].reason);
        for (unsigned k = 0; k < GH_KEY_FAULT_COUNT; k++)
            assert_int_equal(faults[k], k == (unsigned)keys[i].fault ? 1 : 0);
        json_decref(jwk);
        gh_jwks_unref(set);
    }
    gh_arena_free(arena);
}

/* The examples show the private key; its set shows the public half. */
static struct gh_jwks *public_set(json_t *jwk)
{
    static const char *const private[] = { "d", "p", "q", "dp", "dq", "qi" };
    struct gh_jwks *set = NULL;
    for (size_t i = 0; i < GH_ARRAY_LEN(private); i++)
        json_object_del(jwk, private[i]);
    assert_int_equal(read_key(jwk, NULL, &set), GH_OK);
    return set;
}

static void asymmetric_examples_verify(void **state)
{
    static const char *const files[] = { "jws/4_1.rsa_v15_signature.json", "jws/4_2.rsa-pss_signature.json",
                                         "jws/4_3.ecdsa_signature.json", "curve25519/jws.json" };
    struct gh_arena *arena = gh_arena_new(0);
    (void)state;
    for (size_t i = 0; i < GH_ARRAY_LEN(files); i++) {
        json_t *doc = read_file(arena, files[i]);
        struct gh_jwks *set = public_set(json_object_get(json_object_get(doc, "input"), "key"));
        gh_str text =
            gh_str_from(json_string_value(json_object_get(json_object_get(doc, "output"), "compact")));
        struct gh_token token;
        gh_str payload;
        assert_int_equal(gh_jws_open(arena, text, &token, &payload), GH_OK);
        struct gh_key *key = gh_jwks_find(set, token.kid, token.alg);
        assert_non_null(key);
        assert_int_equal(gh_token_signature(key, token.alg, token.signed_part, token.signature), GH_OK);
        /* As access tokens they are refused: their payloads are prose. */
        assert_int_equal(gh_token_open(arena, text, &token), GH_TOKEN_MALFORMED);
        gh_jwks_unref(set);
        json_decref(doc);
    }
    gh_arena_free(arena);
}

static void other_forms_are_refused(void **state)
{
    static const struct {
        const char *file, *form;
        enum gh_reason reason;
    } others[] = {
        { "jws/4_4.hmac-sha2_integrity_protection.json", "compact", GH_TOKEN_ALGORITHM },
        { "jws/4_5.signature_with_detached_content.json", "compact", GH_TOKEN_ALGORITHM },
        { "jws/4_6.protecting_specific_header_fields.json", "json", GH_TOKEN_MALFORMED },
        { "jws/4_7.protecting_content_only.json", "json", GH_TOKEN_MALFORMED },
        { "jws/4_8.multiple_signatures.json", "json", GH_TOKEN_MALFORMED },
        { "curve25519/jws.json", "json_flat", GH_TOKEN_MALFORMED },
        { "curve25519/ecdh-es.json", "compact", GH_TOKEN_ENCRYPTED },
        { "rfc"
          "7797/4.2.hmac-sha2_b64_false.json",
          "json", GH_TOKEN_MALFORMED },
        /* Its payload is not encoded, and has spaces: no token at all. */
        { "rfc"
          "7797/hmac-sha2_b64_false.json",
          "compact", GH_TOKEN_MALFORMED },
    };
    struct gh_arena *arena = gh_arena_new(0);
    (void)state;
    for (size_t i = 0; i < GH_ARRAY_LEN(others); i++) {
        json_t *doc = read_file(arena, others[i].file);
        json_t *form = json_object_get(json_object_get(doc, "output"), others[i].form);
        char *text = json_is_string(form) ? strdup(json_string_value(form)) : json_dumps(form, JSON_COMPACT);
        struct gh_token token;
        assert_non_null(text);
        assert_int_equal(gh_token_open(arena, gh_str_from(text), &token), others[i].reason);
        free(text);
        json_decref(doc);
    }
    gh_arena_free(arena);
}

int main(void)
{
    struct gh_arena *arena = gh_arena_new(0);
    (void)gh_shared_path(arena, "corpora/jose-cookbook");
    gh_arena_free(arena);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(public_keys_load_and_others_do_not),
        cmocka_unit_test(asymmetric_examples_verify),
        cmocka_unit_test(other_forms_are_refused),
    };
    return cmocka_run_group_tests_name("jose-cookbook", tests, NULL, NULL);
}
