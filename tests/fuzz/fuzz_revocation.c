/* Fuzzes lines of the revocation log: what is read is sound, and is written as it was. */
/* covers: src/core/grant/revocation.c */
#include "base/arena.h"
#include "base/str.h"
#include "gatehouse/revocation.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct gh_arena *arena = gh_arena_new(0);
    struct gh_revocation revocation;
    struct gh_revocation_key key;
    gh_str line = gh_str_of(data, size);
    if (arena != NULL && gh_revocation_read(line, &revocation) == GH_OK) {
        if (!gh_revocation_is_sound(&revocation) || gh_revocation_key(&revocation, &key) != GH_OK ||
            !gh_str_eq(gh_revocation_write(arena, &revocation), line))
            __builtin_trap();
    }
    gh_arena_free(arena);
    return 0;
}
