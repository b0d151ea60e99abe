/* fuzz/fuzz_trace.c: a traceparent as a client sends it: its trace id, or nothing. */
/* covers: src/observe/trace.c */
#include "fuzz/fuzz.h"
#include "observe/trace.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gh_str id = gh_trace_id(gh_str_of(data, size));
    bool zero = true;
    GH_HOLDS(id.len == 0 || (id.len == 32 && id.ptr == (const char *)data + 3));
    for (size_t i = 0; i < id.len; i++) {
        GH_HOLDS((id.ptr[i] >= '0' && id.ptr[i] <= '9') || (id.ptr[i] >= 'a' && id.ptr[i] <= 'f'));
        zero = zero && id.ptr[i] == '0';
    }
    GH_HOLDS(id.len == 0 || !zero);
    return 0;
}
