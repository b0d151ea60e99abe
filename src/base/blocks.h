/* base/blocks.h: memory that comes and goes with every request, kept by size and thread for the next who
 * asks. */
#ifndef GH_BASE_BLOCKS_H
#define GH_BASE_BLOCKS_H

#include "gatehouse/types.h"

/* At least `size` bytes, aligned for anything; *ret_cap is what it really is. NULL when out of memory. */
void *gh_block_take(size_t size, size_t *ret_cap) GH_MUST_USE;
/* `cap` as take said it, or the size that was asked for. NULL is allowed. Where a sanitizer must see each use
 * of freed memory, nothing is kept. */
void gh_block_give(void *block, size_t cap);
/* A cleared block of a struct's size; gh_block_give(ptr, sizeof(*ptr)). NULL when out of memory. */
void *gh_block_take_zeroed(size_t size) GH_MUST_USE;
/* Gives back what this thread keeps; before it ends. */
void gh_blocks_done(void);

#endif
