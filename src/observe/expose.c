/* observe/expose.c: all counters as Prometheus text, format 0.0.4; labels from the settings and from enums
 * only. */
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/str.h"
#include "observe/registry.h"

static const char *const fault_names[GH_KEY_FAULT_COUNT] = {
    [GH_KEY_FAULT_MALFORMED] = "malformed",
    [GH_KEY_FAULT_TYPE] = "type",
    [GH_KEY_FAULT_USE] = "use",
    [GH_KEY_FAULT_WEAK] = "weak",
    [GH_KEY_FAULT_ALGORITHM] = "algorithm",
    [GH_KEY_FAULT_DUPLICATE] = "duplicate",
    [GH_KEY_FAULT_EXCESS] = "excess",
};

static bool head(struct gh_buf *out, const char *name, const char *type, const char *help)
{
    return gh_buf_printf(out, "# HELP gatehouse_%s %s\n# TYPE gatehouse_%s %s\n", name, help, name, type);
}

/* ---- per worker ---- */

struct worker_row {
    const char *name, *type, *help;
    size_t offset;
};

#define ROW(field, kind, text)                                                                               \
    {                                                                                                        \
#field, kind, text, offsetof(struct gh_worker_stats, field)                                          \
    }
static const struct worker_row worker_rows[] = {
    ROW(connections_accepted, "counter", "Client connections accepted."),
    ROW(connections_open, "gauge", "Client connections open now."),
    ROW(connections_refused, "counter", "Client connections refused at the door."),
    ROW(handshakes_full, "counter", "Full TLS handshakes."),
    ROW(handshakes_resumed, "counter", "Resumed TLS handshakes."),
    ROW(handshakes_failed, "counter", "TLS handshakes that failed or took too long."),
    ROW(exchanges_open, "gauge", "Exchanges under way now."),
    ROW(verdict_hits, "counter", "Tokens found in the verdict cache."),
    ROW(verdict_misses, "counter", "Tokens that had to be opened and checked."),
    ROW(verdict_offloaded, "counter", "Signatures checked on an offload thread."),
    ROW(assertions_signed, "counter", "Identity assertions signed for upstreams."),
    ROW(assertions_reused, "counter", "Requests that went out with an assertion signed before."),
    ROW(upstream_connects, "counter", "Connections opened to upstreams."),
    ROW(upstream_reuses, "counter", "Calls sent over a pooled upstream connection."),
    ROW(h2_cut_resets, "counter", "HTTP/2 connections cut for too many resets."),
    ROW(h2_cut_glitches, "counter", "HTTP/2 connections cut for too many oddities."),
    ROW(audit_dropped, "counter", "Audit lines dropped because their destination did not keep up."),
    ROW(store_conflicts, "counter",
        "Commits for which somebody else was faster, here or in another process; decided anew."),
    ROW(rate_takes, "counter", "Lots of requests that the store was asked for, where there are rate limits."),
    ROW(rate_takes_failed, "counter",
        "Such questions without an answer in time: the limit's `fail` decided."),
};
#undef ROW

static uint64_t sum_over_workers(const struct gh_registry *registry, size_t offset)
{
    uint64_t sum = 0;
    for (unsigned w = 0; w < registry->workers; w++) {
        const gh_cell *cell = (const gh_cell *)(const void *)((const char *)&registry->by_worker[w] + offset);
        sum += GH_COUNT_READ(*cell);
    }
    return sum;
}

static bool expose_workers(const struct gh_registry *registry, struct gh_buf *out)
{
    for (size_t i = 0; i < GH_ARRAY_LEN(worker_rows); i++) {
        const struct worker_row *row = &worker_rows[i];
        const char *suffix = row->type[0] == 'c' ? "_total" : "";
        char name[64];
        (void)snprintf(name, sizeof(name), "%s%s", row->name, suffix);
        if (!head(out, name, row->type, row->help) ||
            !gh_buf_printf(out, "gatehouse_%s %llu\n", name,
                           (unsigned long long)sum_over_workers(registry, row->offset)))
            return false;
    }
    return true;
}

/* ---- per route ---- */

struct route_sum {
    uint64_t by_reason[GH_REASON_COUNT], duration[GH_DURATION_BUCKETS + 1];
    uint64_t duration_sum_us, bytes_in, bytes_out, streams_open, upstream_failures;
};

static struct route_sum sum_route(const struct gh_registry *registry, const struct gh_route_series *series)
{
    struct route_sum sum = { 0 };
    for (unsigned w = 0; w < registry->workers; w++) {
        const struct gh_route_stats *from = &series->by_worker[w];
        for (size_t i = 0; i < GH_REASON_COUNT; i++)
            sum.by_reason[i] += GH_COUNT_READ(from->by_reason[i]);
        for (size_t i = 0; i <= GH_DURATION_BUCKETS; i++)
            sum.duration[i] += GH_COUNT_READ(from->duration[i]);
        sum.duration_sum_us += GH_COUNT_READ(from->duration_sum_us);
        sum.bytes_in += GH_COUNT_READ(from->bytes_in);
        sum.bytes_out += GH_COUNT_READ(from->bytes_out);
        sum.streams_open += GH_COUNT_READ(from->streams_open);
        sum.upstream_failures += GH_COUNT_READ(from->upstream_failures);
    }
    return sum;
}

/* Label values: backslash, quote and newline escaped; names of the settings hold nothing worse. */
struct labels {
    char text[512];
};

static struct labels route_labels(const struct gh_route_series *series)
{
    struct labels labels;
    size_t n = (size_t)snprintf(labels.text, sizeof(labels.text), "tenant=\"");
    n += gh_json_escape(gh_str_from(series->tenant), labels.text + n, 200);
    n += (size_t)snprintf(labels.text + n, sizeof(labels.text) - n, "\",route=\"");
    n += gh_json_escape(gh_str_from(series->route), labels.text + n, 200);
    (void)snprintf(labels.text + n, sizeof(labels.text) - n, "\"");
    return labels;
}

static bool expose_reasons(struct gh_buf *out, const struct labels *labels, const struct route_sum *sum)
{
    for (size_t i = 0; i < GH_REASON_COUNT; i++)
        if (sum->by_reason[i] > 0 &&
            !gh_buf_printf(out, "gatehouse_requests_total{%s,reason=\"%s\"} %llu\n", labels->text,
                           gh_reason_row((enum gh_reason)i)->slug, (unsigned long long)sum->by_reason[i]))
            return false;
    return true;
}

static bool expose_durations(struct gh_buf *out, const struct labels *labels, const struct route_sum *sum)
{
    uint64_t below = 0;
    for (size_t i = 0; i < GH_DURATION_BUCKETS; i++) {
        below += sum->duration[i];
        if (!gh_buf_printf(out, "gatehouse_request_duration_seconds_bucket{%s,le=\"%g\"} %llu\n",
                           labels->text, (double)gh_duration_bounds_us[i] / 1e6, (unsigned long long)below))
            return false;
    }
    below += sum->duration[GH_DURATION_BUCKETS];
    return gh_buf_printf(out,
                         "gatehouse_request_duration_seconds_bucket{%s,le=\"+Inf\"} %llu\n"
                         "gatehouse_request_duration_seconds_sum{%s} %.6f\n"
                         "gatehouse_request_duration_seconds_count{%s} %llu\n",
                         labels->text, (unsigned long long)below, labels->text,
                         (double)sum->duration_sum_us / 1e6, labels->text, (unsigned long long)below);
}

static bool expose_simple(struct gh_buf *out, const struct labels *labels, const char *name, uint64_t value)
{
    return gh_buf_printf(out, "gatehouse_%s{%s} %llu\n", name, labels->text, (unsigned long long)value);
}

/* One family of all routes: families must stand together. */
enum family {
    FAMILY_REASONS,
    FAMILY_DURATIONS,
    FAMILY_IN,
    FAMILY_OUT,
    FAMILY_STREAMS,
    FAMILY_FAILURES,
    FAMILY_COUNT
};

static bool expose_family_of(struct gh_buf *out, enum family family, const struct labels *labels,
                             const struct route_sum *sum)
{
    switch (family) {
    case FAMILY_REASONS:
        return expose_reasons(out, labels, sum);
    case FAMILY_DURATIONS:
        return expose_durations(out, labels, sum);
    case FAMILY_IN:
        return expose_simple(out, labels, "request_bytes_total", sum->bytes_in);
    case FAMILY_OUT:
        return expose_simple(out, labels, "response_bytes_total", sum->bytes_out);
    case FAMILY_STREAMS:
        return expose_simple(out, labels, "event_streams_open", sum->streams_open);
    case FAMILY_FAILURES:
        return expose_simple(out, labels, "upstream_failures_total", sum->upstream_failures);
    case FAMILY_COUNT:
        break;
    }
    return true;
}

static bool expose_sums(const struct gh_registry *registry, const struct route_sum *sums, struct gh_buf *out)
{
    static const struct {
        const char *name, *type, *help;
    } families[FAMILY_COUNT] = {
        [FAMILY_REASONS] = { "requests_total", "counter", "Exchanges by how they ended." },
        [FAMILY_DURATIONS] = { "request_duration_seconds", "histogram", "From the first byte to the end." },
        [FAMILY_IN] = { "request_bytes_total", "counter", "Request body bytes." },
        [FAMILY_OUT] = { "response_bytes_total", "counter", "Response body bytes." },
        [FAMILY_STREAMS] = { "event_streams_open", "gauge", "Event streams open now." },
        [FAMILY_FAILURES] = { "upstream_failures_total", "counter",
                              "Calls that the upstream did not complete." },
    };
    for (size_t f = 0; f < FAMILY_COUNT; f++) {
        if (!head(out, families[f].name, families[f].type, families[f].help))
            return false;
        for (uint32_t i = 0; i < registry->route_count; i++) {
            const struct labels labels = route_labels(&registry->routes[i]);
            if (!expose_family_of(out, (enum family)f, &labels, &sums[i]))
                return false;
        }
    }
    return true;
}

/* A family stands together over all routes, so that each is summed up before the first is written. */
static bool expose_routes(const struct gh_registry *registry, struct gh_buf *out)
{
    struct route_sum *sums = gh_calloc(registry->route_count + 1, sizeof(*sums));
    if (sums == NULL)
        return false;
    for (uint32_t i = 0; i < registry->route_count; i++)
        sums[i] = sum_route(registry, &registry->routes[i]);
    bool done = expose_sums(registry, sums, out);
    free(sums);
    return done;
}

/* ---- per issuer ---- */

static bool expose_issuer_family(const struct gh_registry *registry, struct gh_buf *out, const char *name,
                                 size_t offset)
{
    for (uint32_t i = 0; i < registry->issuer_count; i++) {
        const char *base = (const char *)&registry->issuers[i]->stats;
        const gh_cell *cell = (const gh_cell *)(const void *)(base + offset);
        if (!gh_buf_printf(out, "gatehouse_%s{issuer=\"%s\"} %llu\n", name, registry->issuers[i]->issuer,
                           (unsigned long long)GH_COUNT_READ(*cell)))
            return false;
    }
    return true;
}

static bool expose_rejected_keys(const struct gh_registry *registry, struct gh_buf *out)
{
    if (!head(out, "jwks_keys_rejected", "gauge", "Keys of the last set that were left out, by reason."))
        return false;
    for (uint32_t i = 0; i < registry->issuer_count; i++)
        for (size_t f = 0; f < GH_KEY_FAULT_COUNT; f++)
            if (!gh_buf_printf(
                    out, "gatehouse_jwks_keys_rejected{issuer=\"%s\",reason=\"%s\"} %llu\n",
                    registry->issuers[i]->issuer, fault_names[f],
                    (unsigned long long)GH_COUNT_READ(registry->issuers[i]->stats.keys_rejected[f])))
                return false;
    return true;
}

static bool expose_issuers(const struct gh_registry *registry, struct gh_buf *out)
{
#define ROW(name, field, kind, text)                                                                         \
    {                                                                                                        \
        name, kind, text, offsetof(struct gh_issuer_stats, field)                                            \
    }
    static const struct worker_row rows[] = {
        ROW("jwks_fetches_total", fetches_ok, "counter", "Key sets fetched."),
        ROW("jwks_fetch_failures_total", fetches_failed, "counter",
            "Fetches of metadata or key sets that failed."),
        ROW("jwks_keys_usable", keys_usable, "gauge", "Keys that tokens can be verified with."),
        ROW("jwks_fetched_timestamp_seconds", keys_fetched_at_s, "gauge",
            "When the present key set was fetched."),
        ROW("issuer_ready", ready, "gauge", "1 when this issuer's tokens can be verified."),
        ROW("signing_row_failing", signing_failing, "gauge",
            "1 when the row of signing keys of this issuer, which lies in the store, cannot be read or "
            "used."),
    };
#undef ROW
    for (size_t i = 0; i < GH_ARRAY_LEN(rows); i++)
        if (!head(out, rows[i].name, rows[i].type, rows[i].help) ||
            !expose_issuer_family(registry, out, rows[i].name, rows[i].offset))
            return false;
    return expose_rejected_keys(registry, out);
}

/* ---- revocation ---- */

static bool expose_revocation(const struct gh_registry *registry, struct gh_buf *out)
{
    const struct gh_revocation_gauges *gauges = &registry->revocation;
    if (!registry->revokes)
        return true;
    bool ok =
        head(out, "revocation_entries", "gauge", "Revocations in the index.") &&
        gh_buf_printf(out, "gatehouse_revocation_entries %llu\n", (unsigned long long)gauges->entries) &&
        head(out, "revocation_lag_seconds", "gauge",
             "Between the append of the last revocation and its being known here.") &&
        gh_buf_printf(out, "gatehouse_revocation_lag_seconds %.3f\n", (double)gauges->lag_ms / 1000) &&
        head(out, "revocation_staleness_seconds", "gauge",
             "Since the index was known to be complete; +Inf before the first time.");
    if (ok && gauges->staleness_ms == INT64_MAX)
        return gh_buf_printf(out, "gatehouse_revocation_staleness_seconds +Inf\n");
    return ok && gh_buf_printf(out, "gatehouse_revocation_staleness_seconds %.3f\n",
                               (double)gauges->staleness_ms / 1000);
}

bool gh_registry_expose(struct gh_registry *registry, struct gh_buf *out)
{
    return head(out, "settings_generation", "gauge", "Counts up with every reload that took effect.") &&
           gh_buf_printf(out, "gatehouse_settings_generation %llu\n",
                         (unsigned long long)GH_COUNT_READ(registry->generation)) &&
           head(out, "settings_loaded_timestamp_seconds", "gauge",
                "When the present settings took effect.") &&
           gh_buf_printf(out, "gatehouse_settings_loaded_timestamp_seconds %llu\n",
                         (unsigned long long)GH_COUNT_READ(registry->loaded_at_s)) &&
           head(out, "log_lines_dropped_total", "counter",
                "Lines of the error log that were not written: too many of one kind, or no room.") &&
           gh_buf_printf(out, "gatehouse_log_lines_dropped_total %llu\n",
                         (unsigned long long)gh_log_dropped()) &&
           expose_revocation(registry, out) && expose_workers(registry, out) &&
           expose_routes(registry, out) && expose_issuers(registry, out);
}
