/* core/token/jws.h: the compact serialisation: three segments, decoded, the header understood. */
#ifndef GH_CORE_TOKEN_JWS_H
#define GH_CORE_TOKEN_JWS_H

#include "gatehouse/token.h"

/* Everything of ret_token but iss and claims, and the payload's bytes. RFC 7515 section 5.2. */
GH_MUST_USE enum gh_reason gh_jws_open(struct gh_arena *arena, gh_str text, struct gh_token *ret_token,
                                       gh_str *ret_payload);

#endif
