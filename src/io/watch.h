/* io/watch.h: descriptors and exact times for a library that has its own way of waiting, as libcurl has. */
#ifndef GH_IO_WATCH_H
#define GH_IO_WATCH_H

#include "io/loop.h"

#define GH_WATCH_READ  1u
#define GH_WATCH_WRITE 2u

/* Unlike a deadline its time is exact and real, also where the loop's time is a test's: what runs it measures
 * for itself. */
struct gh_watch;
/* `fd` -1: time alone. Runs with what is ready, 0 when it is time. NULL when out of memory. */
struct gh_watch *gh_watch_new(struct gh_loop *loop, int fd, void (*run)(void *ctx, int fd, unsigned ready),
                              void *ctx);
/* A descriptor is waited for until set again (0: for nothing); a time (-1: none) comes once, and ends the
 * wait for the descriptor that it was set with. */
bool gh_watch_set(struct gh_watch *watch, unsigned what, int64_t in_ms) GH_MUST_USE;
/* Quiet at once, freed at the end of the turn. */
void gh_watch_free(struct gh_watch *watch);

#endif
