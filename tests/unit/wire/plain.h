/* wire/plain.h: header blocks with coded values, and what becomes of them: compared by nghttp2. */
#ifndef GH_TEST_PLAIN_H
#define GH_TEST_PLAIN_H

#include <nghttp2/nghttp2.h>
#include <stdlib.h>

#include "base/blocks.h"
#include "base/buf.h"
#include "huffman_code.h"
#include "wire/hpack_plain.h"

/* ---- making ---- */

struct coded_block {
    char bytes[32 * 1024];
    size_t len;
};

static inline void coded_bytes(struct coded_block *block, const char *bytes, size_t len)
{
    assert_true(block->len + len <= sizeof(block->bytes));
    memcpy(block->bytes + block->len, bytes, len);
    block->len += len;
}

static inline void coded_length(struct coded_block *block, unsigned high, size_t len)
{
    char bytes[6] = { (char)(high | (len < 127 ? len : 127)) };
    size_t used = 1;
    if (len >= 127) {
        for (len -= 127; len >= 128; len /= 128)
            bytes[used++] = (char)(len % 128 | 128);
        bytes[used++] = (char)len;
    }
    coded_bytes(block, bytes, used);
}

/* A string, coded. */
static inline void coded_text(struct coded_block *block, gh_str text)
{
    static char coded[64 * 1024];
    size_t len = huffman_put(coded, text);
    coded_length(block, 0x80, len);
    coded_bytes(block, coded, len);
}

static inline gh_str coded_repeat(const char *pattern, size_t len)
{
    static char text[32 * 1024];
    assert_true(len <= sizeof(text));
    for (size_t i = 0; i < len; i++)
        text[i] = pattern[i % strlen(pattern)];
    return gh_str_of(text, len);
}

/* authorization (23 in the static table), not indexed (RFC 7541 section 6.2.2). */
static inline void coded_auth(struct coded_block *block, gh_str value)
{
    coded_bytes(block, "\x0f\x08", 2);
    coded_text(block, value);
}

static inline gh_str coded_all(const struct coded_block *block)
{
    return gh_str_of(block->bytes, block->len);
}

/* ---- comparing ---- */

/* The fields of a block, a line each, then nghttp2's verdict. */
static inline void tell_fields(nghttp2_hd_inflater *inflater, gh_str block, struct gh_buf *ret_text)
{
    const uint8_t *at = (const uint8_t *)block.ptr;
    size_t left = block.len;
    ssize_t used = 0;
    for (int flags = 0; (flags & NGHTTP2_HD_INFLATE_FINAL) == 0; at += used, left -= (size_t)used) {
        nghttp2_nv field;
        used = nghttp2_hd_inflate_hd2(inflater, &field, &flags, at, left, 1);
        if (used < 0)
            break;
        if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0)
            assert_true(gh_buf_printf(ret_text, "%s: %s\n", (char *)field.name, (char *)field.value));
    }
    assert_int_equal(nghttp2_hd_inflate_end_headers(inflater), 0);
    assert_true(gh_buf_printf(ret_text, "%d\n", used < 0 ? (int)used : 0));
}

static inline void assert_same_fields(gh_str block, gh_str plain)
{
    struct gh_buf text[2] = { 0 };
    for (int i = 0; i < 2; i++) {
        nghttp2_hd_inflater *inflater;
        assert_int_equal(nghttp2_hd_inflate_new(&inflater), 0);
        tell_fields(inflater, i == 0 ? block : plain, &text[i]);
        nghttp2_hd_inflate_del(inflater);
    }
    assert_true(gh_str_eq(gh_buf_peek(&text[0]), gh_buf_peek(&text[1])));
    gh_buf_done(&text[0]);
    gh_buf_done(&text[1]);
}

/* Rewrites, both sides in blocks of their size: 0, or the length of what nghttp2 reads the same fields in. */
static inline size_t rewrite(gh_str block, char *ret_plain)
{
    char *in = malloc(block.len + 1), *out = malloc(GH_HPACK_PLAIN_ROOM(block.len));
    assert_true(in != NULL && out != NULL);
    memcpy(in + 1, block.ptr, block.len);
    size_t len = gh_hpack_plain_block(gh_str_of(in + 1, block.len), out);
    memcpy(ret_plain, out, len);
    free(out);
    free(in);
    if (len != 0)
        assert_same_fields(block, gh_str_of(ret_plain, len));
    return len;
}

#endif
