/* core/policy/plain.c: texts that rules can be trusted to tell apart: paths and URIs of which no other
 * spelling names the same to some reader. */
#include <string.h>

#include "base/str.h"
#include "gatehouse/call.h"

/* ---- paths ---- */

static bool is_dots(gh_str segment)
{
    return gh_str_eq(segment, GH_STR(".")) || gh_str_eq(segment, GH_STR(".."));
}

/* A slash at the beginning or the end is one; two in a row are read as one. */
static bool are_plain_segments(gh_str path)
{
    gh_str rest = path;
    bool is_first = true;
    while (rest.ptr != NULL) {
        gh_str segment = gh_str_cut(&rest, '/');
        bool is_last = rest.ptr == NULL;
        if (is_dots(segment) || (segment.len == 0 && !is_first && !is_last))
            return false;
        is_first = false;
    }
    return true;
}

/* Spaces around a text are left out by some. */
static bool has_odd_bytes(gh_str text)
{
    if (gh_str_starts(text, GH_STR(" ")) || gh_str_ends(text, GH_STR(" ")))
        return true;
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] == '\\' || (unsigned char)text.ptr[i] < 0x20 || text.ptr[i] == 0x7f)
            return true;
    return false;
}

/* WHATWG URL, "special schemes": their authorities have other spellings, and their paths are never empty. Of
 * file there is no authority here. */
static const struct special {
    gh_str scheme, port;
} specials[] = {
    { GH_STR_INIT("http"), GH_STR_INIT("80") }, { GH_STR_INIT("https"), GH_STR_INIT("443") },
    { GH_STR_INIT("ws"), GH_STR_INIT("80") },   { GH_STR_INIT("wss"), GH_STR_INIT("443") },
    { GH_STR_INIT("ftp"), GH_STR_INIT("21") },  { GH_STR_INIT("file"), GH_STR_INIT("") },
};

static const struct special *special_of(gh_str scheme)
{
    for (size_t i = 0; i < GH_ARRAY_LEN(specials); i++)
        if (gh_str_eq_nocase(scheme, specials[i].scheme))
            return &specials[i];
    return NULL;
}

/* Readers of URLs need no slashes behind a special scheme, and skip spaces before it. */
static bool is_uri(gh_str text)
{
    while (gh_str_starts(text, GH_STR(" ")))
        text = gh_str_skip(text, 1);
    gh_str scheme = gh_str_take(text, gh_str_find(text, ':'));
    return gh_str_contains(text, GH_STR("://")) || (scheme.len < text.len && special_of(scheme) != NULL);
}

static bool is_plain_uri(gh_str uri, bool may_lack_path);

bool gh_path_is_plain(gh_str text, gh_str *ret_path)
{
    bool is_address = is_uri(text);
    gh_str path = is_address ? gh_str_take(text, gh_str_find(text, '#')) : text;
    *ret_path = path;
    return !has_odd_bytes(text) && (is_address ? is_plain_uri(path, true) : are_plain_segments(path));
}

/* ---- URIs: bytes ---- */

static int hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* RFC 3986 section 2: unreserved and reserved characters, without the brackets of IPv6 addresses. */
static bool is_uri_byte(int c)
{
    bool is_alphanumeric = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    return is_alphanumeric || (c > 0 && c < 0x7f && strchr("-._~:/?#@!$&'()*+,;=", c) != NULL);
}

/* Must it be encoded, and does it then mean nothing else? "\\" and "%" are read as something else once they
 * are decoded. A second "?" stands as it is. */
static bool is_encoded_rightly(int c, bool in_query)
{
    return c >= 0x20 && c != 0x7f && c != '\\' && c != '%' &&
           (!is_uri_byte(c) || c == '#' || (c == '?' && !in_query));
}

/* A fragment is not sent on by some readers; in a query "+" is a space to some, and "'" is encoded by some.
 */
static bool is_read_alike(char c, bool in_query)
{
    return is_uri_byte((unsigned char)c) && c != '#' && !(in_query && (c == '+' || c == '\''));
}

static bool are_plain_bytes(gh_str uri)
{
    size_t query = gh_str_find(uri, '?');
    for (size_t i = 0; i < uri.len; i++) {
        bool in_query = i > query;
        if (uri.ptr[i] != '%' && !is_read_alike(uri.ptr[i], in_query))
            return false;
        if (uri.ptr[i] != '%')
            continue;
        int high = uri.len - i >= 3 ? hex(uri.ptr[i + 1]) : -1, low = high >= 0 ? hex(uri.ptr[i + 2]) : -1;
        if (low < 0 || !is_encoded_rightly(high * 16 + low, in_query))
            return false;
    }
    return true;
}

/* ---- URIs: parts ---- */

/* RFC 3986 section 3.1: scheme = ALPHA *( ALPHA / DIGIT / "+" / "-" / "." ) */
static bool is_plain_scheme(gh_str scheme)
{
    for (size_t i = 0; i < scheme.len; i++) {
        char c = scheme.ptr[i];
        bool is_letter = c >= 'a' && c <= 'z';
        if (!is_letter && (i == 0 || !((c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.')))
            return false;
    }
    return scheme.len > 0;
}

static bool are_digits(gh_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
    return text.len > 0;
}

/* A host that ends in a number is an IPv4 address, which has many spellings: the one of four decimals. */
static bool is_plain_host(gh_str host)
{
    size_t labels = 0, numbers = 0;
    gh_str rest = host;
    bool ends_in_number = false;
    for (size_t i = 0; i < host.len; i++)
        if (strchr("abcdefghijklmnopqrstuvwxyz0123456789-._", host.ptr[i]) == NULL)
            return false;
    while (rest.ptr != NULL) {
        gh_str label = gh_str_cut(&rest, '.');
        uint64_t value;
        bool is_decimal = are_digits(label) && (label.len == 1 || label.ptr[0] != '0') &&
                          gh_str_to_u64(label, &value) && value <= 255;
        ends_in_number = are_digits(label) || gh_str_starts(label, GH_STR("0x"));
        labels++;
        numbers += is_decimal;
        if (label.len == 0)
            return false;
    }
    return !ends_in_number || (labels == 4 && numbers == 4);
}

static bool is_plain_port(gh_str port)
{
    uint64_t value;
    return are_digits(port) && port.ptr[0] != '0' && gh_str_to_u64(port, &value) && value <= UINT16_MAX;
}

/* Host in small letters, and a port that is not the usual one. */
static bool is_plain_special(const struct special *special, gh_str authority)
{
    gh_str port = authority, host = gh_str_cut(&port, ':');
    return is_plain_host(host) &&
           (port.ptr == NULL || (is_plain_port(port) && !gh_str_eq(port, special->port)));
}

/* Of other schemes: hosts are names of their own, letter case included. */
static bool is_plain_other(gh_str authority)
{
    gh_str port = authority, host = gh_str_cut(&port, ':');
    return host.len > 0 && gh_str_find(authority, '@') == authority.len &&
           (port.ptr == NULL || is_plain_port(port));
}

struct parts {
    gh_str scheme, authority, path, query; /* ptr NULL: there is none */
};

/* RFC 3986 section 3: URI = scheme ":" hier-part [ "?" query ] */
static struct parts parts_of(gh_str uri)
{
    struct parts parts = { .authority = GH_STR_NONE };
    gh_str rest = uri;
    parts.scheme = gh_str_cut(&rest, ':');
    parts.query = rest;
    parts.path = gh_str_cut(&parts.query, '?');
    if (gh_str_starts(parts.path, GH_STR("//"))) {
        gh_str behind = gh_str_skip(parts.path, 2);
        parts.authority = gh_str_take(behind, gh_str_find(behind, '/'));
        parts.path = gh_str_skip(behind, parts.authority.len);
    }
    return parts;
}

/* Some readers leave out the host "localhost", and the slash at the end of a folder. */
static bool is_plain_file(const struct parts *parts)
{
    gh_str path = parts->path;
    return parts->authority.ptr != NULL && parts->authority.len == 0 && path.len > 0 &&
           parts->query.ptr == NULL && (path.len == 1 || !gh_str_ends(path, GH_STR("/")));
}

/* Are the parts there that there are to be, and no others, so that none is added or dropped? */
static bool are_plain_parts(const struct parts *parts, bool may_lack_path)
{
    const struct special *special = special_of(parts->scheme);
    if (special != NULL && gh_str_eq(special->scheme, GH_STR("file")))
        return is_plain_file(parts);
    if (special != NULL)
        return parts->authority.ptr != NULL && is_plain_special(special, parts->authority) &&
               (parts->path.len > 0 || (may_lack_path && parts->query.ptr == NULL));
    if (parts->authority.ptr == NULL)
        return parts->path.len > 0 && parts->path.ptr[0] != '/';
    return parts->authority.len > 0 ? is_plain_other(parts->authority) : parts->path.len > 0;
}

static bool is_plain_uri(gh_str uri, bool may_lack_path)
{
    struct parts parts = parts_of(uri);
    return is_plain_scheme(parts.scheme) && parts.scheme.len < uri.len && are_plain_bytes(uri) &&
           (parts.query.ptr == NULL || parts.query.len > 0) && are_plain_parts(&parts, may_lack_path) &&
           !is_dots(parts.authority) && are_plain_segments(parts.path);
}

bool gh_uri_is_plain(gh_str uri)
{
    return is_plain_uri(uri, false);
}
