/* observe/trace.c: reads a traceparent (W3C Trace Context section 3.2), strictly. */
#include "observe/trace.h"

#include "base/str.h"

static bool is_hex(gh_str s)
{
    bool zero = true;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return false;
        zero = zero && c == '0';
    }
    return !zero;
}

/* "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"; later versions may be longer. */
gh_str gh_trace_id(gh_str traceparent)
{
    if (traceparent.len < 55 || traceparent.ptr[2] != '-' || traceparent.ptr[35] != '-' ||
        traceparent.ptr[52] != '-')
        return GH_STR_NONE;
    gh_str version = gh_str_take(traceparent, 2);
    gh_str trace = gh_str_take(gh_str_skip(traceparent, 3), 32);
    gh_str parent = gh_str_take(gh_str_skip(traceparent, 36), 16);
    bool is_first = gh_str_eq(version, GH_STR("00"));
    if ((is_first && traceparent.len != 55) || (!is_first && !is_hex(version)) ||
        gh_str_eq(version, GH_STR("ff")))
        return GH_STR_NONE;
    return is_hex(trace) && is_hex(parent) ? trace : GH_STR_NONE;
}
