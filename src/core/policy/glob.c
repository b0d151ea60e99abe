/* core/policy/glob.c: patterns with stars, and texts that patterns can be trusted to tell apart. */
#include "base/str.h"
#include "core/policy/conditions.h"

/* Where matching goes on when it fails: behind the last star of each kind, with one byte more eaten. */
struct retry {
    size_t pattern, text; /* pattern SIZE_MAX: there was none */
};

static bool again(struct retry *retry, gh_str text, bool stops, size_t *ret_p, size_t *ret_t)
{
    if (retry->pattern == SIZE_MAX || retry->text >= text.len || (stops && text.ptr[retry->text] == '/'))
        return false;
    *ret_p = retry->pattern;
    *ret_t = ++retry->text;
    return true;
}

/* At most pattern times text steps for each of the two kinds of star. */
static bool match(gh_str pattern, gh_str text, bool are_paths)
{
    struct retry one = { SIZE_MAX, 0 }, two = { SIZE_MAX, 0 };
    size_t p = 0, t = 0;
    for (;;) {
        if (p < pattern.len && pattern.ptr[p] == '*') {
            bool is_double = p + 1 < pattern.len && pattern.ptr[p + 1] == '*';
            p += is_double ? 2 : 1;
            if (is_double || !are_paths) {
                two = (struct retry){ p, t };
                one.pattern = SIZE_MAX;
            } else {
                one = (struct retry){ p, t };
            }
            continue;
        }
        if (p == pattern.len && t == text.len)
            return true;
        if (p < pattern.len && t < text.len && pattern.ptr[p] == text.ptr[t]) {
            p++, t++;
            continue;
        }
        if (again(&one, text, true, &p, &t))
            continue;
        one.pattern = SIZE_MAX;
        if (!again(&two, text, false, &p, &t))
            return false;
    }
}

static bool glob(gh_str pattern, gh_str text, bool are_paths)
{
    if (gh_str_eq(pattern, GH_STR("*")))
        return true;
    return pattern.len <= GH_CALL_NAME_MAX && text.len <= GH_CALL_NAME_MAX && match(pattern, text, are_paths);
}

bool gh_glob(gh_str pattern, gh_str text)
{
    return glob(pattern, text, false);
}

bool gh_glob_paths(gh_str pattern, gh_str text)
{
    return glob(pattern, text, true);
}

/* ---- plain paths and URIs ---- */

static bool is_dots(gh_str segment)
{
    return gh_str_eq(segment, GH_STR(".")) || gh_str_eq(segment, GH_STR(".."));
}

/* Without a segment that leads elsewhere than it says. */
bool gh_path_is_plain(gh_str path)
{
    gh_str rest = path;
    while (rest.ptr != NULL)
        if (is_dots(gh_str_cut(&rest, '/')))
            return false;
    for (size_t i = 0; i < path.len; i++)
        if (path.ptr[i] == '\\' || (unsigned char)path.ptr[i] < 0x20 || path.ptr[i] == 0x7f)
            return false;
    return true;
}

static bool is_lower(gh_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] >= 'A' && text.ptr[i] <= 'Z')
            return false;
    return true;
}

static int hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* RFC 3986 section 2.3: unreserved characters, and what would be read as another path once decoded. */
static bool must_not_be_encoded(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~' || c == '/' || c == '\\' || c == '%' || c < 0x20 || c == 0x7f;
}

static bool is_well_encoded(gh_str uri)
{
    for (size_t i = 0; i < uri.len; i++) {
        if (uri.ptr[i] != '%')
            continue;
        if (uri.len - i < 3)
            return false;
        int high = hex(uri.ptr[i + 1]), low = hex(uri.ptr[i + 2]);
        if (high < 0 || low < 0 || must_not_be_encoded(high * 16 + low))
            return false;
    }
    return true;
}

/* Of http and https: no user, no usual port, no capital letters. */
static bool is_plain_authority(gh_str scheme, gh_str rest)
{
    bool is_http = gh_str_eq(scheme, GH_STR("http")), is_https = gh_str_eq(scheme, GH_STR("https"));
    if (!is_http && !is_https)
        return true;
    if (!gh_str_starts(rest, GH_STR("//")))
        return false;
    gh_str authority = gh_str_skip(rest, 2);
    for (size_t i = 0; i < authority.len; i++)
        if (authority.ptr[i] == '/' || authority.ptr[i] == '?' || authority.ptr[i] == '#')
            authority.len = i;
    return authority.len > 0 && is_lower(authority) && !gh_str_contains(authority, GH_STR("@")) &&
           !gh_str_ends(authority, GH_STR(":")) && !gh_str_ends(authority, GH_STR(".")) &&
           !gh_str_ends(authority, is_http ? GH_STR(":80") : GH_STR(":443"));
}

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

bool gh_uri_is_plain(gh_str uri)
{
    gh_str rest = uri, scheme = gh_str_cut(&rest, ':');
    if (rest.ptr == NULL || !is_plain_scheme(scheme) || !is_plain_authority(scheme, rest))
        return false;
    gh_str path = gh_str_take(rest, gh_str_find(rest, '#'));
    path = gh_str_take(path, gh_str_find(path, '?'));
    return gh_path_is_plain(path) && gh_path_is_plain(gh_str_skip(rest, path.len)) && is_well_encoded(uri);
}
