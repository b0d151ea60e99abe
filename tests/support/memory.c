/* support/memory.c: the allocations of OpenSSL, by way of ours. */
#include "support/memory.h"

#include <openssl/crypto.h>
#include <stdlib.h>

#include "base/arena.h"

static void *crypto_malloc(size_t size, const char *file, int line)
{
    return gh_malloc(size);
}

static void *crypto_realloc(void *old, size_t size, const char *file, int line)
{
    return gh_realloc(old, size);
}

static void crypto_free(void *ptr, const char *file, int line)
{
    free(ptr);
}

bool gh_crypto_fails_too(void)
{
    return CRYPTO_set_mem_functions(crypto_malloc, crypto_realloc, crypto_free) == 1;
}
