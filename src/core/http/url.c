/* core/http/url.c: absolute http and https URLs as settings and metadata documents hold them. */
#include "base/arena.h"
#include "base/str.h"
#include "core/http/chars.h"
#include "gatehouse/http.h"

static bool chars_are_legal(gh_str text);
static gh_str authority_write(struct gh_arena *arena, const struct gh_authority *authority,
                              uint16_t usual_port);

enum gh_reason gh_url_read(struct gh_arena *arena, gh_str text, struct gh_url *ret_url)
{
    size_t colon = gh_str_find(text, ':');
    gh_str scheme = gh_str_take(text, colon), rest = gh_str_skip(text, colon);
    bool https = gh_str_eq_nocase(scheme, GH_STR("https"));
    if ((!https && !gh_str_eq_nocase(scheme, GH_STR("http"))) || !gh_str_starts(rest, GH_STR("://")) ||
        !chars_are_legal(text))
        return GH_SETTINGS_INVALID;
    gh_str copy = gh_arena_dup(arena, gh_str_skip(rest, 3));
    if (copy.ptr == NULL)
        return GH_OUT_OF_MEMORY;
    size_t end = 0;
    while (end < copy.len && copy.ptr[end] != '/' && copy.ptr[end] != '?')
        end++;
    uint16_t usual_port = https ? 443 : 80;
    struct gh_url url = { .scheme = https ? GH_STR("https") : GH_STR("http") };
    enum gh_reason reason = gh_authority_read(arena, gh_str_take(copy, end), &url.authority);
    if (reason != GH_OK)
        return reason == GH_OUT_OF_MEMORY ? GH_OUT_OF_MEMORY : GH_SETTINGS_INVALID;
    url.port = url.authority.port != 0 ? url.authority.port : usual_port;
    url.authority_text = authority_write(arena, &url.authority, usual_port);
    if (url.authority_text.ptr == NULL)
        return GH_OUT_OF_MEMORY;
    gh_str tail = gh_str_skip(copy, end);
    url.path = gh_str_cut(&tail, '?');
    url.query = tail;
    if (url.path.len == 0)
        url.path = GH_STR("/");
    *ret_url = url;
    return GH_OK;
}

/* RFC 3986 appendix A, without '#'. Userinfo fails later: '@' is in no host. */
static bool chars_are_legal(gh_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '%' ? gh_char_escaped(gh_str_skip(text, i)) < 0
                     : !gh_char_is_path(c) && c != ';' && c != '?' && c != '[' && c != ']')
            return false;
    }
    return true;
}

/* The scheme's usual port is left out, as clients do in Host. */
static gh_str authority_write(struct gh_arena *arena, const struct gh_authority *authority,
                              uint16_t usual_port)
{
    bool literal = gh_str_find(authority->host, ':') < authority->host.len;
    const char *open = literal ? "[" : "", *close = literal ? "]" : "";
    if (authority->port == 0 || authority->port == usual_port)
        return gh_arena_printf(arena, "%s%.*s%s", open, GH_STR_FMT(authority->host), close);
    return gh_arena_printf(arena, "%s%.*s%s:%u", open, GH_STR_FMT(authority->host), close,
                           (unsigned)authority->port);
}
