/* base/blocks.c: a few free blocks per size and thread; none at all where a sanitizer must see each use of
 * freed memory. */
#include "base/blocks.h"

#include <stdlib.h>

#include "base/arena.h"

#define SIZE_MIN 1024u
#define CLASSES  7u /* 1 KiB to 64 KiB */

#define KEPT_PER_CLASS GH_BLOCKS_KEPT(32u)

/* A free block holds the next one's address. */
struct free_block {
    struct free_block *next;
};

static _Thread_local struct {
    struct free_block *first;
    unsigned count;
} kept[CLASSES];

/* CLASSES for sizes that are not kept. */
static unsigned class_of(size_t size, size_t *ret_cap)
{
    size_t cap = SIZE_MIN;
    unsigned index = 0;
    for (; cap < size && index < CLASSES; index++)
        cap *= 2;
    while (cap < size)
        cap *= 2;
    *ret_cap = cap;
    return index;
}

char *gh_block_take(size_t size, size_t *ret_cap)
{
    size_t cap;
    unsigned index = class_of(size, &cap);
    struct free_block *block = index < CLASSES ? kept[index].first : NULL;
    if (block != NULL) {
        if (gh_alloc_fails())
            return NULL;
        kept[index].first = block->next;
        kept[index].count--;
    } else {
        block = gh_malloc(cap);
    }
    if (block != NULL)
        *ret_cap = cap;
    return (char *)block;
}

void gh_block_give(char *block, size_t cap)
{
    size_t same;
    unsigned index = class_of(cap, &same);
    if (block == NULL || index >= CLASSES || kept[index].count >= KEPT_PER_CLASS) {
        free(block);
        return;
    }
    struct free_block *free_block = (struct free_block *)(void *)block;
    free_block->next = kept[index].first;
    kept[index].first = free_block;
    kept[index].count++;
}

void gh_blocks_done(void)
{
    for (unsigned i = 0; i < CLASSES; i++) {
        while (kept[i].first != NULL) {
            struct free_block *next = kept[i].first->next;
            free(kept[i].first);
            kept[i].first = next;
        }
        kept[i].count = 0;
    }
}
