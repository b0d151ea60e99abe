/* upstream/fetch_answer.c: reads the two header values of a fetched answer that matter to us. */
#include "base/str.h"
#include "upstream/fetch_private.h"

bool gh_fetch_is_json(gh_str media_type)
{
    gh_str rest = media_type;
    gh_str type = gh_str_trim(gh_str_cut(&rest, ';'));
    size_t slash = gh_str_find(type, '/');
    if (slash == 0 || slash + 1 >= type.len)
        return false;
    if (gh_str_eq_nocase(type, GH_STR("application/json")))
        return true;
    gh_str subtype = gh_str_skip(type, slash + 1);
    gh_str suffix = gh_str_skip(subtype, gh_str_rfind(subtype, '+'));
    return suffix.len < subtype.len && gh_str_eq_nocase(suffix, GH_STR("+json"));
}

/* RFC 9111 section 5.2.2: directives are compared without case; a value may be quoted. */
int64_t gh_fetch_max_age(gh_str cache_control)
{
    int64_t max_age = -1;
    gh_str rest = cache_control;
    while (rest.ptr != NULL) {
        gh_str value = gh_str_cut(&rest, ',');
        gh_str name = gh_str_trim(gh_str_cut(&value, '='));
        uint64_t seconds;
        if (gh_str_eq_nocase(name, GH_STR("no-store")) || gh_str_eq_nocase(name, GH_STR("no-cache")))
            return 0;
        if (!gh_str_eq_nocase(name, GH_STR("max-age")))
            continue;
        value = gh_str_trim(value);
        if (value.len >= 2 && value.ptr[0] == '"' && value.ptr[value.len - 1] == '"')
            value = gh_str_of(value.ptr + 1, value.len - 2);
        /* Of several the lowest; what is no number is no time, or, when it is long, a long one. */
        if (!gh_str_to_u64(value, &seconds) || seconds > INT32_MAX)
            seconds = value.len > 9 ? INT32_MAX : 0;
        if (max_age < 0 || (int64_t)seconds < max_age)
            max_age = (int64_t)seconds;
    }
    return max_age;
}
