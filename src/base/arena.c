/* base/arena.c: the arena, and the heap functions that can be told to fail once. */
#include "base/arena.h"

#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/poison.h"

/* A block is this head, then `cap` bytes. The current block is the only one with room worth looking at. */
struct block {
    struct block *next;
    size_t cap, used;
    alignas(16) char bytes[];
};

struct gh_arena {
    struct block *first;   /* kept over a reset */
    struct block *current; /* where the next small allocation goes */
    size_t first_cap;
    size_t used; /* bytes handed out, rounded */
};

#define FIRST_CAP_DEFAULT 4096u
#define BLOCK_CAP_MAX     65536u
#define ALIGN             16u

static struct block *block_new(size_t cap);
static void *alloc_slow(struct gh_arena *arena, size_t size);
static void free_behind(struct block *block);

/* Allocations left until one fails; 0 is off. A thread-local of the tests: core has no other global. */
static _Thread_local unsigned long fail_countdown;

unsigned long gh_alloc_fail_at(unsigned long n)
{
    unsigned long left = fail_countdown;
    fail_countdown = n;
    return left;
}

static inline bool must_fail(void)
{
    return __builtin_expect(fail_countdown != 0, 0) && --fail_countdown == 0;
}

bool gh_alloc_fails(void)
{
    return must_fail();
}

void *gh_malloc(size_t size)
{
    return must_fail() ? NULL : malloc(size);
}

void *gh_calloc(size_t count, size_t size)
{
    return must_fail() ? NULL : calloc(count, size);
}

void *gh_realloc(void *old, size_t size)
{
    return must_fail() ? NULL : realloc(old, size);
}

char *gh_str_to_heap(gh_str s)
{
    char *copy = gh_malloc(s.len + 1);
    if (copy == NULL)
        return NULL;
    if (s.len > 0)
        memcpy(copy, s.ptr, s.len);
    copy[s.len] = '\0';
    return copy;
}

struct gh_arena *gh_arena_new(size_t first_block)
{
    struct gh_arena *arena = gh_calloc(1, sizeof(*arena));
    if (arena == NULL)
        return NULL;
    arena->first_cap = first_block != 0 ? first_block : FIRST_CAP_DEFAULT - sizeof(struct block);
    return arena;
}

void gh_arena_free(struct gh_arena *arena)
{
    if (arena == NULL)
        return;
    free_behind(arena->first);
    free(arena->first);
    free(arena);
}

void gh_arena_free_cleanup(struct gh_arena **arena)
{
    gh_arena_free(*arena);
}

void gh_arena_reset(struct gh_arena *arena)
{
    free_behind(arena->first);
    if (arena->first != NULL) {
        arena->first->used = 0;
        gh_poison(arena->first->bytes, arena->first->cap);
    }
    arena->current = arena->first;
    arena->used = 0;
}

static void free_behind(struct block *block)
{
    if (block == NULL)
        return;
    struct block *next = block->next;
    block->next = NULL;
    while (next != NULL) {
        struct block *gone = next;
        next = gone->next;
        free(gone);
    }
}

void *gh_arena_alloc(struct gh_arena *arena, size_t size)
{
    if (must_fail() || size > SIZE_MAX / 2)
        return NULL;
    size_t rounded = (size + GH_REDZONE + (ALIGN - 1)) & ~(size_t)(ALIGN - 1);
    struct block *block = arena->current;
    void *ptr;
    if (__builtin_expect(block == NULL || block->cap - block->used < rounded, 0)) {
        ptr = alloc_slow(arena, rounded);
    } else {
        ptr = block->bytes + block->used;
        block->used += rounded;
        arena->used += rounded;
    }
    if (ptr != NULL)
        gh_unpoison(ptr, size);
    return ptr;
}

/* Blocks double up to BLOCK_CAP_MAX. A request too large for that gets a block of its own size, put behind
 * the current one so that the room left there is not lost. */
static void *alloc_slow(struct gh_arena *arena, size_t size)
{
    struct block *current = arena->current;
    size_t cap = current == NULL ? arena->first_cap : current->cap * 2;
    if (current != NULL && cap > BLOCK_CAP_MAX)
        cap = BLOCK_CAP_MAX;
    bool alone = current != NULL && size > cap / 2;
    struct block *block = block_new(alone || size > cap ? size : cap);
    if (block == NULL)
        return NULL;
    block->used = size;
    arena->used += size;
    if (current == NULL) {
        arena->first = arena->current = block;
        return block->bytes;
    }
    block->next = current->next;
    current->next = block;
    if (!alone)
        arena->current = block;
    return block->bytes;
}

static struct block *block_new(size_t cap)
{
    cap = (cap + (ALIGN - 1)) & ~(size_t)(ALIGN - 1);
    struct block *block = malloc(sizeof(*block) + cap);
    if (block == NULL)
        return NULL;
    block->next = NULL;
    block->cap = cap;
    block->used = 0;
    gh_poison(block->bytes, cap);
    return block;
}

void *gh_arena_calloc(struct gh_arena *arena, size_t count, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(count, size, &total))
        return NULL;
    void *ptr = gh_arena_alloc(arena, total);
    if (ptr != NULL && total != 0)
        memset(ptr, 0, total);
    return ptr;
}

gh_str gh_arena_dup(struct gh_arena *arena, gh_str s)
{
    if (s.len > SIZE_MAX / 2)
        return (gh_str){ NULL, 0 };
    char *copy = gh_arena_alloc(arena, s.len + 1);
    if (copy == NULL)
        return (gh_str){ NULL, 0 };
    if (s.len != 0)
        memcpy(copy, s.ptr, s.len);
    copy[s.len] = '\0';
    return (gh_str){ copy, s.len };
}

gh_str gh_arena_printf(struct gh_arena *arena, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = len < 0 ? NULL : gh_arena_alloc(arena, (size_t)len + 1);
    if (text != NULL)
        vsnprintf(text, (size_t)len + 1, format, again);
    va_end(again);
    return text != NULL ? (gh_str){ text, (size_t)len } : (gh_str){ NULL, 0 };
}

gh_str gh_arena_join(struct gh_arena *arena, struct gh_strs parts, gh_str separator)
{
    size_t len = parts.count > 1 ? separator.len * (parts.count - 1) : 0;
    for (size_t i = 0; i < parts.count; i++)
        len += parts.at[i].len;
    char *text = gh_arena_alloc(arena, len + 1);
    if (text == NULL)
        return (gh_str){ NULL, 0 };
    char *out = text;
    for (size_t i = 0; i < parts.count; i++) {
        if (i != 0 && separator.len != 0)
            out = mempcpy(out, separator.ptr, separator.len);
        if (parts.at[i].len != 0)
            out = mempcpy(out, parts.at[i].ptr, parts.at[i].len);
    }
    *out = '\0';
    return (gh_str){ text, len };
}

size_t gh_arena_used(const struct gh_arena *arena)
{
    return arena->used;
}

/* ---- pools ---- */

struct gh_arena *gh_arena_pool_take(struct gh_arena_pool *pool, size_t first_block)
{
    return pool->count > 0 ? pool->at[--pool->count] : gh_arena_new(first_block);
}

void gh_arena_pool_give(struct gh_arena_pool *pool, struct gh_arena *arena)
{
    if (pool->count == GH_ARENA_POOL_MAX) {
        gh_arena_free(arena);
        return;
    }
    gh_arena_reset(arena);
    pool->at[pool->count++] = arena;
}

void gh_arena_pool_done(struct gh_arena_pool *pool)
{
    while (pool->count > 0)
        gh_arena_free(pool->at[--pool->count]);
}
