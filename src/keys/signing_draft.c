/* keys/signing_draft.c: one wish of a ring in the store, decided on a copy of it. */
#include "keys/signing_draft.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/str.h"
#include "keys/signing_files.h"

/* What the steps share. */
struct making {
    const struct gh_signing_ring *ring;
    const struct gh_signing_change *change;
    int64_t now;
    struct gh_signing_key **made;
    struct gh_signing_draft *draft;
};

static enum gh_reason import(const struct making *making);
static bool remove_gone(struct gh_signing_members *keys);
static enum gh_reason do_wish(const struct making *making, bool due);

enum gh_reason gh_signing_draft_make(const struct gh_signing_ring *ring,
                                     const struct gh_signing_change *change, bool is_first, int64_t now,
                                     struct gh_signing_key **made, struct gh_signing_draft *draft)
{
    const struct making making = { ring, change, now, made, draft };
    bool due;
    *draft = (struct gh_signing_draft){ .changes = is_first };
    gh_members_copy(&ring->keys, &draft->keys);
    enum gh_reason reason = is_first ? import(&making) : GH_OK;
    gh_members_judge(&ring->conf, &draft->keys, now, &due);
    if (remove_gone(&draft->keys))
        draft->changes = true;
    return reason == GH_OK ? do_wish(&making, due) : reason;
}

static enum gh_reason refuse(const struct making *making, enum gh_reason reason, const char *message,
                             const char *why)
{
    making->draft->message = message;
    making->draft->why = gh_str_to_heap(gh_str_from(why));
    return reason;
}

static enum gh_reason import(const struct making *making)
{
    const struct gh_signing_ring *ring = making->ring;
    struct gh_signing_file files[GH_SIGNING_KEYS_MAX];
    const struct gh_signing_known none = { NULL, 0 };
    size_t count = 0;
    int held = ring->conf.folder.len > 0 ? gh_signing_folder_hold(ring->conf.folder, true) : -1;
    if (ring->conf.folder.len == 0 || (held < 0 && errno == ENOENT))
        return GH_OK;
    static const char message[] = "signing keys could not be taken over from the folder";
    if (held < 0)
        return refuse(making, GH_SETTINGS_INVALID, message, strerror(errno));
    enum gh_reason reason =
        gh_signing_files_read(ring->conf.folder, &ring->kek, &none, files, &count, &making->draft->why);
    (void)close(held);
    making->draft->message = message;
    for (size_t i = 0; reason == GH_OK && i < count; i++)
        gh_members_insert(&making->draft->keys, files[i].created, files[i].key);
    return reason;
}

static bool remove_gone(struct gh_signing_members *keys)
{
    size_t before = keys->count;
    for (size_t i = keys->count; i-- > 0;)
        if (keys->at[i].state == GH_SIGNING_GONE)
            gh_members_remove(keys, i);
    return keys->count != before;
}

/* ---- the wish ---- */

static enum gh_reason add_new(const struct making *making)
{
    struct gh_signing_members *keys = &making->draft->keys;
    const char *why = NULL;
    if (keys->count == GH_SIGNING_KEYS_MAX)
        why = "there are too many";
    else if (*making->made == NULL)
        why = gh_signing_key_generate(making->ring->conf.alg, making->made);
    if (why != NULL)
        return refuse(making, GH_KEYS_UNAVAILABLE, "a signing key could not be made", why);
    gh_members_insert(keys, gh_members_free_second(keys, making->now), gh_signing_key_ref(*making->made));
    making->draft->changes = true;
    return GH_OK;
}

/* Born in the past, it is known long enough: whoever reads the row decides alike. */
static enum gh_reason add_at_once(const struct making *making)
{
    struct gh_signing_members *keys = &making->draft->keys;
    int64_t births[GH_SIGNING_KEYS_MAX] = { 0 };
    enum gh_reason reason = add_new(making);
    if (reason != GH_OK)
        return reason;
    gh_members_births(keys, *making->made, making->now - making->ring->conf.next_s, births);
    for (size_t i = 0; i < keys->count; i++)
        keys->at[i].created = births[i];
    gh_members_sort(keys);
    return GH_OK;
}

/* Whoever asked has seen the key: where it is not there any more, another gateway has dropped it. Without any
 * key an issuer could not even say so. */
static enum gh_reason drop(const struct making *making)
{
    struct gh_signing_members *keys = &making->draft->keys;
    gh_str kid = making->change->kid;
    enum gh_reason reason = GH_OK;
    if (gh_members_find(keys, kid) == keys->count)
        return GH_OK;
    if (keys->count == 1)
        reason = add_new(making);
    if (reason != GH_OK)
        return reason;
    gh_members_remove(keys, gh_members_find(keys, kid));
    making->draft->changes = true;
    return GH_OK;
}

static enum gh_reason do_wish(const struct making *making, bool due)
{
    switch (making->change->wish) {
    case GH_SIGNING_LOOK:
        return due ? add_new(making) : GH_OK;
    case GH_SIGNING_ROTATE:
        return add_new(making);
    case GH_SIGNING_ROTATE_AT_ONCE:
        return add_at_once(making);
    case GH_SIGNING_DROP:
        return drop(making);
    }
    return GH_INTERNAL;
}
