/* base/arena.h: memory given back all at once, as long as the exchange or snapshot that owns it lives. */
#ifndef GH_BASE_ARENA_H
#define GH_BASE_ARENA_H

#include <stdarg.h>

#include "gatehouse/types.h"

/* Takes the size of the first block (0: 4 KiB, allocated on first use). NULL when out of memory. */
struct gh_arena *gh_arena_new(size_t first_block);
void gh_arena_free(struct gh_arena *arena);
void gh_arena_free_cleanup(struct gh_arena **arena);
/* Forgets everything but keeps the first block for reuse. */
void gh_arena_reset(struct gh_arena *arena);

/* 16-byte aligned, not cleared. NULL when out of memory: callers answer GH_OUT_OF_MEMORY. */
void *gh_arena_alloc(struct gh_arena *arena, size_t size) GH_MUST_USE;
/* Cleared, with overflow check on count * size. */
void *gh_arena_calloc(struct gh_arena *arena, size_t count, size_t size) GH_MUST_USE;
/* Copies, with a NUL behind the copy that len does not count. ptr is NULL when out of memory. */
gh_str gh_arena_dup(struct gh_arena *arena, gh_str s);
gh_str gh_arena_printf(struct gh_arena *arena, const char *format, ...) GH_PRINTF(2, 3);
/* Joins with a separator. */
gh_str gh_arena_join(struct gh_arena *arena, struct gh_strs parts, gh_str separator);
size_t gh_arena_used(const struct gh_arena *arena);

/* Arenas that were used and are waiting to be used again, of one thread. Zero-filled is an empty pool. */
#define GH_ARENA_POOL_MAX 256
struct gh_arena_pool {
    struct gh_arena *at[GH_ARENA_POOL_MAX];
    size_t count;
};
/* One from the pool, or a new one with that first block. NULL when out of memory. */
struct gh_arena *gh_arena_pool_take(struct gh_arena_pool *pool, size_t first_block);
/* Resets it and keeps it, or frees it when the pool is full. */
void gh_arena_pool_give(struct gh_arena_pool *pool, struct gh_arena *arena);
void gh_arena_pool_done(struct gh_arena_pool *pool);

#define GH_ARENA_NEW(arena, type) ((type *)gh_arena_calloc((arena), 1, sizeof(type)))

/* For the out-of-memory sweep of the tests: the n-th allocation from now on in this thread fails once
 * (0 switches it off). Also counts what gh_arena_* and gh_buf_* took from the heap. Returns what was left of
 * the count before: not 0 when none has failed, so that the sweep is at its end. */
unsigned long gh_alloc_fail_at(unsigned long n);
/* For takers that do not go to the heap each time: is this the one that fails? Counts as an allocation. */
bool gh_alloc_fails(void);
/* malloc/calloc/realloc that obey gh_alloc_fail_at. */
void *gh_malloc(size_t size) GH_MUST_USE;
void *gh_calloc(size_t count, size_t size) GH_MUST_USE;
void *gh_realloc(void *old, size_t size) GH_MUST_USE;
/* A NUL-terminated copy on the heap, for free(); NULL when out of memory. Unlike strndup it never looks
 * behind the slice. */
char *gh_str_to_heap(gh_str s) GH_MUST_USE;

#endif
