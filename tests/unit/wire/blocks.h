/* wire/blocks.h: header blocks for sessions under test, as literals without indexing (RFC 7541
 * section 6.2.2). */
#ifndef GH_TEST_BLOCKS_H
#define GH_TEST_BLOCKS_H

#include "frames.h"

struct block {
    char bytes[64 * 1024];
    size_t len;
};

static inline void block_text(struct block *block, const char *text, size_t len)
{
    size_t rest = len;
    if (len < 127) {
        block->bytes[block->len++] = (char)len;
    } else {
        block->bytes[block->len++] = 127;
        for (rest -= 127; rest >= 128; rest >>= 7)
            block->bytes[block->len++] = (char)((rest & 127) | 128);
        block->bytes[block->len++] = (char)rest;
    }
    memcpy(block->bytes + block->len, text, len);
    block->len += len;
}

static inline void block_field(struct block *block, const char *name, const char *value)
{
    block->bytes[block->len++] = 0;
    block_text(block, name, strlen(name));
    block_text(block, value, strlen(value));
}

/* A value of n times x. */
static inline void block_long(struct block *block, const char *name, size_t n)
{
    static char value[64 * 1024];
    memset(value, 'x', n);
    block->bytes[block->len++] = 0;
    block_text(block, name, strlen(name));
    block_text(block, value, n);
}

static inline void block_begin(struct block *block)
{
    block->len = 0;
    block_field(block, ":method", "POST");
    block_field(block, ":scheme", "https");
    block_field(block, ":authority", "a.example");
    block_field(block, ":path", "/mcp");
}

static inline gh_str block_all(const struct block *block)
{
    return gh_str_of(block->bytes, block->len);
}

static inline void put_request(struct session *s, uint32_t stream, bool end)
{
    static struct block block;
    block_begin(&block);
    put_frame(s, HEADERS, END_HEADERS | (end ? END_STREAM : 0), stream, block_all(&block));
}

#endif
