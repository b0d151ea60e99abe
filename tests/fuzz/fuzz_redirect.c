/* fuzz/fuzz_redirect.c: a redirect URI that is to be registered, and in a second line one that a request
 * presents. */
/* covers: src/core/grant/redirect.c */
#include "fuzz/fuzz.h"
#include "gatehouse/oauth.h"

/* All but the port of a loopback redirect is byte-equal. */
static void check_match(enum gh_redirect_kind kind, gh_str uri, gh_str other)
{
    gh_str host = gh_redirect_host(uri), same = gh_redirect_host(other);
    if (!gh_redirect_matches(uri, other) || gh_str_eq(uri, other))
        return;
    GH_HOLDS(kind == GH_REDIRECT_LOOPBACK && gh_str_starts(other, GH_STR("http://")));
    size_t at = (size_t)(host.ptr - uri.ptr) + host.len, at_same = (size_t)(same.ptr - other.ptr) + same.len;
    GH_HOLDS(gh_str_eq(gh_str_skip(uri, at), gh_str_skip(other, at_same)));
    host = gh_str_take(host, gh_str_ends(host, GH_STR("]")) ? host.len : gh_str_rfind(host, ':'));
    same = gh_str_take(same, gh_str_ends(same, GH_STR("]")) ? same.len : gh_str_rfind(same, ':'));
    GH_HOLDS(gh_str_eq(host, same));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const gh_str schemes[] = { GH_STR_INIT("cursor") };
    struct gh_arena *arena = gh_arena_new(0);
    gh_str other = gh_str_of(data, size), uri = gh_str_cut(&other, '\n');
    enum gh_redirect_kind kind;
    if (gh_redirect_check(arena, uri, (struct gh_strs){ schemes, 1 }, &kind) == GH_OK) {
        gh_str host = gh_redirect_host(uri);
        GH_HOLDS(gh_fuzz_is_visible(uri) && gh_str_find(uri, '#') == uri.len && uri.len <= 2048);
        GH_HOLDS(host.len != 0 && gh_str_find(host, '@') == host.len && host.ptr >= uri.ptr);
        GH_HOLDS(gh_redirect_matches(uri, uri));
        gh_str scheme = gh_str_take(uri, gh_str_find(uri, ':'));
        bool web = gh_str_eq_nocase(scheme, GH_STR("https")),
             plain = gh_str_eq_nocase(scheme, GH_STR("http"));
        GH_HOLDS((kind == GH_REDIRECT_WEB) == web && (kind == GH_REDIRECT_LOOPBACK) == plain);
        check_match(kind, uri, other);
    }
    gh_arena_free(arena);
    return 0;
}
