/* wire/huffman.c: two characters a step by two small tables, the rest one by one. */
#include "wire/huffman.h"

#include <endian.h>
#include <string.h>

/* RFC 7541 appendix B is canonical: codes of one length are consecutive numbers, and those of the next length
 * follow them. So the first five bits tell how long a code is: 10 of the 32 say five bits, 13 six, 8 seven,
 * and one eight or more. */
#define TWO(...)      __VA_ARGS__, __VA_ARGS__
#define FOUR(...)     TWO(__VA_ARGS__), TWO(__VA_ARGS__)
#define EIGHT(...)    FOUR(__VA_ARGS__), FOUR(__VA_ARGS__)
#define TEN(...)      EIGHT(__VA_ARGS__), TWO(__VA_ARGS__)
#define THIRTEEN(...) TEN(__VA_ARGS__), TWO(__VA_ARGS__), __VA_ARGS__

/* ---- the next eight bits -> length of the code that they begin with, and its character ---- */

#define LENGTH(symbol) ((symbol) >> 8)
#define UNUSUAL        0x80 /* in place of a character: a code of more than eight bits begins so */

#define BITS5(c) EIGHT(5 << 8 | (c))
#define BITS6(c) FOUR(6 << 8 | (c))
#define BITS7(c) TWO(7 << 8 | (c))
#define BITS8(c) 8 << 8 | (c)

/* clang-format off */
static const uint16_t symbols[256] = {
    /* five bits, from 0x00 */
    BITS5('0'), BITS5('1'), BITS5('2'), BITS5('a'), BITS5('c'), BITS5('e'), BITS5('i'), BITS5('o'),
    BITS5('s'), BITS5('t'),
    /* six, from 0x14 */
    BITS6(' '), BITS6('%'), BITS6('-'), BITS6('.'), BITS6('/'), BITS6('3'), BITS6('4'), BITS6('5'),
    BITS6('6'), BITS6('7'), BITS6('8'), BITS6('9'), BITS6('='), BITS6('A'), BITS6('_'), BITS6('b'),
    BITS6('d'), BITS6('f'), BITS6('g'), BITS6('h'), BITS6('l'), BITS6('m'), BITS6('n'), BITS6('p'),
    BITS6('r'), BITS6('u'),
    /* seven, from 0x5c */
    BITS7(':'), BITS7('B'), BITS7('C'), BITS7('D'), BITS7('E'), BITS7('F'), BITS7('G'), BITS7('H'),
    BITS7('I'), BITS7('J'), BITS7('K'), BITS7('L'), BITS7('M'), BITS7('N'), BITS7('O'), BITS7('P'),
    BITS7('Q'), BITS7('R'), BITS7('S'), BITS7('T'), BITS7('U'), BITS7('V'), BITS7('W'), BITS7('Y'),
    BITS7('j'), BITS7('k'), BITS7('q'), BITS7('v'), BITS7('w'), BITS7('x'), BITS7('y'), BITS7('z'),
    /* eight, from 0xf8 */
    BITS8('&'), BITS8('*'), BITS8(','), BITS8(';'), BITS8('X'), BITS8('Z'),
    TWO(8 << 8 | UNUSUAL),
};
/* clang-format on */

/* ---- the next thirteen bits -> length of two codes ---- */

/* By length of the first: the eight bits behind its first five, of which five are the second's. */
#define AFTER5 TEN(EIGHT(10)), THIRTEEN(EIGHT(11)), EIGHT(EIGHT(12)), EIGHT(13)
#define AFTER6 TWO(TEN(FOUR(11)), THIRTEEN(FOUR(12)), EIGHT(FOUR(13)), FOUR(14))
#define AFTER7 FOUR(TEN(TWO(12)), THIRTEEN(TWO(13)), EIGHT(TWO(14)), TWO(15))
#define AFTER8 EIGHT(TEN(13), THIRTEEN(14), EIGHT(15), 16)

static const unsigned char pairs[8192] = { TEN(AFTER5), THIRTEEN(AFTER6), EIGHT(AFTER7), AFTER8 };

/* ---- decoding ---- */

static inline uint64_t word_at(const unsigned char *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof(word));
    return be64toh(word);
}

/* Two characters of the 16 highest bits. Returns both entries in one: UNUSUAL when one of them is none. */
static inline unsigned put_two(uint64_t bits, char *to)
{
    unsigned first = symbols[bits >> 56];
    unsigned second = symbols[bits << LENGTH(first) >> 56];
    to[0] = (char)first;
    to[1] = (char)second;
    return first | second;
}

/* The eight bits that begin at bit `at`, and ones where the bytes are at their end. */
static unsigned eight_bits(gh_str coded, size_t at)
{
    size_t byte = at / 8;
    unsigned high = byte < coded.len ? (unsigned char)coded.ptr[byte] : 0xff;
    unsigned low = byte + 1 < coded.len ? (unsigned char)coded.ptr[byte + 1] : 0xff;
    return (high << 8 | low) >> (8 - at % 8) & 0xff;
}

/* RFC 7541 section 5.2: "A padding strictly longer than 7 bits MUST be treated as a decoding error. A padding
 * not corresponding to the most significant bits of the code for the EOS symbol MUST be treated as a decoding
 * error." That code is all ones. */
static size_t decode_rest(gh_str coded, size_t at, char *out, char *to)
{
    for (;;) {
        size_t left = coded.len * 8 - at;
        unsigned eight = eight_bits(coded, at);
        unsigned symbol = symbols[eight];
        if (eight == 0xff)
            return left < 8 ? (size_t)(to - out) : 0;
        if ((symbol & UNUSUAL) != 0 || LENGTH(symbol) > left)
            return 0;
        *to++ = (char)symbol;
        at += LENGTH(symbol);
    }
}

/* One code's end is the next one's beginning, so the time is that of a chain: shift, look up, shift. The
 * table of pairs halves it, and the characters are looked up beside it. `bits` holds `count` bits that are
 * not used up, from the highest down, and below them some that the next refill brings once more: so where to
 * read next is known before the pairs are. */
size_t gh_huffman_decode(gh_str coded, char *out)
{
    const unsigned char *start = (const unsigned char *)coded.ptr, *at = start, *end = start + coded.len;
    uint64_t bits = 0;
    unsigned count = 0, seen = 0;
    char *to = out;
    while ((size_t)(end - at) >= sizeof(bits)) {
        bits |= word_at(at) >> count;
        at += (63 - count) / 8;
        count |= 56;
        for (int i = 0; i < 3; i++) { /* three times 16 bits at most */
            unsigned length = pairs[bits >> 51];
            seen |= put_two(bits, to);
            to += 2;
            bits <<= length;
            count -= length;
        }
    }
    if ((seen & UNUSUAL) != 0)
        return 0;
    return decode_rest(coded, (size_t)(at - start) * 8 - count, out, to);
}
