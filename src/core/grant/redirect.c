/* core/grant/redirect.c: redirect URIs: which may be registered, and which one a request means. */
#include "base/str.h"
#include "gatehouse/http.h"
#include "gatehouse/oauth.h"

#define REDIRECT_MAX 2048u

/* RFC 8252 section 7.3, and the name localhost, which published client documents use. */
static const gh_str loopbacks[] = { GH_STR_INIT("http://127.0.0.1"), GH_STR_INIT("http://[::1]"),
                                    GH_STR_INIT("http://localhost") };
/* What a browser would run, read or hand to another program instead of an application of the user's. */
static const gh_str never[] = {
    GH_STR_INIT("about"),       GH_STR_INIT("blob"), GH_STR_INIT("chrome"),   GH_STR_INIT("data"),
    GH_STR_INIT("file"),        GH_STR_INIT("ftp"),  GH_STR_INIT("intent"),   GH_STR_INIT("javascript"),
    GH_STR_INIT("mailto"),      GH_STR_INIT("ws"),   GH_STR_INIT("vbscript"), GH_STR_INIT("view-source"),
    GH_STR_INIT("filesystem"),  GH_STR_INIT("wss"),  GH_STR_INIT("tel"),      GH_STR_INIT("urn"),
    GH_STR_INIT("ms-officecmd")
};

/* Length of scheme and host of a loopback redirect, 0 for every other URI. */
static size_t loopback_head(gh_str uri)
{
    for (size_t i = 0; i < GH_ARRAY_LEN(loopbacks); i++) {
        gh_str rest = gh_str_skip(uri, loopbacks[i].len);
        if (gh_str_starts(uri, loopbacks[i]) &&
            (rest.len == 0 || rest.ptr[0] == ':' || rest.ptr[0] == '/' || rest.ptr[0] == '?'))
            return loopbacks[i].len;
    }
    return 0;
}

/* Takes ":PORT" off *rest; false when what follows the colon is no port. */
static bool skip_port(gh_str *rest)
{
    if (rest->len == 0 || rest->ptr[0] != ':')
        return true;
    size_t end = 1;
    while (end < rest->len && rest->ptr[end] >= '0' && rest->ptr[end] <= '9')
        end++;
    uint64_t port;
    bool ok = end <= 6 && gh_str_to_u64(gh_str_of(rest->ptr + 1, end - 1), &port) && port >= 1 &&
              port <= UINT16_MAX && (end == rest->len || rest->ptr[end] == '/' || rest->ptr[end] == '?');
    *rest = gh_str_skip(*rest, end);
    return ok;
}

bool gh_redirect_matches(gh_str registered, gh_str presented)
{
    if (gh_str_eq(registered, presented))
        return true;
    size_t head = loopback_head(registered);
    if (head == 0 || loopback_head(presented) != head ||
        !gh_str_eq(gh_str_take(registered, head), gh_str_take(presented, head)))
        return false;
    gh_str one = gh_str_skip(registered, head), other = gh_str_skip(presented, head);
    return skip_port(&one) && skip_port(&other) && gh_str_eq(one, other);
}

/* RFC 3986 section 3.1. */
static bool is_scheme(gh_str scheme)
{
    for (size_t i = 0; i < scheme.len; i++) {
        char c = scheme.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        bool other = (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
        if (!letter && (i == 0 || !other))
            return false;
    }
    return scheme.len > 0;
}

static bool has_scheme(const gh_str *list, size_t count, gh_str scheme)
{
    for (size_t i = 0; i < count; i++)
        if (gh_str_eq_nocase(list[i], scheme))
            return true;
    return false;
}

/* Printable and of no second meaning: no space, quotes, angle or curly brackets, backslash, fragment,
 * wildcard.
 */
static bool chars_are_legal(gh_str uri)
{
    static const gh_str refused = GH_STR_INIT("\"#<>\\^`{|}*");
    for (size_t i = 0; i < uri.len; i++)
        if (uri.ptr[i] <= 0x20 || uri.ptr[i] >= 0x7f || gh_str_find(refused, uri.ptr[i]) < refused.len)
            return false;
    return true;
}

static enum gh_reason check_web(struct gh_arena *arena, gh_str uri, enum gh_redirect_kind *ret_kind)
{
    struct gh_url url;
    enum gh_reason reason = gh_url_read(arena, uri, &url);
    if (reason == GH_OUT_OF_MEMORY)
        return reason;
    if (reason != GH_OK)
        return GH_REDIRECT_REFUSED;
    bool https = gh_str_starts(uri, GH_STR("https://"));
    gh_str rest = gh_str_skip(uri, loopback_head(uri));
    if (!https && (loopback_head(uri) == 0 || !skip_port(&rest)))
        return GH_REDIRECT_REFUSED;
    *ret_kind = https ? GH_REDIRECT_WEB : GH_REDIRECT_LOOPBACK;
    return GH_OK;
}

enum gh_reason gh_redirect_check(struct gh_arena *arena, gh_str uri, struct gh_strs schemes,
                                 enum gh_redirect_kind *ret_kind)
{
    gh_str scheme = gh_str_take(uri, gh_str_find(uri, ':'));
    if (uri.len > REDIRECT_MAX || scheme.len == uri.len || !is_scheme(scheme) || !chars_are_legal(uri) ||
        has_scheme(never, GH_ARRAY_LEN(never), scheme))
        return GH_REDIRECT_REFUSED;
    if (gh_str_eq_nocase(scheme, GH_STR("http")) || gh_str_eq_nocase(scheme, GH_STR("https")))
        return check_web(arena, uri, ret_kind);
    bool dotted = gh_str_find(scheme, '.') < scheme.len;
    gh_str rest = gh_str_skip(uri, scheme.len + 1);
    bool named = gh_str_starts(rest, GH_STR("//")) ? rest.len > 2 : gh_str_starts(rest, GH_STR("/"));
    if ((!dotted && !has_scheme(schemes.at, schemes.count, scheme)) || !named ||
        gh_str_find(rest, '@') < rest.len)
        return GH_REDIRECT_REFUSED;
    *ret_kind = GH_REDIRECT_PRIVATE;
    return GH_OK;
}

gh_str gh_redirect_host(gh_str uri)
{
    size_t colon = gh_str_find(uri, ':');
    gh_str scheme = gh_str_take(uri, colon), rest = gh_str_skip(uri, colon);
    if (!gh_str_eq_nocase(scheme, GH_STR("http")) && !gh_str_eq_nocase(scheme, GH_STR("https")))
        return gh_str_take(uri, colon + 1);
    rest = gh_str_skip(rest, 3);
    size_t end = 0;
    while (end < rest.len && rest.ptr[end] != '/' && rest.ptr[end] != '?')
        end++;
    return gh_str_take(rest, end);
}
