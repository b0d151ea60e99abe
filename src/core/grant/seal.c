/* core/grant/seal.c: the successor of a refresh token, readable only by whoever holds the predecessor. */
#include <openssl/evp.h>
#include <openssl/kdf.h>

#include "base/arena.h"
#include "base/base64.h"
#include "base/secret.h"
#include "base/str.h"
#include "core/grant/secret.h"

#define KEY   32u
#define NONCE 12u
#define TAG   16u

static void gh_cipher_cleanup(EVP_CIPHER_CTX **ctx)
{
    EVP_CIPHER_CTX_free(*ctx);
}

static void gh_pkey_cleanup(EVP_PKEY_CTX **ctx)
{
    EVP_PKEY_CTX_free(*ctx);
}

static bool derive(gh_str secret, unsigned char key[KEY])
{
    static const unsigned char info[] = "gatehouse refresh successor";
    GH_CLEANUP(gh_pkey) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_id(EVP_PKEY_HKDF, NULL);
    size_t len = KEY;
    return ctx != NULL && EVP_PKEY_derive_init(ctx) == 1 &&
           EVP_PKEY_CTX_set_hkdf_md(ctx, EVP_sha256()) == 1 &&
           EVP_PKEY_CTX_set1_hkdf_key(ctx, (const unsigned char *)secret.ptr, (int)secret.len) == 1 &&
           EVP_PKEY_CTX_add1_hkdf_info(ctx, info, sizeof(info) - 1) == 1 &&
           EVP_PKEY_derive(ctx, key, &len) == 1 && len == KEY;
}

static bool encrypt(const unsigned char key[KEY], unsigned char *out, gh_str plain)
{
    GH_CLEANUP(gh_cipher) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    unsigned char *body = out + NONCE;
    int len = 0, last = 0;
    return ctx != NULL && EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, out) == 1 &&
           EVP_EncryptUpdate(ctx, body, &len, (const unsigned char *)plain.ptr, (int)plain.len) == 1 &&
           (size_t)len == plain.len && EVP_EncryptFinal_ex(ctx, body + len, &last) == 1 &&
           EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, TAG, body + len) == 1;
}

static bool decrypt(const unsigned char key[KEY], unsigned char *bytes, size_t len, char *out)
{
    GH_CLEANUP(gh_cipher) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    size_t text = len - NONCE - TAG;
    int got = 0, last = 0;
    return ctx != NULL && EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, bytes) == 1 &&
           EVP_DecryptUpdate(ctx, (unsigned char *)out, &got, bytes + NONCE, (int)text) == 1 &&
           EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, TAG, bytes + NONCE + text) == 1 &&
           EVP_DecryptFinal_ex(ctx, (unsigned char *)out + got, &last) == 1 && (size_t)got == text;
}

gh_str gh_grant_seal(struct gh_arena *arena, gh_str secret, const unsigned char nonce[12], gh_str plain)
{
    unsigned char key[KEY];
    size_t len = NONCE + plain.len + TAG;
    unsigned char *bytes = gh_arena_alloc(arena, len);
    if (bytes == NULL || !derive(secret, key))
        return GH_STR_NONE;
    memcpy(bytes, nonce, NONCE);
    bool ok = encrypt(key, bytes, plain);
    gh_wipe(key, sizeof(key));
    return ok ? gh_secret_text(arena, bytes, len) : GH_STR_NONE;
}

enum gh_reason gh_grant_unseal(struct gh_arena *arena, gh_str secret, gh_str sealed, gh_str *ret_plain)
{
    unsigned char key[KEY];
    size_t len = gh_base64url_decoded_len(sealed.len);
    if (len == SIZE_MAX || len <= NONCE + TAG)
        return GH_STORE_MALFORMED;
    unsigned char *bytes = gh_arena_alloc(arena, len);
    char *plain = gh_arena_alloc(arena, len);
    if (bytes == NULL || plain == NULL)
        return GH_OUT_OF_MEMORY;
    if (!gh_base64url_decode(sealed, bytes) || !derive(secret, key))
        return GH_STORE_MALFORMED;
    bool ok = decrypt(key, bytes, len, plain);
    gh_wipe(key, sizeof(key));
    if (!ok)
        return GH_STORE_MALFORMED;
    *ret_plain = gh_str_of(plain, len - NONCE - TAG);
    return GH_OK;
}
