/* base/words.h: eight bytes at a time: does a string hold a byte that must be looked at? */
#ifndef GH_BASE_WORDS_H
#define GH_BASE_WORDS_H

#include <string.h>

#include "gatehouse/types.h"

#define GH_WORD_EACH(byte) (0x0101010101010101u * (uint64_t)(byte))
#define GH_WORD_HIGH       GH_WORD_EACH(0x80)

/* Not 0 when one of the eight bytes is below `limit` (1 to 0x80); which one the bits do not say for certain.
 */
static inline uint64_t gh_word_below(uint64_t word, unsigned char limit)
{
    return (word - GH_WORD_EACH(limit)) & ~word & GH_WORD_HIGH;
}

/* Not 0 when one of the eight bytes is this one. */
static inline uint64_t gh_word_has(uint64_t word, unsigned char byte)
{
    return gh_word_below(word ^ GH_WORD_EACH(byte), 1);
}

static inline uint64_t gh_word_at(const char *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof(word));
    return word;
}

/* One to seven bytes as a word in which some of them stand twice. */
static inline uint64_t gh_word_of(gh_str s)
{
    uint32_t first, last;
    if (s.len >= 4) {
        memcpy(&first, s.ptr, 4);
        memcpy(&last, s.ptr + s.len - 4, 4);
    } else {
        const unsigned char *at = (const unsigned char *)s.ptr;
        first = last = at[0] * 0x01000001u | (uint32_t)at[s.len / 2] << 8 | (uint32_t)at[s.len - 1] << 16;
    }
    return (uint64_t)last << 32 | first;
}

/* Is there a word that `suspect` finds not 0? Looks at each byte of the slice and at none beside it; the last
 * eight may be looked at twice. */
static inline bool gh_words_any(gh_str s, uint64_t (*suspect)(uint64_t word))
{
    if (s.len < 8)
        return s.len != 0 && suspect(gh_word_of(s)) != 0;
    uint64_t found = suspect(gh_word_at(s.ptr + s.len - 8));
    for (size_t i = 0; i + 8 < s.len; i += 8)
        found |= suspect(gh_word_at(s.ptr + i));
    return found != 0;
}

#endif
