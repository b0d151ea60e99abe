/* fuzz/fuzz_form.c: forms and queries of OAuth requests: read, written behind a URL, and read again the same.
 */
/* covers: src/core/grant/form.c */
#include "core/json/string.h"
#include "fuzz/fuzz.h"
#include "gatehouse/oauth.h"

/* UTF-8 without control characters. */
static bool is_text(gh_str text)
{
    for (size_t i = 0, width; i < text.len; i += width) {
        width = gh_utf8_width(text.ptr + i, text.ptr + text.len);
        if (width == 0 || text.ptr[i] == 0x7f)
            return false;
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gh_arena *arena = gh_arena_new(0);
    struct gh_form form, again;
    if (gh_form_read(arena, gh_str_of(data, size), &form) == GH_OK) {
        gh_str url = gh_url_with(arena, GH_STR("https://a/?"), form.at, form.count), query = url;
        GH_HOLDS(form.count <= GH_FORM_MAX && gh_fuzz_is_visible(url) && gh_str_find(url, '#') == url.len);
        (void)gh_str_cut(&query, '?');
        GH_HOLDS(gh_form_read(arena, query, &again) == GH_OK && again.count == form.count);
        for (size_t i = 0; i < form.count; i++) {
            gh_str value = form.at[i].value, found = gh_form_get(&again, form.at[i].name);
            GH_HOLDS(is_text(form.at[i].name) && is_text(value));
            GH_HOLDS(gh_str_eq(found, value) && (found.ptr != NULL) == (value.len != 0));
        }
    }
    gh_arena_free(arena);
    return 0;
}
