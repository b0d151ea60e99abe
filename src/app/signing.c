/* app/signing.c: rings of signing keys, found again by what the settings say of them. */
#include "app/signing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/str.h"

/* Verifiers may hold a published set for so long (RFC 7517 has no rule; ours is max-age=300), and forgive so
 * much. */
#define CACHE_S  600
#define LEEWAY_S 120

static struct gh_signing_conf conf_of(const struct gh_managed *managed)
{
    int64_t retired = managed->policy.access_s + CACHE_S + LEEWAY_S;
    return (struct gh_signing_conf){ .folder = managed->keys_folder,
                                     .kek_file = managed->kek_file,
                                     .in_store = managed->keys_in_store,
                                     .tenant = managed->policy.tenant,
                                     .issuer = managed->policy.issuer,
                                     .alg = managed->signing,
                                     .next_s = managed->key_lead_s,
                                     .active_s = managed->key_life_s,
                                     .retired_s = retired > 3600 ? retired : 3600 };
}

static char *identity_of(const struct gh_managed *managed)
{
    const struct gh_signing_conf conf = conf_of(managed);
    char *text = NULL;
    int len = asprintf(&text, "%.*s\n%.*s\n%.*s\n%.*s\n%.*s\n%d %d %lld %lld %lld", GH_STR_FMT(managed->name),
                       GH_STR_FMT(conf.folder), GH_STR_FMT(conf.kek_file), GH_STR_FMT(conf.tenant),
                       GH_STR_FMT(conf.issuer), (int)conf.in_store, (int)conf.alg, (long long)conf.next_s,
                       (long long)conf.active_s, (long long)conf.retired_s);
    return len < 0 ? NULL : text;
}

static struct gh_signing_here *find(const struct gh_signing *signing, const struct gh_managed *managed)
{
    char *identity = identity_of(managed);
    const struct gh_signing_here *found = NULL;
    for (size_t i = 0; identity != NULL && i < signing->count; i++)
        if (strcmp(signing->at[i].identity, identity) == 0)
            found = &signing->at[i];
    free(identity);
    return (struct gh_signing_here *)(uintptr_t)found;
}

struct gh_signing_ring *gh_signing_find(const struct gh_signing *signing, const struct gh_managed *managed)
{
    const struct gh_signing_here *here = find(signing, managed);
    return here != NULL ? here->ring : NULL;
}

static enum gh_reason open_anew(const struct gh_signing *signing, const struct gh_managed *managed,
                                int64_t now, struct gh_signing_ring **ret_ring, char **ret_why)
{
    const struct gh_signing_conf conf = conf_of(managed);
    struct gh_signing_ring *ring = NULL;
    if (!conf.in_store)
        return gh_signing_ring_open(&conf, now, ret_ring, ret_why);
    enum gh_reason reason = gh_signing_ring_open_stored(&conf, &ring, ret_why);
    if (reason == GH_OK)
        reason = gh_signing_settle(signing, ring, managed, ret_why);
    if (reason == GH_OK)
        *ret_ring = ring;
    else
        gh_signing_ring_free(ring);
    return reason;
}

static enum gh_reason open_again(const struct gh_signing *signing, const struct gh_managed *managed,
                                 int64_t now, struct gh_signing_ring *ring, char **ret_why)
{
    return gh_signing_ring_is_stored(ring) ? gh_signing_settle(signing, ring, managed, ret_why)
                                           : gh_signing_ring_again(ring, now, ret_why);
}

static enum gh_reason open_ring(struct gh_signing *signing, const struct gh_managed *managed, int64_t now,
                                char **ret_why)
{
    const struct gh_signing_here *old = find(signing, managed);
    if (old != NULL) /* one that is in force is ticked; another knows nothing of what was dropped since */
        return old->name != NULL ? GH_OK : open_again(signing, managed, now, old->ring, ret_why);
    if (signing->count == GH_ISSUER_SITE_MAX) {
        *ret_why = gh_str_to_heap(
            GH_STR("too many sets of signing keys since the start; restart to forget old ones"));
        return GH_SETTINGS_INVALID;
    }
    struct gh_signing_here here = { .identity = identity_of(managed) };
    enum gh_reason reason =
        here.identity != NULL ? open_anew(signing, managed, now, &here.ring, ret_why) : GH_OUT_OF_MEMORY;
    if (reason == GH_OK)
        signing->at[signing->count++] = here;
    else
        free(here.identity);
    return reason;
}

/* All copies of the issuer: a tenant with tenant_ids has its own. */
static enum gh_reason publish(const struct gh_signing *signing, const struct gh_managed *managed,
                              struct gh_site *site)
{
    const struct gh_signing_here *here = find(signing, managed);
    gh_str jwks = here != NULL ? gh_signing_ring_jwks(site->arena, here->ring) : GH_STR_NONE;
    if (jwks.ptr == NULL)
        return GH_OUT_OF_MEMORY;
    for (size_t i = 0; i < site->issuer_count; i++)
        if (site->issuers[i].conf.managed && gh_str_eq(site->issuers[i].conf.profile.name, managed->name)) {
            site->issuers[i].conf.jwks_text = jwks;
            site->issuers[i].conf.is_shared = managed->keys_in_store;
        }
    return GH_OK;
}

enum gh_reason gh_signing_prepare(struct gh_signing *signing, struct gh_conf *conf, int64_t now,
                                  char **ret_why)
{
    enum gh_reason reason = GH_OK;
    for (size_t i = 0; i < conf->issuer_site->issuer_count && reason == GH_OK; i++) {
        const struct gh_managed *managed = &conf->issuer_site->issuers[i];
        reason = open_ring(signing, managed, now, ret_why);
        if (reason == GH_OK)
            reason = publish(signing, managed, conf->site);
    }
    return reason;
}

void gh_signing_adopt(struct gh_signing *signing, const struct gh_conf *conf)
{
    for (size_t i = 0; i < signing->count; i++) {
        free(signing->at[i].name);
        signing->at[i].name = NULL;
    }
    for (size_t i = 0; i < conf->issuer_site->issuer_count; i++) {
        struct gh_signing_here *here = find(signing, &conf->issuer_site->issuers[i]);
        if (here != NULL)
            here->name = gh_str_to_heap(conf->issuer_site->issuers[i].name);
    }
}

bool gh_signing_tick(struct gh_signing *signing, int64_t now, bool *ret_busy)
{
    bool changed = false;
    for (size_t i = 0; i < signing->count; i++)
        if (signing->at[i].name != NULL && !gh_signing_ring_is_stored(signing->at[i].ring))
            changed = gh_signing_ring_tick(signing->at[i].ring, now, ret_busy) || changed;
    return changed;
}

struct gh_issuer_keys *gh_signing_keys(const struct gh_signing *signing, const struct gh_managed *managed)
{
    const struct gh_signing_here *here = find(signing, managed);
    GH_CLEANUP(gh_arena_free) struct gh_arena *arena = gh_arena_new(0);
    gh_str jwks = here != NULL && arena != NULL ? gh_signing_ring_jwks(arena, here->ring) : GH_STR_NONE;
    struct gh_jwks *set = NULL;
    if (jwks.ptr == NULL || gh_jwks_read(jwks, (1u << GH_ALG_COUNT) - 1u, NULL, &set) != GH_OK)
        return NULL;
    struct gh_issuer_keys *keys = gh_issuer_keys_new(gh_signing_ring_active(here->ring), set, jwks);
    gh_jwks_unref(set);
    return keys;
}

void gh_signing_done(struct gh_signing *signing)
{
    for (size_t i = 0; i < signing->count; i++) {
        free(signing->at[i].identity);
        free(signing->at[i].name);
        gh_signing_ring_free(signing->at[i].ring);
    }
    signing->count = 0;
}
