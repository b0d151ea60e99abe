/* front/dispatch.h: which sibling an exchange belongs to: the managed issuer where its host and path are one
 * of its own, the back channel where an issuer was told to speak, the gateway everywhere else. */
#ifndef GH_FRONT_DISPATCH_H
#define GH_FRONT_DISPATCH_H

#include "gateway/gateway.h"
#include "issuer/issuer.h"
#include "signals/signals.h"

struct gh_dispatch {
    struct gh_gateway *gateway;
    struct gh_issuer_server *issuer; /* NULL: no store, so no issuer */
    struct gh_signals *signals;
};

/* With the dispatch as handler_ctx; from `start` on the exchange belongs to a sibling. */
extern const struct gh_handler gh_dispatch_handler;

#endif
