/* fuzz/h2_peer.h: the gateway's end of an HTTP/2 connection: it answers, and checks that events come in
 * order. */
#ifndef GH_FUZZ_H2_PEER_H
#define GH_FUZZ_H2_PEER_H

#include "fuzz/fuzz.h"
#include "wire/h2.h"

/* QUIET: all is written at the end, so that how the bytes were cut can be compared. LIVE: after each piece.
 */
enum gh_fuzz_h2_mode { GH_FUZZ_H2_QUIET, GH_FUZZ_H2_LIVE };

struct gh_fuzz_h2_tale {
    enum gh_reason reason; /* GH_OK, or why the connection ended */
    bool goaway;           /* the peer took its leave */
    struct gh_buf text;
};
/* Gives `bytes` to a new session in pieces of `step`, and writes down what it tells. */
void gh_fuzz_h2_run(enum gh_h2_side side, enum gh_fuzz_h2_mode mode, gh_str bytes, size_t step,
                    struct gh_fuzz_h2_tale *ret_tale);
/* Makes frames of any bytes: type, flags, stream and length in a byte each, then the payload. */
void gh_fuzz_h2_frames(gh_str bytes, struct gh_buf *ret_frames);

#endif
