/* base/blocks.h: memory in sizes of powers of two, kept per thread for the next who asks: queues come and go
 * with every turn. */
#ifndef GH_BASE_BLOCKS_H
#define GH_BASE_BLOCKS_H

#include "gatehouse/types.h"

/* How many free blocks to keep: none where a sanitizer must see each use of freed memory. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define GH_BLOCKS_KEPT(n) (0u * (n))
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define GH_BLOCKS_KEPT(n) (0u * (n))
#endif
#ifndef GH_BLOCKS_KEPT
#define GH_BLOCKS_KEPT(n) (n)
#endif

/* At least `size` bytes; *ret_cap is what it really is. NULL when out of memory. */
char *gh_block_take(size_t size, size_t *ret_cap) GH_MUST_USE;
/* `cap` as take said it. NULL is allowed. */
void gh_block_give(char *block, size_t cap);
/* Gives back what this thread keeps; before it ends. */
void gh_blocks_done(void);

#endif
