/* observe/metrics.h: counters per worker without locks, summed and written as Prometheus text by the control
 * thread. */
#ifndef GH_OBSERVE_METRICS_H
#define GH_OBSERVE_METRICS_H

#include "base/buf.h"
#include "gatehouse/token.h"

/* One writer (the worker that owns the cell), any readers. */
typedef uint64_t gh_cell;
#define GH_COUNT_ADD(cell, n) __atomic_store_n(&(cell), (cell) + (uint64_t)(n), __ATOMIC_RELAXED)
#define GH_COUNT_SUB(cell, n) __atomic_store_n(&(cell), (cell) - (uint64_t)(n), __ATOMIC_RELAXED)
#define GH_COUNT_READ(cell)   __atomic_load_n(&(cell), __ATOMIC_RELAXED)

#define GH_DURATION_BUCKETS 12
extern const uint32_t
    gh_duration_bounds_us[GH_DURATION_BUCKETS]; /* upper bounds; the last bucket is +Inf beside them */

/* Of one route at one worker. Labels come from the settings (route, tenant) and from enums (reason) only. */
struct gh_route_stats {
    gh_cell by_reason[GH_REASON_COUNT];
    gh_cell duration[GH_DURATION_BUCKETS + 1];
    gh_cell duration_sum_us;
    gh_cell bytes_in, bytes_out;
    gh_cell streams_open; /* event streams */
    gh_cell upstream_failures;
};

/* Of one worker, whatever the route. */
struct gh_worker_stats {
    gh_cell connections_accepted, connections_open, connections_refused;
    gh_cell handshakes_full, handshakes_resumed, handshakes_failed;
    gh_cell exchanges_open;
    gh_cell verdict_hits, verdict_misses, verdict_offloaded;
    gh_cell assertions_signed, assertions_reused;
    gh_cell upstream_connects, upstream_reuses;
    gh_cell h2_cut_resets, h2_cut_glitches;
    gh_cell audit_dropped;
    gh_cell store_conflicts;
    gh_cell rate_takes, rate_takes_failed; /* questions to the store about rate limits */
};

/* Of one issuer; written by the control thread only. */
struct gh_issuer_stats {
    gh_cell fetches_ok, fetches_failed;
    gh_cell keys_usable;
    gh_cell keys_rejected[GH_KEY_FAULT_COUNT];
    gh_cell keys_fetched_at_s; /* since 1970; 0: never */
    gh_cell ready;             /* 1: tokens of this issuer can be verified */
    gh_cell signing_failing;   /* 1: the row of its signing keys cannot be read, or not be used */
};

/* Of the revocation index; of the control thread. */
struct gh_revocation_gauges {
    uint64_t entries;
    int64_t staleness_ms; /* since it was known to be complete; INT64_MAX: never yet */
    int64_t lag_ms;       /* between the append of the last entry and its being known here */
};

struct gh_registry;
struct gh_registry *gh_registry_new(unsigned workers);
void gh_registry_free(struct gh_registry *registry);
/* Control thread: finds or adds by name; the same names give the same id across reloads. Worker side blocks
 * never move. UINT32_MAX when out of memory. */
uint32_t gh_registry_route(struct gh_registry *registry, gh_str tenant, gh_str route);
struct gh_route_stats *gh_registry_route_stats(struct gh_registry *registry, unsigned worker, uint32_t id);
struct gh_worker_stats *gh_registry_worker_stats(struct gh_registry *registry, unsigned worker);
struct gh_issuer_stats *gh_registry_issuer_stats(struct gh_registry *registry, gh_str issuer);
void gh_registry_generation(struct gh_registry *registry, uint64_t generation, int64_t loaded_at_s);
/* From then on they are exposed; before that there is no index. */
void gh_registry_revocation(struct gh_registry *registry, const struct gh_revocation_gauges *gauges);
/* Text format 0.0.4 with HELP and TYPE. False when out of memory. */
bool gh_registry_expose(struct gh_registry *registry, struct gh_buf *out) GH_MUST_USE;

#endif
