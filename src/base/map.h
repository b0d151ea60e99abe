/* base/map.h: a chained hash table of intrusive nodes, seeded so that a client cannot choose collisions. */
#ifndef GH_BASE_MAP_H
#define GH_BASE_MAP_H

#include "gatehouse/types.h"

/* Lives inside the entry. The entry owns its key bytes. */
struct gh_map_node {
    struct gh_map_node *next;
    uint64_t hash;
    gh_str key;
};

struct gh_map {
    struct gh_map_node **slots;
    size_t mask, count;
    uint64_t seed[2];
};

#define GH_MAP_ENTRY(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

/* SipHash-1-3 under the map's seed: a table hash, not a signature. */
uint64_t gh_hash(const uint64_t seed[2], gh_str key);

void gh_map_init(struct gh_map *map);
/* Frees the slots, not the entries. */
void gh_map_done(struct gh_map *map);
struct gh_map_node *gh_map_find(const struct gh_map *map, gh_str key);
/* node->key is set by the caller. False when out of memory; a second node with an equal key is not looked
 * for. */
bool gh_map_add(struct gh_map *map, struct gh_map_node *node) GH_MUST_USE;
void gh_map_remove(struct gh_map *map, struct gh_map_node *node);

#endif
