/* front/sources.c: how many connections each client address has, over all workers; touched at accept and
 * close only. */
#include <pthread.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/map.h"
#include "base/str.h"
#include "front/client.h"

struct source {
    struct gh_map_node node;
    int64_t count;
    char ip[GH_ADDRESS_TEXT];
};

struct gh_sources {
    pthread_mutex_t lock; /* never held over a system call */
    struct gh_map by_ip;
    int64_t all; /* atomic */
};

struct gh_sources *gh_sources_new(void)
{
    struct gh_sources *sources = gh_calloc(1, sizeof(*sources));
    if (sources == NULL)
        return NULL;
    (void)pthread_mutex_init(&sources->lock, NULL);
    gh_map_init(&sources->by_ip);
    return sources;
}

void gh_sources_free(struct gh_sources *sources)
{
    if (sources == NULL)
        return;
    for (size_t i = 0; sources->by_ip.slots != NULL && i <= sources->by_ip.mask; i++) {
        struct gh_map_node *next = sources->by_ip.slots[i];
        while (next != NULL) {
            struct source *source = GH_MAP_ENTRY(next, struct source, node);
            next = next->next;
            free(source);
        }
    }
    gh_map_done(&sources->by_ip);
    (void)pthread_mutex_destroy(&sources->lock);
    free(sources);
}

static struct source *find(struct gh_sources *sources, gh_str ip)
{
    struct gh_map_node *node = gh_map_find(&sources->by_ip, ip);
    return node != NULL ? GH_MAP_ENTRY(node, struct source, node) : NULL;
}

static struct source *add(struct gh_sources *sources, gh_str ip)
{
    struct source *source = gh_calloc(1, sizeof(*source));
    if (source == NULL || ip.len >= sizeof(source->ip)) {
        free(source);
        return NULL;
    }
    memcpy(source->ip, ip.ptr, ip.len);
    source->node.key = gh_str_of(source->ip, ip.len);
    if (gh_map_add(&sources->by_ip, &source->node))
        return source;
    free(source);
    return NULL;
}

bool gh_sources_take(struct gh_sources *sources, int64_t max)
{
    if (__atomic_fetch_add(&sources->all, 1, __ATOMIC_RELAXED) < max)
        return true;
    gh_sources_give(sources);
    return false;
}

void gh_sources_give(struct gh_sources *sources)
{
    (void)__atomic_fetch_sub(&sources->all, 1, __ATOMIC_RELAXED);
}

bool gh_sources_enter(struct gh_sources *sources, gh_str ip, int64_t max)
{
    (void)pthread_mutex_lock(&sources->lock);
    struct source *source = find(sources, ip);
    if (source == NULL)
        source = add(sources, ip);
    bool entered = source != NULL && source->count < max;
    if (entered)
        source->count++;
    (void)pthread_mutex_unlock(&sources->lock);
    return entered;
}

void gh_sources_leave(struct gh_sources *sources, gh_str ip)
{
    (void)pthread_mutex_lock(&sources->lock);
    struct source *source = find(sources, ip);
    if (source != NULL && --source->count <= 0) {
        gh_map_remove(&sources->by_ip, &source->node);
        free(source);
    }
    (void)pthread_mutex_unlock(&sources->lock);
}
