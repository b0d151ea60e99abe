/* wire/hpack_plain.h: long Huffman-coded values of a header block become plain ones, before nghttp2 reads it.
 *
 * Why: a bearer token is too long for the dynamic table, so it comes coded with each request, and nghttp2's
 * decoding of it was the largest single cost of a request on the way through this process. What is rewritten
 * is the representation alone (RFC 7541 section 5.2: the bit H and the length). Names, indexes, the order of
 * fields and the dynamic table, which counts decoded lengths, are the same.
 *
 * nghttp2 remains the only judge. Whatever is unusual stays byte for byte as it came: a frame that is not
 * whole in what was read or goes on in CONTINUATION, a number or a string that does not end where it should,
 * a value with rare characters or wrong padding, a frame that would grow over what SETTINGS_MAX_FRAME_SIZE
 * allows, all of it when memory is out.
 *
 * What a fault here could do: a value would be another than the one its sender said. The sender could have
 * said that one itself, and all checks come after. So what is to be feared is memory and inequality, and both
 * are fuzzed (tests/fuzz/fuzz_hpack_plain.c). */
#ifndef GH_WIRE_HPACK_PLAIN_H
#define GH_WIRE_HPACK_PLAIN_H

#include "gatehouse/types.h"

/* Shorter ones, in coded bytes, are left to nghttp2. */
#define GH_HPACK_PLAIN_MIN 64u
/* What a block of n bytes can grow to. */
#define GH_HPACK_PLAIN_ROOM(n) ((n)*8 / 5 + 4)

/* Bytes written to `out`, which has GH_HPACK_PLAIN_ROOM(block.len); 0: the block stays as it is. */
GH_MUST_USE size_t gh_hpack_plain_block(gh_str block, char *out);

/* `frame`: one whole frame, beginning with its header of nine bytes, of any type. Returns what is to be read
 * instead, in a block of *ret_cap bytes for gh_block_give; GH_STR_NONE: the frame stays as it is. */
GH_MUST_USE gh_str gh_hpack_plain_frame(gh_str frame, size_t *ret_cap);

#endif
