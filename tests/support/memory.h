/* support/memory.h: out-of-memory sweeps that reach into OpenSSL. */
#ifndef GH_TEST_MEMORY_H
#define GH_TEST_MEMORY_H

#include <stdbool.h>

/* From now on OpenSSL's allocations obey gh_alloc_fail_at too. False when it has allocated already. */
bool gh_crypto_fails_too(void);

#endif
