/* core/token/jwks.c: a key set is read whole, each key judged for itself, and published unchangeable. */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/str.h"
#include "core/token/key.h"

#define KEYS_MAX 64u

struct gh_jwks {
    atomic_uint refs;
    size_t count;
    struct gh_key *keys[KEYS_MAX];
    size_t kid_count;
    gh_str kids[KEYS_MAX]; /* of every key of the document, usable or not; in the arena */
    struct gh_arena *arena;
};

static enum gh_reason read_keys(struct gh_arena *scratch, const struct gh_json *keys, gh_algs allowed,
                                unsigned *faults, struct gh_jwks *set);
static bool note_kid(struct gh_jwks *set, const struct gh_json *jwk);
static void drop_duplicates(struct gh_jwks *set, unsigned *faults);

enum gh_reason gh_jwks_read(gh_str text, gh_algs allowed, unsigned *ret_faults, struct gh_jwks **ret_set)
{
    unsigned unused[GH_KEY_FAULT_COUNT], *faults = ret_faults != NULL ? ret_faults : unused;
    memset(faults, 0, sizeof(unused));
    GH_CLEANUP(gh_arena_free) struct gh_arena *scratch = gh_arena_new(0);
    if (scratch == NULL)
        return GH_OUT_OF_MEMORY;
    struct gh_json doc;
    enum gh_reason reason = gh_json_read(scratch, text, &gh_json_control_limits, GH_KEYS_MALFORMED, &doc);
    if (reason != GH_OK)
        return reason;
    const struct gh_json *keys = gh_json_get(&doc, GH_STR("keys"));
    if (keys == NULL || keys->type != GH_JSON_ARRAY)
        return GH_KEYS_MALFORMED;
    struct gh_jwks *set = gh_calloc(1, sizeof(*set));
    if (set == NULL)
        return GH_OUT_OF_MEMORY;
    atomic_init(&set->refs, 1);
    reason = read_keys(scratch, keys, allowed, faults, set);
    if (reason != GH_OK) {
        gh_jwks_unref(set);
        return reason;
    }
    *ret_set = set;
    return GH_OK;
}

static enum gh_reason read_keys(struct gh_arena *scratch, const struct gh_json *keys, gh_algs allowed,
                                unsigned *faults, struct gh_jwks *set)
{
    set->arena = gh_arena_new(1024);
    if (set->arena == NULL)
        return GH_OUT_OF_MEMORY;
    for (size_t i = 0; i < keys->count; i++) {
        if (i >= KEYS_MAX) {
            faults[GH_KEY_FAULT_EXCESS]++;
            continue;
        }
        enum gh_key_fault fault = GH_KEY_FAULT_MALFORMED;
        if (!note_kid(set, &keys->items[i]))
            return GH_OUT_OF_MEMORY;
        enum gh_reason reason =
            gh_key_read(scratch, &keys->items[i], allowed, &fault, &set->keys[set->count]);
        if (reason == GH_OK)
            set->count++;
        else if (reason == GH_KEYS_MALFORMED)
            faults[fault]++;
        else
            return reason;
    }
    drop_duplicates(set, faults);
    return set->count != 0 ? GH_OK : GH_KEYS_MALFORMED;
}

static bool note_kid(struct gh_jwks *set, const struct gh_json *jwk)
{
    gh_str kid = gh_json_text(gh_json_get(jwk, GH_STR("kid")));
    if (kid.ptr == NULL)
        return true;
    gh_str *slot = &set->kids[set->kid_count++];
    *slot = gh_arena_dup(set->arena, kid);
    return slot->ptr != NULL;
}

static bool is_same_key(const struct gh_key *a, const struct gh_key *b)
{
    return a->algs == b->algs && memcmp(a->thumbprint, b->thumbprint, GH_THUMBPRINT_LEN) == 0;
}

/* Two different keys under one kid: both go, since which one is meant cannot be told (threats.md K5). The
 * same key twice stays once. */
static void drop_duplicates(struct gh_jwks *set, unsigned *faults)
{
    bool drop[KEYS_MAX] = { false }, clash[KEYS_MAX] = { false };
    for (size_t i = 0; i < set->count; i++) {
        for (size_t k = i + 1; k < set->count; k++) {
            const struct gh_key *a = set->keys[i], *b = set->keys[k];
            bool named = a->kid.ptr != NULL && b->kid.ptr != NULL;
            if (named != (a->kid.ptr != NULL || b->kid.ptr != NULL) || !gh_str_eq(a->kid, b->kid))
                continue;
            if (is_same_key(a, b))
                drop[k] = true;
            else if (named)
                clash[i] = clash[k] = true;
        }
    }
    size_t kept = 0;
    for (size_t i = 0; i < set->count; i++) {
        if (clash[i])
            faults[GH_KEY_FAULT_DUPLICATE]++;
        if (clash[i] || drop[i])
            gh_key_unref(set->keys[i]);
        else
            set->keys[kept++] = set->keys[i];
    }
    set->count = kept;
}

struct gh_jwks *gh_jwks_ref(struct gh_jwks *set)
{
    atomic_fetch_add_explicit(&set->refs, 1, memory_order_relaxed);
    return set;
}

void gh_jwks_unref(struct gh_jwks *set)
{
    if (set == NULL || atomic_fetch_sub_explicit(&set->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < set->count; i++)
        gh_key_unref(set->keys[i]);
    gh_arena_free(set->arena);
    free(set);
}

size_t gh_jwks_count(const struct gh_jwks *set)
{
    return set->count;
}

struct gh_key *gh_jwks_peek_key(const struct gh_jwks *set, size_t i)
{
    return i < set->count ? set->keys[i] : NULL;
}

struct gh_key *gh_jwks_find(const struct gh_jwks *set, gh_str kid, enum gh_alg alg)
{
    struct gh_key *found = NULL;
    for (size_t i = 0; i < set->count; i++) {
        struct gh_key *key = set->keys[i];
        if ((key->algs & GH_ALG_BIT(alg)) == 0)
            continue;
        if (kid.ptr != NULL && key->kid.ptr != NULL && gh_str_eq(key->kid, kid))
            return key;
        if (kid.ptr == NULL && found != NULL)
            return NULL;
        if (kid.ptr == NULL)
            found = key;
    }
    return found;
}

bool gh_jwks_has_kid(const struct gh_jwks *set, gh_str kid)
{
    for (size_t i = 0; i < set->kid_count; i++) {
        if (gh_str_eq(set->kids[i], kid))
            return true;
    }
    return false;
}

bool gh_jwks_has_thumbprint(const struct gh_jwks *set, const unsigned char thumbprint[32])
{
    for (size_t i = 0; i < set->count; i++) {
        if (memcmp(set->keys[i]->thumbprint, thumbprint, GH_THUMBPRINT_LEN) == 0)
            return true;
    }
    return false;
}
