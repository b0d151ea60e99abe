/* gateway/offenders.c: a bounded map from address to budget; only those stand in it that have failed. */
#include "gateway/offenders.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/budget.h"
#include "base/list.h"
#include "base/map.h"
#include "base/str.h"
#include "io/address.h"

struct offender {
    struct gh_map_node node;
    struct gh_list age;
    struct gh_budget budget;
    unsigned char key[16];
};

struct gh_offenders {
    struct gh_map map;
    struct gh_list by_age; /* who failed longest ago first */
    size_t max;
};

struct gh_offenders *gh_offenders_new(size_t max)
{
    struct gh_offenders *offenders = gh_calloc(1, sizeof(*offenders));
    if (offenders == NULL)
        return NULL;
    gh_map_init(&offenders->map);
    gh_list_init(&offenders->by_age);
    offenders->max = max;
    return offenders;
}

static void drop(struct gh_offenders *offenders, struct offender *offender)
{
    gh_map_remove(&offenders->map, &offender->node);
    gh_list_remove(&offender->age);
    free(offender);
}

void gh_offenders_free(struct gh_offenders *offenders)
{
    if (offenders == NULL)
        return;
    struct gh_list *node;
    while ((node = gh_list_first(&offenders->by_age)) != NULL)
        drop(offenders, GH_LIST_ENTRY(node, struct offender, age));
    gh_map_done(&offenders->map);
    free(offenders);
}

static struct offender *find(const struct gh_offenders *offenders, const unsigned char key[16])
{
    struct gh_map_node *node = gh_map_find(&offenders->map, gh_str_of(key, 16));
    return node != NULL ? GH_MAP_ENTRY(node, struct offender, node) : NULL;
}

bool gh_offenders_is_broke(struct gh_offenders *offenders, gh_str ip, const struct gh_offender_rate *rate)
{
    unsigned char key[16];
    struct offender *offender =
        offenders->map.count != 0 && gh_address_bound_bytes(ip, key) ? find(offenders, key) : NULL;
    if (offender == NULL)
        return false;
    gh_budget_refill(&offender->budget, rate->burst, rate->per_s, rate->now_ms);
    return !gh_budget_has(&offender->budget);
}

static struct offender *add(struct gh_offenders *offenders, const unsigned char key[16],
                            const struct gh_offender_rate *rate)
{
    struct gh_list *oldest = gh_list_first(&offenders->by_age);
    if (oldest != NULL && offenders->map.count >= offenders->max)
        drop(offenders, GH_LIST_ENTRY(oldest, struct offender, age));
    struct offender *offender = gh_calloc(1, sizeof(*offender));
    if (offender == NULL)
        return NULL;
    memcpy(offender->key, key, 16);
    offender->node.key = gh_str_of(offender->key, 16);
    gh_list_init(&offender->age);
    gh_budget_init(&offender->budget, rate->burst, rate->now_ms);
    if (gh_map_add(&offenders->map, &offender->node))
        return offender;
    free(offender);
    return NULL;
}

void gh_offenders_spend(struct gh_offenders *offenders, gh_str ip, const struct gh_offender_rate *rate)
{
    unsigned char key[16];
    if (!gh_address_bound_bytes(ip, key))
        return;
    struct offender *offender = find(offenders, key);
    if (offender == NULL)
        offender = add(offenders, key, rate);
    if (offender == NULL)
        return;
    gh_budget_refill(&offender->budget, rate->burst, rate->per_s, rate->now_ms);
    /* What is spent beyond nothing is not remembered: the way back is as long for all. */
    if (gh_budget_has(&offender->budget))
        gh_budget_spend(&offender->budget, 1);
    gh_list_remove(&offender->age);
    gh_list_append(&offenders->by_age, &offender->age);
}
