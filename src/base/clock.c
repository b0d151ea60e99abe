/* base/clock.c: the kernel's clocks and the kernel's randomness. */
#include "base/clock.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/secret.h"

int64_t gh_clock_mono_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t gh_clock_mono_ms(void)
{
    return gh_clock_mono_ns() / 1000000;
}

int64_t gh_clock_wall_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

#define POOL 512u

/* Bytes drawn ahead, so that an identifier costs no system call. Each is wiped as it is given out. */
static _Thread_local struct {
    unsigned char bytes[POOL];
    size_t left;
} pool;

static pthread_once_t fork_guard = PTHREAD_ONCE_INIT;

static void draw(unsigned char *to, size_t len)
{
    while (len != 0) {
        ssize_t n = getrandom(to, len, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            abort();
        to += n;
        len -= (size_t)n;
    }
}

/* A child has only the thread that forked: dropping that thread's pool is enough for two streams to differ.
 */
static void forget_in_child(void)
{
    pool.left = 0;
}

static void guard_forks(void)
{
    pthread_atfork(NULL, NULL, forget_in_child);
}

void gh_random_fill(void *ret_bytes, size_t len)
{
    if (len > POOL / 4) {
        draw(ret_bytes, len);
        return;
    }
    if (pool.left < len) {
        pthread_once(&fork_guard, guard_forks);
        draw(pool.bytes, POOL);
        pool.left = POOL;
    }
    pool.left -= len;
    memcpy(ret_bytes, pool.bytes + pool.left, len);
    gh_wipe(pool.bytes + pool.left, len);
}
