/* core/json/fold.c: compares member names as readers do that ignore letter case. */
#include "core/json/fold.h"

#include <string.h>

static unsigned char lower(unsigned char c)
{
    return c >= 'A' && c <= 'Z' ? (unsigned char)(c + ('a' - 'A')) : c;
}

/* Takes one folded character off the front of `s`; what folds to no ASCII letter comes byte for byte. */
static unsigned char take_folded(gh_str *s)
{
    static const char long_s[] = "\xc5\xbf", kelvin[] = "\xe2\x84\xaa";
    unsigned char c = (unsigned char)s->ptr[0];
    size_t width = 1;
    if (s->len >= 2 && memcmp(s->ptr, long_s, 2) == 0) {
        c = 's';
        width = 2;
    } else if (s->len >= 3 && memcmp(s->ptr, kelvin, 3) == 0) {
        c = 'k';
        width = 3;
    }
    s->ptr += width;
    s->len -= width;
    return lower(c);
}

bool gh_fold_eq(gh_str member, gh_str name)
{
    if (member.len < name.len)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        if (member.len == 0 || take_folded(&member) != lower((unsigned char)name.ptr[i]))
            return false;
    }
    return member.len == 0;
}
