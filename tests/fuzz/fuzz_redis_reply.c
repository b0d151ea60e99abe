/* fuzz/fuzz_redis_reply.c: what a Redis server answers, in two pieces, cut where the first byte says. */
/* covers: src/store/redis_reply.c */
#include "fuzz/fuzz.h"
#include "fuzz/redis_pieces.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    gh_str bytes = gh_str_of(data + 1, size - 1);
    size_t cut = data[0] < bytes.len ? data[0] : bytes.len, pieces = 0, whole = 0;
    struct gh_arena *arena = gh_arena_new(0);
    bool ok = gh_fuzz_redis_read(gh_str_of(bytes.ptr, cut), gh_str_skip(bytes, cut), arena, &pieces);
    GH_HOLDS(gh_fuzz_redis_read(bytes, gh_str_of(NULL, 0), arena, &whole) == ok && pieces == whole);
    gh_arena_free(arena);
    return 0;
}
