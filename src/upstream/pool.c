/* upstream/pool.c: one worker's pool towards one target: which endpoint a call goes to, and who waits there.
 */
#include "upstream/pool.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/clock.h"

/* A call tries so many endpoints at most: else a dead fleet would hold it for one connect timeout each. */
#define ENDPOINTS_TRIED_MAX 3
/* A call in the queue outlives the connection attempt it waits for, so that its reason is the attempt's. */
#define WAIT_EXTRA_MS 250

/* threats.md section 8. */
#define START_LINE_MAX       8192
#define CHUNK_EXTENSIONS_MAX 16384

static void endpoint_init(struct gh_upstream *upstream, size_t index);
static struct gh_endpoint *choose(struct gh_call *call);
static struct gh_endpoint *least_busy(struct gh_call *call, int64_t now_ms);
static struct gh_endpoint *least_recently_failed(struct gh_call *call, int64_t now_ms);
static struct gh_link *usable(struct gh_endpoint *endpoint);
static void queue(struct gh_call *call);
static void open_links(struct gh_endpoint *endpoint);
static void elsewhere(struct gh_call *call);

struct gh_upstream *gh_upstream_new(struct gh_loop *loop, struct gh_upstream_target *target,
                                    struct gh_worker_stats *stats)
{
    size_t count = target->conf.endpoint_count;
    struct gh_upstream *upstream = gh_calloc(1, sizeof(*upstream) + count * sizeof(upstream->endpoints[0]));
    if (upstream == NULL)
        return NULL;
    upstream->loop = loop;
    upstream->target = gh_upstream_target_ref(target);
    upstream->conf = &target->conf;
    upstream->health_conf =
        (struct gh_health_conf){ .eject_after = target->conf.eject_after, .eject_ms = target->conf.eject_ms };
    upstream->h1_limits = (struct gh_h1_limits){ .start_line = START_LINE_MAX,
                                                 .head = (size_t)target->conf.head_max,
                                                 .fields = (size_t)target->conf.fields_max,
                                                 .chunk_extensions = CHUNK_EXTENSIONS_MAX,
                                                 .interim = (unsigned)target->conf.interim_max };
    upstream->h2_limits = (struct gh_h2_limits){ .streams = 100,
                                                 .stream_window = 64 * 1024,
                                                 .connection_window = 1024 * 1024,
                                                 .fields = (uint32_t)target->conf.fields_max,
                                                 .head = (uint32_t)target->conf.head_max,
                                                 .target = START_LINE_MAX,
                                                 .header_table = 4096,
                                                 .continuations = 8,
                                                 .resets_burst = 200,
                                                 .resets_per_s = 40,
                                                 .glitches_burst = 1000,
                                                 .glitches_per_s = 33,
                                                 .head_overflows = 10,
                                                 .acknowledgements = 128,
                                                 .stream_high = 64 * 1024 };
    upstream->stats = stats;
    upstream->refs = 1;
    gh_random_fill(&upstream->turn, sizeof(upstream->turn));
    for (size_t i = 0; i < count; i++)
        endpoint_init(upstream, i);
    return upstream;
}

static void endpoint_init(struct gh_upstream *upstream, size_t index)
{
    struct gh_endpoint *endpoint = &upstream->endpoints[index];
    endpoint->upstream = upstream;
    endpoint->target = &upstream->target->endpoints[index];
    endpoint->index = (int)index;
    if (upstream->conf->http == GH_UPSTREAM_HTTP2)
        endpoint->protocol = GH_PROTOCOL_H2;
    else if (upstream->conf->http == GH_UPSTREAM_HTTP1 || !endpoint->target->secure)
        endpoint->protocol = GH_PROTOCOL_H1;
    gh_list_init(&endpoint->links);
    gh_list_init(&endpoint->idle);
    gh_list_init(&endpoint->waiting);
    gh_probe_init(endpoint);
}

void gh_upstream_free(struct gh_upstream *upstream)
{
    if (upstream == NULL)
        return;
    upstream->closing = true;
    for (size_t i = 0; i < upstream->conf->endpoint_count; i++) {
        struct gh_endpoint *endpoint = &upstream->endpoints[i];
        gh_probe_stop(endpoint);
        GH_LIST_EACH_SAFE (node, &endpoint->links) {
            struct gh_link *link = GH_LIST_ENTRY(node, struct gh_link, place);
            if (gh_link_is_spare(link))
                gh_link_drop(link);
        }
    }
    gh_upstream_unref(upstream);
}

void gh_upstream_unref(struct gh_upstream *upstream)
{
    if (--upstream->refs != 0)
        return;
    gh_upstream_target_unref(upstream->target);
    free(upstream);
}

size_t gh_upstream_up(const struct gh_upstream *upstream)
{
    int64_t now_ms = gh_loop_now_ms(upstream->loop);
    size_t up = 0;
    for (size_t i = 0; i < upstream->conf->endpoint_count; i++) {
        const struct gh_endpoint *endpoint = &upstream->endpoints[i];
        up += endpoint->target->address_count != 0 && gh_health_is_up(&endpoint->health, now_ms);
    }
    return up;
}

/* ---- choosing ---- */

enum gh_reason gh_pool_place(struct gh_call *call)
{
    struct gh_endpoint *endpoint = choose(call);
    if (endpoint == NULL)
        return GH_UPSTREAM_UNREACHABLE;
    call->endpoint = endpoint;
    call->connects = 0;
    endpoint->outstanding++;
    queue(call);
    gh_endpoint_serve(endpoint);
    /* Those for whom a connection is being opened do not count: they are waiting for that. */
    size_t carried = endpoint->protocol == GH_PROTOCOL_H1 ? 1 : call->upstream->h2_limits.streams;
    size_t most = (size_t)call->upstream->conf->max_connections + endpoint->connecting * carried;
    if (call->queued && endpoint->waiting_count > most) {
        gh_call_leave(call);
        return GH_UPSTREAM_BUSY;
    }
    return GH_OK;
}

static inline bool was_tried(const struct gh_call *call, const struct gh_endpoint *endpoint)
{
    return (call->tried >> endpoint->index & 1) != 0 || endpoint->target->address_count == 0;
}

static struct gh_endpoint *choose(struct gh_call *call)
{
    struct gh_upstream *upstream = call->upstream;
    int64_t now_ms = gh_loop_now_ms(upstream->loop);
    if (call->request.endpoint >= 0) {
        if ((size_t)call->request.endpoint >= upstream->conf->endpoint_count)
            return NULL;
        struct gh_endpoint *endpoint = &upstream->endpoints[call->request.endpoint];
        if (was_tried(call, endpoint))
            return NULL;
        if (call->is_probe || gh_health_is_up(&endpoint->health, now_ms))
            return endpoint;
        call->trial = gh_health_try(&endpoint->health, now_ms);
        return call->trial ? endpoint : NULL;
    }
    if (__builtin_popcountll(call->tried) >= ENDPOINTS_TRIED_MAX)
        return NULL;
    struct gh_endpoint *endpoint = least_busy(call, now_ms);
    if (endpoint != NULL)
        return endpoint;
    endpoint = least_recently_failed(call, now_ms);
    if (endpoint != NULL)
        call->trial = gh_health_try(&endpoint->health, now_ms);
    return endpoint;
}

/* Fewest calls outstanding; the place where the search begins moves on, so that equals take turns. */
static struct gh_endpoint *least_busy(struct gh_call *call, int64_t now_ms)
{
    struct gh_upstream *upstream = call->upstream;
    struct gh_endpoint *best = NULL;
    size_t count = upstream->conf->endpoint_count, start = upstream->turn++;
    for (size_t i = 0; i < count; i++) {
        struct gh_endpoint *endpoint = &upstream->endpoints[(start + i) % count];
        if (was_tried(call, endpoint) || !gh_health_is_up(&endpoint->health, now_ms))
            continue;
        if (best == NULL || endpoint->outstanding < best->outstanding)
            best = endpoint;
    }
    return best;
}

static struct gh_endpoint *least_recently_failed(struct gh_call *call, int64_t now_ms)
{
    struct gh_upstream *upstream = call->upstream;
    struct gh_endpoint *best = NULL;
    for (size_t i = 0; i < upstream->conf->endpoint_count; i++) {
        struct gh_endpoint *endpoint = &upstream->endpoints[i];
        if (was_tried(call, endpoint) || !gh_health_may_try(&endpoint->health, now_ms))
            continue;
        if (best == NULL || endpoint->health.failed_at_ms < best->health.failed_at_ms)
            best = endpoint;
    }
    return best;
}

/* ---- waiting ---- */

static void queue(struct gh_call *call)
{
    struct gh_endpoint *endpoint = call->endpoint;
    gh_list_append(&endpoint->waiting, &call->place);
    endpoint->waiting_count++;
    call->queued = true;
    gh_deadline_set(call->upstream->loop, &call->timer, call->upstream->conf->connect_ms + WAIT_EXTRA_MS);
}

static struct gh_call *take_waiting(struct gh_endpoint *endpoint)
{
    struct gh_call *call = GH_LIST_ENTRY(endpoint->waiting.next, struct gh_call, place);
    gh_list_remove(&call->place);
    endpoint->waiting_count--;
    call->queued = false;
    gh_deadline_clear(&call->timer);
    return call;
}

static struct gh_link *usable(struct gh_endpoint *endpoint)
{
    return endpoint->protocol == GH_PROTOCOL_H2 ? gh_link_h2_peek_free(endpoint)
                                                : gh_link_h1_peek_idle(endpoint);
}

void gh_endpoint_serve(struct gh_endpoint *endpoint)
{
    struct gh_link *link;
    while (endpoint->waiting_count != 0 && (link = usable(endpoint)) != NULL) {
        struct gh_call *call = take_waiting(endpoint);
        bool started =
            link->state == GH_LINK_SHARED ? gh_link_h2_start(link, call) : gh_link_h1_start(link, call);
        if (!started)
            gh_call_fail(call, GH_OUT_OF_MEMORY);
    }
    open_links(endpoint);
}

/* HTTP/1.1: an attempt for each call that waits. Else one at a time: it will carry them all, or tell what the
 * endpoint speaks. */
static void open_links(struct gh_endpoint *endpoint)
{
    while (endpoint->waiting_count != 0) {
        size_t wanted = endpoint->protocol == GH_PROTOCOL_H1 ? endpoint->waiting_count : 1;
        if (endpoint->connecting >= wanted ||
            endpoint->link_count >= (size_t)endpoint->upstream->conf->max_connections)
            return;
        if (!gh_link_connect(endpoint))
            gh_call_fail(take_waiting(endpoint), GH_UPSTREAM_UNREACHABLE);
    }
}

void gh_endpoint_connect_failed(struct gh_endpoint *endpoint, size_t address, enum gh_reason why)
{
    size_t addresses = endpoint->target->address_count;
    if (endpoint->address_at == address)
        endpoint->address_at = (address + 1) % addresses;
    size_t affected = endpoint->waiting_count;
    if (endpoint->protocol == GH_PROTOCOL_H1 && affected > 1)
        affected = 1;
    bool exhausted = affected == 0 && addresses == 1;
    struct gh_list stay, leave;
    gh_list_init(&stay);
    gh_list_init(&leave);
    for (; affected != 0; affected--) {
        struct gh_call *call = take_waiting(endpoint);
        bool out = ++call->connects >= addresses;
        if (call->verdict != GH_UPSTREAM_TLS) /* tells more than what another address says after it */
            call->verdict = why;
        exhausted = exhausted || out;
        gh_list_append(out ? &leave : &stay, &call->place);
    }
    if (exhausted)
        gh_endpoint_failed(endpoint);
    while (!gh_list_is_empty(&stay)) {
        struct gh_call *call = GH_LIST_ENTRY(stay.next, struct gh_call, place);
        gh_list_remove(&call->place);
        queue(call);
    }
    while (!gh_list_is_empty(&leave)) {
        struct gh_call *call = GH_LIST_ENTRY(leave.next, struct gh_call, place);
        gh_list_remove(&call->place);
        elsewhere(call);
    }
    gh_endpoint_serve(endpoint);
}

/* Nothing of the call was seen by anybody: another endpoint may have it, unless it is bound to this one. */
static void elsewhere(struct gh_call *call)
{
    bool bound = call->request.endpoint >= 0 || gh_buf_len(&call->replay) != 0;
    call->tried |= (uint64_t)1 << call->endpoint->index;
    gh_call_leave(call);
    if (bound || gh_pool_place(call) != GH_OK)
        gh_call_fail(call, call->verdict);
}

void gh_endpoint_failed(struct gh_endpoint *endpoint)
{
    struct gh_upstream *upstream = endpoint->upstream;
    gh_health_failed(&endpoint->health, &upstream->health_conf, gh_loop_now_ms(upstream->loop));
}
