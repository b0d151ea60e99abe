/* Wycheproof: the verdict of every case on JWS, JWK, JOSE and raw signatures, as the corpus's README says. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/arena.h"
#include "base/str.h"
#include "core/token/jws.h"
#include "support/shared.h"
#include "support/sign.h"

#define ALL_ALGS ((1u << GH_ALG_COUNT) - 1u)

static struct gh_arena *arena;
static unsigned cases, failed, accepted;

static void check(const char *file, const json_t *test, bool expected, bool found)
{
    json_int_t id = json_integer_value(json_object_get(test, "tcId"));
    cases++;
    accepted += found ? 1 : 0;
    failed += found != expected ? 1 : 0;
    (void)printf("%s %u - %s %lld %s%s%s\n", found == expected ? "ok" : "not ok", cases, file, (long long)id,
                 found ? "accepted" : "refused", found ? ": " : "",
                 found ? json_string_value(json_object_get(test, "comment")) : "");
}

static json_t *read_file(const char *name)
{
    gh_str text = gh_file_read(
        arena, gh_shared_path(arena, gh_arena_printf(arena, "corpora/wycheproof/%s.json", name).ptr));
    json_t *doc = json_loadb(text.ptr, text.len, 0, NULL);
    if (doc == NULL) {
        (void)printf("Bail out! %s is no JSON\n", name);
        exit(1);
    }
    return doc;
}

/* One JWK, or the set it stands in. */
static struct gh_jwks *read_keys(json_t *jwk)
{
    json_t *doc = json_object_get(jwk, "keys") != NULL ? json_incref(jwk) : json_pack("{s:[O]}", "keys", jwk);
    char *text = json_dumps(doc, JSON_COMPACT);
    struct gh_jwks *set = NULL;
    enum gh_reason reason = gh_jwks_read(gh_str_from(text), ALL_ALGS, NULL, &set);
    free(text);
    json_decref(doc);
    return reason == GH_OK ? set : NULL;
}

static bool verifies(const struct gh_jwks *set, const json_t *jws)
{
    char *text = json_is_string(jws) ? strdup(json_string_value(jws)) : json_dumps(jws, JSON_COMPACT);
    struct gh_token token;
    gh_str payload;
    bool good = set != NULL && gh_jws_open(arena, gh_str_from(text), &token, &payload) == GH_OK;
    struct gh_key *key = good ? gh_jwks_find(set, token.kid, token.alg) : NULL;
    good = key != NULL && gh_token_signature(key, token.alg, token.signed_part, token.signature) == GH_OK;
    free(text);
    return good;
}

static bool is_one_of(json_int_t id, const json_int_t *ids, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (ids[i] == id)
            return true;
    }
    return false;
}

/* Exactly the named cases are accepted, whatever the file says of the others. */
static void run_jose(const char *file, const json_int_t *good, size_t count)
{
    json_t *doc = read_file(file), *group, *test;
    size_t i, k;
    json_array_foreach(json_object_get(doc, "testGroups"), i, group)
    {
        json_t *public = json_object_get(group, "public");
        struct gh_jwks *set = read_keys(public != NULL ? public : json_object_get(group, "private"));
        json_array_foreach(json_object_get(group, "tests"), k, test)
        {
            bool expected = is_one_of(json_integer_value(json_object_get(test, "tcId")), good, count);
            check(file, test, expected, verifies(set, json_object_get(test, "jws")));
        }
        gh_jwks_unref(set);
    }
    json_decref(doc);
}

static gh_str from_hex(const char *hex)
{
    size_t len = strlen(hex) / 2;
    char *bytes = gh_arena_alloc(arena, len + 1);
    for (size_t i = 0; i < len; i++) {
        unsigned byte = 0;
        if (sscanf(hex + 2 * i, "%2x", &byte) != 1)
            abort();
        bytes[i] = (char)byte;
    }
    return gh_str_of(bytes, len);
}

/* The members of `publicKey` are hexadecimal, with a sign byte where the number needs one. */
static json_t *jwk_of_point(const json_t *point, size_t width)
{
    gh_str x = from_hex(json_string_value(json_object_get(point, "wx")));
    gh_str y = from_hex(json_string_value(json_object_get(point, "wy")));
    const char *crv = width == 32 ? "P-256" : width == 48 ? "P-384" : "P-521";
    char padded[2][66] = { { 0 } };
    x = gh_str_skip(x, x.len > width ? x.len - width : 0);
    y = gh_str_skip(y, y.len > width ? y.len - width : 0);
    memcpy(padded[0] + width - x.len, x.ptr, x.len);
    memcpy(padded[1] + width - y.len, y.ptr, y.len);
    return json_pack("{s:s,s:s,s:s,s:s}", "kty", "EC", "crv", crv, "x",
                     gh_test_base64url(arena, gh_str_of(padded[0], width)).ptr, "y",
                     gh_test_base64url(arena, gh_str_of(padded[1], width)).ptr);
}

static json_t *jwk_of_group(const json_t *group, enum gh_alg alg)
{
    json_t *jwk = json_object_get(group, "publicKeyJwk");
    if (jwk == NULL)
        jwk = json_object_get(group, "keyJwk");
    size_t width = alg == GH_ALG_ES256 ? 32 : alg == GH_ALG_ES384 ? 48 : 66;
    return jwk != NULL ? json_incref(jwk) : jwk_of_point(json_object_get(group, "publicKey"), width);
}

/* Differs from `result`: rsa_signature 258 verifies under an exponent of 3, and that key is never loaded
 * (threats.md J18). The one "acceptable" case, 8, is a DigestInfo without the NULL parameters of RFC 8017
 * section 9.2, and is refused. */
static bool is_expected(enum gh_alg alg, const json_t *test)
{
    bool valid = strcmp(json_string_value(json_object_get(test, "result")), "valid") == 0;
    return valid && !(alg == GH_ALG_RS256 && json_integer_value(json_object_get(test, "tcId")) == 258);
}

static void run_raw(const char *file, enum gh_alg alg)
{
    json_t *doc = read_file(file), *group, *test;
    size_t i, k;
    json_array_foreach(json_object_get(doc, "testGroups"), i, group)
    {
        json_t *jwk = jwk_of_group(group, alg);
        struct gh_jwks *set = read_keys(jwk);
        struct gh_key *key = set != NULL ? gh_jwks_peek_key(set, 0) : NULL;
        json_array_foreach(json_object_get(group, "tests"), k, test)
        {
            gh_str msg = from_hex(json_string_value(json_object_get(test, "msg")));
            gh_str sig = from_hex(json_string_value(json_object_get(test, "sig")));
            check(file, test, is_expected(alg, test),
                  key != NULL && gh_token_signature(key, alg, msg, sig) == GH_OK);
        }
        gh_jwks_unref(set);
        json_decref(jwk);
    }
    json_decref(doc);
}

/* How many of a file's cases were accepted is part of its verdict. */
static void count_accepted(const char *file, unsigned expected)
{
    cases++;
    failed += accepted != expected ? 1 : 0;
    (void)printf("%s %u - %s: %u accepted\n", accepted == expected ? "ok" : "not ok", cases, file, accepted);
    accepted = 0;
}

int main(void)
{
    /* 346 and 350: the header says PS384, the key PS256, and the algorithm is bound to the key. */
    static const json_int_t signature[] = { 18,  33,  259, 261, 263, 264, 266, 268, 270,
                                            272, 274, 287, 320, 322, 325, 327, 378 };
    static const json_int_t crypto[] = { 18 };
    static const struct {
        const char *file;
        enum gh_alg alg;
        unsigned accepted;
    } raw[] = {
        { "ecdsa_secp256r1_sha256_p1363", GH_ALG_ES256, 92 },
        { "ecdsa_secp384r1_sha384_p1363", GH_ALG_ES384, 101 },
        { "ecdsa_secp521r1_sha512_p1363", GH_ALG_ES512, 109 },
        { "ed25519", GH_ALG_EDDSA, 44 },
        { "rsa_signature_2048_sha256", GH_ALG_RS256, 3 },
        { "rsa_pss_2048_sha256_mgf1_32", GH_ALG_PS256, 31 },
    };
    arena = gh_arena_new(1 << 20);
    run_jose("json_web_signature", signature, GH_ARRAY_LEN(signature));
    count_accepted("json_web_signature", GH_ARRAY_LEN(signature));
    run_jose("json_web_key", NULL, 0);
    count_accepted("json_web_key", 0);
    run_jose("json_web_crypto", crypto, GH_ARRAY_LEN(crypto));
    count_accepted("json_web_crypto", GH_ARRAY_LEN(crypto));
    for (size_t i = 0; i < GH_ARRAY_LEN(raw); i++) {
        run_raw(raw[i].file, raw[i].alg);
        count_accepted(raw[i].file, raw[i].accepted);
    }
    (void)printf("1..%u\n", cases);
    gh_arena_free(arena);
    return failed == 0 ? 0 : 1;
}
