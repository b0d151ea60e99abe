/* keys/signing_ring.h: what a ring of signing keys is made of. Private to this folder. */
#ifndef GH_KEYS_SIGNING_RING_H
#define GH_KEYS_SIGNING_RING_H

#include "base/secret.h"
#include "keys/signing_members.h"

struct gh_signing_stored;

struct gh_signing_ring {
    struct gh_arena *arena;
    struct gh_signing_conf conf; /* its slices are in the arena */
    struct gh_secret kek;
    struct gh_signing_members keys;
    struct gh_signing_stored *stored; /* NULL: in a folder */
};

/* Without keys. As gh_signing_ring_open. */
GH_MUST_USE enum gh_reason gh_signing_ring_new(const struct gh_signing_conf *conf,
                                               struct gh_signing_ring **ret_ring, char **ret_why);
/* signing_store.c */
void gh_signing_stored_free(struct gh_signing_stored *stored);

#endif
