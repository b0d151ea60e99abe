/* support/sign.c: a signing side of JOSE for tests, beside the gateway's own. */
#include "support/sign.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "base/arena.h"
#include "base/base64.h"
#include "base/str.h"

struct gh_signer {
    EVP_PKEY *pkey;
    char type; /* first letter of the algorithm: R, P, E (ECDSA), D (EdDSA) */
    int width; /* of r and of s */
    const char *crv;
};

static void must(bool ok, const char *what)
{
    if (!ok) {
        (void)fprintf(stderr, "cannot %s\n", what);
        abort();
    }
}

struct gh_signer *gh_signer_new(const char *alg)
{
    struct gh_signer *signer = calloc(1, sizeof(*signer));
    must(signer != NULL, "allocate");
    signer->type = strcmp(alg, "EdDSA") == 0 ? 'D' : alg[0];
    if (signer->type == 'D') {
        signer->crv = "Ed25519";
        signer->pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    } else if (signer->type == 'E') {
        signer->crv = alg[2] == '2' ? "P-256" : alg[2] == '3' ? "P-384" : "P-521";
        signer->width = alg[2] == '2' ? 32 : alg[2] == '3' ? 48 : 66;
        signer->pkey = EVP_EC_gen(signer->crv);
    } else {
        signer->pkey = EVP_RSA_gen(2048);
    }
    must(signer->pkey != NULL, "make a key");
    return signer;
}

void gh_signer_free(struct gh_signer *signer)
{
    if (signer == NULL)
        return;
    EVP_PKEY_free(signer->pkey);
    free(signer);
}

gh_str gh_test_base64url(struct gh_arena *arena, gh_str bytes)
{
    size_t len = gh_base64url_encoded_len(bytes.len);
    char *text = gh_arena_alloc(arena, len + 1);
    must(text != NULL, "allocate");
    gh_base64url_encode(bytes, text);
    text[len] = '\0';
    return gh_str_of(text, len);
}

static gh_str number(struct gh_arena *arena, const struct gh_signer *signer, const char *name, int width)
{
    BIGNUM *bn = NULL;
    unsigned char bytes[512];
    must(EVP_PKEY_get_bn_param(signer->pkey, name, &bn) == 1, "read a key");
    int len = width != 0 ? width : BN_num_bytes(bn);
    must(BN_bn2binpad(bn, bytes, len) == len, "write a number");
    BN_free(bn);
    return gh_test_base64url(arena, gh_str_of(bytes, (size_t)len));
}

gh_str gh_signer_jwk(struct gh_arena *arena, const struct gh_signer *signer, const char *more)
{
    if (signer->type == 'D') {
        unsigned char raw[32];
        size_t len = sizeof(raw);
        must(EVP_PKEY_get_raw_public_key(signer->pkey, raw, &len) == 1, "read a key");
        gh_str x = gh_test_base64url(arena, gh_str_of(raw, len));
        return gh_arena_printf(arena, "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"%s\"%s}", x.ptr, more);
    }
    if (signer->type == 'E') {
        gh_str x = number(arena, signer, OSSL_PKEY_PARAM_EC_PUB_X, signer->width);
        gh_str y = number(arena, signer, OSSL_PKEY_PARAM_EC_PUB_Y, signer->width);
        return gh_arena_printf(arena, "{\"kty\":\"EC\",\"crv\":\"%s\",\"x\":\"%s\",\"y\":\"%s\"%s}",
                               signer->crv, x.ptr, y.ptr, more);
    }
    gh_str n = number(arena, signer, OSSL_PKEY_PARAM_RSA_N, 0),
           e = number(arena, signer, OSSL_PKEY_PARAM_RSA_E, 0);
    return gh_arena_printf(arena, "{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"%s\"%s}", n.ptr, e.ptr, more);
}

gh_str gh_signer_pem(struct gh_arena *arena, const struct gh_signer *signer)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *pem = NULL;
    must(bio != NULL && PEM_write_bio_PKCS8PrivateKey(bio, signer->pkey, NULL, NULL, 0, NULL, NULL) == 1,
         "write a key");
    long len = BIO_get_mem_data(bio, &pem);
    gh_str copy = gh_arena_dup(arena, gh_str_of(pem, (size_t)len));
    BIO_free(bio);
    return copy;
}

static gh_str raw_ecdsa(struct gh_arena *arena, const struct gh_signer *signer, const unsigned char *der,
                        size_t len)
{
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)len);
    unsigned char raw[132];
    must(sig != NULL && BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, signer->width) == signer->width &&
             BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + signer->width, signer->width) == signer->width,
         "take a signature apart");
    ECDSA_SIG_free(sig);
    return gh_arena_dup(arena, gh_str_of(raw, (size_t)signer->width * 2));
}

gh_str gh_signer_sign(struct gh_arena *arena, const struct gh_signer *signer, const char *alg, gh_str bytes)
{
    unsigned char out[512];
    char digest[16] = "";
    size_t len = sizeof(out);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pkey = NULL;
    if (signer->type != 'D')
        (void)snprintf(digest, sizeof(digest), "SHA%s", alg + 2);
    must(EVP_DigestSignInit_ex(ctx, &pkey, digest[0] != '\0' ? digest : NULL, NULL, NULL, signer->pkey,
                               NULL) == 1,
         "begin to sign");
    if (alg[0] == 'P')
        must(EVP_PKEY_CTX_set_rsa_padding(pkey, RSA_PKCS1_PSS_PADDING) == 1 &&
                 EVP_PKEY_CTX_set_rsa_pss_saltlen(pkey, RSA_PSS_SALTLEN_DIGEST) == 1,
             "set the padding");
    must(EVP_DigestSign(ctx, out, &len, (const unsigned char *)bytes.ptr, bytes.len) == 1, "sign");
    EVP_MD_CTX_free(ctx);
    return signer->type == 'E' ? raw_ecdsa(arena, signer, out, len)
                               : gh_arena_dup(arena, gh_str_of(out, len));
}

gh_str gh_signer_token(struct gh_arena *arena, const struct gh_signer *signer, const char *alg, gh_str header,
                       gh_str payload)
{
    gh_str body = gh_arena_printf(arena, "%s.%s", gh_test_base64url(arena, header).ptr,
                                  gh_test_base64url(arena, payload).ptr);
    gh_str signature = gh_signer_sign(arena, signer, alg, body);
    return gh_arena_printf(arena, "%s.%s", body.ptr, gh_test_base64url(arena, signature).ptr);
}

gh_str gh_signer_confuse(struct gh_arena *arena, const struct gh_signer *signer, gh_str bytes)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *pem = NULL;
    unsigned char out[32];
    must(bio != NULL && PEM_write_bio_PUBKEY(bio, signer->pkey) == 1, "write a key");
    long len = BIO_get_mem_data(bio, &pem);
    must(HMAC(EVP_sha256(), pem, (int)len, (const unsigned char *)bytes.ptr, bytes.len, out, NULL) != NULL,
         "hash");
    BIO_free(bio);
    return gh_arena_dup(arena, gh_str_of(out, sizeof(out)));
}
