/* support/sign.h: keys made for one test run, their JWKs, and tokens signed with them. */
#ifndef GH_TEST_SIGN_H
#define GH_TEST_SIGN_H

#include "gatehouse/types.h"

struct gh_arena;
struct gh_signer;

/* A new key pair for a JOSE algorithm (RS*, PS*: 2,048 bits; ES*, EdDSA). Ends the program when it cannot. */
struct gh_signer *gh_signer_new(const char *alg);
void gh_signer_free(struct gh_signer *signer);
/* The public JWK as JSON text; `more` is put behind its members, as in ",\"kid\":\"k1\"". */
gh_str gh_signer_jwk(struct gh_arena *arena, const struct gh_signer *signer, const char *more);
/* The private key as PKCS#8 PEM. */
gh_str gh_signer_pem(struct gh_arena *arena, const struct gh_signer *signer);
/* The raw JOSE signature over the bytes, by the algorithm named here (of the key's own type). */
gh_str gh_signer_sign(struct gh_arena *arena, const struct gh_signer *signer, const char *alg, gh_str bytes);
/* BASE64URL(header).BASE64URL(payload).BASE64URL(signature) */
gh_str gh_signer_token(struct gh_arena *arena, const struct gh_signer *signer, const char *alg, gh_str header,
                       gh_str payload);
/* HMAC-SHA256 keyed with the PEM form of the public key: what a confused verifier would accept. */
gh_str gh_signer_confuse(struct gh_arena *arena, const struct gh_signer *signer, gh_str bytes);
gh_str gh_test_base64url(struct gh_arena *arena, gh_str bytes);

#endif
