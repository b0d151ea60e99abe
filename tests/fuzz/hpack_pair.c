/* fuzz/hpack_pair.c: what two decoders make of one block, written down and compared. */
#include "fuzz/hpack_pair.h"

#include <nghttp2/nghttp2.h>
#include <stdlib.h>

#include "base/blocks.h"
#include "base/buf.h"
#include "wire/hpack_plain.h"

#define HEADER 9

struct gh_fuzz_hpack_pair {
    nghttp2_hd_inflater *came, *rewritten;
};

struct gh_fuzz_hpack_pair *gh_fuzz_hpack_pair_new(void)
{
    struct gh_fuzz_hpack_pair *pair = calloc(1, sizeof(*pair));
    GH_HOLDS(pair != NULL && nghttp2_hd_inflate_new(&pair->came) == 0 &&
             nghttp2_hd_inflate_new(&pair->rewritten) == 0);
    return pair;
}

void gh_fuzz_hpack_pair_free(struct gh_fuzz_hpack_pair *pair)
{
    nghttp2_hd_inflate_del(pair->came);
    nghttp2_hd_inflate_del(pair->rewritten);
    free(pair);
}

/* 0, or nghttp2's error. */
static ssize_t inflate(nghttp2_hd_inflater *inflater, gh_str block, struct gh_buf *ret_fields)
{
    const uint8_t *at = (const uint8_t *)block.ptr;
    size_t left = block.len;
    for (int flags = 0; (flags & NGHTTP2_HD_INFLATE_FINAL) == 0;) {
        nghttp2_nv field;
        ssize_t used = nghttp2_hd_inflate_hd2(inflater, &field, &flags, at, left, 1);
        if (used < 0)
            return used;
        at += used;
        left -= (size_t)used;
        if ((flags & NGHTTP2_HD_INFLATE_EMIT) == 0)
            continue;
        GH_HOLDS(gh_buf_printf(ret_fields, "\n%d %zu %zu ", field.flags, field.namelen, field.valuelen));
        GH_HOLDS(gh_buf_add(ret_fields, gh_str_of(field.name, field.namelen)) &&
                 gh_buf_add(ret_fields, gh_str_of(field.value, field.valuelen)));
    }
    GH_HOLDS(nghttp2_hd_inflate_end_headers(inflater) == 0);
    return 0;
}

static bool same(struct gh_fuzz_hpack_pair *pair, gh_str came, gh_str rewritten)
{
    struct gh_buf fields = { 0 }, fields_again = { 0 };
    ssize_t verdict = inflate(pair->came, came, &fields);
    ssize_t verdict_again = inflate(pair->rewritten, rewritten, &fields_again);
    GH_HOLDS(verdict == verdict_again);
    GH_HOLDS(gh_str_eq(gh_buf_peek(&fields), gh_buf_peek(&fields_again)));
    GH_HOLDS(nghttp2_hd_inflate_get_dynamic_table_size(pair->came) ==
             nghttp2_hd_inflate_get_dynamic_table_size(pair->rewritten));
    gh_buf_done(&fields);
    gh_buf_done(&fields_again);
    return verdict == 0;
}

/* `before` and `padding`: so many bytes of the payload are not of the block. */
static void check_frame(gh_str frame, size_t before, size_t padding, gh_str block)
{
    size_t cap;
    gh_str plain = gh_hpack_plain_frame(frame, &cap);
    if (plain.len == 0)
        return;
    const unsigned char *at = (const unsigned char *)plain.ptr;
    size_t payload = (size_t)at[0] << 16 | (size_t)at[1] << 8 | at[2], behind = plain.len - padding;
    GH_HOLDS(payload <= 16384 && plain.len == HEADER + payload && payload == before + block.len + padding);
    GH_HOLDS(memcmp(plain.ptr + 3, frame.ptr + 3, HEADER - 3 + before) == 0);
    GH_HOLDS(memcmp(plain.ptr + HEADER + before, block.ptr, block.len) == 0);
    GH_HOLDS(memcmp(plain.ptr + behind, frame.ptr + frame.len - padding, padding) == 0);
    gh_block_give((char *)(uintptr_t)plain.ptr, cap);
}

/* All lies in blocks of its size, so that nothing is overread or overrun. */
bool gh_fuzz_hpack_pair_read(struct gh_fuzz_hpack_pair *pair, unsigned char flags, gh_str payload)
{
    const unsigned char header[HEADER] = {
        0, (unsigned char)(payload.len >> 8), (unsigned char)payload.len, NGHTTP2_HEADERS, flags, [8] = 1
    };
    bool padded = (flags & NGHTTP2_FLAG_PADDED) != 0 && payload.len != 0;
    size_t before = (padded ? 1u : 0u) + ((flags & NGHTTP2_FLAG_PRIORITY) != 0 ? 5u : 0u);
    size_t padding = padded ? (unsigned char)payload.ptr[0] : 0;
    bool fits = before + padding <= payload.len;
    if (!fits) /* nghttp2 refuses such a frame: all of it is taken for a block */
        before = padding = 0;
    char *frame = malloc(HEADER + payload.len);
    memcpy(frame, header, HEADER);
    if (payload.len != 0)
        memcpy(frame + HEADER, payload.ptr, payload.len);
    gh_str block = gh_str_of(frame + HEADER + before, payload.len - before - padding);
    char *out = malloc(GH_HPACK_PLAIN_ROOM(block.len));
    gh_str plain = gh_str_of(out, gh_hpack_plain_block(block, out));
    check_frame(gh_str_of(frame, HEADER + payload.len), before, padding, fits ? plain : GH_STR_NONE);
    bool good = same(pair, block, plain.len != 0 ? plain : block);
    free(out);
    free(frame);
    return good;
}
