/* issuer/windows.c: a table of windows, found by a keyed hash that nobody outside can aim at. */
#include "issuer/windows.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/str.h"
#include "core/grant/digest.h"

#define WAYS 4u /* places that one name may have */

struct place {
    uint64_t name; /* 0: free */
    int64_t until;
    uint32_t count;
    bool is_told;
};

struct gh_limits {
    pthread_mutex_t lock;
    unsigned char salt[16];
    size_t sets;
    struct place at[];
};

struct gh_limits *gh_limits_new(size_t places)
{
    struct gh_limits *limits = gh_calloc(1, sizeof(*limits) + places * sizeof(limits->at[0]));
    if (limits == NULL)
        return NULL;
    pthread_mutex_init(&limits->lock, NULL);
    gh_random_fill(limits->salt, sizeof(limits->salt));
    limits->sets = places / WAYS;
    return limits;
}

void gh_limits_free(struct gh_limits *limits)
{
    if (limits == NULL)
        return;
    pthread_mutex_destroy(&limits->lock);
    free(limits);
}

/* 0 when libcrypto fails: then nobody is found, and nobody held up. */
static uint64_t name_of(const struct gh_limits *limits, struct gh_strs parts)
{
    unsigned char hash[32];
    uint64_t name = 0;
    struct gh_digest digest;
    gh_digest_begin(&digest);
    gh_digest_part(&digest, gh_str_of(limits->salt, sizeof(limits->salt)));
    for (size_t i = 0; i < parts.count; i++)
        gh_digest_part(&digest, parts.at[i]);
    if (gh_digest_end(&digest, hash))
        memcpy(&name, hash, sizeof(name));
    gh_digest_done(&digest);
    return name;
}

/* Its own, or the one whose window ends first: a window that is over ends before all others. */
static struct place *place_of(struct gh_limits *limits, uint64_t name)
{
    struct place *set = &limits->at[(name % limits->sets) * WAYS], *oldest = set;
    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].name == name)
            return &set[i];
        if (set[i].until < oldest->until)
            oldest = &set[i];
    }
    return oldest;
}

bool gh_limits_take(struct gh_limits *limits, struct gh_strs parts, const struct gh_limit *limit, int64_t now,
                    struct gh_refusal *ret_refusal)
{
    uint64_t name = name_of(limits, parts);
    if (name == 0)
        return true;
    pthread_mutex_lock(&limits->lock);
    struct place *place = place_of(limits, name);
    if (place->name != name || place->until <= now)
        *place = (struct place){ .name = name, .until = now + limit->span_s };
    bool fits = (int64_t)place->count < limit->tries;
    if (fits)
        place->count++;
    else
        *ret_refusal = (struct gh_refusal){ .wait_s = place->until - now, .is_first = !place->is_told };
    place->is_told = place->is_told || !fits;
    pthread_mutex_unlock(&limits->lock);
    return fits;
}

void gh_limits_give(struct gh_limits *limits, struct gh_strs parts, int64_t now)
{
    uint64_t name = name_of(limits, parts);
    if (name == 0)
        return;
    pthread_mutex_lock(&limits->lock);
    struct place *place = place_of(limits, name);
    if (place->name == name && place->until > now && place->count > 0)
        place->count--;
    pthread_mutex_unlock(&limits->lock);
}
