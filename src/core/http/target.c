/* core/http/target.c: the request target: refused unless it is in its one canonical form, never decoded. */
#include "base/str.h"
#include "core/http/chars.h"
#include "gatehouse/http.h"

static bool path_is_canonical(gh_str path);
static size_t escape_in_path(gh_str rest);
static size_t utf8_escapes(gh_str rest);
static bool query_is_legal(gh_str query);

enum gh_reason gh_target_read(gh_str raw, struct gh_target *ret_target)
{
    if (raw.len == 0 || raw.ptr[0] != '/')
        return GH_HTTP_PATH;
    size_t mark = gh_str_find(raw, '?');
    gh_str path = gh_str_take(raw, mark);
    gh_str query = mark < raw.len ? gh_str_skip(raw, mark + 1) : GH_STR_NONE;
    if (!path_is_canonical(path) || !query_is_legal(query))
        return GH_HTTP_PATH;
    *ret_target = (struct gh_target){ .path = path, .query = query };
    return GH_OK;
}

/* RFC 3986 section 3.3 without ';'. A segment may be empty only at the very end: "/a/" but not "/a//b". */
static bool path_is_canonical(gh_str path)
{
    size_t segment = 1;
    for (size_t i = 1; i <= path.len;) {
        if (i == path.len || path.ptr[i] == '/') {
            gh_str s = { .ptr = path.ptr + segment, .len = i - segment };
            if (gh_str_eq(s, GH_STR(".")) || gh_str_eq(s, GH_STR("..")) || (s.len == 0 && i < path.len))
                return false;
            segment = ++i;
            continue;
        }
        size_t used =
            path.ptr[i] == '%' ? escape_in_path(gh_str_skip(path, i)) : gh_char_is_path(path.ptr[i]);
        if (used == 0)
            return false;
        i += used;
    }
    return true;
}

/* Length of the escapes that stand for one character, or 0 when they are none or have another spelling.
 * Refused: lower-case hex (RFC 3986 section 6.2.2.1 names the upper-case form as the normal one), unreserved
 * characters (section 6.2.2.2), and whatever would be structure or control once some later hop decodes it. */
static size_t escape_in_path(gh_str rest)
{
    int byte = gh_char_escaped(rest);
    if (byte < 0 || (rest.ptr[1] >= 'a') || rest.ptr[2] >= 'a')
        return 0;
    if (byte >= 0x80)
        return utf8_escapes(rest);
    if (byte < 0x20 || byte == 0x7f || gh_char_is_unreserved((char)byte))
        return 0;
    return memchr("/\\%;?#", byte, 6) != NULL ? 0 : 3;
}

/* Only shortest-form UTF-8: an overlong %C0%AE is a dot to a careless decoder. */
static size_t utf8_escapes(gh_str rest)
{
    unsigned lead = (unsigned)gh_char_escaped(rest);
    size_t size = lead >= 0xf0 && lead < 0xf5   ? 4
                  : lead >= 0xe0 && lead < 0xf0 ? 3
                  : lead >= 0xc2 && lead < 0xe0 ? 2
                                                : 0;
    uint32_t point = lead & (0xffu >> (size + 1));
    for (size_t i = 1; i < size; i++) {
        gh_str next = gh_str_skip(rest, 3 * i);
        int byte = gh_char_escaped(next);
        if (byte < 0x80 || byte > 0xbf || next.ptr[1] >= 'a' || next.ptr[2] >= 'a')
            return 0;
        point = point << 6 | ((unsigned)byte & 0x3f);
    }
    bool overlong = (size == 3 && point < 0x800) || (size == 4 && point < 0x10000);
    bool surrogate = point >= 0xd800 && point <= 0xdfff;
    return overlong || surrogate || point > 0x10ffff ? 0 : 3 * size;
}

/* Looser than RFC 3986: browsers send [ ] | and others raw in a query, which takes no part in any decision.
 */
static bool query_is_legal(gh_str query)
{
    for (size_t i = 0; i < query.len; i++) {
        unsigned char c = (unsigned char)query.ptr[i];
        if (c <= 0x20 || c >= 0x7f || c == '#')
            return false;
        if (c == '%' && gh_char_escaped(gh_str_skip(query, i)) < 0)
            return false;
    }
    return true;
}
