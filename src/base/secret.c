/* base/secret.c: secrets: copied in, compared without a clock, wiped. */
#include "base/secret.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

bool gh_secret_set(struct gh_secret *secret, gh_str bytes)
{
    unsigned char *copy = gh_malloc(bytes.len + 1);
    if (copy == NULL)
        return false;
    if (bytes.len != 0)
        memcpy(copy, bytes.ptr, bytes.len);
    copy[bytes.len] = '\0';
    gh_secret_done(secret);
    *secret = (struct gh_secret){ .bytes = copy, .len = bytes.len };
    return true;
}

void gh_secret_done(struct gh_secret *secret)
{
    if (secret->bytes != NULL)
        gh_wipe(secret->bytes, secret->len);
    free(secret->bytes);
    *secret = (struct gh_secret){ 0 };
}

/* The length is no secret; which byte differs first is. An unset secret equals nothing, not even nothing. */
bool gh_secret_equals(const struct gh_secret *secret, gh_str bytes)
{
    if (secret->bytes == NULL || secret->len != bytes.len)
        return false;
    const volatile unsigned char *a = secret->bytes;
    const volatile unsigned char *b = (const volatile unsigned char *)bytes.ptr;
    unsigned char differs = 0;
    for (size_t i = 0; i < bytes.len; i++)
        differs |= (unsigned char)(a[i] ^ b[i]);
    return differs == 0;
}

void gh_wipe(void *ptr, size_t len)
{
    explicit_bzero(ptr, len);
}
