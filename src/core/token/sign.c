/* core/token/sign.c: signs one JWT with one private key, on whatever thread calls. */
#include <openssl/ec.h>
#include <openssl/err.h>

#include "base/arena.h"
#include "base/base64.h"
#include "base/str.h"
#include "core/text.h"
#include "core/token/signing.h"

static gh_str write_header(struct gh_arena *arena, const struct gh_signing_key *key, gh_str typ);
static size_t put_base64url(char *out, gh_str bytes);
static enum gh_reason sign(const struct gh_signing_key *key, gh_str signed_part,
                           unsigned char ret_signature[GH_SIGNATURE_MAX]);
static bool ecdsa_to_raw(const unsigned char *der, size_t len, unsigned char *ret_raw, size_t width);

enum gh_reason gh_token_sign(struct gh_arena *arena, const struct gh_signing_key *key, gh_str typ,
                             gh_str claims, gh_str *ret_token)
{
    gh_str header = write_header(arena, key, typ);
    if (header.ptr == NULL)
        return GH_OUT_OF_MEMORY;
    size_t size = gh_base64url_encoded_len(header.len) + 1 + gh_base64url_encoded_len(claims.len) + 1 +
                  gh_base64url_encoded_len(key->width);
    char *token = gh_arena_alloc(arena, size);
    if (token == NULL)
        return GH_OUT_OF_MEMORY;
    size_t len = put_base64url(token, header);
    token[len++] = '.';
    len += put_base64url(token + len, claims);
    unsigned char signature[GH_SIGNATURE_MAX];
    enum gh_reason reason = sign(key, gh_str_of(token, len), signature);
    if (reason != GH_OK)
        return reason;
    token[len++] = '.';
    len += put_base64url(token + len, gh_str_of(signature, key->width));
    *ret_token = gh_str_of(token, len);
    return GH_OK;
}

static gh_str write_header(struct gh_arena *arena, const struct gh_signing_key *key, gh_str typ)
{
    struct gh_text text = { .arena = arena };
    gh_text_add(&text, GH_STR("{\"alg\":"));
    gh_text_json(&text, gh_alg_name(key->alg));
    if (typ.len != 0) {
        gh_text_add(&text, GH_STR(",\"typ\":"));
        gh_text_json(&text, typ);
    }
    gh_text_add(&text, GH_STR(",\"kid\":"));
    gh_text_json(&text, gh_signing_key_kid(key));
    gh_text_add(&text, GH_STR("}"));
    return gh_text_take(&text);
}

static size_t put_base64url(char *out, gh_str bytes)
{
    gh_base64url_encode(bytes, out);
    return gh_base64url_encoded_len(bytes.len);
}

/* Exactly key->width bytes. */
static enum gh_reason sign(const struct gh_signing_key *key, gh_str signed_part,
                           unsigned char ret_signature[GH_SIGNATURE_MAX])
{
    unsigned char made[GH_SIGNATURE_MAX];
    size_t len = 0;
    if (!gh_signature_make(key, signed_part, made, &len))
        return GH_INTERNAL;
    if (key->alg == GH_ALG_ES256)
        return ecdsa_to_raw(made, len, ret_signature, key->width / 2) ? GH_OK : GH_INTERNAL;
    if (len != key->width)
        return GH_INTERNAL;
    memcpy(ret_signature, made, len);
    return GH_OK;
}

bool gh_signature_make(const struct gh_signing_key *key, gh_str bytes,
                       unsigned char ret_signature[GH_SIGNATURE_MAX], size_t *ret_len)
{
    size_t len = GH_SIGNATURE_MAX;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool made = ctx != NULL && EVP_MD_CTX_copy_ex(ctx, key->template) == 1 &&
                EVP_DigestSign(ctx, ret_signature, &len, (const unsigned char *)bytes.ptr, bytes.len) == 1;
    EVP_MD_CTX_free(ctx);
    if (made)
        *ret_len = len;
    else
        ERR_clear_error(); /* what is left would be read as an error of the thread's next TLS call */
    return made;
}

/* RFC 7518 section 3.4: r and s side by side, each as wide as the order of the curve. */
static bool ecdsa_to_raw(const unsigned char *der, size_t len, unsigned char *ret_raw, size_t width)
{
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &der, (long)len);
    bool good = pair != NULL && BN_bn2binpad(ECDSA_SIG_get0_r(pair), ret_raw, (int)width) == (int)width &&
                BN_bn2binpad(ECDSA_SIG_get0_s(pair), ret_raw + width, (int)width) == (int)width;
    ECDSA_SIG_free(pair);
    if (!good)
        ERR_clear_error();
    return good;
}
