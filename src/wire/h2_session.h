/* wire/h2_session.h: the HTTP/2 session's own structs, shared by its files. Private to this folder. */
#ifndef GH_WIRE_H2_SESSION_H
#define GH_WIRE_H2_SESSION_H

#include <nghttp2/nghttp2.h>

#include "base/budget.h"
#include "base/list.h"
#include "wire/h2.h"

/* Walks over frame headers beside nghttp2, which counts little of what it ignores (threats.md section 3). */
struct gh_h2_guard {
    unsigned char header[10]; /* nine bytes, and the first of the payload */
    unsigned have;
    uint32_t payload_left;
    uint32_t preface_left;
    unsigned continuations;
    uint32_t continuation_bytes;
    uint64_t window_updates, data_sent;
    bool settings_seen;
    int32_t highest; /* stream of a HEADERS frame */
    struct gh_budget resets, glitches;
    unsigned head_overflows;
};

struct gh_h2_stream {
    struct gh_h2 *h2;
    struct gh_list link; /* in h2->streams */
    struct gh_list room; /* in h2->with_room */
    int32_t id;
    void *ctx;

    /* the peer's half */
    struct gh_arena *arena;
    struct gh_h2_head head;
    size_t head_bytes, head_fields;
    enum gh_reason fault, trailer_fault; /* of the head, of the trailers */
    bool head_done, peer_ended, peer_reset;

    /* our half */
    struct gh_buf out;
    bool out_end, deferred, was_high, answered, reset_after_answer, forgotten;
};

struct gh_h2 {
    enum gh_h2_side side;
    struct gh_h2_limits limits;
    const struct gh_h2_events *events;
    void *ctx;
    nghttp2_session *session;
    struct gh_list streams, with_room;
    size_t stream_count;
    uint64_t request_count;
    struct gh_h2_guard guard;
    enum gh_reason failed; /* GH_OK while the session lives */
    const char *why;
    bool advertised;        /* our SETTINGS have been written */
    bool settings_received; /* the peer has said how many streams it takes */
    bool gave_up;           /* nghttp2 has sent a GOAWAY with an error by itself */
    bool notice_sent, goaway_sent, goaway_received, was_full;
    int64_t now_ms;
};

/* ---- memory ---- */
extern nghttp2_mem gh_h2_memory;

/* ---- guard ---- */
void gh_h2_guard_init(struct gh_h2 *h2);
/* GH_OK, GH_H2_GLITCHES, GH_H2_RESETS or GH_H2_PROTOCOL; runs before nghttp2 sees the bytes. */
GH_MUST_USE enum gh_reason gh_h2_guard_read(struct gh_h2 *h2, gh_str bytes);
/* Before it: so many bytes come before the next frame begins; SIZE_MAX in the middle of a frame's header. */
size_t gh_h2_guard_ahead(const struct gh_h2 *h2);
void gh_h2_guard_reset(struct gh_h2 *h2);
void gh_h2_guard_glitch(struct gh_h2 *h2);
/* HEADERS on a stream that is over, or was passed over, are a glitch: nghttp2 decodes them and says nothing.
 * Told when all that came before is done with. */
void gh_h2_guard_head(struct gh_h2 *h2, int32_t stream);
/* What the budgets say now. */
GH_MUST_USE enum gh_reason gh_h2_guard_verdict(const struct gh_h2 *h2);

/* ---- feeding ---- */
/* Gives nghttp2 what the guard has seen, long values of heads in plain (wire/hpack_plain.h); a frame begins
 * after the `first` bytes. 0, or nghttp2's error. */
GH_MUST_USE int gh_h2_feed(struct gh_h2 *h2, gh_str bytes, size_t first);

/* ---- head ---- */
/* One field of a head that is coming. Faults are noted, not returned: the head is heard to its end. */
void gh_h2_head_add(struct gh_h2_stream *stream, gh_str name, gh_str value);

/* ---- streams ---- */
struct gh_h2_stream *gh_h2_stream_new(struct gh_h2 *h2, int32_t id);
void gh_h2_stream_free(struct gh_h2_stream *stream);
struct gh_h2_stream *gh_h2_stream_find(const struct gh_h2 *h2, int32_t id);
/* nghttp2 pulls body bytes by this. */
ssize_t gh_h2_pull(nghttp2_session *session, int32_t id, uint8_t *out, size_t len, uint32_t *flags,
                   nghttp2_data_source *source, void *ctx);

#endif
