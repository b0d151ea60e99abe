/* core/token/alg.h: what each algorithm name means: kind of key, digest, padding. */
#ifndef GH_CORE_TOKEN_ALG_H
#define GH_CORE_TOKEN_ALG_H

#include "gatehouse/token.h"

enum gh_kty { GH_KTY_RSA, GH_KTY_EC, GH_KTY_OKP };

/* What a key of the algorithm is. RSA: the digest decides nothing about the key, so curve is NULL. */
struct gh_alg_row {
    gh_str name;
    enum gh_kty kty;
    const char *crv;    /* JWK name of the curve; NULL for RSA */
    const char *digest; /* OpenSSL name; NULL where the scheme has its own */
    bool pss;
};

const struct gh_alg_row *gh_alg_row(enum gh_alg alg);
/* The algorithms of that kind of key and curve (NULL for RSA). */
gh_algs gh_algs_for(enum gh_kty kty, gh_str crv);

#endif
