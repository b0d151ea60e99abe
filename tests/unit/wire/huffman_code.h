/* wire/huffman_code.h: codes text as RFC 7541 appendix B has it, for tests: the common characters, and one
 * that is not. */
#ifndef GH_TEST_HUFFMAN_CODE_H
#define GH_TEST_HUFFMAN_CODE_H

#include <string.h>

#include "support/cm.h"

/* In the order of their codes, by length: five bits from 0, six from 0x14, seven from 0x5c, eight from 0xf8.
 */
static const struct {
    const char *characters;
    unsigned first, bits;
} huffman_codes[] = {
    { "012aceiost", 0x0, 5 },
    { " %-./3456789=A_bdfghlmnpru", 0x14, 6 },
    { ":BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz", 0x5c, 7 },
    { "&*,;XZ", 0xf8, 8 },
    { "!\"()?", 0x3f8, 10 },
};
#define HUFFMAN_COMMON "012aceiost %-./3456789=A_bdfghlmnpru:BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz&*,;XZ"

static inline unsigned huffman_code(char c, unsigned *ret_bits)
{
    for (size_t i = 0; i < GH_ARRAY_LEN(huffman_codes); i++) {
        const char *found = strchr(huffman_codes[i].characters, c);
        *ret_bits = huffman_codes[i].bits;
        if (found != NULL)
            return huffman_codes[i].first + (unsigned)(found - huffman_codes[i].characters);
    }
    fail_msg("no code for %c", c);
    return 0;
}

/* Writes the coded text, padded with ones; returns the number of bytes. */
static inline size_t huffman_put(char *to, gh_str text)
{
    uint64_t bits = 0;
    unsigned count = 0, length;
    char *start = to;
    for (size_t i = 0; i < text.len; i++) {
        unsigned code = huffman_code(text.ptr[i], &length);
        bits = bits << length | code;
        for (count += length; count >= 8; count -= 8)
            *to++ = (char)(bits >> (count - 8));
    }
    if (count != 0)
        *to++ = (char)(bits << (8 - count) | 0xffu >> count);
    return (size_t)(to - start);
}

#endif
