/* fuzz/fuzz_arguments.c: what rules read of arguments is what jansson finds there. */
/* covers: src/core/rpc/paths.c src/core/policy/conditions.c */
#include <jansson.h>

#include "base/arena.h"
#include "base/str.h"
#include "fuzz/fuzz.h"
#include "gatehouse/call.h"

static void are_one(json_t *theirs, const struct gh_rpc_value *ours)
{
    double number;
    GH_HOLDS((theirs == NULL) == (ours->what == GH_RPC_ABSENT));
    GH_HOLDS(json_is_string(theirs) == (ours->what == GH_RPC_STRING));
    GH_HOLDS(json_is_number(theirs) == (ours->what == GH_RPC_NUMBER));
    if (json_is_string(theirs))
        GH_HOLDS(gh_str_eq(gh_str_from(json_string_value(theirs)), ours->text));
    if (json_is_number(theirs) && gh_number_read(ours->text, &number))
        GH_HOLDS(json_number_value(theirs) >= number && json_number_value(theirs) <= number);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct gh_rpc_limits limits = { .depth = 16, .members = 64, .string = 1024 };
    static const gh_str pointer = GH_STR_INIT("/b/1/c");
    GH_CLEANUP(gh_arena_free) struct gh_arena *arena = gh_arena_new(0);
    struct gh_rpc_scanner *scanner = gh_rpc_scanner_new(&limits, (const uint64_t[]){ 3, 4 });
    const struct gh_rpc_paths *paths;
    struct gh_rpc_message found;
    GH_HOLDS(gh_rpc_paths_read(arena, (struct gh_strs){ &pointer, 1 }, &paths) == GH_OK);
    bool taken = gh_rpc_scan(scanner, paths, gh_str_of(data, size), &found) == GH_OK;
    json_t *theirs = taken ? json_loadb((const char *)data, size, JSON_ALLOW_NUL, NULL) : NULL;
    json_t *b = json_object_get(json_object_get(json_object_get(theirs, "params"), "arguments"), "b");
    if (theirs != NULL) /* else a number that is too large for a double */
        are_one(json_object_get(json_is_array(b) ? json_array_get(b, 1) : json_object_get(b, "1"), "c"),
                found.values);
    json_decref(theirs);
    gh_rpc_scanner_free(scanner);
    return 0;
}
