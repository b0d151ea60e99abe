/* core/token/material.c: from the numbers of a JWK to a checked OpenSSL key, its templates, its thumbprint.
 */
#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#include "base/arena.h"
#include "base/base64.h"
#include "base/str.h"
#include "core/token/key.h"

#define POINT_MAX 133u /* 0x04, x and y of P-521 */

static EVP_PKEY *from_rsa(const struct gh_key_parts *parts);
static EVP_PKEY *from_point(const struct gh_key_parts *parts);
static EVP_PKEY *from_params(const char *type, OSSL_PARAM *params);
static bool is_sound(EVP_PKEY *pkey);

EVP_PKEY *gh_key_material(const struct gh_key_parts *parts)
{
    EVP_PKEY *pkey = NULL;
    switch (parts->kty) {
    case GH_KTY_RSA:
        pkey = from_rsa(parts);
        break;
    case GH_KTY_EC:
        pkey = from_point(parts);
        break;
    case GH_KTY_OKP:
        return EVP_PKEY_new_raw_public_key_ex(NULL, "ED25519", NULL, (const unsigned char *)parts->a.ptr,
                                              parts->a.len);
    }
    if (pkey != NULL && is_sound(pkey))
        return pkey;
    EVP_PKEY_free(pkey);
    return NULL;
}

static EVP_PKEY *from_rsa(const struct gh_key_parts *parts)
{
    BIGNUM *n = BN_bin2bn((const unsigned char *)parts->a.ptr, (int)parts->a.len, NULL);
    BIGNUM *e = BN_bin2bn((const unsigned char *)parts->b.ptr, (int)parts->b.len, NULL);
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    OSSL_PARAM *params = NULL;
    if (n != NULL && e != NULL && build != NULL &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e) == 1)
        params = OSSL_PARAM_BLD_to_param(build);
    EVP_PKEY *pkey = params != NULL ? from_params("RSA", params) : NULL;
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    BN_free(e);
    BN_free(n);
    return pkey;
}

static EVP_PKEY *from_point(const struct gh_key_parts *parts)
{
    unsigned char point[POINT_MAX];
    char group[8] = ""; /* OpenSSL reads it up to its NUL */
    if (1 + parts->a.len + parts->b.len > sizeof(point) || parts->crv.len >= sizeof(group))
        return NULL;
    point[0] = 4; /* uncompressed */
    memcpy(point + 1, parts->a.ptr, parts->a.len);
    memcpy(point + 1 + parts->a.len, parts->b.ptr, parts->b.len);
    memcpy(group, parts->crv.ptr, parts->crv.len);
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, parts->crv.len),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, 1 + parts->a.len + parts->b.len),
        OSSL_PARAM_construct_end(),
    };
    return from_params("EC", params);
}

static EVP_PKEY *from_params(const char *type, OSSL_PARAM *params)
{
    EVP_PKEY *pkey = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    if (ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1) {
        EVP_PKEY_free(pkey);
        pkey = NULL;
    }
    EVP_PKEY_CTX_free(ctx);
    return pkey;
}

/* EC: on the curve and of its order; RSA: no small factor and not a prime. A few milliseconds for RSA, once
 * when the set is read. */
static bool is_sound(EVP_PKEY *pkey)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
    bool sound = ctx != NULL && EVP_PKEY_public_check(ctx) == 1;
    EVP_PKEY_CTX_free(ctx);
    return sound;
}

EVP_MD_CTX *gh_key_template(EVP_PKEY *pkey, enum gh_alg alg, bool signs)
{
    const struct gh_alg_row *row = gh_alg_row(alg);
    EVP_MD_CTX *template = EVP_MD_CTX_new();
    EVP_PKEY_CTX *ctx = NULL; /* owned by the template */
    if (template != NULL &&
        (signs ? EVP_DigestSignInit_ex : EVP_DigestVerifyInit_ex)(template, &ctx, row->digest, NULL, NULL,
                                                                  pkey, NULL) == 1 &&
        (row->kty != GH_KTY_RSA ||
         EVP_PKEY_CTX_set_rsa_padding(ctx, row->pss ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING) == 1) &&
        /* RFC 7518 section 3.5: the same hash for MGF1, and a salt as long as its output. */
        (!row->pss || (EVP_PKEY_CTX_set_rsa_mgf1_md_name(ctx, row->digest, NULL) == 1 &&
                       EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1)))
        return template;
    EVP_MD_CTX_free(template);
    return NULL;
}

bool gh_key_prepare(struct gh_key *key)
{
    for (unsigned alg = 0; alg < GH_ALG_COUNT; alg++) {
        if ((key->algs & GH_ALG_BIT(alg)) == 0)
            continue;
        key->templates[alg] = gh_key_template(key->pkey, (enum gh_alg)alg, false);
        if (key->templates[alg] == NULL)
            return false;
    }
    return true;
}

static gh_str base64url(struct gh_arena *arena, gh_str bytes)
{
    size_t len = gh_base64url_encoded_len(bytes.len);
    char *text = gh_arena_alloc(arena, len);
    if (text == NULL)
        return GH_STR_NONE;
    gh_base64url_encode(bytes, text);
    return gh_str_of(text, len);
}

/* RFC 7638 section 3.2: the required members only, in lexicographic order, without white space. */
gh_str gh_key_members(struct gh_arena *arena, const struct gh_key_parts *parts)
{
    gh_str a = base64url(arena, parts->a), b = base64url(arena, parts->b);
    if (a.ptr == NULL || b.ptr == NULL)
        return GH_STR_NONE;
    switch (parts->kty) {
    case GH_KTY_RSA:
        return gh_arena_printf(arena, "{\"e\":\"%.*s\",\"kty\":\"RSA\",\"n\":\"%.*s\"}", GH_STR_FMT(b),
                               GH_STR_FMT(a));
    case GH_KTY_EC:
        return gh_arena_printf(arena, "{\"crv\":\"%.*s\",\"kty\":\"EC\",\"x\":\"%.*s\",\"y\":\"%.*s\"}",
                               GH_STR_FMT(parts->crv), GH_STR_FMT(a), GH_STR_FMT(b));
    case GH_KTY_OKP:
        return gh_arena_printf(arena, "{\"crv\":\"%.*s\",\"kty\":\"OKP\",\"x\":\"%.*s\"}",
                               GH_STR_FMT(parts->crv), GH_STR_FMT(a));
    }
    return GH_STR_NONE;
}

bool gh_key_thumb(gh_str members, unsigned char ret_thumbprint[GH_THUMBPRINT_LEN])
{
    return EVP_Q_digest(NULL, "SHA256", NULL, members.ptr, members.len, ret_thumbprint, NULL) == 1;
}
