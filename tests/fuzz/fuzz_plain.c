/* fuzz/fuzz_plain.c: a pattern, LF, and a text: patterns match as their definition says, and what is taken
 * for a plain URI has no second spelling. */
/* covers: src/core/policy/glob.c src/core/policy/plain.c */
#include "base/str.h"
#include "core/http/chars.h"
#include "fuzz/fuzz.h"
#include "gatehouse/call.h"

static bool matches(gh_str p, gh_str t)
{
    if (p.len == 0 || p.ptr[0] != '*')
        return p.len == 0
                   ? t.len == 0
                   : t.len > 0 && p.ptr[0] == t.ptr[0] && matches(gh_str_skip(p, 1), gh_str_skip(t, 1));
    bool is_double = gh_str_starts(p, GH_STR("**"));
    gh_str rest = gh_str_skip(p, is_double ? 2 : 1);
    for (; !matches(rest, t); t = gh_str_skip(t, 1))
        if (t.len == 0 || (!is_double && t.ptr[0] == '/'))
            return false;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gh_str text = gh_str_of(data, size), pattern = gh_str_cut(&text, '\n');
    if (pattern.len <= 12 && text.len <= 24 && !gh_str_eq(pattern, GH_STR("*")))
        GH_HOLDS(gh_glob_paths(pattern, text) == matches(pattern, text));
    GH_HOLDS(!gh_glob_paths(pattern, text) || gh_glob(pattern, text));
    if (!gh_uri_is_plain(text))
        return 0;
    GH_HOLDS(gh_fuzz_is_visible(text));
    GH_HOLDS(!gh_str_contains(gh_str_take(text, gh_str_find(text, '?')), GH_STR("/../")));
    for (size_t i = 0; i < text.len; i++) {
        int byte = text.ptr[i] == '%' ? gh_char_escaped(gh_str_skip(text, i)) : 0x80;
        GH_HOLDS(byte >= 0x20 && byte != 0x7f && byte != '/' && byte != '\\' && byte != '%');
        GH_HOLDS(byte >= 0x80 || !gh_char_is_unreserved((char)byte));
    }
    return 0;
}
