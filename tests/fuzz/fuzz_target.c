/* fuzz/fuzz_target.c: an accepted target or host keeps the promises its readers build on. */
#include <stdint.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/str.h"
#include "gatehouse/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const never[] = { "//",  "/./", "/../", "%2E", "%2F", "%5C",
                                         "%25", "%00", ";",    "#",   "\\" };
    struct gh_arena *arena = gh_arena_new(0);
    gh_str raw = gh_str_of(data, size);
    struct gh_target target;
    bool legal = gh_target_read(raw, &target) == GH_OK;
    for (size_t i = 0; legal && i < GH_ARRAY_LEN(never); i++) {
        if (gh_str_contains(target.path, gh_str_from(never[i])) || target.path.ptr[0] != '/')
            abort();
    }
    /* A host, written out and read again, is the same host. */
    struct gh_authority first, again;
    if (gh_authority_read(arena, raw, &first) == GH_OK) {
        bool literal = gh_str_find(first.host, ':') < first.host.len;
        gh_str text = gh_arena_printf(arena, literal ? "[%.*s]" : "%.*s", GH_STR_FMT(first.host));
        if (gh_authority_read(arena, text, &again) != GH_OK || !gh_str_eq(first.host, again.host))
            abort();
    }
    struct gh_url url;
    if (gh_url_read(arena, raw, &url) == GH_OK && (url.path.ptr[0] != '/' || url.port == 0))
        abort();
    gh_arena_free(arena);
    return 0;
}
