/* fuzz/fuzz_hpack_plain.c: HEADERS frames in a row, as they came and with long values in plain: the same to
 * nghttp2. Each is flags, two bytes of length, and a payload. */
/* covers: src/wire/hpack_plain.c src/wire/huffman.c */
#include "fuzz/hpack_pair.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gh_fuzz_hpack_pair *pair = gh_fuzz_hpack_pair_new();
    gh_str rest = gh_str_of(data, size);
    bool good = true;
    while (good && rest.len >= 3) {
        const unsigned char *at = (const unsigned char *)rest.ptr;
        gh_str payload = gh_str_take(gh_str_skip(rest, 3), (size_t)at[1] << 8 | at[2]);
        good = gh_fuzz_hpack_pair_read(pair, at[0], payload);
        rest = gh_str_skip(rest, 3 + payload.len);
    }
    gh_fuzz_hpack_pair_free(pair);
    return 0;
}
