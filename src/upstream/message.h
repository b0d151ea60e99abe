/* upstream/message.h: request heads as an upstream gets them, and response heads as a caller gets them. */
#ifndef GH_UPSTREAM_MESSAGE_H
#define GH_UPSTREAM_MESSAGE_H

#include "upstream/pool.h"

/* Host first where it is wanted, the caller's fields without those set here, then the static credential. In
 * the arena. */
GH_MUST_USE enum gh_reason gh_request_fields(const struct gh_call *call, struct gh_arena *arena,
                                             bool with_host, struct gh_headers *ret_fields);
/* The received fields that mean something beyond the connection they came on: without those of RFC 9110
 * section 7.6.1 and of framing. In the arena. */
GH_MUST_USE enum gh_reason gh_response_fields(const struct gh_headers *received, struct gh_arena *arena,
                                              struct gh_headers *ret_fields);
/* Seconds of Keep-Alive: timeout=n; -1: none. */
int64_t gh_response_keep_alive(const struct gh_headers *received);

#endif
