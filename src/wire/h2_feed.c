/* wire/h2_feed.c: what was read goes to nghttp2, cut at the HEADERS frames that are said in plain. */
#include "base/blocks.h"
#include "base/str.h"
#include "wire/h2_session.h"
#include "wire/hpack_plain.h"

#define FRAME_HEADER 9

/* A callback may have ended the session: nothing is fed after that (CVE-2026-27135). */
static int give(struct gh_h2 *h2, gh_str bytes)
{
    if (bytes.len == 0 || h2->failed != GH_OK)
        return 0;
    ssize_t taken = nghttp2_session_mem_recv(h2->session, (const uint8_t *)bytes.ptr, bytes.len);
    return taken < 0 ? (int)taken : 0;
}

/* The frame that `bytes` begin with; empty when it is not there to its end. */
static gh_str whole_frame(gh_str bytes)
{
    const unsigned char *at = (const unsigned char *)bytes.ptr;
    if (bytes.len < FRAME_HEADER)
        return GH_STR_NONE;
    size_t len = FRAME_HEADER + ((size_t)at[0] << 16 | (size_t)at[1] << 8 | at[2]);
    return len <= bytes.len ? gh_str_take(bytes, len) : GH_STR_NONE;
}

/* Gives what stands before the frame, then `plain` in its place. */
static int give_plain(struct gh_h2 *h2, gh_str before, gh_str plain)
{
    int error = give(h2, before);
    return error != 0 ? error : give(h2, plain);
}

int gh_h2_feed(struct gh_h2 *h2, gh_str bytes, size_t first)
{
    size_t at = h2->side == GH_H2_SERVER ? first : bytes.len, given = 0;
    for (gh_str frame; (frame = whole_frame(gh_str_skip(bytes, at))).len != 0; at += frame.len) {
        size_t cap;
        gh_str plain = gh_hpack_plain_frame(frame, &cap);
        if (plain.len == 0)
            continue;
        int error = give_plain(h2, gh_str_take(gh_str_skip(bytes, given), at - given), plain);
        gh_block_give((char *)(uintptr_t)plain.ptr, cap);
        if (error != 0)
            return error;
        given = at + frame.len;
    }
    return give(h2, gh_str_skip(bytes, given));
}
