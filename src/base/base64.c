/* base/base64.c: base64url, strict in reading, and standard base64 for writing. */
#include "base/base64.h"

static const char url_alphabet[65] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
static const char std_alphabet[65] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static size_t encode(const char *alphabet, gh_str bytes, char *out);

/* Value of a base64url character plus one: what is not named here is 0 and no such character. */
static const uint8_t values[256] = {
    ['A'] = 1,  ['B'] = 2,  ['C'] = 3,  ['D'] = 4,  ['E'] = 5,  ['F'] = 6,  ['G'] = 7,  ['H'] = 8,
    ['I'] = 9,  ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16,
    ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24,
    ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32,
    ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40,
    ['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48,
    ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56,
    ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['-'] = 63, ['_'] = 64,
};

/* The top bit is set when it is none. */
#define BAD 0x80000000u
static inline uint32_t value(unsigned char c)
{
    return values[c] - 1u;
}

size_t gh_base64url_decoded_len(size_t len)
{
    size_t rest = len % 4;
    return rest == 1 ? SIZE_MAX : len / 4 * 3 + (rest == 0 ? 0 : rest - 1);
}

bool gh_base64url_decode(gh_str text, void *ret_bytes)
{
    const unsigned char *in = (const unsigned char *)text.ptr;
    unsigned char *out = ret_bytes;
    size_t rest = text.len % 4;
    if (rest == 1)
        return false;
    uint32_t bad = 0;
    for (size_t i = 0; i < text.len / 4; i++, in += 4, out += 3) {
        uint32_t a = value(in[0]), b = value(in[1]), c = value(in[2]), d = value(in[3]);
        bad |= a | b | c | d;
        uint32_t word = a << 18 | b << 12 | c << 6 | d;
        out[0] = (unsigned char)(word >> 16);
        out[1] = (unsigned char)(word >> 8);
        out[2] = (unsigned char)word;
    }
    if (rest != 0) {
        uint32_t a = value(in[0]), b = value(in[1]), c = rest == 3 ? value(in[2]) : 0;
        bad |= a | b | c;
        uint32_t word = a << 18 | b << 12 | c << 6;
        /* Bits that belong to no byte must be zero, so that one value has one text (threats.md rule 9). */
        if ((word & (rest == 2 ? 0xffffu : 0xffu)) != 0)
            return false;
        out[0] = (unsigned char)(word >> 16);
        if (rest == 3)
            out[1] = (unsigned char)(word >> 8);
    }
    return (bad & BAD) == 0;
}

size_t gh_base64url_encoded_len(size_t len)
{
    size_t rest = len % 3;
    return len / 3 * 4 + (rest == 0 ? 0 : rest + 1);
}

void gh_base64url_encode(gh_str bytes, char *ret_text)
{
    (void)encode(url_alphabet, bytes, ret_text);
}

size_t gh_base64_encoded_len(size_t len)
{
    return (len + 2) / 3 * 4;
}

void gh_base64_encode(gh_str bytes, char *ret_text)
{
    size_t written = encode(std_alphabet, bytes, ret_text);
    while (written < gh_base64_encoded_len(bytes.len))
        ret_text[written++] = '=';
}

static size_t encode(const char *alphabet, gh_str bytes, char *out)
{
    const unsigned char *in = (const unsigned char *)bytes.ptr;
    const char *start = out;
    size_t left = bytes.len;
    for (; left >= 3; left -= 3, in += 3) {
        uint32_t word = (uint32_t)in[0] << 16 | (uint32_t)in[1] << 8 | in[2];
        *out++ = alphabet[word >> 18];
        *out++ = alphabet[word >> 12 & 63];
        *out++ = alphabet[word >> 6 & 63];
        *out++ = alphabet[word & 63];
    }
    if (left != 0) {
        uint32_t word = (uint32_t)in[0] << 16 | (left == 2 ? (uint32_t)in[1] << 8 : 0);
        *out++ = alphabet[word >> 18];
        *out++ = alphabet[word >> 12 & 63];
        if (left == 2)
            *out++ = alphabet[word >> 6 & 63];
    }
    return (size_t)(out - start);
}
