/* include/gatehouse/sign.h: private keys of our own: sign JWTs with them, and publish their public halves. */
#ifndef GATEHOUSE_SIGN_H
#define GATEHOUSE_SIGN_H

#include "gatehouse/token.h"

struct gh_secret;

/* ---- keys
 * --------------------------------------------------------------------------------------------------- */

/* One private key, immutable and shared between threads by reference count. It signs by one algorithm: ES256
 * (P-256), EdDSA (Ed25519) or RS256 (RSA of 2048 to 4096 bits). */
struct gh_signing_key;

/* Why a key was not taken. */
enum gh_signing_fault {
    GH_SIGNING_FAULT_PEM,       /* not exactly one PEM block */
    GH_SIGNING_FAULT_ENCRYPTED, /* needs a password, which nobody could give */
    GH_SIGNING_FAULT_PKCS8,     /* a block of another kind: "EC PRIVATE KEY", a certificate */
    GH_SIGNING_FAULT_MALFORMED, /* no private key in it, or halves that do not belong together */
    GH_SIGNING_FAULT_TYPE,      /* another curve, another kind of key */
    GH_SIGNING_FAULT_WEAK,      /* RSA: too short, too long, a bad exponent, ROCA */
    GH_SIGNING_FAULT_COUNT
};
/* What was found, for the operator: "an encrypted key". */
gh_str gh_signing_fault_text(enum gh_signing_fault fault);

/* Reads one unencrypted PKCS#8 private key (RFC 5958) from PEM (RFC 7468 section 10). GH_KEYS_MALFORMED with
 * the fault, or GH_OUT_OF_MEMORY. The caller wipes `pem`. */
GH_MUST_USE enum gh_reason gh_signing_key_read(gh_str pem, enum gh_signing_fault *ret_fault,
                                               struct gh_signing_key **ret_key);
/* The private key as that reader takes it. GH_OK, GH_OUT_OF_MEMORY. */
GH_MUST_USE enum gh_reason gh_signing_key_write(const struct gh_signing_key *key, struct gh_secret *ret_pem);
struct gh_signing_key *gh_signing_key_ref(struct gh_signing_key *key);
void gh_signing_key_unref(struct gh_signing_key *key);
enum gh_alg gh_signing_key_alg(const struct gh_signing_key *key);
/* The RFC 7638 thumbprint as base64url: one key has one name everywhere. */
gh_str gh_signing_key_kid(const struct gh_signing_key *key);
/* Does signing cost over a quarter of a millisecond, so that it belongs on an offload thread? RS256. */
bool gh_signing_key_is_costly(const struct gh_signing_key *key);
/* The public JWK (RFC 7517 section 4) with kid, alg and use; lent. */
gh_str gh_signing_key_jwk(const struct gh_signing_key *key);
/* The JWK set of their public halves (RFC 7517 section 5); ptr NULL when out of memory. */
gh_str gh_jwks_write(struct gh_arena *arena, struct gh_signing_key *const *keys, size_t count);

/* ---- signing
 * ------------------------------------------------------------------------------------------------ */

/* The compact serialisation (RFC 7515 section 7.1) of `claims`, a JSON object, under a header with alg, kid
 * and typ (left out when empty). Callable on any thread. GH_OK, GH_OUT_OF_MEMORY, or GH_INTERNAL when
 * libcrypto fails. */
GH_MUST_USE enum gh_reason gh_token_sign(struct gh_arena *arena, const struct gh_signing_key *key, gh_str typ,
                                         gh_str claims, gh_str *ret_token);

/* ---- what the server behind is told
 * ------------------------------------------------------------------------- */

/* RFC 8725 section 3.11: a typ of its own, so that it passes nowhere as an access token. */
#define GH_ASSERTION_TYP "gatehouse-assertion+jwt"
#define GH_ASSERTION_JTI 16u

struct gh_assertion {
    gh_str issuer, audience;
    gh_str tenant, resource;
    const struct gh_principal *principal;
    int64_t issued, expires;             /* seconds since 1970 */
    unsigned char jti[GH_ASSERTION_JTI]; /* random */
};
/* The claims as a JSON object: what has no value is left out. ptr NULL when out of memory. */
gh_str gh_assertion_write(struct gh_arena *arena, const struct gh_assertion *assertion);

#endif
