/* fuzz/fuzz_revocation.c: lines of the revocation log: what is read is sound, and is written as it was. */
/* covers: src/core/grant/revocation.c without gh_token_id agent_of gh_dependencies_of */
/* covers: src/core/grant/revocation.c without gh_revoked_name gh_revoked_read */
#include "fuzz/fuzz.h"
#include "gatehouse/revocation.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gh_arena *arena = gh_arena_new(0);
    struct gh_revocation revocation;
    struct gh_revocation_key key;
    gh_str line = gh_str_of(data, size);
    if (gh_revocation_read(line, &revocation) == GH_OK) {
        GH_HOLDS(gh_revocation_is_sound(&revocation) && gh_revocation_key(&revocation, &key) == GH_OK);
        GH_HOLDS(gh_str_eq(gh_revocation_write(arena, &revocation), line));
    }
    gh_arena_free(arena);
    return 0;
}
