/* keys/recent.c: a map over a list in order of arrival. */
#include "keys/recent.h"

#include <openssl/evp.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/str.h"

struct entry {
    struct gh_map_node node;
    struct gh_list link;
    int64_t until_ms;
    unsigned char key[GH_RECENT_KEY];
};

static void drop(struct gh_recent *recent, struct entry *entry);

void gh_recent_init(struct gh_recent *recent, size_t max)
{
    gh_map_init(&recent->map);
    gh_list_init(&recent->order);
    recent->max = max;
}

void gh_recent_done(struct gh_recent *recent)
{
    struct gh_list *node;
    while ((node = gh_list_first(&recent->order)) != NULL)
        drop(recent, GH_LIST_ENTRY(node, struct entry, link));
    gh_map_done(&recent->map);
}

static void drop(struct gh_recent *recent, struct entry *entry)
{
    gh_map_remove(&recent->map, &entry->node);
    gh_list_remove(&entry->link);
    free(entry);
}

bool gh_recent_key(uint32_t slot, gh_str text, unsigned char ret_key[GH_RECENT_KEY])
{
    memcpy(ret_key, &slot, sizeof(slot));
    return EVP_Digest(text.len != 0 ? text.ptr : "", text.len, ret_key + sizeof(slot), NULL, EVP_sha256(),
                      NULL) == 1;
}

static struct entry *find(const struct gh_recent *recent, const unsigned char key[GH_RECENT_KEY])
{
    struct gh_map_node *node = gh_map_find(&recent->map, gh_str_of(key, GH_RECENT_KEY));
    return node != NULL ? GH_MAP_ENTRY(node, struct entry, node) : NULL;
}

void gh_recent_add(struct gh_recent *recent, const unsigned char key[GH_RECENT_KEY], int64_t until_ms)
{
    struct entry *entry = find(recent, key);
    struct gh_list *oldest = gh_list_first(&recent->order);
    if (entry == NULL && oldest != NULL && recent->map.count >= recent->max)
        entry = GH_LIST_ENTRY(oldest, struct entry, link);
    if (entry != NULL)
        drop(recent, entry);
    entry = gh_calloc(1, sizeof(*entry));
    if (entry == NULL)
        return;
    memcpy(entry->key, key, GH_RECENT_KEY);
    entry->node.key = gh_str_of(entry->key, GH_RECENT_KEY);
    entry->until_ms = until_ms;
    if (!gh_map_add(&recent->map, &entry->node)) {
        free(entry);
        return;
    }
    gh_list_append(&recent->order, &entry->link);
}

bool gh_recent_has(struct gh_recent *recent, const unsigned char key[GH_RECENT_KEY], int64_t now_ms)
{
    struct entry *entry = find(recent, key);
    if (entry != NULL && now_ms < entry->until_ms)
        return true;
    if (entry != NULL)
        drop(recent, entry);
    return false;
}
