/* admin/admin.h: the operator's listener: health, readiness, metrics, and what the control table offers. */
#ifndef GH_ADMIN_ADMIN_H
#define GH_ADMIN_ADMIN_H

#include "base/secret.h"
#include "exchange/exchange.h"
#include "issuer/site.h"
#include "keys/keyring.h"
#include "keys/signing.h"
#include "store/store.h"

/* A signing key of a managed issuer, lent for this turn. */
struct gh_admin_key {
    gh_str kid;
    enum gh_signing_state state;
    int64_t created;
};

enum gh_admin_key_end {
    GH_ADMIN_KEY_CHANGED,
    GH_ADMIN_KEY_REFUSED, /* it cannot be written; the log says why */
    GH_ADMIN_KEY_LATER    /* the store is asked; `done` tells */
};

/* What the process can be told to do; app implements it. */
struct gh_control_table {
    void *ctx;
    /* GH_OK, or why the old settings stay; the text (lent until the next call) is for the operator. */
    enum gh_reason (*reload)(void *ctx, gh_str *ret_text);
    /* Which check decides about this token at that route, as one JSON object in the arena. */
    gh_str (*explain)(void *ctx, struct gh_arena *arena, gh_str route, gh_str token, gh_str call);
    bool (*is_draining)(void *ctx);
    /* The JWK set of the keys that sign assertions, lent for this turn; ptr NULL: nothing is signed here. */
    gh_str (*assertion_keys)(void *ctx);
    /* False: what was revoked before the start has not been read, or not all of it could be. */
    bool (*knows_revocations)(void *ctx);
    /* Brings gauges up to date that nobody counts. */
    void (*measure)(void *ctx);
    /* Fills in what a revocation does not say (epoch, until: -1), by the settings in force. GH_OK, or
     * GH_SETTINGS_INVALID with what is wrong. */
    enum gh_reason (*complete)(void *ctx, struct gh_revocation *revocation, const char **ret_wrong);
    /* The managed issuers of the settings in force, lent for this turn. */
    struct gh_issuer_site *(*issuers)(void *ctx);
    /* The i-th signing key of that issuer, oldest first; false behind the last. */
    bool (*key_at)(void *ctx, const struct gh_managed *managed, size_t i, struct gh_admin_key *ret_key);
    /* Makes a next key, or one that signs from now on; or drops one, here at once. *ret_ask: by which `done`
     * is cancelled when it is to come later. */
    enum gh_admin_key_end (*key_change)(void *ctx, const struct gh_managed *managed,
                                        const struct gh_signing_change *change, gh_signing_answered done,
                                        void *done_ctx, struct gh_signing_ask **ret_ask);
};

struct gh_admin {
    struct gh_registry *registry;
    struct gh_keyrings *rings;
    const struct gh_control_table *control;
    struct gh_store_client *store; /* of this thread; NULL: there is no store */
    struct gh_secret token;        /* empty: the listener itself is the guard (loopback or unix socket) */
};

/* handler_ctx is a struct gh_admin. */
extern const struct gh_handler gh_admin_handler;

#endif
