/* keys/ring.h: one issuer's keys and the rings together; private to this folder. */
#ifndef GH_KEYS_RING_H
#define GH_KEYS_RING_H

#include "base/map.h"
#include "base/secret.h"
#include "gatehouse/sign.h"
#include "keys/keyring.h"
#include "keys/recent.h"

#define RING_DIGEST 32

/* What a ring needs of its settings, in memory of its own: a snapshot may die before it. */
struct ring_conf {
    struct gh_arena *arena;
    gh_str identity; /* while it stays the same the ring, its slot and its keys do */
    gh_str name;
    struct gh_strs issuers;         /* what the metadata may call itself */
    gh_str issuer;                  /* discovery starts here; may be empty */
    gh_str discovery_url, jwks_url; /* may be empty */
    gh_str jwks_file;               /* may be empty */
    bool has_keys;                  /* false: introspection alone */
    bool is_login;                  /* nobody waits for it to be ready */
    bool managed;                   /* the set is put here, never fetched */
    bool is_shared;                 /* and not by this process alone */
    gh_str jwks_text;               /* the first one */
    gh_algs algs;
    int64_t max_age_s, max_stale_s, cooldown_s;
    gh_str introspection_url, introspection_client;
    struct gh_secret introspection_secret;
    struct gh_signing_key *introspection_key; /* a reference; NULL: the secret, or nothing */
    gh_str introspection_audience;
    int64_t introspection_parallel;
};
/* GH_SETTINGS_INVALID with a text for a secret that cannot be read. */
GH_MUST_USE enum gh_reason gh_ring_conf_new(const struct gh_issuer_conf *conf, struct ring_conf **ret_conf,
                                            char **ret_why);
void gh_ring_conf_free(struct ring_conf *conf);

struct flight;

struct ring {
    struct gh_keyrings *rings;
    uint32_t slot;
    bool named, is_new; /* in the round that is open */
    struct ring_conf *conf, *next_conf;
    struct gh_jwks *next_set; /* of a jwks_file, until the round ends */
    unsigned char next_digest[RING_DIGEST];
    unsigned next_faults[GH_KEY_FAULT_COUNT];
    struct gh_issuer_stats *stats;   /* never NULL */
    struct gh_issuer_stats unlisted; /* stands in when the registry has no room for one name more */

    struct gh_keys_view view; /* the present; its set is ours */
    struct gh_keys_view told; /* as published, without the set */
    bool set_is_told;
    unsigned char digest[RING_DIGEST]; /* of the set's text */

    struct flight *flight;      /* the one fetch */
    struct gh_deadline refresh; /* the next fetch: planned, or sooner for those who wait */
    struct gh_deadline stale;
    int64_t planned_ms;                            /* when a fetch is due without anybody asking */
    int64_t last_fetch_ms;                         /* when the last one began */
    unsigned failures;                             /* since the last good one */
    char *jwks_uri;                                /* from the metadata; NULL: not known */
    char *authorization_endpoint, *token_endpoint; /* likewise */
    bool sends_iss;                                /* likewise */
    int64_t metadata_until_ms;                     /* asked again after this */
    struct gh_list wants;                          /* of struct want: they wait for the fetch */

    int64_t asking; /* introspections under way */
    bool asking_failed;
};

struct gh_keyrings {
    struct gh_loop *loop;
    struct gh_fetcher *fetcher;
    struct gh_registry *registry;
    void (*publish)(void *ctx, uint32_t slot, const struct gh_keys_view *view);
    void *ctx;
    struct ring *at[GH_KEYRING_SLOTS];
    uint32_t given;                   /* slots given so far */
    uint32_t freed[GH_KEYRING_SLOTS]; /* a ring of slots given back, the oldest first */
    size_t freed_first, freed_count;
    struct gh_recent unknown;  /* kids no set has */
    struct gh_recent inactive; /* tokens that have ended */
    size_t waiting;            /* wants and askers, of all rings */
    struct gh_list answers;    /* of struct want and struct asker: due at the end of this turn */
    struct gh_turn_work answer;
    struct gh_map questions; /* introspections under way, by recent key */
    struct gh_list all_questions;
};

/* keyring.c */
void gh_ring_tell(struct ring *ring); /* publishes when the view has changed */
/* refresh.c */
void gh_ring_init_schedule(struct ring *ring);
void gh_ring_begin(struct ring *ring); /* at the commit: fetch, or take the file's set */
void gh_ring_stop(struct ring *ring);  /* no fetch and no deadline any more */
void gh_ring_fetch_for_wants(struct ring *ring);
/* Takes over the set. `max_age_s` -1: none was said. */
void gh_ring_take_set(struct ring *ring, struct gh_jwks *set, const unsigned char digest[RING_DIGEST],
                      const unsigned *faults);
/* want.c: a fetch has ended. */
void gh_ring_settle_wants(struct ring *ring, bool fetched);
void gh_ring_release_wants(struct ring *ring);
/* introspect.c */
void gh_ring_forget_questions(struct ring *ring);

/* client_assertion.c: ptr NULL when out of memory or libcrypto fails. */
gh_str gh_ring_client_assertion(struct gh_arena *arena, const struct ring_conf *conf, int64_t now);

/* ---- answers at the end of the turn ---- */
struct answer {
    struct gh_list link;
    void (*run)(struct answer *answer); /* answers and frees */
};
void gh_rings_answer_later(struct gh_keyrings *rings, struct answer *answer);
void gh_rings_run_answers(struct gh_keyrings *rings);
#define RINGS_WAITING_MAX 16384u

#endif
