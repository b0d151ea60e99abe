/* fuzz/fuzz_h2.c: an HTTP/2 connection, whole, in crumbs, and answered meanwhile. Bits of the first byte: 1
 * we are the client, 2 what follows are frames in short (gh_fuzz_h2_frames), 4 the client's preface is left
 * out. */
/* covers: src/wire/h2.c src/wire/h2_feed.c src/wire/h2_guard.c src/wire/h2_head.c src/wire/h2_stream.c */
#include "fuzz/h2_peer.h"

/* nghttp2 1.52 counts each piece of a CONTINUATION's header as such a frame, and takes eight: with smaller
 * crumbs the two that the limits allow would not pass. */
#define CRUMB 3

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gh_buf in = { 0 };
    struct gh_fuzz_h2_tale whole = { 0 }, cut = { 0 }, live = { 0 };
    unsigned bits = size != 0 ? data[0] : 0;
    enum gh_h2_side side = (bits & 1) != 0 ? GH_H2_CLIENT : GH_H2_SERVER;
    gh_str rest = gh_str_skip(gh_str_of(data, size), 1);
    if (side == GH_H2_SERVER && (bits & 4) == 0)
        GH_HOLDS(gh_buf_add(&in, GH_STR("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")));
    if ((bits & 2) != 0)
        gh_fuzz_h2_frames(rest, &in);
    else
        GH_HOLDS(gh_buf_add(&in, rest));
    gh_str bytes = gh_buf_peek(&in);
    gh_fuzz_h2_run(side, GH_FUZZ_H2_QUIET, bytes, bytes.len, &whole);
    gh_fuzz_h2_run(side, GH_FUZZ_H2_QUIET, bytes, CRUMB, &cut);
    gh_fuzz_h2_run(side, GH_FUZZ_H2_LIVE, bytes, 11, &live);
    /* Behind a GOAWAY, and in one piece with it, faults are still seen; in the next piece nobody looks. */
    GH_HOLDS(whole.goaway || (whole.reason == GH_OK) == (cut.reason == GH_OK));
    if (!whole.goaway && whole.reason == GH_OK)
        GH_HOLDS(gh_str_eq(gh_buf_peek(&whole.text), gh_buf_peek(&cut.text)));
    gh_buf_done(&live.text);
    gh_buf_done(&cut.text);
    gh_buf_done(&whole.text);
    gh_buf_done(&in);
    return 0;
}
