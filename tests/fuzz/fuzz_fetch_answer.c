/* fuzz/fuzz_fetch_answer.c: a Content-Type or Cache-Control of an issuer's answer. */
/* covers: src/upstream/fetch_answer.c */
#include "fuzz/fuzz.h"
#include "upstream/fetch_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gh_str value = gh_str_of(data, size);
    int64_t max_age = gh_fetch_max_age(value);
    GH_HOLDS(max_age >= -1 && max_age <= INT32_MAX);
    if (gh_fetch_is_json(value)) {
        gh_str rest = value, type = gh_str_trim(gh_str_cut(&rest, ';'));
        gh_str end = gh_str_skip(type, type.len - 4);
        GH_HOLDS(gh_str_eq_nocase(end, GH_STR("json")) && gh_str_find(type, '/') < type.len - 4);
    }
    return 0;
}
