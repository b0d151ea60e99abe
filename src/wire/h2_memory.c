/* wire/h2_memory.c: memory for nghttp2: small pieces that come and go with every stream, from the thread's
 * kept blocks. */
#include <string.h>

#include "base/blocks.h"
#include "wire/h2_session.h"

/* Stands before each piece; 16 bytes, so that what follows is aligned for anything. */
struct head {
    size_t cap; /* of the block, this head included */
    size_t unused;
};

static void *take(size_t size, void *user)
{
    size_t cap;
    struct head *head = size < SIZE_MAX / 4 ? gh_block_take(sizeof(*head) + size, &cap) : NULL;
    if (head == NULL)
        return NULL;
    head->cap = cap;
    return head + 1;
}

static void give(void *piece, void *user)
{
    if (piece == NULL)
        return;
    struct head *head = (struct head *)piece - 1;
    gh_block_give(head, head->cap);
}

static void *take_zeroed(size_t count, size_t size, void *user)
{
    if (size != 0 && count > SIZE_MAX / 4 / size)
        return NULL;
    void *piece = take(count * size, user);
    if (piece != NULL)
        memset(piece, 0, count * size);
    return piece;
}

static void *retake(void *piece, size_t size, void *user)
{
    if (piece == NULL)
        return take(size, user);
    const struct head *head = (const struct head *)piece - 1;
    size_t room = head->cap - sizeof(*head);
    if (size <= room)
        return piece;
    void *larger = take(size, user);
    if (larger == NULL)
        return NULL;
    memcpy(larger, piece, room);
    give(piece, user);
    return larger;
}

nghttp2_mem gh_h2_memory = { .malloc = take, .free = give, .calloc = take_zeroed, .realloc = retake };
