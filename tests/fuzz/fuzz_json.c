/* fuzz/fuzz_json.c: control documents: what our reader takes, jansson takes as well and reads the same. */
/* covers: src/core/json/json.c src/core/json/string.c src/core/json/fold.c */
#include "fuzz/json_pair.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct gh_json_limits limits = { .bytes = 8192, .depth = 64, .values = 4096 };
    static const gh_str names[] = { GH_STR_INIT("sub"), GH_STR_INIT("kid") };
    struct gh_arena *arena = gh_arena_new(0);
    struct gh_json ours;
    if (gh_json_read(arena, gh_str_of(data, size), &limits, GH_INTERNAL, &ours) == GH_OK) {
        json_t *theirs =
            json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, NULL);
        GH_HOLDS(theirs != NULL);
        gh_fuzz_same_json(&ours, theirs);
        json_decref(theirs);
        size_t plain = gh_json_get(&ours, names[0]) != NULL;
        plain += gh_json_get(&ours, names[1]) != NULL;
        GH_HOLDS(!gh_json_has_twin(&ours, (struct gh_strs){ names, 2 }) || ours.count > plain);
    }
    gh_arena_free(arena);
    return 0;
}
