/* base/blocks.c: free blocks by size and thread, last in first out: the next request gets memory that is
 * still near the processor. */
#include "base/blocks.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

/* How much is kept: nothing where a sanitizer must see each use of freed memory. */
#define KEPT_COUNT 512u               /* of one size */
#define KEPT_BYTES (4u * 1024 * 1024) /* of a thread: what some hundred requests at once hold */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#undef KEPT_BYTES
#define KEPT_BYTES 0u
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#undef KEPT_BYTES
#define KEPT_BYTES 0u
#endif

/* Up to 4 KiB in steps of a cache line: the largest is what HPACK makes of a bearer token. Above, powers of
 * two. */
#define STEP        64u
#define STEPS       64u
#define STEPPED_MAX (STEP * STEPS)
#define CLASSES     (STEPS + 4u) /* the last: 64 KiB */

/* A free block holds the next one's address. */
struct free_block {
    struct free_block *next;
};

static _Thread_local struct {
    size_t bytes;
    struct {
        struct free_block *first;
        size_t count;
    } of[CLASSES];
} kept;

/* CLASSES for sizes that are not kept. */
static inline size_t class_of(size_t size, size_t *ret_cap)
{
    if (size <= STEPPED_MAX) {
        size_t steps = size != 0 ? (size + STEP - 1) / STEP : 1;
        *ret_cap = steps * STEP;
        return steps - 1;
    }
    size_t cap = 2 * STEPPED_MAX, index = STEPS;
    for (; cap < size; cap *= 2)
        index += index < CLASSES;
    *ret_cap = cap;
    return index;
}

void *gh_block_take(size_t size, size_t *ret_cap)
{
    size_t cap;
    if (size > SIZE_MAX / 4)
        return NULL;
    size_t index = class_of(size, &cap);
    struct free_block *block = index < CLASSES ? kept.of[index].first : NULL;
    if (block != NULL) {
        if (gh_alloc_fails())
            return NULL;
        kept.of[index].first = block->next;
        kept.of[index].count--;
        kept.bytes -= cap;
    } else {
        block = gh_malloc(cap);
    }
    if (block != NULL)
        *ret_cap = cap;
    return block;
}

void *gh_block_take_zeroed(size_t size)
{
    size_t cap;
    void *block = gh_block_take(size, &cap);
    if (block != NULL)
        memset(block, 0, size);
    return block;
}

void gh_block_give(void *block, size_t cap)
{
    if (block == NULL)
        return;
    size_t whole, index = class_of(cap, &whole);
    if (index >= CLASSES || kept.of[index].count >= KEPT_COUNT || kept.bytes + whole > KEPT_BYTES) {
        free(block);
        return;
    }
    struct free_block *free_block = block;
    free_block->next = kept.of[index].first;
    kept.of[index].first = free_block;
    kept.of[index].count++;
    kept.bytes += whole;
}

void gh_blocks_done(void)
{
    for (size_t i = 0; i < CLASSES; i++) {
        while (kept.of[i].first != NULL) {
            struct free_block *next = kept.of[i].first->next;
            free(kept.of[i].first);
            kept.of[i].first = next;
        }
        kept.of[i].count = 0;
    }
    kept.bytes = 0;
}
