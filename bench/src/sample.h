/* sample.h: how the load driver measures: a clock, a set of latencies, CPU time of processes, a quiet window.
 */
#ifndef GATEHOUSE_BENCH_SAMPLE_H
#define GATEHOUSE_BENCH_SAMPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Monotonic nanoseconds. */
uint64_t gh_bench_now(void);

/* Latencies in tenths of a microsecond. */
struct gh_latencies {
    uint32_t *at;
    size_t count, room;
};
void gh_latencies_add(struct gh_latencies *set, uint64_t ns);
/* Sorts, then answers the value below which the share (0 to 1) of all lies, in microseconds. */
double gh_latencies_at(struct gh_latencies *set, double share);
void gh_latencies_done(struct gh_latencies *set);

#define GH_BENCH_PIDS_MAX 16
#define GH_BENCH_CPUS_MAX 16
struct gh_pids {
    pid_t at[GH_BENCH_PIDS_MAX];
    size_t count;
};
/* CPU time in nanoseconds that all threads of these processes have used, finished threads included. */
uint64_t gh_pids_cpu(const struct gh_pids *pids);

/* The window is cut into slices. The machine may be shared, so the figures come from the quiet slices: those
 * in which everything but server, backend and driver used less than GH_QUIET_SHARE of one CPU. */
#define GH_SLICE_NS    250000000ull
#define GH_QUIET_SHARE 0.3

/* What was running when a slice began: counters, all in nanoseconds but units. */
struct gh_usage {
    uint64_t at, server, backend, driver, idle, units;
};
struct gh_window {
    struct gh_pids server, backend;
    unsigned cpus[GH_BENCH_CPUS_MAX]; /* the CPUs of this run, to know what others took of them */
    size_t cpu_count;
    struct gh_usage begun, slice, ended;
    uint64_t quiet_ns, quiet_units, quiet_server;
    size_t quiet_latencies, slice_latencies;
    struct gh_latencies latencies; /* added by the driver while the window is open */
    bool open;
};
void gh_window_open(struct gh_window *window);
/* Closes the running slice when it is old enough; `units` is what the driver has counted since opening. */
void gh_window_tick(struct gh_window *window, uint64_t now, uint64_t units);
/* Is there `seconds` of quiet time, or half as much again of any time? */
bool gh_window_is_full(const struct gh_window *window, uint64_t now, double seconds);
void gh_window_close(struct gh_window *window, uint64_t units);
/* Prints "units= secs= rate= cpu_us= quiet= p50_us= ..." without a line end. */
void gh_window_print(struct gh_window *window);
void gh_window_done(struct gh_window *window);

#endif
