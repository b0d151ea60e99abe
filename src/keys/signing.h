/* keys/signing.h: the signing keys of one managed issuer: made, kept in files, rotated without a restart; by
 * the control thread. issuer.md section 9. */
#ifndef GH_KEYS_SIGNING_H
#define GH_KEYS_SIGNING_H

#include "gatehouse/sign.h"

struct gh_arena;

struct gh_signing_conf {
    gh_str folder;     /* "CREATED-KID.pem" files, PKCS#8, mode 0600; made with 0700 when it is missing */
    gh_str kek_file;   /* the key-encryption key; empty: the files are not encrypted */
    enum gh_alg alg;   /* ES256, EdDSA, RS256: of keys that are made from now on */
    int64_t next_s;    /* 24 h: so long a key is published before it signs */
    int64_t active_s;  /* 30 days: so long it signs */
    int64_t retired_s; /* so long it is published after it signed for the last time */
};

enum gh_signing_state {
    GH_SIGNING_NEXT,    /* published, so that verifiers know it when it begins */
    GH_SIGNING_ACTIVE,  /* signs */
    GH_SIGNING_RETIRED, /* published until its last token has expired everywhere */
    GH_SIGNING_GONE     /* deleted */
};

/* What each key is by its time of birth alone, so that a restart or another process decides the same.
 * `created` is sorted, oldest first. True when a new one is due. */
bool gh_signing_states(const struct gh_signing_conf *conf, const int64_t *created, size_t count, int64_t now,
                       enum gh_signing_state *ret_states);

#define GH_SIGNING_KEYS_MAX 16u

struct gh_signing_ring;
/* Reads the folder, makes a first key where there is none; of several processes that share it, one makes it.
 * On failure a heap text says why, for the operator:
 * GH_SETTINGS_INVALID (folder, a file that others may read, a key that cannot be used), GH_OUT_OF_MEMORY. */
GH_MUST_USE enum gh_reason gh_signing_ring_open(const struct gh_signing_conf *conf, int64_t now,
                                                struct gh_signing_ring **ret_ring, char **ret_why);
/* One that was not ticked for a while: what the folder holds is what it knows; nothing is made. On failure,
 * as above, it must not be used: it may hold a key that was dropped meanwhile. */
GH_MUST_USE enum gh_reason gh_signing_ring_again(struct gh_signing_ring *ring, int64_t now, char **ret_why);
void gh_signing_ring_free(struct gh_signing_ring *ring);
/* Now and then: takes over what other processes have made or deleted in the folder, makes the next key when
 * it is due, deletes those that are gone. True when what is published or active has changed. A file that
 * cannot be read or written is logged, and tried again at the next tick. *ret_busy is set when another
 * process was at the folder, which was not looked at then: the next tick should come soon. */
bool gh_signing_ring_tick(struct gh_signing_ring *ring, int64_t now, bool *ret_busy);
/* Makes a next key now, or, `at_once`, one that is active from this moment, and all others retired; false
 * when it cannot be written, or another process does not let go of the folder. The ring may have changed
 * all the same, as after a tick: the caller tells of it. */
bool gh_signing_ring_rotate(struct gh_signing_ring *ring, int64_t now, bool at_once) GH_MUST_USE;
/* A key that has leaked: gone at once; the caller revokes what it signed. False when there is no such key,
 * its file cannot be deleted, or another process does not let go of the folder. As with rotate, the caller
 * tells of it in any case. */
bool gh_signing_ring_drop(struct gh_signing_ring *ring, gh_str kid, int64_t now) GH_MUST_USE;

/* The key that signs, lent. */
struct gh_signing_key *gh_signing_ring_active(const struct gh_signing_ring *ring);
/* The published set as text; ptr NULL when out of memory. */
gh_str gh_signing_ring_jwks(struct gh_arena *arena, const struct gh_signing_ring *ring);
/* The i-th key, oldest first, for people: false behind the last. */
bool gh_signing_ring_at(const struct gh_signing_ring *ring, size_t i, gh_str *ret_kid,
                        enum gh_signing_state *ret_state, int64_t *ret_created);

#endif
