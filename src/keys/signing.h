/* keys/signing.h: the signing keys of one managed issuer: made, kept in files or in the store, rotated
 * without a restart; by the control thread. issuer.md section 9. */
#ifndef GH_KEYS_SIGNING_H
#define GH_KEYS_SIGNING_H

#include "gatehouse/sign.h"
#include "gatehouse/signing_row.h"

struct gh_arena;
struct gh_loop;
struct gh_store_client;

struct gh_signing_conf {
    gh_str folder;     /* "CREATED-KID.pem" files, PKCS#8, mode 0600; made with 0700 when it is missing */
    gh_str kek_file;   /* the key-encryption key; empty: the files are not encrypted */
    bool in_store;     /* one row for all gateways; the folder, if any, is read once, when there is no row */
    gh_str tenant;     /* whose row it is */
    gh_str issuer;     /* as tokens name it */
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

struct gh_signing_ring;

/* ---- in a folder ---- */

/* Reads the folder, makes a first key where there is none; of several processes that share it, one makes it.
 * On failure a heap text says why, for the operator:
 * GH_SETTINGS_INVALID (folder, a file that others may read, a key that cannot be used), GH_OUT_OF_MEMORY. */
GH_MUST_USE enum gh_reason gh_signing_ring_open(const struct gh_signing_conf *conf, int64_t now,
                                                struct gh_signing_ring **ret_ring, char **ret_why);
/* One that was not ticked for a while: what the folder holds is what it knows; nothing is made. On failure,
 * as above, it must not be used: it may hold a key that was dropped meanwhile. */
GH_MUST_USE enum gh_reason gh_signing_ring_again(struct gh_signing_ring *ring, int64_t now, char **ret_why);
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

/* ---- in the store: signing_store.c ----
 *
 * One row holds the whole ring, sealed. Every change is decided on the row as it was just read and committed
 * on condition that it is still that one, so of several at once one writes; the others read again, and decide
 * again on what they find. The number of the ring grows with each write: a row with a lower one than is known
 * here was put back by somebody, and is written over with what is known. One that does not open is left as it
 * is. */

enum gh_signing_wish {
    GH_SIGNING_LOOK, /* takes over what others have done, makes the next key when it is due, deletes those
                        that are gone */
    GH_SIGNING_ROTATE,
    GH_SIGNING_ROTATE_AT_ONCE,
    GH_SIGNING_DROP
};
struct gh_signing_change {
    enum gh_signing_wish wish;
    gh_str kid; /* of a drop */
};
struct gh_signing_port {
    struct gh_loop *loop;
    struct gh_store_client *client;
    void (*changed)(void *ctx); /* what is published or active has changed; NULL: nobody is told */
    void *ctx;
};
/* Reads the key-encryption key and nothing else: the ring has no key until it is attached and has looked
 * once. As gh_signing_ring_open. */
GH_MUST_USE enum gh_reason gh_signing_ring_open_stored(const struct gh_signing_conf *conf,
                                                       struct gh_signing_ring **ret_ring, char **ret_why);
void gh_signing_ring_attach(struct gh_signing_ring *ring, const struct gh_signing_port *port);
/* Before the client is freed; who waits is answered GH_STORE_DOWN: a commit may happen all the same. */
void gh_signing_ring_detach(struct gh_signing_ring *ring);

/* GH_OK, also for a drop of what is not there; GH_STORE_DOWN and what else a store answers;
 * GH_KEYS_MALFORMED: the row does not open; GH_KEYS_UNAVAILABLE: no key could be made; GH_SETTINGS_INVALID:
 * the folder cannot be read. `changed` has run before it, where there was something to tell. */
typedef void (*gh_signing_answered)(void *ctx, enum gh_reason reason);
struct gh_signing_ask;
/* Answered from the loop, never inside the call; one after the other. `done` may be NULL. NULL: it is not
 * done, memory is short or too many wait. */
struct gh_signing_ask *gh_signing_ring_ask(struct gh_signing_ring *ring,
                                           const struct gh_signing_change *change, gh_signing_answered done,
                                           void *ctx);
/* Who asked is gone: no `done`; the change may happen all the same. */
void gh_signing_ask_cancel(struct gh_signing_ask *ask);
bool gh_signing_ring_is_stored(const struct gh_signing_ring *ring);
/* The last look at the row came to nothing. */
bool gh_signing_ring_is_failing(const struct gh_signing_ring *ring);
/* Asks are under way. */
bool gh_signing_ring_is_busy(const struct gh_signing_ring *ring);
/* Why the last ask failed with GH_KEYS_MALFORMED, _UNAVAILABLE or GH_SETTINGS_INVALID, for the operator; lent
 * until the next one. */
const char *gh_signing_ring_why(const struct gh_signing_ring *ring);

/* ---- of both ---- */

void gh_signing_ring_free(struct gh_signing_ring *ring);
/* The key that signs, lent. */
struct gh_signing_key *gh_signing_ring_active(const struct gh_signing_ring *ring);
/* The published set as text; ptr NULL when out of memory. */
gh_str gh_signing_ring_jwks(struct gh_arena *arena, const struct gh_signing_ring *ring);
/* The i-th key, oldest first, for people: false behind the last. */
bool gh_signing_ring_at(const struct gh_signing_ring *ring, size_t i, gh_str *ret_kid,
                        enum gh_signing_state *ret_state, int64_t *ret_created);

#endif
