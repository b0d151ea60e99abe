/* base/str.c: comparing, searching, cutting slices and reading numbers from them. */
#include "base/str.h"

static inline unsigned char lower(char c)
{
    unsigned char u = (unsigned char)c;
    return u >= 'A' && u <= 'Z' ? (unsigned char)(u + 32) : u;
}

bool gh_str_eq_nocase(gh_str a, gh_str b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++) {
        if (lower(a.ptr[i]) != lower(b.ptr[i]))
            return false;
    }
    return true;
}

bool gh_str_starts(gh_str s, gh_str prefix)
{
    return s.len >= prefix.len && gh_str_eq(gh_str_take(s, prefix.len), prefix);
}

bool gh_str_ends(gh_str s, gh_str suffix)
{
    return s.len >= suffix.len && gh_str_eq(gh_str_skip(s, s.len - suffix.len), suffix);
}

size_t gh_str_find(gh_str s, char c)
{
    const char *hit = s.len != 0 ? memchr(s.ptr, c, s.len) : NULL;
    return hit != NULL ? (size_t)(hit - s.ptr) : s.len;
}

size_t gh_str_rfind(gh_str s, char c)
{
    const char *hit = s.len != 0 ? memrchr(s.ptr, c, s.len) : NULL;
    return hit != NULL ? (size_t)(hit - s.ptr) : s.len;
}

bool gh_str_contains(gh_str s, gh_str needle)
{
    if (needle.len == 0)
        return true;
    return s.len >= needle.len && memmem(s.ptr, s.len, needle.ptr, needle.len) != NULL;
}

gh_str gh_str_skip(gh_str s, size_t n)
{
    if (n > s.len)
        n = s.len;
    return (gh_str){ .ptr = s.ptr != NULL ? s.ptr + n : NULL, .len = s.len - n };
}

gh_str gh_str_take(gh_str s, size_t n)
{
    return (gh_str){ .ptr = s.ptr, .len = n < s.len ? n : s.len };
}

gh_str gh_str_trim(gh_str s)
{
    while (s.len != 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t')) {
        s.ptr++;
        s.len--;
    }
    while (s.len != 0 && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'))
        s.len--;
    return s;
}

gh_str gh_str_cut(gh_str *rest, char c)
{
    size_t at = gh_str_find(*rest, c);
    gh_str part = gh_str_take(*rest, at);
    *rest = at < rest->len ? gh_str_skip(*rest, at + 1) : GH_STR_NONE;
    return part;
}

bool gh_str_to_u64(gh_str s, uint64_t *ret_value)
{
    uint64_t value = 0;
    if (s.len == 0)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return false;
        if (__builtin_mul_overflow(value, 10u, &value) ||
            __builtin_add_overflow(value, (uint64_t)(s.ptr[i] - '0'), &value))
            return false;
    }
    *ret_value = value;
    return true;
}

bool gh_strs_has(struct gh_strs list, gh_str value)
{
    for (size_t i = 0; i < list.count; i++) {
        if (gh_str_eq(list.at[i], value))
            return true;
    }
    return false;
}

int gh_str_cmp(gh_str a, gh_str b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common != 0 ? memcmp(a.ptr, b.ptr, common) : 0;
    if (order != 0)
        return order;
    return a.len < b.len ? -1 : a.len > b.len;
}
