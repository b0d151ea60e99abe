/* base/secret.h: bytes that are wiped on release, compared in constant time, and have no printf. */
#ifndef GH_BASE_SECRET_H
#define GH_BASE_SECRET_H

#include "gatehouse/types.h"

struct gh_secret {
    unsigned char *bytes;
    size_t len;
};

bool gh_secret_set(struct gh_secret *secret, gh_str bytes) GH_MUST_USE;
void gh_secret_done(struct gh_secret *secret);
bool gh_secret_equals(const struct gh_secret *secret, gh_str bytes);
/* Overwrites so that the compiler cannot leave it out. */
void gh_wipe(void *ptr, size_t len);

#endif
