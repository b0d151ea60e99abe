/* fuzz/tls_peer.h: the other end of a TLS session under fuzz: bytes of any kind, or an honest one on a bad
 * wire. */
#ifndef GH_FUZZ_TLS_PEER_H
#define GH_FUZZ_TLS_PEER_H

#include "fuzz/fuzz.h"

/* Bytes to a server, or to a client that has said hello, in two pieces. */
void gh_fuzz_tls_bytes(bool to_client, gh_str bytes, size_t cut);
/* A session is open, and `script` says what its client does and what becomes of it on the wire: whatever that
 * is, the server reads nothing but what was written, in order. */
void gh_fuzz_tls_script(gh_str script);

#endif
