/* base/map.c: the hash table, and SipHash-1-3 under it. */
#include "base/map.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/str.h"

#define SLOTS_MIN 16u

static bool grow(struct gh_map *map);

void gh_map_init(struct gh_map *map)
{
    *map = (struct gh_map){ 0 };
    gh_random_fill(map->seed, sizeof(map->seed));
}

void gh_map_done(struct gh_map *map)
{
    free(map->slots);
    map->slots = NULL;
    map->mask = map->count = 0;
}

struct gh_map_node *gh_map_find(const struct gh_map *map, gh_str key)
{
    if (map->count == 0)
        return NULL;
    uint64_t hash = gh_hash(map->seed, key);
    struct gh_map_node *node = map->slots[hash & map->mask];
    while (node != NULL && (node->hash != hash || !gh_str_eq(node->key, key)))
        node = node->next;
    return node;
}

bool gh_map_add(struct gh_map *map, struct gh_map_node *node)
{
    if ((map->slots == NULL || map->count > map->mask) && !grow(map))
        return false;
    node->hash = gh_hash(map->seed, node->key);
    struct gh_map_node **slot = &map->slots[node->hash & map->mask];
    node->next = *slot;
    *slot = node;
    map->count++;
    return true;
}

/* Doubles. A table that cannot grow refuses the entry rather than letting its chains grow without bound. */
static bool grow(struct gh_map *map)
{
    size_t old_size = map->slots == NULL ? 0 : map->mask + 1;
    size_t size = old_size == 0 ? SLOTS_MIN : old_size * 2;
    struct gh_map_node **slots = gh_calloc(size, sizeof(*slots));
    if (slots == NULL)
        return false;
    for (size_t i = 0; i < old_size; i++) {
        struct gh_map_node *next = map->slots[i];
        while (next != NULL) {
            struct gh_map_node *node = next;
            next = node->next;
            node->next = slots[node->hash & (size - 1)];
            slots[node->hash & (size - 1)] = node;
        }
    }
    free(map->slots);
    map->slots = slots;
    map->mask = size - 1;
    return true;
}

void gh_map_remove(struct gh_map *map, struct gh_map_node *node)
{
    struct gh_map_node **link = &map->slots[node->hash & map->mask];
    while (*link != NULL && *link != node)
        link = &(*link)->next;
    if (*link == NULL)
        return;
    *link = node->next;
    node->next = NULL;
    map->count--;
}

static inline uint64_t rotate(uint64_t x, unsigned bits)
{
    return x << bits | x >> (64 - bits);
}

static inline void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[0] = rotate(v[0], 32);
    v[2] += v[3];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

/* Aumasson, Bernstein: SipHash, a fast short-input PRF (2012); one round a word, three at the end. */
uint64_t gh_hash(const uint64_t seed[2], gh_str key)
{
    uint64_t v[4] = { seed[0] ^ 0x736f6d6570736575u, seed[1] ^ 0x646f72616e646f6du,
                      seed[0] ^ 0x6c7967656e657261u, seed[1] ^ 0x7465646279746573u };
    size_t words = key.len / 8;
    for (size_t i = 0; i < words; i++) {
        uint64_t word;
        memcpy(&word, key.ptr + i * 8, 8);
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
    }
    uint64_t last = (uint64_t)key.len << 56;
    for (size_t i = words * 8; i < key.len; i++)
        last |= (uint64_t)(unsigned char)key.ptr[i] << (8 * (i % 8));
    v[3] ^= last;
    sip_round(v);
    v[0] ^= last;
    v[2] ^= 0xff;
    sip_round(v);
    sip_round(v);
    sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}
