/* core/policy/glob.c: patterns with stars. */
#include "base/str.h"
#include "gatehouse/call.h"

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
