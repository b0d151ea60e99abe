/* core/grant/digest.h: SHA-256 over parts, each behind its length, so that no two lists of parts read alike.
 */
#ifndef GH_CORE_GRANT_DIGEST_H
#define GH_CORE_GRANT_DIGEST_H

#include <openssl/evp.h>

#include "gatehouse/types.h"

/* A failure is remembered and asked for at the end. */
struct gh_digest {
    EVP_MD_CTX *ctx;
    bool failed;
};

void gh_digest_begin(struct gh_digest *digest);
void gh_digest_part(struct gh_digest *digest, gh_str part);
/* Without a length before them: the bytes themselves. */
void gh_digest_bytes(struct gh_digest *digest, gh_str bytes);
/* And begins the next. False when memory ran out. */
bool gh_digest_end(struct gh_digest *digest, unsigned char ret_hash[32]) GH_MUST_USE;
void gh_digest_done(struct gh_digest *digest);

#endif
