/* conf/schema_limits.c: the rows of `limits`: every bound and timer of the public side. */
#include "conf/settings.h"

#define FRONT(field) offsetof(struct gh_settings, conf.front.limits.field)
#define SITE(field)  offsetof(struct gh_settings, limits.field)

#define INT(KEY, OFFSET, DEFAULT, MIN, MAX, DOC)                                                             \
    {                                                                                                        \
        .key = KEY, .type = GH_ROW_INT, .offset = OFFSET, .fallback = DEFAULT, .min = MIN, .max = MAX,       \
        .doc = DOC                                                                                           \
    }
#define SIZE(KEY, OFFSET, DEFAULT, MIN, MAX, DOC)                                                            \
    {                                                                                                        \
        .key = KEY, .type = GH_ROW_SIZE, .offset = OFFSET, .fallback = DEFAULT, .min = MIN, .max = MAX,      \
        .doc = DOC                                                                                           \
    }
#define TIME(KEY, OFFSET, DEFAULT, MIN, MAX, DOC)                                                            \
    {                                                                                                        \
        .key = KEY, .type = GH_ROW_MS, .offset = OFFSET, .fallback = DEFAULT, .min = MIN, .max = MAX,        \
        .doc = DOC                                                                                           \
    }
#define KIB(n) ((n)*1024LL)

/* clang-format off */
static const struct gh_row limits_rows[] = {
    /* the message */
    SIZE("request_line", FRONT(request_line), "8KiB", 1024, KIB(64), "Request line, or :path."),
    SIZE("head", FRONT(head), "32KiB", KIB(4), KIB(256), "The whole header, counting 32 bytes more per field."),
    INT("fields", FRONT(fields), "100", 16, 1000, "Header fields; cookie crumbs and trailers count."),
    SIZE("chunk_extensions", FRONT(chunk_extensions), "16KiB", 0, KIB(64), "All chunk extensions of one body."),
    SIZE("unread_body", FRONT(unread_body), "64KiB", 0, KIB(16384), "What is read of a body that nobody wants any more; a longer one ends its connection."),
    SIZE("stream_buffer", FRONT(stream_buffer), "64KiB", KIB(64), KIB(1024), "Bytes on their way through one exchange, in each direction."),
    /* HTTP/2 */
    INT("h2_streams", FRONT(h2_streams), "100", 1, 1000, "Streams open at once on a connection."),
    SIZE("h2_stream_window", FRONT(h2_stream_window), "64KiB", KIB(16), KIB(1024), "Flow-control window of a stream."),
    SIZE("h2_connection_window", FRONT(h2_connection_window), "1MiB", KIB(64), KIB(16384), "Flow-control window of a connection."),
    SIZE("h2_header_table", FRONT(h2_header_table), "4KiB", 0, KIB(64), "HPACK dynamic table."),
    INT("h2_continuations", FRONT(h2_continuations), "8", 1, 64, "CONTINUATION frames of one header."),
    INT("h2_requests", FRONT(h2_requests), "10000", 100, 10000000, "Requests on a connection before a graceful GOAWAY."),
    INT("h2_resets_burst", FRONT(h2_resets_burst), "200", 10, 100000, "Stream resets a connection may spend at once."),
    INT("h2_resets_per_s", FRONT(h2_resets_per_s), "40", 1, 100000, "Stream resets refilled a second."),
    INT("h2_glitches_burst", FRONT(h2_glitches_burst), "1000", 10, 1000000, "Protocol oddities a connection may spend at once."),
    INT("h2_glitches_per_s", FRONT(h2_glitches_per_s), "33", 1, 100000, "Protocol oddities refilled a second."),
    INT("h2_head_overflows", FRONT(h2_head_overflows), "10", 1, 1000, "Streams reset for header limits before the connection is cut."),
    INT("h2_acknowledgements", FRONT(h2_acknowledgements), "128", 16, 10000, "Answers to PING and SETTINGS that wait for a client that does not read."),
    /* counts */
    INT("connections_per_ip", FRONT(connections_per_ip), "256", 1, 1000000, "Connections of one address over all workers, handshakes included."),
    INT("connections", FRONT(connections), "10000", 16, 1000000, "Connections in all, over all workers; never more than the file descriptors allow."),
    INT("streams_per_principal", SITE(streams_per_principal), "16", 1, 1000000, "Event streams of one principal: tenant, issuer and subject."),
    INT("streams_per_tenant", SITE(streams_per_tenant), "1000", 1, 1000000, "Event streams of one tenant."),
    INT("streams", SITE(streams), "10000", 1, 1000000, "Event streams in all."),
    /* timers */
    TIME("handshake", FRONT(handshake_ms), "5s", 500, 60000, "TLS handshake."),
    TIME("head_timeout", FRONT(head_ms), "10s", 500, 120000, "From the first byte of a request to the end of its header."),
    TIME("body_idle", FRONT(body_idle_ms), "10s", 500, 600000, "Silence in the middle of a request body."),
    INT("body_min_rate", FRONT(body_min_rate), "128", 0, 1000000, "Bytes a second a request body must keep up after body_idle."),
    TIME("stall", FRONT(stall_ms), "30s", 1000, 600000, "Response bytes that wait and are not taken; never mere silence."),
    TIME("sse_stall", FRONT(sse_stall_ms), "60s", 1000, 3600000, "The same on event streams."),
    TIME("idle", FRONT(idle_ms), "60s", 1000, 3600000, "A connection without a request."),
    TIME("drain", FRONT(drain_ms), "30s", 0, 3600000, "How long running exchanges may finish at shutdown, and old settings live after a reload."),
    /* tokens */
    SIZE("max_token", SITE(max_token), "8KiB", 1024, KIB(32), "The longest access token."),
    INT("verify_burst", SITE(verify_burst), "20", 1, 100000, "Failed verifications of unseen tokens a connection may spend at once; then its unseen tokens are checked behind everybody else's."),
    INT("verify_per_s", SITE(verify_per_s), "2", 1, 100000, "Failed verifications refilled a second."),
    INT("verify_address_burst", SITE(verify_address_burst), "100", 1, 1000000, "The same of one address at one worker; an IPv6 client is its /64. Addresses in `shared_sources` have no such bound."),
    INT("verify_address_per_s", SITE(verify_address_per_s), "10", 1, 1000000, "Refilled a second."),
    TIME("keys_wait", SITE(keys_wait_ms), "3s", 0, 30000, "How long a request waits for a key fetch that may help it."),
    TIME("rate_wait", SITE(rate_wait_ms), "250ms", 10, 10000, "How long a request waits for the store to count it, where a rate limit has nothing at hand; then the limit's `fail` decides."),
    INT("json_depth", SITE(rpc.depth), "64", 8, 128, "Objects and arrays within each other, where bodies are read (`routes[].tools` and the like)."),
    INT("json_members", SITE(rpc.members), "10000", 100, 1000000, "Members of all objects of one body."),
    SIZE("json_string", SITE(rpc.string), "1MiB", 1024, 4 << 20, "One text of a body."),
    SIZE("body_pool", SITE(body_pool), "64MiB", KIB(4096), KIB(4 << 20), "Whole bodies and answers held per worker, on routes with `whole_body` or rules for calls."),
    { .key = NULL },
};
/* clang-format on */

const struct gh_section gh_limits_section = {
    .title = "limits",
    .doc = "Limits and timers of the public side; each has a reason of its own in the audit log.",
    .rows = limits_rows,
};
