/* wire/h2_guard.c: our own budgets for HTTP/2 misbehaviour: every frame header is looked at, whatever nghttp2
 * makes of it. */
#include "wire/h2_session.h"

#define FRAME_HEADER     9
#define PREFACE          24
#define CONTINUATION_MAX (16 * 1024)
#define UPDATES_PER_DATA 10
#define UPDATES_FREE     100

void gh_h2_guard_init(struct gh_h2 *h2)
{
    h2->guard.preface_left = h2->side == GH_H2_SERVER ? PREFACE : 0;
    h2->guard.resets.level = h2->limits.resets_burst;
    h2->guard.glitches.level = h2->limits.glitches_burst;
}

void gh_h2_guard_reset(struct gh_h2 *h2)
{
    gh_budget_spend(&h2->guard.resets, 1);
}

void gh_h2_guard_glitch(struct gh_h2 *h2)
{
    gh_budget_spend(&h2->guard.glitches, 1);
}

void gh_h2_guard_head(struct gh_h2 *h2, int32_t stream)
{
    if (stream > h2->guard.highest)
        h2->guard.highest = stream;
    else if (gh_h2_stream_find(h2, stream) == NULL)
        gh_h2_guard_glitch(h2);
}

enum gh_reason gh_h2_guard_verdict(const struct gh_h2 *h2)
{
    if (h2->guard.resets.level < 0)
        return GH_H2_RESETS;
    bool overflows = h2->guard.head_overflows >= h2->limits.head_overflows;
    return h2->guard.glitches.level < 0 || overflows ? GH_H2_GLITCHES : GH_OK;
}

/* ---- what each frame costs ---- */

static bool is_empty_data(const struct gh_h2_guard *guard, uint32_t length)
{
    uint8_t flags = guard->header[4];
    if ((flags & NGHTTP2_FLAG_END_STREAM) != 0)
        return false;
    if ((flags & NGHTTP2_FLAG_PADDED) != 0 && length > 0)
        return guard->header[9] + 1u == length; /* nothing but padding */
    return length == 0;
}

static bool is_excess_update(struct gh_h2_guard *guard)
{
    guard->window_updates++;
    return guard->window_updates > UPDATES_FREE + UPDATES_PER_DATA * guard->data_sent;
}

static bool is_first_settings(struct gh_h2_guard *guard)
{
    bool first = !guard->settings_seen;
    guard->settings_seen = true;
    return first || (guard->header[4] & NGHTTP2_FLAG_ACK) != 0;
}

/* Headers in crumbs: the block is cut off by count and by size (threats.md D3). */
static bool continues_too_long(struct gh_h2 *h2, uint32_t length)
{
    struct gh_h2_guard *guard = &h2->guard;
    guard->continuations++;
    guard->continuation_bytes += length;
    return guard->continuations > h2->limits.continuations || guard->continuation_bytes > CONTINUATION_MAX;
}

static uint32_t stream_of(const struct gh_h2_guard *guard)
{
    const unsigned char *id = guard->header + 5;
    return (id[0] & 0x7fu) << 24 | (uint32_t)id[1] << 16 | (uint32_t)id[2] << 8 | id[3];
}

/* RFC 9113 section 6.3: "If a PRIORITY frame is received with a stream identifier of 0x00, the recipient MUST
 * respond with a connection error". nghttp2 passes over priorities, this one too. */
static bool is_on_connection(const struct gh_h2_guard *guard)
{
    return stream_of(guard) == 0;
}

/* Not GH_OK: the connection ends now, whatever budget is left. */
static enum gh_reason weigh_frame(struct gh_h2 *h2, uint32_t length)
{
    struct gh_h2_guard *guard = &h2->guard;
    bool glitch = false;
    switch (guard->header[3]) {
    case NGHTTP2_HEADERS:
        guard->continuations = guard->continuation_bytes = 0;
        break;
    case NGHTTP2_CONTINUATION:
        glitch = length == 0;
        if (continues_too_long(h2, length))
            return GH_H2_GLITCHES;
        break;
    case NGHTTP2_DATA:
        glitch = is_empty_data(guard, length);
        break;
    case NGHTTP2_SETTINGS:
        glitch = !is_first_settings(guard);
        break;
    case NGHTTP2_WINDOW_UPDATE:
        glitch = is_excess_update(guard);
        break;
    case NGHTTP2_RST_STREAM: /* has a budget of its own, spent where its stream is known */
        break;
    case NGHTTP2_PRIORITY:
        if (is_on_connection(guard))
            return GH_H2_PROTOCOL;
        glitch = true;
        break;
    default: /* PING, GOAWAY, PUSH_PROMISE, and every type we do not know */
        glitch = true;
        break;
    }
    if (glitch)
        gh_h2_guard_glitch(h2);
    return GH_OK;
}

/* ---- walking ---- */

static uint32_t frame_length(const struct gh_h2_guard *guard)
{
    return (uint32_t)guard->header[0] << 16 | (uint32_t)guard->header[1] << 8 | guard->header[2];
}

/* One byte more where the payload has one: a padded DATA frame's pad length. */
static unsigned header_wanted(const struct gh_h2_guard *guard)
{
    return guard->have >= FRAME_HEADER && frame_length(guard) > 0 ? FRAME_HEADER + 1 : FRAME_HEADER;
}

static size_t skip(uint32_t *left, size_t len)
{
    size_t n = len < *left ? len : *left;
    *left -= (uint32_t)n;
    return n;
}

size_t gh_h2_guard_ahead(const struct gh_h2 *h2)
{
    const struct gh_h2_guard *guard = &h2->guard;
    return guard->have == 0 ? (size_t)guard->preface_left + guard->payload_left : SIZE_MAX;
}

enum gh_reason gh_h2_guard_read(struct gh_h2 *h2, gh_str bytes)
{
    struct gh_h2_guard *guard = &h2->guard;
    gh_budget_refill(&guard->resets, h2->limits.resets_burst, h2->limits.resets_per_s, h2->now_ms);
    gh_budget_refill(&guard->glitches, h2->limits.glitches_burst, h2->limits.glitches_per_s, h2->now_ms);
    size_t at = skip(&guard->preface_left, bytes.len);
    while (at < bytes.len) {
        if (guard->payload_left > 0) {
            at += skip(&guard->payload_left, bytes.len - at);
            continue;
        }
        guard->header[guard->have++] = (unsigned char)bytes.ptr[at++];
        if (guard->have < header_wanted(guard))
            continue;
        uint32_t length = frame_length(guard);
        guard->payload_left = length > 0 ? length - 1 : 0;
        guard->have = 0;
        enum gh_reason reason = weigh_frame(h2, length);
        if (reason != GH_OK)
            return reason;
    }
    return gh_h2_guard_verdict(h2);
}
