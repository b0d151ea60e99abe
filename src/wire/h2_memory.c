/* wire/h2_memory.c: memory for nghttp2: small pieces come and go with every stream, so they are kept by size
 * and thread. */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/blocks.h"
#include "wire/h2_session.h"

/* Pieces are rounded up to 64 bytes; up to 4 KiB they are kept: the largest is what HPACK makes of a bearer
 * token. */
#define STEP          64u
#define CLASSES       64u
#define KEPT_MAX      GH_BLOCKS_KEPT(64u)
#define KEPT_SIZE_MAX (STEP * CLASSES)

/* Stands before each piece; 16 bytes, so that what follows is aligned for anything. */
struct head {
    size_t size; /* rounded, without this head */
    struct head *next;
};

static _Thread_local struct {
    struct head *first;
    unsigned count;
} kept[CLASSES + 1];

static size_t rounded(size_t size)
{
    return size == 0 ? STEP : (size + STEP - 1) & ~(size_t)(STEP - 1);
}

static void *take(size_t size, void *user)
{
    if (size > SIZE_MAX / 2)
        return NULL;
    size_t whole = rounded(size);
    struct head *head = NULL;
    if (whole <= KEPT_SIZE_MAX && kept[whole / STEP].first != NULL) {
        head = kept[whole / STEP].first;
        kept[whole / STEP].first = head->next;
        kept[whole / STEP].count--;
        return head + 1;
    }
    head = gh_malloc(sizeof(*head) + whole);
    if (head == NULL)
        return NULL;
    head->size = whole;
    return head + 1;
}

static void give(void *piece, void *user)
{
    if (piece == NULL)
        return;
    struct head *head = (struct head *)piece - 1;
    if (head->size > KEPT_SIZE_MAX || kept[head->size / STEP].count >= KEPT_MAX) {
        free(head);
        return;
    }
    head->next = kept[head->size / STEP].first;
    kept[head->size / STEP].first = head;
    kept[head->size / STEP].count++;
}

static void *take_zeroed(size_t count, size_t size, void *user)
{
    if (size != 0 && count > SIZE_MAX / 2 / size)
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
    if (size <= head->size)
        return piece;
    void *larger = take(size, user);
    if (larger == NULL)
        return NULL;
    memcpy(larger, piece, head->size);
    give(piece, user);
    return larger;
}

nghttp2_mem gh_h2_memory = { .malloc = take, .free = give, .calloc = take_zeroed, .realloc = retake };

void gh_h2_memory_done(void)
{
    for (size_t i = 0; i <= CLASSES; i++) {
        while (kept[i].first != NULL) {
            struct head *next = kept[i].first->next;
            free(kept[i].first);
            kept[i].first = next;
        }
        kept[i].count = 0;
    }
}
