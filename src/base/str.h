/* base/str.h: what one does with slices: compare, search, cut, read numbers. None of these allocates. */
#ifndef GH_BASE_STR_H
#define GH_BASE_STR_H

#include <string.h>

#include "gatehouse/types.h"

static inline gh_str gh_str_from(const char *text)
{
    return (gh_str){ .ptr = text, .len = text != NULL ? strlen(text) : 0 };
}

static inline gh_str gh_str_of(const void *ptr, size_t len)
{
    return (gh_str){ .ptr = (const char *)ptr, .len = len };
}

static inline bool gh_str_eq(gh_str a, gh_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool gh_str_is_empty(gh_str s)
{
    return s.len == 0;
}

/* Equal when ASCII letters are compared without case (RFC 9110 section 5.1: field names). */
bool gh_str_eq_nocase(gh_str a, gh_str b);
bool gh_str_starts(gh_str s, gh_str prefix);
bool gh_str_ends(gh_str s, gh_str suffix);
/* Position of the first `c`, or s.len. */
size_t gh_str_find(gh_str s, char c);
/* Position of the last `c`, or s.len. */
size_t gh_str_rfind(gh_str s, char c);
bool gh_str_contains(gh_str s, gh_str needle);
/* s without its first n bytes (all of them when n > len). */
gh_str gh_str_skip(gh_str s, size_t n);
gh_str gh_str_take(gh_str s, size_t n);
/* s without leading and trailing SP and HTAB (RFC 9110 section 5.6.3: OWS). */
gh_str gh_str_trim(gh_str s);
/* Cuts *rest at the first `c`: returns what stands before it, and leaves what stands behind in *rest (which
 * becomes empty with ptr NULL when there was no `c`). Loop: while (rest.ptr != NULL) part = gh_str_cut(&rest,
 * ','). */
gh_str gh_str_cut(gh_str *rest, char c);
/* Decimal digits only, no sign, no space, no overflow. False otherwise, and *ret is untouched. */
bool gh_str_to_u64(gh_str s, uint64_t *ret_value);
/* Member of the list, byte for byte. */
bool gh_strs_has(struct gh_strs list, gh_str value);
/* Sorts like memcmp, shorter first. */
int gh_str_cmp(gh_str a, gh_str b);

#endif
