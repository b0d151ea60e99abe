/* gateway/streams.c: counters in one array of atomic words, found by hash within a short window. */
#include "gateway/streams.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/map.h"
#include "base/str.h"

/* A cell: the upper 44 bits of the hash of who it counts, then the count; 0: free. An owner's cell is within
 * WINDOW of where the hash points. Two workers that enter a new owner at the same moment may take two cells
 * for it: the count is the sum. With a quarter of the cells taken a full window is a matter of chance below
 * 10^-9; it is answered as too many. */
#define CELLS      (1u << 17)
#define WINDOW     16u
#define COUNT_BITS 20
#define COUNT_MAX  ((1u << COUNT_BITS) - 1)

struct gh_streams {
    uint64_t seed[2];
    uint64_t all;
    uint64_t cells[CELLS + WINDOW];
};

struct gh_streams *gh_streams_new(void)
{
    struct gh_streams *streams = gh_calloc(1, sizeof(*streams));
    if (streams != NULL)
        gh_random_fill(streams->seed, sizeof(streams->seed));
    return streams;
}

void gh_streams_free(struct gh_streams *streams)
{
    free(streams);
}

/* Chained: each part under what came before, so that no two lists of parts are one text. */
static uint64_t add(const struct gh_streams *streams, uint64_t state, gh_str part)
{
    const uint64_t seed[2] = { streams->seed[0] ^ state, streams->seed[1] + part.len };
    return gh_hash(seed, part);
}

struct gh_stream_owner gh_stream_owner(const struct gh_streams *streams, gh_str tenant, gh_str issuer,
                                       gh_str subject)
{
    uint64_t of_tenant = add(streams, 0, tenant);
    return (struct gh_stream_owner){ .tenant = of_tenant,
                                     .principal = add(streams, add(streams, of_tenant, issuer), subject) };
}

/* ---- cells ---- */

static uint64_t tag_of(uint64_t hash)
{
    uint64_t tag = hash >> COUNT_BITS;
    return tag != 0 ? tag : 1;
}

static uint64_t load(const uint64_t *cell)
{
    return __atomic_load_n(cell, __ATOMIC_RELAXED);
}

static bool swap(uint64_t *cell, uint64_t from, uint64_t to)
{
    return __atomic_compare_exchange_n(cell, &from, to, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

struct found {
    uint64_t count; /* over all cells of the owner */
    uint32_t at;    /* its cell, or a free one; CELLS + WINDOW: neither */
    uint64_t value; /* of that cell */
};

static struct found find(const struct gh_streams *streams, uint64_t hash)
{
    struct found found = { .at = CELLS + WINDOW };
    uint32_t first = (uint32_t)hash & (CELLS - 1);
    bool has_own = false;
    for (uint32_t i = first; i < first + WINDOW; i++) {
        uint64_t value = load(&streams->cells[i]);
        bool own = value >> COUNT_BITS == tag_of(hash);
        found.count += own ? value & COUNT_MAX : 0;
        if (own || (value == 0 && !has_own && found.at == CELLS + WINDOW)) {
            found.at = i;
            found.value = value;
        }
        has_own = has_own || own;
    }
    return found;
}

static bool count_in(struct gh_streams *streams, uint64_t hash, int64_t max, uint32_t *ret_cell)
{
    for (;;) {
        struct found found = find(streams, hash);
        if (found.at == CELLS + WINDOW || (int64_t)found.count >= max || found.count >= COUNT_MAX)
            return false;
        uint64_t next = found.value != 0 ? found.value + 1 : tag_of(hash) << COUNT_BITS | 1;
        if (!swap(&streams->cells[found.at], found.value, next))
            continue;
        *ret_cell = found.at;
        return true;
    }
}

static void count_out(struct gh_streams *streams, uint32_t at)
{
    uint64_t value;
    do
        value = load(&streams->cells[at]);
    while (!swap(&streams->cells[at], value, (value & COUNT_MAX) > 1 ? value - 1 : 0));
}

/* ---- streams ---- */

bool gh_streams_are_full(const struct gh_streams *streams, struct gh_stream_owner owner,
                         const struct gh_stream_limits *limits)
{
    int64_t all = (int64_t)load(&streams->all);
    if (all < limits->per_principal && all < limits->per_tenant && all < limits->all)
        return false; /* nobody has more than all have: no cell need be looked for, they are far in memory */
    return (int64_t)find(streams, owner.principal).count >= limits->per_principal ||
           (int64_t)find(streams, owner.tenant).count >= limits->per_tenant || all >= limits->all;
}

enum gh_reason gh_streams_enter(struct gh_streams *streams, struct gh_stream_owner owner,
                                const struct gh_stream_limits *limits, struct gh_stream_place *ret_place)
{
    struct gh_stream_place place = { .is_in = true };
    if (!count_in(streams, owner.principal, limits->per_principal, &place.principal))
        return GH_STREAMS_MANY;
    if (!count_in(streams, owner.tenant, limits->per_tenant, &place.tenant)) {
        count_out(streams, place.principal);
        return GH_STREAMS_MANY;
    }
    if ((int64_t)__atomic_fetch_add(&streams->all, 1, __ATOMIC_RELAXED) >= limits->all) {
        gh_streams_leave(streams, &place);
        return GH_STREAMS_MANY;
    }
    *ret_place = place;
    return GH_OK;
}

void gh_streams_leave(struct gh_streams *streams, struct gh_stream_place *place)
{
    if (!place->is_in)
        return;
    place->is_in = false;
    count_out(streams, place->principal);
    count_out(streams, place->tenant);
    (void)__atomic_fetch_sub(&streams->all, 1, __ATOMIC_RELAXED);
}
