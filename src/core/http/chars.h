/* core/http/chars.h: the character classes of URIs and tokens, as one table look-up each. */
#ifndef GH_CORE_HTTP_CHARS_H
#define GH_CORE_HTTP_CHARS_H

#include "gatehouse/types.h"

#define GH_CHAR_UNRESERVED 1u /* RFC 3986 section 2.3 */
#define GH_CHAR_PATH       2u /* pchar and '/', without '%' and ';' */
#define GH_CHAR_B64TOKEN   4u /* RFC 6750 section 2.1, without '=' */
#define GH_CHAR_FIELD      8u /* RFC 9110 section 5.6.2, in lower case */

extern const unsigned char gh_char_classes[256];

static inline bool gh_char_is_unreserved(char c)
{
    return (gh_char_classes[(unsigned char)c] & GH_CHAR_UNRESERVED) != 0;
}
static inline bool gh_char_is_path(char c)
{
    return (gh_char_classes[(unsigned char)c] & GH_CHAR_PATH) != 0;
}
static inline bool gh_char_is_b64token(char c)
{
    return (gh_char_classes[(unsigned char)c] & GH_CHAR_B64TOKEN) != 0;
}
static inline bool gh_char_is_field(char c)
{
    return (gh_char_classes[(unsigned char)c] & GH_CHAR_FIELD) != 0;
}

static inline int gh_char_hex(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* The byte that "%XX" at the front of `s` stands for, or -1. */
static inline int gh_char_escaped(gh_str s)
{
    if (s.len < 3 || s.ptr[0] != '%' || gh_char_hex(s.ptr[1]) < 0 || gh_char_hex(s.ptr[2]) < 0)
        return -1;
    return gh_char_hex(s.ptr[1]) * 16 + gh_char_hex(s.ptr[2]);
}

#endif
