/* core/token/key.h: what a public key is inside, and how one is made from a JWK. */
#ifndef GH_CORE_TOKEN_KEY_H
#define GH_CORE_TOKEN_KEY_H

#include <stdatomic.h>

#include <openssl/evp.h>

#include "core/json/json.h"
#include "core/token/alg.h"

#define GH_THUMBPRINT_LEN 32u

/* Immutable once read, so that any thread may use it. Each template is a digest context on which
 * EVP_DigestVerifyInit has been done for this key and that algorithm: a verification copies it, which saves
 * the look-ups of the initialisation (RS256: 21 us instead of 28; the bare RSA operation costs 21). */
struct gh_key {
    atomic_uint refs;
    gh_str kid;    /* ptr NULL when the JWK has none */
    gh_str issuer; /* Entra: the issuer this key signs for, maybe with "{tenantid}"; ptr NULL otherwise */
    enum gh_kty kty;
    gh_algs algs;
    size_t width; /* bytes of a signature; for EC of r and of s together */
    EVP_PKEY *pkey;
    EVP_MD_CTX *templates[GH_ALG_COUNT];
    unsigned char thumbprint[GH_THUMBPRINT_LEN];
};

/* The half-made material of a JWK: plain numbers, checked for form. */
struct gh_key_parts {
    enum gh_kty kty;
    gh_str crv;  /* empty for RSA */
    gh_str a, b; /* RSA: n and e without leading zeros; EC: x and y, full width; OKP: x and nothing */
};

/* Either GH_OK with a key, GH_OUT_OF_MEMORY, or GH_KEYS_MALFORMED with the fault. */
GH_MUST_USE enum gh_reason gh_key_read(struct gh_arena *arena, const struct gh_json *jwk, gh_algs allowed,
                                       enum gh_key_fault *ret_fault, struct gh_key **ret_key);

/* The OpenSSL half, in material.c. NULL: the numbers are no valid public key (or memory ran out). */
EVP_PKEY *gh_key_material(const struct gh_key_parts *parts);
/* Templates for every algorithm of key->algs. */
GH_MUST_USE bool gh_key_prepare(struct gh_key *key);
/* A digest context ready to be copied: to verify with the public half, or to sign with the private one. */
EVP_MD_CTX *gh_key_template(EVP_PKEY *pkey, enum gh_alg alg, bool signs);
/* The required members of the public JWK as a JSON object, and the SHA-256 over it. */
gh_str gh_key_members(struct gh_arena *arena, const struct gh_key_parts *parts);
GH_MUST_USE bool gh_key_thumb(gh_str members, unsigned char ret_thumbprint[GH_THUMBPRINT_LEN]);
/* Takes all errors out of libcrypto's queue: was one of them a lack of memory? */
bool gh_crypto_lacked_memory(void);

/* weak.c. RSA: size, exponent, the ROCA fingerprint (CVE-2017-15361). */
bool gh_rsa_is_weak(gh_str n, gh_str e);
/* An encoding of a point of Ed25519 that is canonical, on the curve, and not of small order. */
bool gh_ed25519_is_sound(gh_str x);

#endif
