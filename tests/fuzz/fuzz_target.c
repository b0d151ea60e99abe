/* fuzz/fuzz_target.c: request targets: what is accepted means what it looks like. */
/* covers: src/core/http/target.c */
#include "core/http/chars.h"
#include "fuzz/fuzz.h"
#include "gatehouse/http.h"

/* No later hop that decodes once more finds structure, control, or a second spelling of the same path. */
static void check_path(gh_str path)
{
    GH_HOLDS(!gh_str_contains(path, GH_STR("//")) && !gh_str_contains(path, GH_STR("/./")));
    GH_HOLDS(!gh_str_contains(path, GH_STR("/../")) && !gh_str_ends(path, GH_STR("/..")));
    for (size_t i = 0; i < path.len; i++) {
        GH_HOLDS(memchr("?;\\", path.ptr[i], 3) == NULL);
        if (path.ptr[i] != '%')
            continue;
        int byte = gh_char_escaped(gh_str_skip(path, i));
        GH_HOLDS(byte >= 0x20 && byte != 0x7f && memchr("/\\%;?#", byte, 6) == NULL);
        GH_HOLDS(byte >= 0x80 || !gh_char_is_unreserved((char)byte));
        GH_HOLDS(path.ptr[i + 1] <= 'F' && path.ptr[i + 2] <= 'F');
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gh_str raw = gh_str_of(data, size);
    struct gh_target target;
    if (gh_target_read(raw, &target) != GH_OK)
        return 0;
    GH_HOLDS(gh_fuzz_is_visible(raw) && gh_str_find(raw, '#') == raw.len);
    GH_HOLDS(target.path.ptr == raw.ptr && raw.ptr[0] == '/');
    GH_HOLDS(target.path.len + (target.query.ptr != NULL ? 1 + target.query.len : 0) == raw.len);
    check_path(target.path);
    return 0;
}
