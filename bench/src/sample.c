/* sample.c: measures time, latencies and CPU use of the processes of a benchmark run. */
#include "sample.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

uint64_t gh_bench_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

/* ---- latencies */

void gh_latencies_add(struct gh_latencies *set, uint64_t ns)
{
    if (set->count == set->room) {
        set->room = set->room > 0 ? 2 * set->room : 1u << 16;
        set->at = realloc(set->at, set->room * sizeof(*set->at));
        if (set->at == NULL)
            abort();
    }
    uint64_t tenths = ns / 100;
    set->at[set->count++] = tenths > UINT32_MAX ? UINT32_MAX : (uint32_t)tenths;
}

static int ascending(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

double gh_latencies_at(struct gh_latencies *set, double share)
{
    if (set->count == 0)
        return 0;
    qsort(set->at, set->count, sizeof(*set->at), ascending);
    size_t i = (size_t)(share * (double)(set->count - 1));
    return set->at[i] / 10.0;
}

void gh_latencies_done(struct gh_latencies *set)
{
    free(set->at);
    *set = (struct gh_latencies){ 0 };
}

/* ---- CPU time */

uint64_t gh_pids_cpu(const struct gh_pids *pids)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < pids->count; i++) {
        clockid_t clock;
        struct timespec t;
        if (clock_getcpuclockid(pids->at[i], &clock) == 0 && clock_gettime(clock, &t) == 0)
            sum += (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
    }
    return sum;
}

static uint64_t own_cpu(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

/* Idle time of one CPU from /proc/stat, whose unit is the clock tick. */
static uint64_t line_idle(const char *line, unsigned *ret_cpu)
{
    unsigned long long user, nice, system, idle, iowait;
    if (sscanf(line, "cpu%u %llu %llu %llu %llu %llu", ret_cpu, &user, &nice, &system, &idle, &iowait) != 6)
        return 0;
    return (idle + iowait) * (1000000000ull / (uint64_t)sysconf(_SC_CLK_TCK));
}

static uint64_t idle_of(const struct gh_window *window)
{
    FILE *file = fopen("/proc/stat", "re");
    char line[512];
    uint64_t sum = 0;
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        unsigned cpu = 0;
        if (strncmp(line, "cpu ", 4) == 0)
            continue;
        if (strncmp(line, "cpu", 3) != 0)
            break;
        uint64_t idle = line_idle(line, &cpu);
        for (size_t i = 0; i < window->cpu_count; i++)
            sum += window->cpus[i] == cpu ? idle : 0;
    }
    if (file != NULL)
        fclose(file);
    return sum;
}

/* ---- the window */

static struct gh_usage usage_now(const struct gh_window *window, uint64_t units)
{
    return (struct gh_usage){
        .server = gh_pids_cpu(&window->server),
        .backend = gh_pids_cpu(&window->backend),
        .driver = own_cpu(),
        .idle = idle_of(window),
        .units = units,
        .at = gh_bench_now(),
    };
}

/* The share of one CPU which others used between two moments. */
static double foreign_share(const struct gh_window *window, const struct gh_usage *a,
                            const struct gh_usage *b)
{
    double wall = (double)(b->at - a->at);
    double ours =
        (double)(b->server - a->server) + (double)(b->backend - a->backend) + (double)(b->driver - a->driver);
    return (double)window->cpu_count - ((double)(b->idle - a->idle) + ours) / wall;
}

void gh_window_open(struct gh_window *window)
{
    window->begun = window->slice = usage_now(window, 0);
    window->open = true;
}

static void slice_end(struct gh_window *window, uint64_t units)
{
    struct gh_usage now = usage_now(window, units);
    struct gh_latencies *all = &window->latencies;
    if (foreign_share(window, &window->slice, &now) < GH_QUIET_SHARE) {
        size_t fresh = all->count - window->slice_latencies;
        window->quiet_ns += now.at - window->slice.at;
        window->quiet_units += units - window->slice.units;
        window->quiet_server += now.server - window->slice.server;
        /* Quiet latencies are kept together at the front, so that the noisy ones can be left out. */
        for (size_t i = 0; i < fresh; i++) {
            uint32_t keep = all->at[window->slice_latencies + i];
            all->at[window->slice_latencies + i] = all->at[window->quiet_latencies + i];
            all->at[window->quiet_latencies + i] = keep;
        }
        window->quiet_latencies += fresh;
    }
    window->slice_latencies = all->count;
    window->slice = now;
}

void gh_window_tick(struct gh_window *window, uint64_t now, uint64_t units)
{
    if (window->open && now >= window->slice.at + GH_SLICE_NS)
        slice_end(window, units);
}

bool gh_window_is_full(const struct gh_window *window, uint64_t now, double seconds)
{
    uint64_t wanted = (uint64_t)(seconds * 1e9);
    return window->quiet_ns + GH_SLICE_NS / 10 >= wanted || now >= window->begun.at + wanted + wanted / 2;
}

void gh_window_close(struct gh_window *window, uint64_t units)
{
    window->ended = usage_now(window, units);
    window->open = false;
}

void gh_window_print(struct gh_window *window)
{
    const struct gh_usage *a = &window->begun, *b = &window->ended;
    bool quiet = window->quiet_ns >= GH_SLICE_NS && window->quiet_units > 0;
    double wall = (double)(b->at - a->at);
    uint64_t units = quiet ? window->quiet_units : b->units;
    double used = (double)(quiet ? window->quiet_server : b->server - a->server);
    double span = quiet ? (double)window->quiet_ns : wall;
    if (quiet)
        window->latencies.count = window->quiet_latencies;
    printf("units=%llu secs=%.3f rate=%.1f cpu_us=%.3f quiet=%.2f", (unsigned long long)b->units, wall / 1e9,
           (double)units / span * 1e9, units > 0 ? used / 1e3 / (double)units : 0.0,
           (double)window->quiet_ns / wall);
    printf(" p50_us=%.1f p99_us=%.1f", gh_latencies_at(&window->latencies, 0.5),
           gh_latencies_at(&window->latencies, 0.99));
    printf(" server_share=%.3f driver_share=%.3f backend_share=%.3f foreign_share=%.3f",
           (double)(b->server - a->server) / wall, (double)(b->driver - a->driver) / wall,
           (double)(b->backend - a->backend) / wall, foreign_share(window, a, b));
}

void gh_window_done(struct gh_window *window)
{
    gh_latencies_done(&window->latencies);
}
