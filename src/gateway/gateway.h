/* gateway/gateway.h: one worker's gateway: takes exchanges through the stages, answers or forwards them. */
#ifndef GH_GATEWAY_GATEWAY_H
#define GH_GATEWAY_GATEWAY_H

#include "exchange/exchange.h"
#include "gateway/site.h"
#include "gateway/streams.h"
#include "io/offload.h"
#include "store/index.h"
#include "store/store.h"

struct gh_gateway;

/* What a worker cannot do itself: the control thread answers later with the same ticket. All may refuse
 * (false). */
struct gh_gateway_ports {
    void *ctx;
    /* -> gh_gateway_key_came */
    bool (*want_key)(void *ctx, uint32_t slot, gh_str kid, uint64_t ticket);
    /* -> gh_gateway_introspected. `suspect`: who brings it has failed too often of late. */
    bool (*introspect)(void *ctx, uint32_t slot, gh_str token, uint64_t ticket, bool suspect);
};

struct gh_gateway_new {
    struct gh_loop *loop;
    const struct gh_gateway_ports *ports;
    struct gh_offload *offload;
    struct gh_mailbox
        *mailbox; /* this worker's: offload answers come here; its owner must be `mailbox_owner` below */
    struct gh_registry *registry;
    struct gh_streams *streams;    /* of all workers */
    unsigned worker;               /* index in the registry, and among the readers of the index */
    struct gh_index *index;        /* of revocations; NULL: there is no store, nothing is asked */
    struct gh_store_client *store; /* this worker's; NULL: there is none */
};
struct gh_gateway *gh_gateway_new(const struct gh_gateway_new *with);
/* Every exchange has ended before. */
void gh_gateway_free(struct gh_gateway *gateway);

/* For the front: every exchange goes here, with the gateway as handler_ctx. */
extern const struct gh_handler gh_gateway_handler;

/* A new snapshot (a reference is taken): requests from now on obey it; open ones whose route is gone or
 * changed end with GH_POLICY_CHANGED. */
void gh_gateway_set_site(struct gh_gateway *gateway, struct gh_site *site);
/* What the control thread published of one issuer; view->set's reference is taken over. */
void gh_gateway_set_keys(struct gh_gateway *gateway, uint32_t slot, const struct gh_keys_view *view);
/* The index has changed, or has not been told anything for too long: what is open is asked about again, and
 * ends where it was revoked. */
void gh_gateway_revoked(struct gh_gateway *gateway);
void gh_gateway_key_came(struct gh_gateway *gateway, uint64_t ticket);
void gh_gateway_introspected(struct gh_gateway *gateway, uint64_t ticket, enum gh_reason reason,
                             gh_str answer);

#endif
