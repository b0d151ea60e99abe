/* base/clock.h: the only places where time and chance enter. */
#ifndef GH_BASE_CLOCK_H
#define GH_BASE_CLOCK_H

#include "gatehouse/types.h"

/* Milliseconds since some start, never backwards. The loop reads it once a turn; others take that value. */
int64_t gh_clock_mono_ms(void);
/* Nanoseconds, for timings. */
int64_t gh_clock_mono_ns(void);
/* Microseconds since 1970. */
int64_t gh_clock_wall_us(void);
/* From the kernel; aborts the process when the kernel has none: nothing is safe then. Per-thread buffered. */
void gh_random_fill(void *ret_bytes, size_t len);

#endif
