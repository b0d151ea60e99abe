/* core/token/signing_row.c: seals the signing keys of an issuer into the value of a row, and opens it again.
 */
#include "gatehouse/signing_row.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>

#include "base/arena.h"
#include "base/base64.h"
#include "base/secret.h"
#include "base/str.h"
#include "core/grant/rows.h"

#define KEY     32u
#define NONCE   GH_SIGNING_ROW_NONCE
#define TAG     16u
#define VERSION 1
/* The largest set in base64, with what stands around it. */
static const struct gh_json_limits limits = { .bytes = 96 * 1024, .depth = 1, .values = 4 };

static const char not_a_row[] = "is no row of signing keys";
static const char not_opened[] = "does not open: it was sealed under another key-encryption key, for another "
                                 "issuer, or was changed since";
static const char not_keys[] = "opens, and holds no signing keys";

static void gh_cipher_cleanup(EVP_CIPHER_CTX **ctx)
{
    EVP_CIPHER_CTX_free(*ctx);
}

static void gh_pkey_cleanup(EVP_PKEY_CTX **ctx)
{
    EVP_PKEY_CTX_free(*ctx);
}

/* ---- the key that seals ---- */

enum gh_reason gh_signing_row_key(const struct gh_secret *kek, struct gh_secret *ret_key)
{
    static const unsigned char info[] = "gatehouse signing keys v1";
    GH_CLEANUP(gh_pkey) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_id(EVP_PKEY_HKDF, NULL);
    unsigned char key[KEY];
    size_t len = sizeof(key);
    bool ok = ctx != NULL && EVP_PKEY_derive_init(ctx) == 1 &&
              EVP_PKEY_CTX_set_hkdf_md(ctx, EVP_sha256()) == 1 &&
              EVP_PKEY_CTX_set1_hkdf_key(ctx, kek->bytes, (int)kek->len) == 1 &&
              EVP_PKEY_CTX_add1_hkdf_info(ctx, info, sizeof(info) - 1) == 1 &&
              EVP_PKEY_derive(ctx, key, &len) == 1 && len == KEY &&
              gh_secret_set(ret_key, gh_str_of(key, sizeof(key)));
    gh_wipe(key, sizeof(key));
    ERR_clear_error();
    return ok ? GH_OK : GH_OUT_OF_MEMORY;
}

/* ---- what is authenticated beside the keys ---- */

static bool add_field(EVP_CIPHER_CTX *ctx, const void *bytes, size_t len)
{
    int written = 0;
    const unsigned char head[4] = { (unsigned char)(len >> 24), (unsigned char)(len >> 16),
                                    (unsigned char)(len >> 8), (unsigned char)len };
    return len <= INT32_MAX && EVP_CipherUpdate(ctx, NULL, &written, head, sizeof(head)) == 1 &&
           (len == 0 || EVP_CipherUpdate(ctx, NULL, &written, bytes, (int)len) == 1);
}

static bool begin(EVP_CIPHER_CTX *ctx, const struct gh_signing_seal *seal, uint64_t number,
                  const unsigned char *nonce, int encrypting)
{
    unsigned char bytes[8];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (unsigned char)(number >> (56 - 8 * i));
    return ctx != NULL && seal->key->len == KEY &&
           EVP_CipherInit_ex(ctx, EVP_aes_256_gcm(), NULL, seal->key->bytes, nonce, encrypting) == 1 &&
           add_field(ctx, seal->tenant.ptr, seal->tenant.len) &&
           add_field(ctx, seal->issuer.ptr, seal->issuer.len) && add_field(ctx, bytes, sizeof(bytes));
}

/* ---- sealing ---- */

static bool encrypt(const struct gh_signing_seal *seal, uint64_t number, const struct gh_secret *plain,
                    unsigned char *out)
{
    GH_CLEANUP(gh_cipher) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    unsigned char *body = out + NONCE, *tag = body + plain->len;
    int written = 0;
    bool ok = begin(ctx, seal, number, out, 1) &&
              EVP_CipherUpdate(ctx, body, &written, plain->bytes, (int)plain->len) == 1 &&
              EVP_CipherFinal_ex(ctx, tag, &written) == 1 &&
              EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG, tag) == 1;
    ERR_clear_error();
    return ok;
}

static gh_str seal_plain(struct gh_arena *arena, const struct gh_signing_seal *seal, uint64_t number,
                         const struct gh_secret *plain, const unsigned char *nonce)
{
    size_t len = NONCE + plain->len + TAG, text_len = gh_base64url_encoded_len(len);
    unsigned char *bytes = gh_arena_alloc(arena, len);
    char *text = gh_arena_alloc(arena, text_len);
    if (bytes == NULL || text == NULL)
        return GH_STR_NONE;
    memcpy(bytes, nonce, NONCE);
    if (!encrypt(seal, number, plain, bytes))
        return GH_STR_NONE;
    gh_base64url_encode(gh_str_of(bytes, len), text);
    return gh_str_of(text, text_len);
}

gh_str gh_signing_row_write(struct gh_arena *arena, const struct gh_signing_seal *seal,
                            const struct gh_signing_set *set, const unsigned char nonce[GH_SIGNING_ROW_NONCE])
{
    struct gh_secret plain = { 0 };
    struct gh_text text = { .arena = arena };
    if (gh_signing_keys_write(set, &plain) != GH_OK)
        return GH_STR_NONE;
    gh_put_number(&text, "v", VERSION);
    gh_put_number(&text, "ring", (int64_t)set->number);
    gh_put_made(&text, "sealed", seal_plain(arena, seal, set->number, &plain, nonce));
    gh_secret_done(&plain);
    return gh_put_end(&text);
}

/* ---- opening ---- */

static bool decrypt(const struct gh_signing_seal *seal, uint64_t number, gh_str bytes,
                    struct gh_secret *plain)
{
    GH_CLEANUP(gh_cipher) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    const unsigned char *nonce = (const unsigned char *)bytes.ptr, *body = nonce + NONCE;
    unsigned char tag[TAG];
    int written = 0;
    memcpy(tag, body + plain->len, sizeof(tag));
    bool ok = begin(ctx, seal, number, nonce, 0) &&
              EVP_CipherUpdate(ctx, plain->bytes, &written, body, (int)plain->len) == 1 &&
              EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG, tag) == 1 &&
              EVP_CipherFinal_ex(ctx, plain->bytes + plain->len, &written) == 1;
    ERR_clear_error();
    return ok;
}

static enum gh_reason open_sealed(const struct gh_signing_seal *seal, uint64_t number, gh_str bytes,
                                  struct gh_signing_set *ret_set, const char **ret_why)
{
    struct gh_secret plain = { .len = bytes.len - NONCE - TAG };
    plain.bytes = gh_malloc(plain.len);
    if (plain.bytes == NULL)
        return GH_OUT_OF_MEMORY;
    enum gh_reason reason = GH_KEYS_MALFORMED;
    *ret_why = not_opened;
    if (decrypt(seal, number, bytes, &plain)) {
        *ret_why = not_keys;
        reason = gh_signing_keys_read(gh_str_of(plain.bytes, plain.len), number, ret_set);
    }
    gh_secret_done(&plain);
    return reason;
}

/* The three members, and no other. */
static bool read_members(const struct gh_json *row, uint64_t *ret_number, gh_str *ret_sealed)
{
    bool ok = true;
    int64_t version = gh_get_number(row, "v", &ok), number = gh_get_number(row, "ring", &ok);
    *ret_sealed = gh_get_text(row, "sealed", &ok);
    *ret_number = (uint64_t)number;
    return ok && row->count == 3 && version == VERSION && number > 0;
}

enum gh_reason gh_signing_row_read(struct gh_arena *arena, const struct gh_signing_seal *seal, gh_str value,
                                   struct gh_signing_set *ret_set, const char **ret_why)
{
    struct gh_json row;
    uint64_t number;
    gh_str sealed;
    *ret_why = not_a_row;
    enum gh_reason reason = gh_json_read(arena, value, &limits, GH_KEYS_MALFORMED, &row);
    if (reason != GH_OK)
        return reason;
    if (!read_members(&row, &number, &sealed))
        return GH_KEYS_MALFORMED;
    size_t len = gh_base64url_decoded_len(sealed.len);
    if (len == SIZE_MAX || len <= NONCE + TAG)
        return GH_KEYS_MALFORMED;
    unsigned char *bytes = gh_arena_alloc(arena, len);
    if (bytes == NULL)
        return GH_OUT_OF_MEMORY;
    if (!gh_base64url_decode(sealed, bytes))
        return GH_KEYS_MALFORMED;
    return open_sealed(seal, number, gh_str_of(bytes, len), ret_set, ret_why);
}
