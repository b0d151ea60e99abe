/* core/token/alg.c: the table of signature algorithms; what is not in it does not exist here. */
#include "core/token/alg.h"

#include "base/str.h"

/* RFC 7518 section 3.1, RFC 8037 section 3.1. No HMAC, no none, no ES256K, no Ed448. */
static const struct gh_alg_row rows[GH_ALG_COUNT] = {
    [GH_ALG_RS256] = { GH_STR_INIT("RS256"), GH_KTY_RSA, NULL, "SHA256", false },
    [GH_ALG_RS384] = { GH_STR_INIT("RS384"), GH_KTY_RSA, NULL, "SHA384", false },
    [GH_ALG_RS512] = { GH_STR_INIT("RS512"), GH_KTY_RSA, NULL, "SHA512", false },
    [GH_ALG_PS256] = { GH_STR_INIT("PS256"), GH_KTY_RSA, NULL, "SHA256", true },
    [GH_ALG_PS384] = { GH_STR_INIT("PS384"), GH_KTY_RSA, NULL, "SHA384", true },
    [GH_ALG_PS512] = { GH_STR_INIT("PS512"), GH_KTY_RSA, NULL, "SHA512", true },
    [GH_ALG_ES256] = { GH_STR_INIT("ES256"), GH_KTY_EC, "P-256", "SHA256", false },
    [GH_ALG_ES384] = { GH_STR_INIT("ES384"), GH_KTY_EC, "P-384", "SHA384", false },
    [GH_ALG_ES512] = { GH_STR_INIT("ES512"), GH_KTY_EC, "P-521", "SHA512", false },
    [GH_ALG_EDDSA] = { GH_STR_INIT("EdDSA"), GH_KTY_OKP, "Ed25519", NULL, false },
};

enum gh_reason gh_alg_read(gh_str name, enum gh_alg *ret_alg)
{
    /* RFC 9864 section 2.2 gives the curve a name of its own. */
    if (gh_str_eq(name, GH_STR("Ed25519")))
        name = rows[GH_ALG_EDDSA].name;
    for (unsigned i = 0; i < GH_ALG_COUNT; i++) {
        if (gh_str_eq(rows[i].name, name)) {
            *ret_alg = (enum gh_alg)i;
            return GH_OK;
        }
    }
    return GH_TOKEN_ALGORITHM;
}

gh_str gh_alg_name(enum gh_alg alg)
{
    return (unsigned)alg < GH_ALG_COUNT ? rows[alg].name : GH_STR_NONE;
}

bool gh_alg_is_costly(enum gh_alg alg)
{
    return alg == GH_ALG_ES384 || alg == GH_ALG_ES512;
}

const struct gh_alg_row *gh_alg_row(enum gh_alg alg)
{
    return &rows[alg];
}

gh_algs gh_algs_for(enum gh_kty kty, gh_str crv)
{
    gh_algs algs = 0;
    for (unsigned i = 0; i < GH_ALG_COUNT; i++) {
        if (rows[i].kty == kty && (rows[i].crv == NULL || gh_str_eq(gh_str_from(rows[i].crv), crv)))
            algs |= GH_ALG_BIT(i);
    }
    return algs;
}
