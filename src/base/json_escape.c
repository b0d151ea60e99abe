/* base/json_escape.c: any bytes as the inside of a JSON string that is safe to show on a terminal. */
#include <string.h>

#include "base/log.h"
#include "base/words.h"

#define REPLACEMENT 0xfffdu

static size_t plain_run(gh_str in);
static size_t decode(const unsigned char *in, size_t len, uint32_t *ret_point);
static bool needs_escape(uint32_t point);
static size_t write_escape(uint32_t point, char out[7]);

size_t gh_json_escape(gh_str s, char *out, size_t cap)
{
    const unsigned char *in = (const unsigned char *)s.ptr;
    size_t written = 0;
    for (size_t i = 0; i < s.len;) {
        size_t plain = plain_run((gh_str){ .ptr = s.ptr + i, .len = s.len - i });
        if (plain > 0) {
            size_t room = cap - written;
            size_t size = plain < room ? plain : room;
            memcpy(out + written, in + i, size);
            written += size;
            i += plain;
            if (size < plain)
                return written;
            continue;
        }
        uint32_t point = 0;
        size_t used = decode(in + i, s.len - i, &point);
        char escape[7];
        const char *piece = s.ptr + i;
        size_t size = used == 0 ? 1 : used;
        i += size;
        if (used == 0 || needs_escape(point)) {
            size = write_escape(used == 0 ? REPLACEMENT : point, escape);
            piece = escape;
        }
        if (cap - written < size)
            return written;
        memcpy(out + written, piece, size);
        written += size;
    }
    return written;
}

static uint64_t looks_special(uint64_t word)
{
    return gh_word_below(word, 0x20) | gh_word_has(word, 0x7f) | gh_word_has(word, '"') |
           gh_word_has(word, '\\') | (word & GH_WORD_HIGH);
}

/* How many bytes from here on stand for themselves: nearly always all of them. Never looks far ahead, so that
 * text full of escapes costs no more. */
static size_t plain_run(gh_str in)
{
    size_t n = 0;
    while (n + 8 <= in.len && looks_special(gh_word_at(in.ptr + n)) == 0)
        n += 8;
    gh_str tail = { .ptr = in.ptr + n, .len = in.len - n };
    if (tail.len < 8 && !gh_words_any(tail, looks_special))
        return in.len;
    for (; n < in.len; n++) {
        unsigned char c = (unsigned char)in.ptr[n];
        if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\')
            break;
    }
    return n;
}

/* RFC 3629 section 4: no overlong forms, no surrogates, nothing above U+10FFFF. 0 when it is none. */
static size_t decode(const unsigned char *in, size_t len, uint32_t *ret_point)
{
    static const uint32_t least[5] = { 0, 0, 0x80, 0x800, 0x10000 };
    unsigned char c = in[0];
    if (c < 0x80) {
        *ret_point = c;
        return 1;
    }
    size_t size = c >= 0xf0 && c < 0xf8 ? 4 : c >= 0xe0 && c < 0xf0 ? 3 : c >= 0xc2 && c < 0xe0 ? 2 : 0;
    if (size == 0 || size > len)
        return 0;
    uint32_t point = c & (0xffu >> (size + 1));
    for (size_t i = 1; i < size; i++) {
        if ((in[i] & 0xc0) != 0x80)
            return 0;
        point = point << 6 | (in[i] & 0x3fu);
    }
    if (point < least[size] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
        return 0;
    *ret_point = point;
    return size;
}

/* C0, DEL, C1, the line ends of Unicode, and what reorders the line an operator reads (UAX 9). */
static bool needs_escape(uint32_t p)
{
    return p < 0x20 || p == '"' || p == '\\' || (p >= 0x7f && p <= 0x9f) || p == 0x61c || p == 0x200e ||
           p == 0x200f || (p >= 0x2028 && p <= 0x202e) || (p >= 0x2066 && p <= 0x2069) || p == 0xfeff;
}

static size_t write_escape(uint32_t point, char out[7])
{
    static const char hex[16] = "0123456789abcdef";
    static const char plain[] = "\"\\\n\r\t";
    static const char letter[] = "\"\\nrt";
    const char *hit = point != 0 && point < 0x80 ? strchr(plain, (int)point) : NULL;
    out[0] = '\\';
    if (hit != NULL) {
        out[1] = letter[hit - plain];
        return 2;
    }
    out[1] = 'u';
    for (unsigned i = 0; i < 4; i++)
        out[2 + i] = hex[point >> (12 - 4 * i) & 15];
    return 6;
}
