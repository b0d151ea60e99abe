/* fuzz/hpack_pair.h: two HPACK decoders of nghttp2 in step: one reads header blocks as they came, one as they
 * were rewritten. */
#ifndef GH_FUZZ_HPACK_PAIR_H
#define GH_FUZZ_HPACK_PAIR_H

#include "fuzz/fuzz.h"

struct gh_fuzz_hpack_pair;

struct gh_fuzz_hpack_pair *gh_fuzz_hpack_pair_new(void);
void gh_fuzz_hpack_pair_free(struct gh_fuzz_hpack_pair *pair);
/* The payload of a HEADERS frame with these flags: what is rewritten must be that frame but for its block,
 * and the block the same to nghttp2, in its fields and in its verdict. False: that was an error, and the pair
 * is to be left. */
bool gh_fuzz_hpack_pair_read(struct gh_fuzz_hpack_pair *pair, unsigned char flags, gh_str payload);

#endif
