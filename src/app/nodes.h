/* app/nodes.h: which gateways share the store: each says of itself that it is there. */
#ifndef GH_APP_NODES_H
#define GH_APP_NODES_H

#include "io/loop.h"
#include "store/store.h"

#define GH_NODE_ID 32

struct gh_node_entry {
    char id[GH_NODE_ID + 1]; /* of this process; empty: there is no store */
    int64_t started_s;
    struct gh_deadline due;
    struct gh_store_call *call; /* on its way */
};

#endif
