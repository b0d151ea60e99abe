/* issuer/password.c: scrypt (RFC 7914) of libcrypto, r=8, p=1. */
#include "issuer/password.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

#define COST_MAX   20u
#define SALT_TEXT  22 /* base64 of 16 bytes without padding */
#define HASH_TEXT  43 /* of 32 bytes */
#define BLOCK_SIZE 8u

static bool derive(gh_str password, unsigned cost, const unsigned char salt[16], unsigned char ret_hash[32])
{
    uint64_t n = 1ull << cost, memory = 2ull * 128 * BLOCK_SIZE * n;
    uint32_t r = BLOCK_SIZE, p = 1;
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "SCRYPT", NULL);
    EVP_KDF_CTX *ctx = kdf != NULL ? EVP_KDF_CTX_new(kdf) : NULL;
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_PASSWORD, (void *)(uintptr_t)password.ptr,
                                          password.len),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)(uintptr_t)salt, 16),
        OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_N, &n),
        OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_R, &r),
        OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_P, &p),
        OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_MAXMEM, &memory),
        OSSL_PARAM_construct_end(),
    };
    bool ok = ctx != NULL && EVP_KDF_derive(ctx, ret_hash, 32, params) == 1;
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
    if (!ok)
        ERR_clear_error();
    return ok;
}

bool gh_password_hash(gh_str password, unsigned cost, const unsigned char salt[16],
                      char ret_text[GH_PASSWORD_TEXT])
{
    unsigned char hash[32];
    char salt_text[25], hash_text[45]; /* with padding and a NUL */
    if (cost == 0 || cost > COST_MAX || password.len == 0 || !derive(password, cost, salt, hash))
        return false;
    (void)EVP_EncodeBlock((unsigned char *)salt_text, salt, 16);
    (void)EVP_EncodeBlock((unsigned char *)hash_text, hash, 32);
    OPENSSL_cleanse(hash, sizeof(hash));
    (void)snprintf(ret_text, GH_PASSWORD_TEXT, "$scrypt$ln=%u,r=8,p=1$%.*s$%.*s", cost, SALT_TEXT, salt_text,
                   HASH_TEXT, hash_text);
    return true;
}

/* "$scrypt$ln=16,r=8,p=1$SALT$HASH". */
static bool read_text(gh_str text, unsigned *ret_cost, unsigned char ret_salt[16])
{
    unsigned char padded[SALT_TEXT + 3], salt[18];
    uint64_t cost;
    gh_str rest = text;
    gh_str first = gh_str_cut(&rest, '$'), name = gh_str_cut(&rest, '$'), numbers = gh_str_cut(&rest, '$'),
           salt_text = gh_str_cut(&rest, '$');
    if (first.len > 0 || !gh_str_eq(name, GH_STR("scrypt")) || !gh_str_starts(numbers, GH_STR("ln=")) ||
        !gh_str_ends(numbers, GH_STR(",r=8,p=1")) || salt_text.len != SALT_TEXT || rest.len != HASH_TEXT)
        return false;
    gh_str digits = gh_str_skip(gh_str_take(numbers, numbers.len - sizeof(",r=8,p=1") + 1), 3);
    if (!gh_str_to_u64(digits, &cost) || cost == 0 || cost > COST_MAX)
        return false;
    memcpy(padded, salt_text.ptr, SALT_TEXT);
    memcpy(padded + SALT_TEXT, "==", 3);
    if (EVP_DecodeBlock(salt, padded, SALT_TEXT + 2) != (int)sizeof(salt))
        return false;
    memcpy(ret_salt, salt, 16);
    *ret_cost = (unsigned)cost;
    return true;
}

bool gh_password_matches(gh_str text, gh_str password, unsigned *ret_cost)
{
    unsigned char salt[16];
    char again[GH_PASSWORD_TEXT];
    *ret_cost = 0;
    if (!read_text(text, ret_cost, salt) || !gh_password_hash(password, *ret_cost, salt, again))
        return false;
    return strlen(again) == text.len && CRYPTO_memcmp(again, text.ptr, text.len) == 0;
}

bool gh_password_is_usable(gh_str password, gh_str again)
{
    return password.len >= GH_PASSWORD_MIN && password.len <= GH_PASSWORD_MAX && gh_str_eq(password, again);
}
