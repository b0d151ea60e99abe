/* gateway/events.c: what is particular to event streams: they are counted, and kept alive by comments between
 * their events. */
#include "base/clock.h"
#include "base/str.h"
#include "gateway/request.h"

/* authz has looked before the call went out: only those who ask for many at once meet the limit here. */
enum gh_reason gh_events_enter(struct gh_request *r, const struct gh_headers *headers)
{
    const struct gh_stream_limits limits = gh_stream_limits_of(r->site);
    if (!gh_headers_media_type_is(headers, GH_STR("text/event-stream")))
        return GH_OK;
    return gh_streams_enter(r->gateway->with.streams, r->verdict->owner, &limits, &r->stream);
}

/* ---- keep-alive ---- */

/* Up to a fifth earlier than the settings say, so that streams that began together do not speak together. */
static void rest(struct gh_request *r)
{
    uint64_t chance;
    int64_t ms = r->route->keepalive_ms;
    gh_random_fill(&chance, sizeof(chance));
    r->keepalive_ms = ms - (int64_t)(chance % (uint64_t)(ms / 5 + 1));
    gh_deadline_set(r->gateway->with.loop, &r->keepalive, r->keepalive_ms);
}

/* A comment may stand only where nothing counts or codes the bytes. */
void gh_events_begin(struct gh_request *r, const struct gh_response *response)
{
    bool is_plain = response->content_length < 0 &&
                    gh_headers_find(&response->headers, GH_STR("content-encoding")) == NULL;
    r->sse_tail = 2;
    if (r->route->keepalive_ms > 0 && is_plain)
        rest(r);
}

/* Counts line ends at the tail: CR, LF and CRLF each end a line (threats.md S4); two in a row are an event
 * boundary. */
static void count_line_ends(struct gh_request *r, gh_str bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        bool crlf = bytes.ptr[i] == '\n' && r->sse_last == '\r';
        if (bytes.ptr[i] != '\n' && bytes.ptr[i] != '\r')
            r->sse_tail = 0;
        else if (!crlf && r->sse_tail < 2)
            r->sse_tail++;
        r->sse_last = bytes.ptr[i];
    }
}

/* Only the last four bytes decide where the next event would begin. */
void gh_events_follow(struct gh_request *r, gh_str bytes)
{
    if (!gh_deadline_is_set(&r->keepalive) || bytes.len == 0)
        return;
    size_t tail = bytes.len > 4 ? bytes.len - 4 : 0;
    if (tail > 0) {
        r->sse_tail = 0;
        r->sse_last = bytes.ptr[tail - 1];
    }
    count_line_ends(r, gh_str_skip(bytes, tail));
    gh_deadline_set(r->gateway->with.loop, &r->keepalive, r->keepalive_ms);
}

void gh_events_keepalive(struct gh_deadline *deadline)
{
    struct gh_request *r = GH_LIST_ENTRY(deadline, struct gh_request, keepalive);
    rest(r);
    if (r->sse_tail == 2)
        (void)gh_exchange_data(r->x, GH_STR(":\n\n"));
}
