/* keys/keyring.h: the key sets of all issuers: fetched, refreshed and kept by the control thread, published
 * to workers. */
#ifndef GH_KEYS_KEYRING_H
#define GH_KEYS_KEYRING_H

#include "gatehouse/policy.h"
#include "observe/metrics.h"
#include "upstream/fetch.h"

/* Settings of one issuer; owned by the snapshot. */
struct gh_issuer_conf {
    struct gh_profile profile; /* profile.name is the issuer's name in the settings */
    bool advertise;
    gh_str discovery_url; /* empty: the four layouts of byoa.md section 5 */
    gh_str jwks_url;      /* empty: from the metadata */
    gh_str jwks_file;     /* static keys: nothing is fetched */
    int64_t max_age_s;    /* 600: how long a withdrawn key may live; the TTL is the issuer's max-age within [5
                             min, this] */
    int64_t max_stale_s;  /* 3,600: how long a set is used after its last good fetch */
    int64_t cooldown_s;   /* 30: after a fruitless fetch for an unknown kid */
    gh_str token_header;  /* edge: the header with the assertion, lower case; empty: Authorization */
    bool is_login;        /* people sign in there; it signs nothing that requests bring */
    bool managed;         /* ours: keys come from jwks_text, and by gh_keyrings_put */
    bool is_shared;       /* and other gateways change them: who has an unknown kid may ask */
    gh_str jwks_text;
    /* opaque tokens */
    gh_str introspection_url;
    gh_str introspection_client;
    gh_str introspection_secret_file;
    gh_str introspection_key_file;   /* or a private key: private_key_jwt */
    gh_str introspection_audience;   /* of that assertion; empty: the issuer */
    gh_str token_prefix;             /* tokens that go to this issuer; empty: all */
    int64_t introspection_max_age_s; /* 30 */
    int64_t introspection_parallel;  /* 32 */
};

enum gh_keys_status {
    GH_KEYS_WAITING, /* none yet, a fetch is under way or will be */
    GH_KEYS_READY,
    GH_KEYS_STALE /* beyond max_stale, or never had one after failing: 503 */
};

/* What workers know of one issuer. `set` is a reference of its own, NULL unless READY; READY without a set is
 * an issuer that has no keys and is only asked by introspection. */
struct gh_keys_view {
    struct gh_jwks *set;
    enum gh_keys_status status;
    int64_t retry_after_s;  /* for Retry-After while not READY */
    int64_t quiet_until_ms; /* monotonic: an unknown kid is refused without asking until then */
};

struct gh_keyrings;
/* `publish` runs on the control thread whenever the view of a slot changes, never between _begin and _end; it
 * takes over view->set's reference. */
struct gh_keyrings *gh_keyrings_new(
    struct gh_loop *loop, struct gh_fetcher *fetcher, struct gh_registry *registry,
    void (*publish)(void *ctx, uint32_t slot, const struct gh_keys_view *view), void *ctx);
/* Who still waits is answered here, introspections with GH_SHUTTING_DOWN: free it before those. */
void gh_keyrings_free(struct gh_keyrings *rings);
/* The issuer's slot, stable while its settings stay the same (name, URLs, algs); added and fetched when new.
 * Called for each issuer of a new snapshot between _begin and _end; rings not named in between are dropped,
 * unless _end says no commit: then nothing has changed. Fetching begins at the commit. A jwks_file and an
 * introspection secret are read here: GH_SETTINGS_INVALID with a strdup'd text in ret_why, also when there
 * are more than GH_KEYRING_SLOTS issuers. */
void gh_keyrings_begin(struct gh_keyrings *rings);
GH_MUST_USE enum gh_reason gh_keyrings_add(struct gh_keyrings *rings, const struct gh_issuer_conf *conf,
                                           uint32_t *ret_slot, char **ret_why);
void gh_keyrings_end(struct gh_keyrings *rings, bool commit);
#define GH_KEYRING_SLOTS 1024
/* A new set of a managed issuer, published at once: its keys rotate between reloads. False when it cannot be
 * read or memory runs out: the old one stays. */
bool gh_keyrings_put(struct gh_keyrings *rings, uint32_t slot, gh_str jwks) GH_MUST_USE;
/* Of a shared one: for so long nobody asks about unknown kids. */
void gh_keyrings_rest(struct gh_keyrings *rings, uint32_t slot, int64_t rest_ms);
/* The present view with a reference of its own (for a new worker). */
struct gh_keys_view gh_keyrings_view(struct gh_keyrings *rings, uint32_t slot);

/* An unknown kid, or no keys yet: `done` runs (from the loop, never inside) when the one fetch that may bring
 * it has ended, or at the end of this turn when a fetch is not due (cool-down, negative entry, static keys,
 * or no keys and a fetch that waits for its next try). A view published before `done` holds the result. False
 * when out of memory or too many wait. */
bool gh_keyrings_want(struct gh_keyrings *rings, uint32_t slot, gh_str kid, void (*done)(void *ctx),
                      void *ctx) GH_MUST_USE;
/* Where people sign in, by the issuer's metadata as it was read last. */
struct gh_keys_endpoints {
    gh_str authorization_endpoint, token_endpoint; /* lent */
    bool sends_iss;
};
/* False while they are not known, or not usable. */
bool gh_keyrings_endpoints(const struct gh_keyrings *rings, uint32_t slot,
                           struct gh_keys_endpoints *ret_endpoints);
struct gh_introspection_request {
    uint32_t slot;
    gh_str token;
    bool suspect; /* half of the issuer's questions are kept from those who failed too often of late */
};
/* RFC 7662, single flight by SHA-256 of the token: the answer's body is lent. GH_OK, GH_INTROSPECTION_DOWN,
 * GH_OVERLOADED, or GH_VERIFY_BUDGET for a suspect one. `done` runs from the loop, never inside; false when
 * out of memory. */
bool gh_keyrings_introspect(struct gh_keyrings *rings, const struct gh_introspection_request *request,
                            void (*done)(void *ctx, enum gh_reason reason, gh_str answer), void *ctx)
    GH_MUST_USE;
/* Are all issuers of the last committed round ready? For /readyz; the first that is not is named (lent). One
 * that people only sign in at is not asked: without it nobody new gets in, and all else is served. */
bool gh_keyrings_ready(struct gh_keyrings *rings, gh_str *ret_not_ready);

#endif
