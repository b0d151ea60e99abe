/* base/base64.h: base64url without padding (RFC 4648 section 5), strict: one text per value. */
#ifndef GH_BASE_BASE64_H
#define GH_BASE_BASE64_H

#include "gatehouse/types.h"

/* Bytes that decoding `len` characters gives; SIZE_MAX when no such length exists (len mod 4 == 1). */
size_t gh_base64url_decoded_len(size_t len);
/* Writes exactly that many bytes. False on padding, white space, + or /, or non-zero trailing bits. */
bool gh_base64url_decode(gh_str text, void *ret_bytes) GH_MUST_USE;
size_t gh_base64url_encoded_len(size_t len);
/* Writes exactly that many characters, no NUL. */
void gh_base64url_encode(gh_str bytes, char *ret_text);
/* Standard alphabet with padding (RFC 4648 section 4), for HTTP Basic. */
size_t gh_base64_encoded_len(size_t len);
void gh_base64_encode(gh_str bytes, char *ret_text);

#endif
