/* store/index.c: an open-addressed table that one thread writes and all others read without a lock. */
#include "store/index.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/clock.h"

/* Times in 32 bits: seconds until 2106, and what lies beyond is for ever. */
#define FOR_EVER UINT32_MAX
/* Tables begin with this many slots, and are grown from 85 to 76 per cent: 28 to 32 bytes an entry. */
#define SLOTS_MIN 64u
#define LOAD_MAX  85u
#define LOAD_NEW  76u
/* Without memory for a larger one a table goes on filling up to here. */
#define LOAD_FULL 97u

/* Filled in this order: all but key[0], then key[0], which says that it is filled (0: it is not). Never
 * emptied: what has expired is left out of the next table. */
struct slot {
    _Atomic uint64_t key[2];
    _Atomic uint32_t epoch; /* only ever rises */
    uint32_t until;         /* the writer's own */
};

struct table {
    struct table *next; /* among the retired */
    uint64_t retired_at;
    size_t cap, used;
    struct slot slots[];
};

/* Each on a cache line of its own: readers do not disturb each other. */
struct reader {
    alignas(64) _Atomic uint64_t seen; /* holds nothing that was retired up to then */
};

struct gh_index {
    _Atomic(struct table *) table;
    _Atomic uint64_t generation; /* counts retired tables */
    _Atomic int64_t as_of_ms;
    uint64_t seed[2]; /* nobody outside can choose neighbours */
    struct table *retired;
    unsigned reader_count;
    struct reader *readers;
};

static struct table *new_table(size_t cap);
static bool grow(struct gh_index *index);
static void replace(struct gh_index *index, struct table *table, int64_t now_s);
static void free_retired(struct gh_index *index);

struct gh_index *gh_index_new(unsigned readers)
{
    struct gh_index *index = gh_calloc(1, sizeof(*index));
    if (index == NULL)
        return NULL;
    gh_random_fill(index->seed, sizeof(index->seed));
    atomic_init(&index->as_of_ms, INT64_MIN);
    atomic_init(&index->generation, 0);
    atomic_init(&index->table, new_table(SLOTS_MIN));
    index->readers = aligned_alloc(alignof(struct reader), (readers + 1u) * sizeof(struct reader));
    if (index->readers == NULL || atomic_load(&index->table) == NULL) {
        gh_index_free(index);
        return NULL;
    }
    index->reader_count = readers;
    for (unsigned i = 0; i < readers; i++)
        atomic_init(&index->readers[i].seen, 0);
    return index;
}

void gh_index_free(struct gh_index *index)
{
    if (index == NULL)
        return;
    while (index->retired != NULL) {
        struct table *next = index->retired->next;
        free(index->retired);
        index->retired = next;
    }
    free(atomic_load(&index->table));
    free(index->readers);
    free(index);
}

static struct table *new_table(size_t cap)
{
    struct table *table = gh_calloc(1, sizeof(*table) + cap * sizeof(struct slot));
    if (table != NULL)
        table->cap = cap;
    return table;
}

/* ---- places ---- */

__extension__ typedef unsigned __int128 wide;

/* Tables of any size: the place is the hash as a fraction of the whole. So a larger table keeps the order,
 * and entries are moved from front to back. */
static size_t place_of(const struct gh_index *index, const struct table *table, uint64_t key0)
{
    uint64_t hash = (key0 ^ index->seed[0]) * (index->seed[1] | 1);
    return (size_t)((wide)hash * table->cap >> 64);
}

static uint64_t first_of(const struct gh_revocation_key *key)
{
    return key->hash[0] != 0 ? key->hash[0] : 1;
}

/* The slot of that key, or the empty one where it would be: a table is never full. */
static const struct slot *find(const struct table *table, size_t at, uint64_t key0, uint64_t key1,
                               bool *ret_found)
{
    for (;;) {
        const struct slot *slot = &table->slots[at];
        uint64_t here = atomic_load_explicit(&slot->key[0], memory_order_acquire);
        *ret_found = here == key0 && atomic_load_explicit(&slot->key[1], memory_order_relaxed) == key1;
        if (here == 0 || *ret_found)
            return slot;
        at = at + 1 < table->cap ? at + 1 : 0;
    }
}

/* ---- the writer ---- */

static uint32_t to_seconds(int64_t seconds)
{
    return seconds < 0 ? 0 : seconds >= (int64_t)FOR_EVER ? FOR_EVER : (uint32_t)seconds;
}

static struct slot *find_own(const struct gh_index *index, struct table *table, uint64_t key0, uint64_t key1,
                             bool *ret_found)
{
    const struct slot *slot = find(table, place_of(index, table, key0), key0, key1, ret_found);
    return &table->slots[slot - table->slots];
}

static void fill(struct table *table, struct slot *slot, uint64_t key0, uint64_t key1, uint32_t epoch,
                 uint32_t until)
{
    atomic_store_explicit(&slot->key[1], key1, memory_order_relaxed);
    atomic_store_explicit(&slot->epoch, epoch, memory_order_relaxed);
    slot->until = until;
    atomic_store_explicit(&slot->key[0], key0, memory_order_release);
    table->used++;
}

bool gh_index_add(struct gh_index *index, const struct gh_revocation_key *key, int64_t epoch, int64_t until)
{
    struct table *table = atomic_load_explicit(&index->table, memory_order_relaxed);
    uint64_t key0 = first_of(key), key1 = key->hash[1];
    bool found;
    struct slot *slot = find_own(index, table, key0, key1, &found);
    if (found) {
        if (to_seconds(epoch) > atomic_load_explicit(&slot->epoch, memory_order_relaxed))
            atomic_store_explicit(&slot->epoch, to_seconds(epoch), memory_order_release);
        if (to_seconds(until) > slot->until)
            slot->until = to_seconds(until);
        return true;
    }
    if ((table->used + 1) * 100 > table->cap * LOAD_MAX) {
        if (!grow(index) && (table->used + 1) * 100 > table->cap * LOAD_FULL)
            return false;
        table = atomic_load_explicit(&index->table, memory_order_relaxed);
        slot = find_own(index, table, key0, key1, &found);
    }
    fill(table, slot, key0, key1, to_seconds(epoch), to_seconds(until));
    return true;
}

static size_t slots_for(size_t entries)
{
    size_t cap = entries * 100 / LOAD_NEW + 1;
    return cap > SLOTS_MIN ? cap : SLOTS_MIN;
}

static bool grow(struct gh_index *index)
{
    const struct table *old = atomic_load_explicit(&index->table, memory_order_relaxed);
    struct table *table = new_table(slots_for(old->used + 1));
    if (table != NULL)
        replace(index, table, INT64_MIN);
    return table != NULL;
}

static bool has_expired(const struct slot *slot, int64_t now_s)
{
    return slot->until != FOR_EVER && (int64_t)slot->until <= now_s;
}

/* Moves what has not expired, and publishes. Readers that look into the old table still find in it all that
 * it ever held. */
static void replace(struct gh_index *index, struct table *table, int64_t now_s)
{
    struct table *old = atomic_load_explicit(&index->table, memory_order_relaxed);
    for (size_t i = 0; i < old->cap; i++) {
        struct slot *from = &old->slots[i];
        uint64_t key0 = atomic_load_explicit(&from->key[0], memory_order_relaxed);
        uint64_t key1 = atomic_load_explicit(&from->key[1], memory_order_relaxed);
        if (key0 == 0 || has_expired(from, now_s))
            continue;
        bool found;
        fill(table, find_own(index, table, key0, key1, &found), key0, key1,
             atomic_load_explicit(&from->epoch, memory_order_relaxed), from->until);
    }
    atomic_store_explicit(&index->table, table, memory_order_release);
    /* Whoever sees this number sees the new table too. */
    old->retired_at = atomic_load_explicit(&index->generation, memory_order_relaxed) + 1;
    atomic_store_explicit(&index->generation, old->retired_at, memory_order_release);
    old->next = index->retired;
    index->retired = old;
    free_retired(index);
}

static void free_retired(struct gh_index *index)
{
    if (index->retired == NULL)
        return;
    uint64_t passed = UINT64_MAX;
    for (unsigned i = 0; i < index->reader_count; i++) {
        uint64_t seen = atomic_load_explicit(&index->readers[i].seen, memory_order_acquire);
        passed = seen < passed ? seen : passed;
    }
    struct table **link = &index->retired;
    while (*link != NULL) {
        struct table *table = *link;
        if (table->retired_at > passed) {
            link = &table->next;
            continue;
        }
        *link = table->next;
        free(table);
    }
}

void gh_index_caught_up(struct gh_index *index, int64_t as_of_ms)
{
    if (as_of_ms > atomic_load_explicit(&index->as_of_ms, memory_order_relaxed))
        atomic_store_explicit(&index->as_of_ms, as_of_ms, memory_order_release);
    free_retired(index);
}

void gh_index_sweep(struct gh_index *index, int64_t now_s)
{
    const struct table *old = atomic_load_explicit(&index->table, memory_order_relaxed);
    size_t expired = 0;
    for (size_t i = 0; i < old->cap; i++) {
        bool filled = atomic_load_explicit(&old->slots[i].key[0], memory_order_relaxed) != 0;
        expired += filled && has_expired(&old->slots[i], now_s) ? 1 : 0;
    }
    struct table *table = expired > 0 ? new_table(slots_for(old->used - expired)) : NULL;
    if (table != NULL) /* else at the next sweep */
        replace(index, table, now_s);
}

size_t gh_index_count(const struct gh_index *index)
{
    return atomic_load_explicit(&index->table, memory_order_relaxed)->used;
}

size_t gh_index_bytes(const struct gh_index *index)
{
    const struct table *table = atomic_load_explicit(&index->table, memory_order_relaxed);
    return sizeof(*table) + table->cap * sizeof(struct slot);
}

/* ---- readers ---- */

void gh_index_quiet(struct gh_index *index, unsigned reader)
{
    uint64_t now = atomic_load_explicit(&index->generation, memory_order_acquire);
    _Atomic uint64_t *seen = &index->readers[reader].seen;
    if (atomic_load_explicit(seen, memory_order_relaxed) != now)
        atomic_store_explicit(seen, now, memory_order_release);
}

enum gh_reason gh_index_ask(const struct gh_index *index, const struct gh_dependencies *dependencies)
{
    const struct table *table = atomic_load_explicit(&index->table, memory_order_acquire);
    size_t places[GH_REVOKED_COUNT];
    for (unsigned i = 0; i < dependencies->count; i++) { /* all on their way from memory at once */
        places[i] = place_of(index, table, first_of(&dependencies->at[i]));
        __builtin_prefetch(&table->slots[places[i]]);
    }
    for (unsigned i = 0; i < dependencies->count; i++) {
        bool found;
        const struct gh_revocation_key *key = &dependencies->at[i];
        const struct slot *slot = find(table, places[i], first_of(key), key->hash[1], &found);
        uint32_t epoch = found ? atomic_load_explicit(&slot->epoch, memory_order_acquire) : 0;
        if (found && (epoch == FOR_EVER || dependencies->issued <= (int64_t)epoch))
            return GH_TOKEN_REVOKED;
    }
    return GH_OK;
}

int64_t gh_index_epoch(const struct gh_index *index, const struct gh_revocation_key *key)
{
    const struct table *table = atomic_load_explicit(&index->table, memory_order_acquire);
    size_t place = place_of(index, table, first_of(key));
    bool found;
    const struct slot *slot = find(table, place, first_of(key), key->hash[1], &found);
    uint32_t epoch = found ? atomic_load_explicit(&slot->epoch, memory_order_acquire) : 0;
    return epoch == FOR_EVER ? INT64_MAX : (int64_t)epoch;
}

int64_t gh_index_staleness(const struct gh_index *index, int64_t now_ms)
{
    int64_t as_of_ms = atomic_load_explicit(&index->as_of_ms, memory_order_acquire);
    return as_of_ms == INT64_MIN ? INT64_MAX : now_ms > as_of_ms ? now_ms - as_of_ms : 0;
}
