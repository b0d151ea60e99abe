/* core/token/signing.h: what a private key is inside. */
#ifndef GH_CORE_TOKEN_SIGNING_H
#define GH_CORE_TOKEN_SIGNING_H

#include "core/token/key.h"
#include "gatehouse/sign.h"

#define GH_KID_LEN       43u  /* a thumbprint as base64url */
#define GH_SIGNATURE_MAX 512u /* RSA of 4096 bits */

/* Immutable once read. The template is a digest context on which EVP_DigestSignInit has been done: a
 * signature copies it, as a verification does (see key.h). */
struct gh_signing_key {
    atomic_uint refs;
    enum gh_alg alg;
    size_t width; /* bytes of a JOSE signature; ES256: of r and of s together */
    EVP_PKEY *pkey;
    EVP_MD_CTX *template;
    char kid[GH_KID_LEN];
    gh_str jwk; /* behind this struct */
};

/* The signature as OpenSSL writes it: DER for ECDSA. False when libcrypto fails or memory runs out. */
GH_MUST_USE bool gh_signature_make(const struct gh_signing_key *key, gh_str bytes,
                                   unsigned char ret_signature[GH_SIGNATURE_MAX], size_t *ret_len);

#endif
