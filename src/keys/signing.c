/* keys/signing.c: a ring of signing keys, and the folder that holds it. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/str.h"
#include "keys/signing_files.h"
#include "keys/signing_ring.h"

/* At most 200 ms. */
#define HOLD_TRIES 20
#define HOLD_MS    10

/* ---- in a folder ---- */

/* The one that was made, lent. */
static struct gh_signing_key *make(struct gh_signing_ring *ring, int64_t created)
{
    struct gh_signing_key *key = NULL;
    const char *why = "there are too many";
    created = gh_members_free_second(&ring->keys, created);
    if (ring->keys.count < GH_SIGNING_KEYS_MAX)
        why = gh_signing_file_make(ring->conf.folder, &ring->kek, ring->conf.alg, created, &key);
    if (why != NULL) {
        gh_log(GH_LOG_ERROR, "a signing key could not be made", GH_FIELD("folder", ring->conf.folder),
               GH_FIELD("why", gh_str_from(why)));
        return NULL;
    }
    gh_members_insert(&ring->keys, created, key);
    gh_log(GH_LOG_INFO, "a signing key was made", GH_FIELD("kid", gh_signing_key_kid(key)));
    return key;
}

static bool forget_gone(struct gh_signing_ring *ring)
{
    bool changed = false;
    for (size_t i = ring->keys.count; i-- > 0;) {
        if (ring->keys.at[i].state != GH_SIGNING_GONE)
            continue;
        (void)gh_signing_file_delete(ring->conf.folder, ring->keys.at[i].created,
                                     gh_signing_key_kid(ring->keys.at[i].key));
        gh_members_remove(&ring->keys, i);
        changed = true;
    }
    return changed;
}

/* ---- several processes: whoever holds the folder makes what is due, the others find it ---- */

/* What the folder holds takes the place of what is known. */
static enum gh_reason read_folder(struct gh_signing_ring *ring, bool *ret_changed, char **ret_why)
{
    struct gh_signing_file old[GH_SIGNING_KEYS_MAX], files[GH_SIGNING_KEYS_MAX];
    const struct gh_signing_known known = { old, ring->keys.count };
    size_t count = 0, kept = 0;
    for (size_t i = 0; i < ring->keys.count; i++)
        old[i] = (struct gh_signing_file){ ring->keys.at[i].created, ring->keys.at[i].key };
    enum gh_reason reason =
        gh_signing_files_read(ring->conf.folder, &ring->kek, &known, files, &count, ret_why);
    if (reason != GH_OK || (count == 0 && ring->keys.count > 0))
        return reason; /* a folder that somebody has emptied says nothing: the keys in memory sign on */
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < ring->keys.count; k++)
            kept += files[i].key == ring->keys.at[k].key;
    *ret_changed = kept != count || kept != ring->keys.count;
    gh_members_done(&ring->keys);
    for (size_t i = 0; i < count; i++)
        gh_members_insert(&ring->keys, files[i].created, files[i].key);
    return GH_OK;
}

static bool follow(struct gh_signing_ring *ring)
{
    char *why = NULL;
    bool changed = false;
    if (read_folder(ring, &changed, &why) != GH_OK)
        gh_log(GH_LOG_ERROR, "signing keys could not be read again", GH_FIELD("folder", ring->conf.folder),
               GH_FIELD("why", gh_str_from(why != NULL ? why : "out of memory")));
    free(why);
    return changed;
}

bool gh_signing_ring_tick(struct gh_signing_ring *ring, int64_t now, bool *ret_busy)
{
    const struct gh_signing_key *active = gh_signing_ring_active(ring);
    int held = gh_signing_folder_hold(ring->conf.folder, false);
    bool is_busy = held < 0 && errno == EWOULDBLOCK; /* a file that is being renamed could be missed */
    bool changed = !is_busy && follow(ring), due = false;
    gh_members_judge(&ring->conf, &ring->keys, now, &due);
    if (due && held >= 0 && make(ring, now) != NULL) {
        gh_members_judge(&ring->conf, &ring->keys, now, &due);
        changed = true;
    }
    changed = (!is_busy && forget_gone(ring)) || changed;
    if (held >= 0)
        (void)close(held);
    *ret_busy = *ret_busy || is_busy;
    return changed || gh_signing_ring_active(ring) != active;
}

/* Others hold the folder for as long as a key takes to be made: waited for a little, by the control thread.
 * Then what the folder holds is known. */
static int hold_and_follow(struct gh_signing_ring *ring)
{
    int held = gh_signing_folder_hold(ring->conf.folder, false);
    for (int i = 0; held < 0 && errno == EWOULDBLOCK && i < HOLD_TRIES; i++) {
        (void)poll(NULL, 0, HOLD_MS);
        held = gh_signing_folder_hold(ring->conf.folder, false);
    }
    if (held < 0)
        gh_log(GH_LOG_ERROR, "the folder of signing keys could not be held, ask again",
               GH_FIELD("folder", ring->conf.folder),
               GH_FIELD("why", errno == EWOULDBLOCK ? GH_STR("another process is at it")
                                                    : gh_str_from(strerror(errno))));
    else
        (void)follow(ring);
    return held;
}

/* ---- replaced by the operator ---- */

static bool bear_again(struct gh_signing_ring *ring, struct gh_signing_member *member, int64_t created)
{
    gh_str kid = gh_signing_key_kid(member->key);
    if (!gh_signing_file_reborn(ring->conf.folder, kid, member->created, created)) {
        gh_log(GH_LOG_ERROR, "the file of a signing key cannot be renamed",
               GH_FIELD("folder", ring->conf.folder), GH_FIELD("kid", kid));
        return false;
    }
    member->created = created;
    return true;
}

/* The key that takes over comes last: what ends halfway has kept the order. */
static bool give_way(struct gh_signing_ring *ring, const struct gh_signing_key *heir, int64_t born)
{
    int64_t births[GH_SIGNING_KEYS_MAX] = { 0 };
    struct gh_signing_members *keys = &ring->keys;
    bool ok = true;
    gh_members_births(keys, heir, born, births);
    for (size_t i = 0; i < keys->count && ok; i++)
        if (keys->at[i].key != heir && keys->at[i].created != births[i])
            ok = bear_again(ring, &keys->at[i], births[i]);
    for (size_t i = 0; i < keys->count && ok; i++)
        if (keys->at[i].key == heir)
            ok = bear_again(ring, &keys->at[i], births[i]);
    gh_members_sort(keys);
    return ok;
}

bool gh_signing_ring_rotate(struct gh_signing_ring *ring, int64_t now, bool at_once)
{
    int held = hold_and_follow(ring);
    /* On disk before any other gives way: a key that cannot be made changes nothing. */
    const struct gh_signing_key *key = held >= 0 ? make(ring, now) : NULL;
    /* Born in the past, a key is known long enough by its name alone: also after a restart, and elsewhere. */
    bool made = key != NULL && (!at_once || give_way(ring, key, now - ring->conf.next_s));
    bool due;
    gh_members_judge(&ring->conf, &ring->keys, now, &due);
    if (held >= 0)
        (void)close(held);
    return made;
}

/* The folder is held. */
static bool drop(struct gh_signing_ring *ring, gh_str kid, int64_t now)
{
    bool is_last = ring->keys.count == 1;
    if (gh_members_find(&ring->keys, kid) == ring->keys.count || (is_last && make(ring, now) == NULL))
        return false; /* without any key an issuer could not even say so */
    size_t i = gh_members_find(&ring->keys, kid);
    if (!gh_signing_file_delete(ring->conf.folder, ring->keys.at[i].created,
                                kid)) { /* it would be read again */
        gh_log(GH_LOG_ERROR, "the file of a signing key cannot be deleted",
               GH_FIELD("folder", ring->conf.folder), GH_FIELD("kid", kid));
        return false;
    }
    gh_members_remove(&ring->keys, i);
    return true;
}

bool gh_signing_ring_drop(struct gh_signing_ring *ring, gh_str kid, int64_t now)
{
    int held = hold_and_follow(ring);
    bool dropped = held >= 0 && drop(ring, kid, now), due;
    gh_members_judge(&ring->conf, &ring->keys, now, &due);
    if (held >= 0)
        (void)close(held);
    return dropped;
}

/* ---- opened and freed ---- */

/* The first key of all is made by one process, for which the others wait. */
static enum gh_reason read_first(struct gh_signing_ring *ring, int64_t now, char **ret_why)
{
    bool changed, due = false;
    enum gh_reason reason = gh_signing_folder_make(ring->conf.folder, ret_why);
    int held = reason == GH_OK ? gh_signing_folder_hold(ring->conf.folder, true) : -1;
    if (reason == GH_OK)
        reason = read_folder(ring, &changed, ret_why);
    if (reason == GH_OK) {
        gh_members_judge(&ring->conf, &ring->keys, now, &due);
        if (due && make(ring, now) != NULL)
            gh_members_judge(&ring->conf, &ring->keys, now, &due);
        (void)forget_gone(ring);
    }
    if (held >= 0)
        (void)close(held);
    return reason;
}

enum gh_reason gh_signing_ring_again(struct gh_signing_ring *ring, int64_t now, char **ret_why)
{
    bool changed, due;
    int held = gh_signing_folder_hold(ring->conf.folder, true);
    enum gh_reason reason = read_folder(ring, &changed, ret_why);
    gh_members_judge(&ring->conf, &ring->keys, now, &due);
    if (held >= 0)
        (void)close(held);
    return reason;
}

enum gh_reason gh_signing_ring_new(const struct gh_signing_conf *conf, struct gh_signing_ring **ret_ring,
                                   char **ret_why)
{
    struct gh_signing_ring *ring = gh_calloc(1, sizeof(*ring));
    enum gh_reason reason = GH_OUT_OF_MEMORY;
    if (ring == NULL || (ring->arena = gh_arena_new(0)) == NULL)
        goto fail;
    ring->conf = *conf;
    ring->conf.folder = gh_arena_dup(ring->arena, conf->folder);
    ring->conf.kek_file = gh_arena_dup(ring->arena, conf->kek_file);
    ring->conf.tenant = gh_arena_dup(ring->arena, conf->tenant);
    ring->conf.issuer = gh_arena_dup(ring->arena, conf->issuer);
    if (ring->conf.folder.ptr == NULL || ring->conf.kek_file.ptr == NULL || ring->conf.tenant.ptr == NULL ||
        ring->conf.issuer.ptr == NULL)
        goto fail;
    reason = gh_signing_kek_read(ring->conf.kek_file, &ring->kek, ret_why);
    if (reason != GH_OK)
        goto fail;
    *ret_ring = ring;
    return GH_OK;
fail:
    gh_signing_ring_free(ring);
    return reason;
}

enum gh_reason gh_signing_ring_open(const struct gh_signing_conf *conf, int64_t now,
                                    struct gh_signing_ring **ret_ring, char **ret_why)
{
    struct gh_signing_ring *ring = NULL;
    enum gh_reason reason = gh_signing_ring_new(conf, &ring, ret_why);
    if (reason == GH_OK)
        reason = read_first(ring, now, ret_why);
    if (reason == GH_OK && ring->keys.count == 0) {
        reason = GH_SETTINGS_INVALID;
        *ret_why = gh_str_to_heap(GH_STR("a signing key could not be made, see the log"));
    }
    if (reason == GH_OK)
        *ret_ring = ring;
    else
        gh_signing_ring_free(ring);
    return reason;
}

void gh_signing_ring_free(struct gh_signing_ring *ring)
{
    if (ring == NULL)
        return;
    gh_signing_stored_free(ring->stored);
    gh_members_done(&ring->keys);
    gh_secret_done(&ring->kek);
    gh_arena_free(ring->arena);
    free(ring);
}

/* ---- asked ---- */

struct gh_signing_key *gh_signing_ring_active(const struct gh_signing_ring *ring)
{
    return gh_members_active(&ring->keys);
}

gh_str gh_signing_ring_jwks(struct gh_arena *arena, const struct gh_signing_ring *ring)
{
    struct gh_signing_key *keys[GH_SIGNING_KEYS_MAX];
    for (size_t i = 0; i < ring->keys.count; i++)
        keys[i] = ring->keys.at[i].key;
    return gh_jwks_write(arena, keys, ring->keys.count);
}

bool gh_signing_ring_at(const struct gh_signing_ring *ring, size_t i, gh_str *ret_kid,
                        enum gh_signing_state *ret_state, int64_t *ret_created)
{
    if (i >= ring->keys.count)
        return false;
    *ret_kid = gh_signing_key_kid(ring->keys.at[i].key);
    *ret_state = ring->keys.at[i].state;
    *ret_created = ring->keys.at[i].created;
    return true;
}
