/* core/json/string.c: escapes and UTF-8 of JSON strings (RFC 8259 section 7). */
#include "core/json/string.h"

#include <string.h>

static char *put_utf8(char *out, uint32_t code);
static bool read_escape(char **at, const char *end, char **out);
static bool read_unicode(char **at, const char *end, char **out);

GH_MUST_USE bool gh_json_string_read(char **at, const char *end, gh_str *ret_string)
{
    char *in = *at, *out = *at, *start = *at;
    while (in < end && *in != '"') {
        if (*in == '\\') {
            in++;
            if (!read_escape(&in, end, &out))
                return false;
            continue;
        }
        size_t width = gh_utf8_width(in, end);
        if (width == 0)
            return false;
        if (out != in)
            memmove(out, in, width);
        out += width;
        in += width;
    }
    if (in == end)
        return false;
    *ret_string = (gh_str){ .ptr = start, .len = (size_t)(out - start) };
    *at = in + 1;
    return true;
}

static bool is_continued(const char *at, const char *end, size_t width, unsigned char least,
                         unsigned char most)
{
    if ((size_t)(end - at) < width || (unsigned char)at[1] < least || (unsigned char)at[1] > most)
        return false;
    for (size_t i = 2; i < width; i++) {
        if (((unsigned char)at[i] & 0xc0) != 0x80)
            return false;
    }
    return true;
}

/* The table of RFC 3629 section 4. */
size_t gh_utf8_width(const char *at, const char *end)
{
    unsigned char c = (unsigned char)*at;
    if (c < 0x80)
        return c >= 0x20 ? 1 : 0;
    if (c < 0xc2 || c > 0xf4)
        return 0;
    if (c < 0xe0)
        return is_continued(at, end, 2, 0x80, 0xbf) ? 2 : 0;
    if (c < 0xf0)
        return is_continued(at, end, 3, c == 0xe0 ? 0xa0 : 0x80, c == 0xed ? 0x9f : 0xbf) ? 3 : 0;
    return is_continued(at, end, 4, c == 0xf0 ? 0x90 : 0x80, c == 0xf4 ? 0x8f : 0xbf) ? 4 : 0;
}

/* Behind the backslash. */
static bool read_escape(char **at, const char *end, char **out)
{
    static const char names[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    if (*at == end)
        return false;
    char name = *(*at)++;
    if (name == 'u')
        return read_unicode(at, end, out);
    const char *found = name != '\0' ? strchr(names, name) : NULL;
    if (found == NULL)
        return false;
    *(*out)++ = meanings[found - names];
    return true;
}

static bool read_hex(char **at, const char *end, uint32_t *ret_code)
{
    uint32_t code = 0;
    if (end - *at < 4)
        return false;
    for (size_t i = 0; i < 4; i++) {
        char c = *(*at)++;
        uint32_t digit = 0;
        if (c >= '0' && c <= '9')
            digit = (uint32_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            digit = (uint32_t)(c - 'a' + 10);
        else if (c >= 'A' && c <= 'F')
            digit = (uint32_t)(c - 'A' + 10);
        else
            return false;
        code = code << 4 | digit;
    }
    *ret_code = code;
    return true;
}

static bool read_unicode(char **at, const char *end, char **out)
{
    uint32_t code, low;
    if (!read_hex(at, end, &code) || code == 0 || (code >= 0xdc00 && code < 0xe000))
        return false;
    if (code >= 0xd800 && code < 0xdc00) {
        if (end - *at < 2 || (*at)[0] != '\\' || (*at)[1] != 'u')
            return false;
        *at += 2;
        if (!read_hex(at, end, &low) || low < 0xdc00 || low >= 0xe000)
            return false;
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    *out = put_utf8(*out, code);
    return true;
}

static char *put_utf8(char *out, uint32_t code)
{
    if (code < 0x80) {
        *out++ = (char)code;
        return out;
    }
    if (code < 0x800) {
        *out++ = (char)(0xc0 | code >> 6);
    } else if (code < 0x10000) {
        *out++ = (char)(0xe0 | code >> 12);
        *out++ = (char)(0x80 | (code >> 6 & 0x3f));
    } else {
        *out++ = (char)(0xf0 | code >> 18);
        *out++ = (char)(0x80 | (code >> 12 & 0x3f));
        *out++ = (char)(0x80 | (code >> 6 & 0x3f));
    }
    *out++ = (char)(0x80 | (code & 0x3f));
    return out;
}
