/* exchange/exchange.c: the life of one exchange: made, answered in part, ended once with its audit line and
 * counts. */
#include "exchange/exchange.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/str.h"
#include "observe/trace.h"

/* Holds a usual exchange whole: heads of both sides, and what the stages need. */
#define ARENA_FIRST (12 * 1024)

static const char hex_digits[] = "0123456789abcdef";

struct gh_exchange *gh_exchange_new(struct gh_loop *loop, const struct gh_observer *observer)
{
    struct gh_arena *arena = gh_arena_pool_take(observer->arenas, ARENA_FIRST);
    if (arena == NULL)
        return NULL;
    struct gh_exchange *x = GH_ARENA_NEW(arena, struct gh_exchange);
    if (x == NULL) {
        gh_arena_pool_give(observer->arenas, arena);
        return NULL;
    }
    x->arena = arena;
    x->loop = loop;
    x->observer = observer;
    x->route_stats = observer->no_route;
    x->reason = GH_OK;
    x->method = GH_METHOD_COUNT; /* not read yet: a head at fault has none in the audit line */
    x->stage = "front";
    x->content_length = -1;
    x->peer_uid = -1;
    x->started_wall_us = gh_clock_wall_us();
    x->started_ns = gh_clock_mono_ns();
    x->verify_ns = x->upstream_ns = -1;
    unsigned char id[16];
    gh_random_fill(id, sizeof(id));
    for (size_t i = 0; i < sizeof(id); i++) {
        x->request_id[2 * i] = hex_digits[id[i] >> 4];
        x->request_id[2 * i + 1] = hex_digits[id[i] & 15];
    }
    GH_COUNT_ADD(observer->stats->exchanges_open, 1);
    return x;
}

void gh_exchange_free(struct gh_exchange *x)
{
    if (x == NULL)
        return;
    GH_COUNT_SUB(x->observer->stats->exchanges_open, 1);
    gh_arena_pool_give(x->observer->arenas, x->arena);
}

/* ---- the end: counted and written down exactly once ---- */

static void count(struct gh_exchange *x, int64_t total_us)
{
    struct gh_route_stats *stats = x->route_stats;
    GH_COUNT_ADD(stats->by_reason[x->reason], 1);
    GH_COUNT_ADD(stats->duration_sum_us, total_us);
    GH_COUNT_ADD(stats->bytes_in, x->bytes_in);
    GH_COUNT_ADD(stats->bytes_out, x->bytes_out);
    size_t bucket = 0;
    while (bucket < GH_DURATION_BUCKETS && total_us > (int64_t)gh_duration_bounds_us[bucket])
        bucket++;
    GH_COUNT_ADD(stats->duration[bucket], 1);
    if (x->is_event_stream)
        GH_COUNT_SUB(stats->streams_open, 1);
}

static gh_str version_text(enum gh_http_version version)
{
    switch (version) {
    case GH_HTTP_1_0:
        return GH_STR("1.0");
    case GH_HTTP_1_1:
        return GH_STR("1.1");
    case GH_HTTP_2:
        return GH_STR("2");
    }
    return GH_STR("");
}

static void write_audit(struct gh_exchange *x, int64_t total_us)
{
    const struct gh_header *trace = gh_headers_find(&x->headers, GH_STR("traceparent"));
    const struct gh_audit_record record = {
        .wall_us = x->started_wall_us,
        .request_id = gh_str_of(x->request_id, sizeof(x->request_id) - 1),
        .trace_id = trace != NULL ? gh_trace_id(trace->value) : GH_STR_NONE,
        .reason = x->reason,
        .stage = x->stage,
        .status = x->status,
        .policy = x->policy,
        .principal = x->principal,
        .by = x->by,
        .act = x->act,
        .rpc_method = x->rpc_method,
        .rpc_name = x->rpc_name,
        .rpc_rule = x->rpc_rule,
        .rpc_arguments = x->rpc_arguments,
        .method = gh_method_text(x->method),
        .host = x->authority.host,
        .path = x->target.path,
        .client_ip = x->client_ip,
        .http_version = version_text(x->version),
        .bytes_in = x->bytes_in,
        .bytes_out = x->bytes_out,
        .total_us = total_us,
        .verify_us = x->verify_ns < 0 ? -1 : x->verify_ns / 1000,
        .upstream_us = x->upstream_ns < 0 ? -1 : x->upstream_ns / 1000,
    };
    char line[GH_AUDIT_LINE];
    size_t len = gh_audit_write(&record, line);
    if (!gh_lane_put(x->observer->audit, gh_str_of(line, len)))
        GH_COUNT_ADD(x->observer->stats->audit_dropped, 1);
}

static void finish(struct gh_exchange *x)
{
    x->state = GH_EXCHANGE_DONE;
    int64_t total_us = (gh_clock_mono_ns() - x->started_ns) / 1000;
    count(x, total_us);
    if (x->observer->audit != NULL && !x->is_quiet)
        write_audit(x, total_us);
}

/* ---- for handlers ---- */

void gh_exchange_head(struct gh_exchange *x, const struct gh_response *response, bool end)
{
    if (x->state != GH_EXCHANGE_NEW)
        return;
    x->state = GH_EXCHANGE_HEAD_SENT;
    x->status = response->status;
    if (!end && gh_headers_media_type_is(&response->headers, GH_STR("text/event-stream"))) {
        x->is_event_stream = true;
        GH_COUNT_ADD(x->route_stats->streams_open, 1);
    }
    if (end)
        finish(x);
    x->sink->head(x, response, end);
}

bool gh_exchange_data(struct gh_exchange *x, gh_str bytes)
{
    if (x->state != GH_EXCHANGE_HEAD_SENT)
        return true;
    x->bytes_out += bytes.len;
    return x->sink->data(x, bytes);
}

void gh_exchange_end(struct gh_exchange *x)
{
    if (x->state != GH_EXCHANGE_HEAD_SENT)
        return;
    finish(x);
    x->sink->end(x);
}

void gh_exchange_abort(struct gh_exchange *x, enum gh_reason why)
{
    if (x->state == GH_EXCHANGE_NEW) {
        gh_exchange_refuse(x, why, NULL);
        return;
    }
    if (x->state != GH_EXCHANGE_HEAD_SENT)
        return;
    x->reason = why;
    finish(x);
    x->sink->abort(x, why);
}

/* ---- for the front ---- */

void gh_exchange_start(struct gh_exchange *x)
{
    x->handler->start(x);
}

void gh_exchange_body(struct gh_exchange *x, gh_str bytes, bool end)
{
    x->bytes_in += bytes.len;
    if (x->state == GH_EXCHANGE_DONE)
        x->sink->taken(x, bytes.len);
    else
        x->handler->body(x, bytes, end);
}

void gh_exchange_room(struct gh_exchange *x)
{
    if (x->state == GH_EXCHANGE_HEAD_SENT)
        x->handler->room(x);
}

void gh_exchange_gone(struct gh_exchange *x, enum gh_reason why)
{
    if (x->state == GH_EXCHANGE_DONE)
        return;
    if (x->reason == GH_OK)
        x->reason = why;
    finish(x);
    x->handler->gone(x, why);
}

void gh_exchange_give_up(struct gh_exchange *x, enum gh_reason why)
{
    if (x->state == GH_EXCHANGE_DONE)
        return;
    gh_exchange_abort(x, why);
    x->handler->gone(x, why);
}

void gh_exchange_connection_ended(const struct gh_observer *observer, enum gh_reason why, gh_str client_ip)
{
    GH_COUNT_ADD(observer->no_route->by_reason[why], 1);
    if (observer->audit == NULL)
        return;
    const struct gh_audit_record record = {
        .wall_us = gh_clock_wall_us(),
        .reason = why,
        .stage = "front",
        .client_ip = client_ip,
        .verify_us = -1,
        .upstream_us = -1,
    };
    char line[GH_AUDIT_LINE];
    size_t len = gh_audit_write(&record, line);
    if (!gh_lane_put(observer->audit, gh_str_of(line, len)))
        GH_COUNT_ADD(observer->stats->audit_dropped, 1);
}
