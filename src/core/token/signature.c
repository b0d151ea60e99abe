/* core/token/signature.c: verifies one signature with one prepared key, on whatever thread calls. */
#include <string.h>

#include <openssl/err.h>

#include "core/token/key.h"

#define ECDSA_WIDTH_MAX 66u
/* SEQUENCE (3 bytes of head at most) of two INTEGERs, each with 2 bytes of head and a sign byte. */
#define ECDSA_DER_MAX (3u + 2u * (2u + 1u + ECDSA_WIDTH_MAX))

static bool ecdsa_to_der(const struct gh_key *key, gh_str raw, unsigned char *out, size_t *ret_len);

enum gh_reason gh_token_signature(const struct gh_key *key, enum gh_alg alg, gh_str signed_part,
                                  gh_str signature)
{
    if ((unsigned)alg >= GH_ALG_COUNT || key->templates[alg] == NULL)
        return GH_TOKEN_ALGORITHM;
    /* One width each: RFC 8017 section 8.2.2, RFC 7518 section 3.4, RFC 8032 section 5.1.7. */
    if (signature.len != key->width)
        return GH_TOKEN_SIGNATURE;
    unsigned char der[ECDSA_DER_MAX];
    const unsigned char *bytes = (const unsigned char *)signature.ptr;
    size_t len = signature.len;
    if (key->kty == GH_KTY_EC) {
        if (!ecdsa_to_der(key, signature, der, &len))
            return GH_TOKEN_SIGNATURE;
        bytes = der;
    }
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    enum gh_reason reason = GH_OUT_OF_MEMORY;
    if (ctx != NULL && EVP_MD_CTX_copy_ex(ctx, key->templates[alg]) == 1) {
        int verified =
            EVP_DigestVerify(ctx, bytes, len, (const unsigned char *)signed_part.ptr, signed_part.len);
        reason = verified == 1 ? GH_OK : GH_TOKEN_SIGNATURE;
    }
    EVP_MD_CTX_free(ctx);
    /* What is left in the thread's queue would be read as an error of its next TLS call. */
    if (reason != GH_OK)
        ERR_clear_error();
    return reason;
}

/* The order n of each curve, SEC 2 sections 2.4.2, 2.5.1 and 2.6.1. */
static const unsigned char order_256[32] = { 0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff,
                                             0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17,
                                             0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51 };
static const unsigned char order_384[48] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                             0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                             0xff, 0xff, 0xff, 0xff, 0xc7, 0x63, 0x4d, 0x81, 0xf4, 0x37,
                                             0x2d, 0xdf, 0x58, 0x1a, 0x0d, 0xb2, 0x48, 0xb0, 0xa7, 0x7a,
                                             0xec, 0xec, 0x19, 0x6a, 0xcc, 0xc5, 0x29, 0x73 };
static const unsigned char order_521[66] = {
    0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfa,
    0x51, 0x86, 0x87, 0x83, 0xbf, 0x2f, 0x96, 0x6b, 0x7f, 0xcc, 0x01, 0x48, 0xf7, 0x09, 0xa5, 0xd0, 0x3b,
    0xb5, 0xc9, 0xb8, 0x89, 0x9c, 0x47, 0xae, 0xbb, 0x6f, 0xb7, 0x1e, 0x91, 0x38, 0x64, 0x09
};

static const unsigned char *order_of(size_t width)
{
    return width == sizeof(order_256) ? order_256 : width == sizeof(order_384) ? order_384 : order_521;
}

/* 1 <= number <= n - 1, as FIPS 186-4 section 6.4 demands of r and s. Nothing here is secret. */
static bool is_in_range(const unsigned char *number, size_t width)
{
    static const unsigned char zero[ECDSA_WIDTH_MAX];
    return memcmp(number, zero, width) != 0 && memcmp(number, order_of(width), width) < 0;
}

/* Writes one INTEGER of DER: shortest form, positive. */
static size_t put_integer(unsigned char *out, const unsigned char *number, size_t width)
{
    while (width > 1 && *number == 0) {
        number++;
        width--;
    }
    size_t sign = (*number & 0x80) != 0 ? 1 : 0;
    out[0] = 0x02;
    out[1] = (unsigned char)(width + sign);
    out[2] = 0;
    memcpy(out + 2 + sign, number, width);
    return 2 + sign + width;
}

/* RFC 7518 section 3.4: r and s side by side become the SEQUENCE that OpenSSL reads. */
static bool ecdsa_to_der(const struct gh_key *key, gh_str raw, unsigned char *out, size_t *ret_len)
{
    const unsigned char *r = (const unsigned char *)raw.ptr;
    size_t width = key->width / 2;
    if (!is_in_range(r, width) || !is_in_range(r + width, width))
        return false;
    unsigned char body[ECDSA_DER_MAX];
    size_t len = put_integer(body, r, width);
    len += put_integer(body + len, r + width, width);
    size_t head = 0;
    out[head++] = 0x30;
    if (len >= 0x80)
        out[head++] = 0x81;
    out[head++] = (unsigned char)len;
    memcpy(out + head, body, len);
    *ret_len = head + len;
    return true;
}
