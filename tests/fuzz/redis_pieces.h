/* fuzz/redis_pieces.h: bytes of a Redis server that arrive in two pieces. */
#ifndef GH_FUZZ_REDIS_PIECES_H
#define GH_FUZZ_REDIS_PIECES_H

#include "base/arena.h"

/* Adds how many replies came; false when the server may not go on. */
bool gh_fuzz_redis_read(gh_str first, gh_str second, struct gh_arena *arena, size_t *ret_count);

#endif
