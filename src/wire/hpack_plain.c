/* wire/hpack_plain.c: walks over the fields of a HEADERS frame, and copies it with its long values decoded.
 */
#include "wire/hpack_plain.h"

#include <nghttp2/nghttp2.h>
#include <string.h>

#include "base/blocks.h"
#include "base/str.h"
#include "wire/huffman.h"

#define FRAME_HEADER 9u
#define PAYLOAD_MAX  16384u /* SETTINGS_MAX_FRAME_SIZE: we send none, so it is the initial value */
#define LENGTH_BYTES 3u     /* hold any length up to that: 7 bits in each */

struct walk {
    const unsigned char *at, *end;
    const unsigned char *kept; /* what stands between this and `at` goes out as it is, later */
    char *out;
};

/* ---- reading ---- */

/* RFC 7541 section 5.1; `mask` covers the prefix. False: it does not end, or is longer than is reasonable. */
static bool read_integer(struct walk *walk, unsigned char mask, size_t *ret_value)
{
    if (walk->at == walk->end)
        return false;
    size_t value = *walk->at++ & mask;
    bool more = value == mask;
    for (unsigned shift = 0; more; shift += 7) {
        if (walk->at == walk->end || shift > 14)
            return false;
        unsigned char byte = *walk->at++;
        value += (size_t)(byte & 0x7f) << shift;
        more = (byte & 0x80) != 0;
    }
    *ret_value = value;
    return true;
}

static bool read_string(struct walk *walk, bool *ret_coded, gh_str *ret_string)
{
    bool coded = walk->at != walk->end && (*walk->at & 0x80) != 0;
    size_t len;
    if (!read_integer(walk, 0x7f, &len) || len > (size_t)(walk->end - walk->at))
        return false;
    *ret_coded = coded;
    *ret_string = gh_str_of(walk->at, len);
    walk->at += len;
    return true;
}

/* ---- writing ---- */

static size_t put_length(char *to, size_t len)
{
    if (len < 127) {
        to[0] = (char)len;
        return 1;
    }
    to[0] = 127;
    len -= 127;
    if (len < 128) {
        to[1] = (char)len;
        return 2;
    }
    to[1] = (char)(len % 128 | 128);
    to[2] = (char)(len / 128);
    return LENGTH_BYTES;
}

static void put_kept(struct walk *walk, const unsigned char *until)
{
    size_t len = (size_t)(until - walk->kept);
    memcpy(walk->out, walk->kept, len);
    walk->out += len;
    walk->kept = until;
}

/* The string at `head` is over at walk->at. Its characters go where they stand in nearly all cases, behind
 * three bytes of length: those of more than 254 need no second move. */
static void put_plain(struct walk *walk, const unsigned char *head, gh_str coded)
{
    char *to = walk->out + (head - walk->kept);
    size_t len = gh_huffman_decode(coded, to + LENGTH_BYTES);
    if (len == 0 || len > PAYLOAD_MAX)
        return;
    put_kept(walk, head);
    size_t used = put_length(to, len);
    if (used < LENGTH_BYTES)
        memmove(to + used, to + LENGTH_BYTES, len);
    walk->out = to + used + len;
    walk->kept = walk->at;
}

/* ---- fields ---- */

/* RFC 7541 sections 6.1 to 6.3: what the first bits of a representation say, and where its number stands. */
static bool read_field(struct walk *walk)
{
    unsigned char first = *walk->at;
    size_t number;
    if ((first & 0x80) != 0) /* an indexed field */
        return read_integer(walk, 0x7f, &number);
    if ((first & 0xe0) == 0x20) /* the size of the dynamic table */
        return read_integer(walk, 0x1f, &number);
    bool coded;
    gh_str string;
    if (!read_integer(walk, (first & 0x40) != 0 ? 0x3f : 0x0f, &number))
        return false;
    if (number == 0 && !read_string(walk, &coded, &string)) /* a name of its own */
        return false;
    const unsigned char *head = walk->at;
    if (!read_string(walk, &coded, &string))
        return false;
    if (coded && string.len >= GH_HPACK_PLAIN_MIN)
        put_plain(walk, head, string);
    return true;
}

/* Room: what is copied stays as long; n coded bytes become 8n/5 at most. A length may take one byte more than
 * before, which the byte that each field begins with outweighs, and up to two more while a value is moved. */
size_t gh_hpack_plain_block(gh_str block, char *out)
{
    const unsigned char *start = (const unsigned char *)block.ptr;
    struct walk walk = { .at = start, .end = start + block.len, .kept = start, .out = out };
    if (block.len <= GH_HPACK_PLAIN_MIN)
        return 0;
    while (walk.at != walk.end)
        if (!read_field(&walk))
            return 0;
    if (walk.kept == start)
        return 0;
    put_kept(&walk, walk.end);
    return (size_t)(walk.out - out);
}

/* ---- frames ---- */

struct head_frame {
    gh_str before, block, padding;
};

/* RFC 9113 section 6.2: a length of padding and a priority may stand before the block, padding behind it. */
static bool read_frame(gh_str frame, struct head_frame *ret_head)
{
    const unsigned char *header = (const unsigned char *)frame.ptr;
    if (frame.len <= FRAME_HEADER || header[3] != NGHTTP2_HEADERS ||
        (header[4] & NGHTTP2_FLAG_END_HEADERS) == 0)
        return false;
    bool padded = (header[4] & NGHTTP2_FLAG_PADDED) != 0;
    size_t before = FRAME_HEADER + (padded ? 1u : 0u) + ((header[4] & NGHTTP2_FLAG_PRIORITY) != 0 ? 5u : 0u);
    size_t padding = padded ? header[FRAME_HEADER] : 0;
    if (frame.len > FRAME_HEADER + PAYLOAD_MAX || before + padding > frame.len)
        return false;
    size_t len = frame.len - before - padding;
    ret_head->before = gh_str_take(frame, before);
    ret_head->block = gh_str_take(gh_str_skip(frame, before), len);
    ret_head->padding = gh_str_skip(frame, before + len);
    return true;
}

static size_t put_frame(const struct head_frame *head, char *out)
{
    char *block = out + head->before.len;
    size_t len = gh_hpack_plain_block(head->block, block);
    size_t payload = head->before.len - FRAME_HEADER + len + head->padding.len;
    if (len == 0 || payload > PAYLOAD_MAX)
        return 0;
    memcpy(out, head->before.ptr, head->before.len);
    out[0] = 0;
    out[1] = (char)(payload >> 8);
    out[2] = (char)payload;
    if (head->padding.len != 0)
        memcpy(block + len, head->padding.ptr, head->padding.len);
    return FRAME_HEADER + payload;
}

gh_str gh_hpack_plain_frame(gh_str frame, size_t *ret_cap)
{
    struct head_frame head;
    size_t cap;
    if (!read_frame(frame, &head) || head.block.len <= GH_HPACK_PLAIN_MIN)
        return GH_STR_NONE;
    size_t room = head.before.len + GH_HPACK_PLAIN_ROOM(head.block.len) + head.padding.len;
    char *out = gh_block_take(room, &cap);
    size_t len = out != NULL ? put_frame(&head, out) : 0;
    if (len != 0) {
        *ret_cap = cap;
        return gh_str_of(out, len);
    }
    if (out != NULL)
        gh_block_give(out, cap);
    return GH_STR_NONE;
}
