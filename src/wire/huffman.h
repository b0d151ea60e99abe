/* wire/huffman.h: decodes HPACK's Huffman code (RFC 7541 appendix B) where it holds common characters only.
 *
 * Its 74 codes of five to eight bits are those of letters, digits and what else tokens are made of. nghttp2
 * knows all of them, and takes four bits a step; two characters a step go three to four times as fast. */
#ifndef GH_WIRE_HUFFMAN_H
#define GH_WIRE_HUFFMAN_H

#include "gatehouse/types.h"

/* So many characters n coded bytes hold at most: no code has less than five bits. */
#define GH_HUFFMAN_ROOM(n) ((n)*8 / 5)

/* Characters written to `out`, which has GH_HUFFMAN_ROOM(coded.len) bytes. 0: there are none, one has a
 * longer code, or the padding is wrong; then what `out` holds means nothing. */
GH_MUST_USE size_t gh_huffman_decode(gh_str coded, char *out);

#endif
