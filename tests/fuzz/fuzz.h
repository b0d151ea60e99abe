/* fuzz/fuzz.h: what every fuzz target shares: its entry, and the word for what must hold of any input. */
#ifndef GH_FUZZ_FUZZ_H
#define GH_FUZZ_FUZZ_H

#include <stdio.h>

#include "base/arena.h"
#include "base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A claim that is false is a finding, named on standard error. */
#define GH_HOLDS(claim) ((claim) ? (void)0 : gh_fuzz_found(__FILE__, __LINE__, #claim))

static inline _Noreturn void gh_fuzz_found(const char *file, int line, const char *claim)
{
    (void)fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, claim);
    __builtin_trap();
}

/* Neither control bytes, nor space, nor 8-bit bytes: can end no line and part no words. */
static inline bool gh_fuzz_is_visible(gh_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] <= 0x20 || text.ptr[i] >= 0x7f)
            return false;
    return true;
}

#endif
