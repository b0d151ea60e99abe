/* core/token/weak.c: public keys that anybody could sign for: short, odd exponents, ROCA, small order. */
#include <string.h>

#include <openssl/bn.h>

#include "base/str.h"
#include "core/token/key.h"

static size_t bit_length(gh_str number);
static unsigned modulo(gh_str number, unsigned divisor);
static bool is_roca(gh_str n);
static bool is_on_curve(const unsigned char y_big_endian[32]);

/* Both without leading zeros. */
bool gh_rsa_is_weak(gh_str n, gh_str e)
{
    size_t bits = bit_length(n);
    if (bits < 2048 || bits > 4096 || (n.ptr[n.len - 1] & 1) == 0)
        return true;
    /* Above 64 bits an exponent costs only time: a verification squares once for each bit. */
    if (e.len < 3 || e.len > 8 || (e.ptr[e.len - 1] & 1) == 0)
        return true;
    if (e.len == 3 && memcmp(e.ptr, "\x01\x00\x01", 3) < 0)
        return true;
    return is_roca(n);
}

static size_t bit_length(gh_str number)
{
    if (number.len == 0)
        return 0;
    size_t bits = number.len * 8;
    for (unsigned char top = (unsigned char)number.ptr[0]; (top & 0x80) == 0 && bits != 0;
         top = (unsigned char)(top << 1))
        bits--;
    return bits;
}

static unsigned modulo(gh_str number, unsigned divisor)
{
    unsigned rest = 0;
    for (size_t i = 0; i < number.len; i++)
        rest = (rest * 256 + (unsigned char)number.ptr[i]) % divisor;
    return rest;
}

/* CVE-2017-15361: primes made by that library are k * M + (65537^a mod M), M a product of the first primes,
 * so that n is a power of 65537 modulo each of them. One key in 2^27 looks so by chance. */
static bool is_roca(gh_str n)
{
    static const unsigned char primes[] = { 3,   5,   7,   11,  13,  17,  19,  23,  29,  31,  37,  41,  43,
                                            47,  53,  59,  61,  67,  71,  73,  79,  83,  89,  97,  101, 103,
                                            107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167 };
    for (size_t i = 0; i < GH_ARRAY_LEN(primes); i++) {
        unsigned p = primes[i], rest = modulo(n, p), power = 1;
        bool found = false;
        do {
            found = found || power == rest;
            power = power * (65537u % p) % p;
        } while (power != 1);
        if (!found)
            return false;
    }
    return true;
}

/* RFC 8032 section 5.1.3, without taking the root: x exists when (y^2 - 1) / (d y^2 + 1) is a square. */
bool gh_ed25519_is_sound(gh_str x)
{
    /* y of the points of order 1, 4, 2, 8, 8, big-endian: their multiples are few enough to forge with. */
    static const unsigned char zero[32], one[32] = { [31] = 1 };
    static const unsigned char minus_one[32] = { 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                                 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                                 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                                 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xec };
    static const unsigned char eight_a[32] = { 0x05, 0xfc, 0x53, 0x6d, 0x88, 0x02, 0x38, 0xb1,
                                               0x39, 0x33, 0xc6, 0xd3, 0x05, 0xac, 0xdf, 0xd5,
                                               0xf0, 0x98, 0xef, 0xf2, 0x89, 0xf4, 0xc3, 0x45,
                                               0xb0, 0x27, 0xb2, 0xc2, 0x8f, 0x95, 0xe8, 0x26 };
    static const unsigned char eight_b[32] = { 0x7a, 0x03, 0xac, 0x92, 0x77, 0xfd, 0xc7, 0x4e,
                                               0xc6, 0xcc, 0x39, 0x2c, 0xfa, 0x53, 0x20, 0x2a,
                                               0x0f, 0x67, 0x10, 0x0d, 0x76, 0x0b, 0x3c, 0xba,
                                               0x4f, 0xd8, 0x4d, 0x3d, 0x70, 0x6a, 0x17, 0xc7 };
    static const unsigned char *const small[] = { zero, one, minus_one, eight_a, eight_b };
    unsigned char y[32];
    if (x.len != sizeof(y))
        return false;
    for (size_t i = 0; i < sizeof(y); i++)
        y[i] = (unsigned char)x.ptr[sizeof(y) - 1 - i];
    y[0] &= 0x7f; /* the sign of x */
    for (size_t i = 0; i < GH_ARRAY_LEN(small); i++) {
        if (memcmp(y, small[i], sizeof(y)) == 0)
            return false;
    }
    /* p - 1 is the largest canonical y. */
    return memcmp(y, minus_one, sizeof(y)) < 0 && is_on_curve(y);
}

static bool is_on_curve(const unsigned char y_big_endian[32])
{
    static const char p_hex[] = "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffed";
    static const char d_hex[] = "52036cee2b6ffe738cc740797779e89800700a4d4141d8ab75eb4dca135978a3";
    BN_CTX *ctx = BN_CTX_new();
    BIGNUM *p = NULL, *d = NULL, *y = BN_bin2bn(y_big_endian, 32, NULL), *u = BN_new(), *v = BN_new();
    bool on_curve = ctx != NULL && y != NULL && u != NULL && v != NULL && BN_hex2bn(&p, p_hex) != 0 &&
                    BN_hex2bn(&d, d_hex) != 0 && BN_mod_sqr(y, y, p, ctx) == 1 &&
                    BN_mod_mul(v, d, y, p, ctx) == 1 && BN_add_word(v, 1) == 1 && BN_copy(u, y) != NULL &&
                    BN_sub_word(u, 1) == 1 && BN_mod_mul(u, u, v, p, ctx) == 1 &&
                    BN_kronecker(u, p, ctx) == 1;
    BN_free(v);
    BN_free(u);
    BN_free(y);
    BN_free(d);
    BN_free(p);
    BN_CTX_free(ctx);
    return on_curve;
}
