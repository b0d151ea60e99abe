/* issuer/issuer.h: one worker's managed issuers: an authorization server that the gateway knows as one issuer
 * among others. */
#ifndef GH_ISSUER_ISSUER_H
#define GH_ISSUER_ISSUER_H

#include "exchange/exchange.h"
#include "gatehouse/sign.h"
#include "io/offload.h"
#include "issuer/site.h"
#include "issuer/windows.h"
#include "store/index.h"
#include "store/store.h"

/* The keys of one issuer at one moment: immutable, shared by reference count. */
struct gh_issuer_keys {
    unsigned refs;                 /* atomic */
    struct gh_signing_key *active; /* a reference */
    struct gh_jwks *set;           /* what is published: a reference */
    gh_str jwks;                   /* its text, behind this struct */
};
/* Takes references; copies the text. NULL when out of memory. */
struct gh_issuer_keys *gh_issuer_keys_new(struct gh_signing_key *active, struct gh_jwks *set, gh_str jwks);
struct gh_issuer_keys *gh_issuer_keys_ref(struct gh_issuer_keys *keys);
void gh_issuer_keys_unref(struct gh_issuer_keys *keys);

/* What a worker cannot do itself: the control thread answers later with the same ticket. */
struct gh_issuer_ports {
    void *ctx;
    /* -> gh_issuer_server_fetched; false: refused. `source`: the address that a fetch of it is counted
     * against; empty: none */
    bool (*fetch)(void *ctx, gh_str url, gh_str source, uint64_t ticket);
    /* `asked` as issuer/sign_in.h writes it -> gh_issuer_server_fetched with its answer; false: refused */
    bool (*sign_in)(void *ctx, gh_str asked, uint64_t ticket);
};
struct gh_issuer_fetched {
    enum gh_reason reason; /* as gh_fetch_answer's; GH_OVERLOADED, GH_REQUESTS_THROTTLED: not asked */
    gh_str body;           /* lent */
    int64_t max_age_s;     /* -1: none */
};

struct gh_issuer_server;
struct gh_issuer_new {
    struct gh_loop *loop;
    struct gh_store_client *store;
    const struct gh_index *index; /* epochs; NULL: none */
    const struct gh_issuer_ports *ports;
    struct gh_offload *offload;   /* for costly signatures */
    struct gh_offload *passwords; /* threads of their own: each of these jobs takes half a second */
    struct gh_limits *limits;     /* of all workers */
    struct gh_mailbox *mailbox;   /* this worker's */
    struct gh_registry *registry;
    unsigned worker;
};
struct gh_issuer_server *gh_issuer_server_new(const struct gh_issuer_new *with);
/* Every exchange has ended before. */
void gh_issuer_server_free(struct gh_issuer_server *server);

/* A new snapshot (a reference is taken): requests from now on obey it; those under way end under the old one.
 */
void gh_issuer_server_set_site(struct gh_issuer_server *server, struct gh_issuer_site *site);
/* The keys of the issuer of that name; the reference is taken over. */
void gh_issuer_server_set_keys(struct gh_issuer_server *server, gh_str name, struct gh_issuer_keys *keys);

void gh_issuer_server_fetched(struct gh_issuer_server *server, uint64_t ticket,
                              const struct gh_issuer_fetched *fetched);

/* Is it a request for an issuer? For the dispatcher before the gateway. */
bool gh_issuer_server_owns(const struct gh_issuer_server *server, const struct gh_exchange *x);
/* With the server as handler_ctx. */
extern const struct gh_handler gh_issuer_handler;

#endif
