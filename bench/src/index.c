/* bench/src/index.c: what the revocation index costs: time of a look-up, bytes of an entry. Run by hand. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "store/index.h"

#define LOOKUPS 5000000u

/* Of this thread alone: neighbours on the machine cost cache, but no time here. */
static double cpu_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static struct gh_revocation_key key_of(uint64_t i)
{
    return (struct gh_revocation_key){ { mix(2 * i + 1), mix(2 * i + 2) } };
}

/* Nanoseconds of one question about so many keys, taken at random from those below `below`, `first` added. */
static double time_asks(const struct gh_index *index, unsigned count, uint64_t first, uint64_t below)
{
    uint64_t revoked = 0, state = 88172645463325252u;
    double began = cpu_ns();
    for (unsigned i = 0; i < LOOKUPS / count; i++) {
        struct gh_dependencies dependencies = { .count = count, .issued = 10 };
        for (unsigned j = 0; j < count; j++) {
            state += 0x9e3779b97f4a7c15u;
            dependencies.at[j] = key_of(first + mix(state) % below);
        }
        revoked += gh_index_ask(index, &dependencies) == GH_TOKEN_REVOKED;
    }
    double took = (cpu_ns() - began) / (LOOKUPS / count);
    if (revoked != (first == 0 ? LOOKUPS / count : 0))
        abort();
    return took;
}

int main(int argc, char **argv)
{
    uint64_t entries = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000;
    struct gh_index *index = gh_index_new(0);
    double began = cpu_ns();
    for (uint64_t i = 0; index != NULL && i < entries; i++) {
        struct gh_revocation_key key = key_of(i);
        if (!gh_index_add(index, &key, 10, GH_REVOKED_ALWAYS))
            return 1;
    }
    double added = (cpu_ns() - began) / (double)entries;
    if (index == NULL)
        return 1;
    (void)printf("%llu entries, %.1f bytes each, %.0f ns to add one\n", (unsigned long long)entries,
                 (double)gh_index_bytes(index) / (double)entries, added);
    (void)printf(
        "random look-up: hit %.0f ns, miss %.0f ns; a request with 5 dependencies, none revoked: %.0f ns\n",
        time_asks(index, 1, 0, entries), time_asks(index, 1, entries, 1u << 30),
        time_asks(index, 5, entries, 1u << 30));
    gh_index_free(index);
    return 0;
}
