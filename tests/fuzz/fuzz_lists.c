/* fuzz/fuzz_lists.c: what passes of a list is JSON that names nothing else than what is shown, and passes
 * again as it is. */
/* covers: src/core/rpc/list.c src/core/rpc/list_event.c */
#include <jansson.h>

#include "base/buf.h"
#include "base/str.h"
#include "fuzz/fuzz.h"
#include "gatehouse/list.h"

static bool shows(void *ctx, enum gh_rpc_names names, bool is_template, gh_str name)
{
    return gh_str_starts(name, GH_STR("a"));
}

static void names_shown_alone(json_t *list, const char *member)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        GH_HOLDS(json_string_value(json_object_get(json_array_get(list, i), member))[0] == 'a');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gh_str text = gh_str_of(data, size);
    struct gh_buf out = { 0 }, again = { 0 };
    bool changed, changed_again;
    if (gh_list_filter(text, shows, NULL, &out, &changed) == GH_OK) {
        gh_str passed = changed ? gh_buf_peek(&out) : text;
        json_t *theirs = json_loadb(passed.ptr, passed.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        json_t *result = json_object_get(theirs, "result");
        names_shown_alone(json_object_get(result, "tools"), "name");
        names_shown_alone(json_object_get(result, "resources"), "uri");
        GH_HOLDS(gh_list_filter(passed, shows, NULL, &again, &changed_again) == GH_OK && !changed_again);
        json_decref(theirs);
    }
    (void)!gh_list_filter_event(text, shows, NULL, &again, &changed_again);
    gh_buf_done(&out);
    gh_buf_done(&again);
    return 0;
}
