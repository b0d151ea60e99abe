/* base/buf.c: the byte queue. */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/blocks.h"

#define CAP_MIN 1024u

void gh_buf_done(struct gh_buf *buf)
{
    gh_block_give(buf->base, buf->cap);
    *buf = (struct gh_buf){ 0 };
}

bool gh_buf_add(struct gh_buf *buf, gh_str bytes)
{
    if (bytes.len == 0)
        return true;
    char *to = gh_buf_reserve(buf, bytes.len);
    if (to == NULL)
        return false;
    memcpy(to, bytes.ptr, bytes.len);
    buf->end += bytes.len;
    return true;
}

bool gh_buf_printf(struct gh_buf *buf, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *to = len < 0 ? NULL : gh_buf_reserve(buf, (size_t)len + 1);
    if (to != NULL) {
        vsnprintf(to, (size_t)len + 1, format, again);
        buf->end += (size_t)len;
    }
    va_end(again);
    return to != NULL;
}

char *gh_buf_reserve(struct gh_buf *buf, size_t n)
{
    if (buf->base != NULL && buf->cap - buf->end >= n)
        return buf->base + buf->end;
    size_t len = gh_buf_len(buf);
    if (n > SIZE_MAX / 4 || len > SIZE_MAX / 4)
        return NULL;
    /* Moving down pays only when it frees at least as much as it moves: else a full queue moves every time.
     */
    if (buf->base != NULL && buf->cap - len >= n && buf->start >= len) {
        memmove(buf->base, buf->base + buf->start, len);
        buf->start = 0;
        buf->end = len;
        return buf->base + len;
    }
    size_t cap = CAP_MIN;
    while (cap < len + n)
        cap *= 2;
    char *base = gh_block_take(cap, &cap);
    if (base == NULL)
        return NULL;
    if (len != 0)
        memcpy(base, buf->base + buf->start, len);
    gh_block_give(buf->base, buf->cap);
    *buf = (struct gh_buf){ .base = base, .end = len, .cap = cap };
    return base + len;
}

void gh_buf_commit(struct gh_buf *buf, size_t n)
{
    buf->end += n;
}

void gh_buf_consume(struct gh_buf *buf, size_t n)
{
    buf->start += n;
    if (buf->start == buf->end)
        buf->start = buf->end = 0;
}

void gh_buf_trim(struct gh_buf *buf)
{
    if (gh_buf_len(buf) == 0)
        gh_buf_done(buf);
}
