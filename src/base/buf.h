/* base/buf.h: a growing byte queue: written at its end, read and consumed at its front. */
#ifndef GH_BASE_BUF_H
#define GH_BASE_BUF_H

#include "gatehouse/types.h"

/*   base          start            end           cap
 *    |  consumed    |    readable    |    free     |
 * Memory is taken on the first write and given back by gh_buf_done, or by gh_buf_trim when empty. */
struct gh_buf {
    char *base;
    size_t start, end, cap;
};

void gh_buf_done(struct gh_buf *buf);
static inline size_t gh_buf_len(const struct gh_buf *buf)
{
    return buf->end - buf->start;
}
/* Lends the readable bytes until the next call that changes the queue. */
static inline gh_str gh_buf_peek(const struct gh_buf *buf)
{
    return (gh_str){ .ptr = buf->base != NULL ? buf->base + buf->start : NULL, .len = buf->end - buf->start };
}
/* All false when out of memory, and the queue is as before. */
bool gh_buf_add(struct gh_buf *buf, gh_str bytes) GH_MUST_USE;
bool gh_buf_printf(struct gh_buf *buf, const char *format, ...) GH_PRINTF(2, 3) GH_MUST_USE;
/* Room for at least n bytes at the end; NULL when out of memory. What was written is made readable by commit.
 */
char *gh_buf_reserve(struct gh_buf *buf, size_t n) GH_MUST_USE;
void gh_buf_commit(struct gh_buf *buf, size_t n);
void gh_buf_consume(struct gh_buf *buf, size_t n);
/* Gives the memory back if nothing is readable: idle connections hold none. */
void gh_buf_trim(struct gh_buf *buf);

#endif
