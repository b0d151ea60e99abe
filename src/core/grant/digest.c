/* core/grant/digest.c: digests of length-prefixed parts, one context for several of them. */
#include "core/grant/digest.h"

#include <openssl/err.h>

void gh_digest_begin(struct gh_digest *digest)
{
    digest->ctx = EVP_MD_CTX_new();
    digest->failed = digest->ctx == NULL || EVP_DigestInit_ex2(digest->ctx, EVP_sha256(), NULL) != 1;
}

void gh_digest_bytes(struct gh_digest *digest, gh_str bytes)
{
    if (!digest->failed && bytes.len > 0)
        digest->failed = EVP_DigestUpdate(digest->ctx, bytes.ptr, bytes.len) != 1;
}

void gh_digest_part(struct gh_digest *digest, gh_str part)
{
    unsigned char length[8];
    for (size_t i = 0; i < sizeof(length); i++)
        length[i] = (unsigned char)((uint64_t)part.len >> (56 - 8 * i));
    gh_digest_bytes(digest, (gh_str){ .ptr = (const char *)length, .len = sizeof(length) });
    gh_digest_bytes(digest, part);
}

bool gh_digest_end(struct gh_digest *digest, unsigned char ret_hash[32])
{
    unsigned char hash[32];
    /* A context that knows its digest already: starting anew fetches nothing and takes no lock. */
    bool ok = !digest->failed && EVP_DigestFinal_ex(digest->ctx, hash, NULL) == 1;
    digest->failed = !ok || EVP_DigestInit_ex2(digest->ctx, NULL, NULL) != 1;
    for (size_t i = 0; ok && i < sizeof(hash); i++)
        ret_hash[i] = hash[i];
    return ok;
}

void gh_digest_done(struct gh_digest *digest)
{
    EVP_MD_CTX_free(digest->ctx);
    digest->ctx = NULL;
    /* What is left in the thread's queue would be read as an error of its next TLS call. */
    if (digest->failed)
        ERR_clear_error();
}
