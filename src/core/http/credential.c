/* core/http/credential.c: the one Authorization line of a request, and tokens where none may be. */
#include "base/str.h"
#include "core/http/chars.h"
#include "gatehouse/http.h"

static bool is_b64token(gh_str text);
static bool is_access_token(gh_str encoded_name);

enum gh_reason gh_credential_read(const struct gh_headers *headers, size_t max_token,
                                  struct gh_credential *ret_credential)
{
    const struct gh_header *field = gh_headers_find(headers, GH_STR("authorization"));
    if (field == NULL)
        return GH_TOKEN_MISSING;
    if (gh_headers_count(headers, GH_STR("authorization")) != 1)
        return GH_AUTHORIZATION_MANY;
    /* RFC 9110 section 11.4: credentials = auth-scheme [ 1*SP ( token68 / #auth-param ) ] */
    gh_str rest = field->value;
    gh_str scheme = gh_str_take(rest, gh_str_find(rest, ' '));
    rest = gh_str_skip(rest, scheme.len);
    while (rest.len != 0 && rest.ptr[0] == ' ')
        rest = gh_str_skip(rest, 1);
    bool bearer = gh_str_eq_nocase(scheme, GH_STR("bearer"));
    if (!bearer && !gh_str_eq_nocase(scheme, GH_STR("dpop")))
        return scheme.len != 0 && is_b64token(scheme) ? GH_AUTHORIZATION_SCHEME : GH_AUTHORIZATION_MALFORMED;
    if (rest.len > max_token)
        return GH_TOKEN_LARGE;
    if (!is_b64token(rest))
        return GH_AUTHORIZATION_MALFORMED;
    *ret_credential =
        (struct gh_credential){ .scheme = bearer ? GH_SCHEME_BEARER : GH_SCHEME_DPOP, .token = rest };
    return GH_OK;
}

/* 0 between the two, else not. */
static inline unsigned char beyond(unsigned char c, unsigned char first, unsigned char last)
{
    unsigned char above = (unsigned char)(c - first);
    return above <= last - first ? 0 : above;
}

static inline unsigned char least(unsigned char a, unsigned char b)
{
    return a < b ? a : b;
}

/* RFC 6750 section 2.1: b64token = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"=". Every
 * request passes here with its whole token: a distance that is 0 for what is legal, of which the least
 * counts, and no early end, so that compilers do sixteen bytes at a time. */
static bool is_b64token(gh_str text)
{
    size_t len = text.len;
    while (len != 0 && text.ptr[len - 1] == '=')
        len--;
    unsigned char bad = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        unsigned char letter = beyond(c | 0x20, 'a', 'z'), digit = beyond(c, '-', '9'); /* - . / 0 to 9 */
        bad |= least(least(letter, digit), least(least(c ^ '_', c ^ '~'), c ^ '+'));
    }
    return len != 0 && bad == 0;
}

bool gh_query_has_token(gh_str query)
{
    while (query.ptr != NULL) {
        gh_str pair = gh_str_cut(&query, '&');
        if (is_access_token(gh_str_cut(&pair, '=')))
            return true;
    }
    return false;
}

static bool is_access_token(gh_str encoded_name)
{
    static const char wanted[] = "access_token";
    size_t at = 0;
    while (encoded_name.len != 0) {
        int byte = gh_char_escaped(encoded_name);
        char c = byte >= 0 ? (char)byte : encoded_name.ptr[0];
        if (at == sizeof(wanted) - 1 || c != wanted[at++])
            return false;
        encoded_name = gh_str_skip(encoded_name, byte >= 0 ? 3 : 1);
    }
    return at == sizeof(wanted) - 1;
}
