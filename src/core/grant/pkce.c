/* core/grant/pkce.c: proof key for code exchange (RFC 7636), with S256 alone. */
#include <openssl/crypto.h>
#include <openssl/sha.h>

#include "base/base64.h"
#include "base/str.h"
#include "core/http/chars.h"
#include "gatehouse/oauth.h"

#define CHALLENGE_LEN 43u

bool gh_pkce_challenge_is_legal(gh_str challenge)
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    return challenge.len == CHALLENGE_LEN && gh_base64url_decode(challenge, digest);
}

enum gh_reason gh_pkce_verify(gh_str challenge, gh_str verifier)
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    char text[CHALLENGE_LEN];
    bool legal = verifier.len >= 43 && verifier.len <= 128 && challenge.len == CHALLENGE_LEN;
    for (size_t i = 0; legal && i < verifier.len; i++)
        legal = gh_char_is_unreserved(verifier.ptr[i]);
    if (!legal)
        return GH_PKCE_MISMATCH;
    if (SHA256((const unsigned char *)verifier.ptr, verifier.len, digest) == NULL)
        return GH_OUT_OF_MEMORY; /* no mismatch: that would spend the code */
    /* RFC 7636 section 4.6: "BASE64URL-ENCODE(SHA256(ASCII(code_verifier))) == code_challenge" */
    gh_base64url_encode(gh_str_of(digest, sizeof(digest)), text);
    return CRYPTO_memcmp(text, challenge.ptr, sizeof(text)) == 0 ? GH_OK : GH_PKCE_MISMATCH;
}
