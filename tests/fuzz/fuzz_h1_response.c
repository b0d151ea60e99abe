/* fuzz/fuzz_h1_response.c: a response's bytes give the same events whole and cut in two anywhere. */
#include "fuzz_h1.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    gh_str bytes = gh_str_of(data + 1, size - 1);
    size_t cut = data[0] >> 1 < (int)bytes.len ? data[0] >> 1 : bytes.len;
    fuzz_h1_compare(GH_H1_RESPONSE, (data[0] & 1) != 0 ? GH_METHOD_HEAD : GH_METHOD_GET, bytes, cut);
    return 0;
}
