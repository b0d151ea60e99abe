/* upstream/probe.c: active health: each worker asks each endpoint for health_path now and then. */
#include "base/clock.h"
#include "base/str.h"
#include "upstream/pool.h"

/* A health page is read to its end so that the connection can be kept; more than this is cut off. */
#define PAGE_MAX (64 * 1024)

static void probe_fire(struct gh_deadline *deadline);
static void probe_head(void *ctx, const struct gh_call_response *response);
static void probe_data(void *ctx, gh_str bytes);
static void probe_end(void *ctx);
static void probe_fail(void *ctx, enum gh_reason why);
static void probe_taken(void *ctx, size_t n);
static void rest(struct gh_endpoint *endpoint);
static void verdict(struct gh_endpoint *endpoint, bool ok);

static const struct gh_call_events probe_events = { probe_head, probe_data, probe_end, probe_fail,
                                                    probe_taken };

/* Up to n, of chance: endpoints and workers do not ask in step. */
static int64_t jitter(int64_t n)
{
    uint64_t random;
    gh_random_fill(&random, sizeof(random));
    return n > 0 ? (int64_t)(random % (uint64_t)n) : 0;
}

void gh_probe_init(struct gh_endpoint *endpoint)
{
    struct gh_upstream *upstream = endpoint->upstream;
    int64_t interval = upstream->conf->health_interval_ms;
    gh_deadline_init(&endpoint->probe_timer, probe_fire);
    if (gh_str_is_empty(upstream->conf->health_path) || interval <= 0 || endpoint->target->address_count == 0)
        return;
    gh_deadline_set(upstream->loop, &endpoint->probe_timer, jitter(interval));
}

void gh_probe_stop(struct gh_endpoint *endpoint)
{
    gh_deadline_clear(&endpoint->probe_timer);
    if (endpoint->probe != NULL)
        gh_call_cancel(endpoint->probe);
    endpoint->probe = NULL;
}

/* The same machinery as any call, bound to its endpoint and not to what is thought of it. */
static void probe_fire(struct gh_deadline *deadline)
{
    struct gh_endpoint *endpoint = GH_LIST_ENTRY(deadline, struct gh_endpoint, probe_timer);
    struct gh_upstream *upstream = endpoint->upstream;
    const struct gh_upstream_conf *conf = upstream->conf;
    static const struct gh_headers none;
    struct gh_call_request request = {
        .method = GH_METHOD_GET,
        .path_and_query = conf->health_path,
        .headers = &none,
        .content_length = -1,
        .endpoint = endpoint->index,
        .first_byte_ms = conf->health_interval_ms < conf->first_byte_ms ? conf->health_interval_ms : 0,
    };
    endpoint->probe_bytes = 0;
    endpoint->probe = gh_call_new(upstream, &request, &probe_events, endpoint);
    if (endpoint->probe == NULL) {
        rest(endpoint);
        return;
    }
    endpoint->probe->is_probe = true;
    gh_call_go(endpoint->probe);
}

static void rest(struct gh_endpoint *endpoint)
{
    int64_t interval = endpoint->upstream->conf->health_interval_ms;
    endpoint->probe = NULL;
    gh_deadline_set(endpoint->upstream->loop, &endpoint->probe_timer,
                    interval - interval / 10 + jitter(interval / 5));
}

static void verdict(struct gh_endpoint *endpoint, bool ok)
{
    struct gh_upstream *upstream = endpoint->upstream;
    gh_health_probed(&endpoint->health, &upstream->health_conf, ok, gh_loop_now_ms(upstream->loop));
    rest(endpoint);
}

static void probe_head(void *ctx, const struct gh_call_response *response)
{
    struct gh_endpoint *endpoint = ctx;
    endpoint->probe_ok = response->status >= 200 && response->status < 400;
}

static void probe_data(void *ctx, gh_str bytes)
{
    struct gh_endpoint *endpoint = ctx;
    endpoint->probe_bytes += bytes.len;
    if (endpoint->probe_bytes <= PAGE_MAX)
        return;
    gh_call_cancel(endpoint->probe);
    verdict(endpoint, endpoint->probe_ok);
}

static void probe_end(void *ctx)
{
    struct gh_endpoint *endpoint = ctx;
    verdict(endpoint, endpoint->probe_ok);
}

/* A full queue says nothing about health. */
static void probe_fail(void *ctx, enum gh_reason why)
{
    if (why == GH_UPSTREAM_BUSY || why == GH_OUT_OF_MEMORY)
        rest(ctx);
    else
        verdict(ctx, false);
}

static void probe_taken(void *ctx, size_t n)
{
}
