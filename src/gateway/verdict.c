/* gateway/verdict.c: the cache of verdicts: a map and an order of use, one block of memory per verdict. */
#include "gateway/verdict.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/str.h"

struct gh_verdicts {
    struct gh_map map;
    struct gh_list by_use; /* least recently used first */
    size_t max;
    EVP_MD_CTX *sha256;
};

struct gh_verdicts *gh_verdicts_new(size_t max)
{
    struct gh_verdicts *verdicts = gh_calloc(1, sizeof(*verdicts));
    if (verdicts == NULL)
        return NULL;
    gh_map_init(&verdicts->map);
    gh_list_init(&verdicts->by_use);
    verdicts->max = max;
    verdicts->sha256 = EVP_MD_CTX_new();
    if (verdicts->sha256 != NULL && EVP_DigestInit_ex2(verdicts->sha256, EVP_sha256(), NULL) == 1)
        return verdicts;
    gh_verdicts_free(verdicts);
    return NULL;
}

void gh_verdict_unref(struct gh_verdict *verdict)
{
    if (verdict == NULL || --verdict->refs > 0)
        return;
    for (size_t i = 0; i < verdict->rate_count; i++)
        gh_rate_cell_unref(verdict->rates[i]);
    free(verdict->rates);
    free(verdict->assertion);
    free(verdict);
}

void gh_verdicts_drop(struct gh_verdicts *verdicts, struct gh_verdict *verdict)
{
    if (!gh_list_is_linked(&verdict->age))
        return;
    gh_map_remove(&verdicts->map, &verdict->node);
    gh_list_remove(&verdict->age);
    gh_verdict_unref(verdict);
}

static void drop_least_used(struct gh_verdicts *verdicts)
{
    struct gh_list *node = gh_list_first(&verdicts->by_use);
    if (node != NULL)
        gh_verdicts_drop(verdicts, GH_LIST_ENTRY(node, struct gh_verdict, age));
}

void gh_verdicts_resize(struct gh_verdicts *verdicts, size_t max)
{
    verdicts->max = max;
    while (verdicts->map.count > max)
        drop_least_used(verdicts);
}

void gh_verdicts_free(struct gh_verdicts *verdicts)
{
    if (verdicts == NULL)
        return;
    gh_verdicts_resize(verdicts, 0);
    gh_map_done(&verdicts->map);
    EVP_MD_CTX_free(verdicts->sha256);
    free(verdicts);
}

enum gh_reason gh_verdict_key(struct gh_verdicts *verdicts, gh_str token, uint64_t fingerprint,
                              unsigned char ret_key[GH_VERDICT_KEY])
{
    /* A context that knows its digest already: starting anew fetches nothing and takes no lock. */
    if (EVP_DigestInit_ex2(verdicts->sha256, NULL, NULL) != 1 ||
        EVP_DigestUpdate(verdicts->sha256, token.ptr, token.len) != 1 ||
        EVP_DigestFinal_ex(verdicts->sha256, ret_key, NULL) != 1)
        return GH_INTERNAL;
    memcpy(ret_key + 32, &fingerprint, sizeof(fingerprint));
    return GH_OK;
}

struct gh_verdict *gh_verdicts_find(struct gh_verdicts *verdicts, const unsigned char key[GH_VERDICT_KEY],
                                    int64_t now)
{
    struct gh_map_node *node = gh_map_find(&verdicts->map, gh_str_of(key, GH_VERDICT_KEY));
    if (node == NULL)
        return NULL;
    struct gh_verdict *verdict = GH_MAP_ENTRY(node, struct gh_verdict, node);
    if (now >= verdict->until) {
        gh_verdicts_drop(verdicts, verdict);
        return NULL;
    }
    gh_list_remove(&verdict->age);
    gh_list_append(&verdicts->by_use, &verdict->age);
    verdict->refs++;
    return verdict;
}

/* ---- a principal in one block ---- */

/* Counts first (at NULL), then copies: the same walk twice, so that the two cannot disagree. */
struct packer {
    char *at; /* NULL while counting */
    size_t used;
};

static void *pack_bytes(struct packer *packer, const void *bytes, size_t len, size_t align)
{
    packer->used = (packer->used + align - 1) & ~(align - 1);
    void *place = packer->at != NULL ? packer->at + packer->used : NULL;
    if (place != NULL && len > 0)
        memcpy(place, bytes, len);
    packer->used += len;
    return place;
}

static gh_str pack_str(struct packer *packer, gh_str s)
{
    return gh_str_of(pack_bytes(packer, s.ptr, s.len, 1), s.len);
}

static struct gh_strs pack_strs(struct packer *packer, struct gh_strs list)
{
    gh_str *copy = pack_bytes(packer, list.at, list.count * sizeof(gh_str), _Alignof(gh_str));
    for (size_t i = 0; i < list.count; i++) {
        gh_str packed = pack_str(packer, list.at[i]);
        if (copy != NULL)
            copy[i] = packed;
    }
    return (struct gh_strs){ .at = copy, .count = list.count };
}

/* Every text and list of it: what stays behind dies with the request that brought it. */
static struct gh_principal pack_principal(struct packer *packer, const struct gh_principal *from)
{
    struct gh_principal to = *from;
    to.scopes = pack_strs(packer, from->scopes);
    to.groups = pack_strs(packer, from->groups);
    to.roles = pack_strs(packer, from->roles);
    to.issuer_name = pack_str(packer, from->issuer_name);
    to.issuer = pack_str(packer, from->issuer);
    to.subject = pack_str(packer, from->subject);
    to.client = pack_str(packer, from->client);
    to.jti = pack_str(packer, from->jti);
    to.jti_hash = pack_str(packer, from->jti_hash);
    to.grant = pack_str(packer, from->grant);
    to.tenant_id = pack_str(packer, from->tenant_id);
    to.acr = pack_str(packer, from->acr);
    for (size_t i = 0; i < from->actor_count; i++) {
        to.actors[i].iss = pack_str(packer, from->actors[i].iss);
        to.actors[i].sub = pack_str(packer, from->actors[i].sub);
        to.actors[i].profile = pack_str(packer, from->actors[i].profile);
    }
    return to;
}

static const struct gh_dependencies *pack_dependencies(struct packer *packer,
                                                       const struct gh_dependencies *from)
{
    return from != NULL ? pack_bytes(packer, from, sizeof(*from), _Alignof(struct gh_dependencies)) : NULL;
}

struct gh_verdict *gh_verdicts_add(struct gh_verdicts *verdicts, const unsigned char key[GH_VERDICT_KEY],
                                   const struct gh_principal *principal,
                                   const struct gh_dependencies *dependencies, int64_t until)
{
    struct packer packer = { 0 };
    (void)pack_dependencies(&packer, dependencies);
    (void)pack_principal(&packer, principal);
    struct gh_verdict *verdict = gh_malloc(sizeof(*verdict) + packer.used);
    if (verdict == NULL)
        return NULL;
    *verdict = (struct gh_verdict){ .refs = 1, .until = until };
    packer = (struct packer){ .at = (char *)(verdict + 1) };
    verdict->dependencies = pack_dependencies(&packer, dependencies);
    verdict->principal = pack_principal(&packer, principal);
    memcpy(verdict->key, key, GH_VERDICT_KEY);
    verdict->node.key = gh_str_of(verdict->key, GH_VERDICT_KEY);
    gh_list_init(&verdict->age);
    if (verdicts->max == 0)
        return verdict;
    struct gh_map_node *old = gh_map_find(&verdicts->map, verdict->node.key);
    if (old != NULL)
        gh_verdicts_drop(verdicts, GH_MAP_ENTRY(old, struct gh_verdict, node));
    if (verdicts->map.count >= verdicts->max)
        drop_least_used(verdicts);
    if (gh_map_add(&verdicts->map, &verdict->node)) {
        gh_list_append(&verdicts->by_use, &verdict->age);
        verdict->refs++;
    }
    return verdict;
}
