/* core/rpc/parts.h: what a scan keeps of a message: the members that say what it is. */
#ifndef GH_CORE_RPC_PARTS_H
#define GH_CORE_RPC_PARTS_H

#include "gatehouse/rpc.h"

/* A value where it stands. */
struct gh_rpc_part {
    enum gh_rpc_what what;
    bool is_escaped; /* a string that means something else than it says */
    gh_str raw;      /* of a string without its quotes */
};

/* Objects whose members mean something, and the values that are kept of them. */
enum gh_rpc_role {
    GH_RPC_FREE,
    GH_RPC_ENVELOPE,
    GH_RPC_PARAMS,
    GH_RPC_REF,
    GH_RPC_NOTIFICATIONS,
    GH_RPC_ARGUMENTS, /* where paths begin */
    GH_RPC_ROLES
};
enum gh_rpc_place {
    GH_RPC_AT_JSONRPC,
    GH_RPC_AT_ID,
    GH_RPC_AT_METHOD,
    GH_RPC_AT_PARAMS,
    GH_RPC_AT_RESULT,
    GH_RPC_AT_ERROR,
    GH_RPC_AT_NAME,
    GH_RPC_AT_URI,
    GH_RPC_AT_ARGUMENTS,
    GH_RPC_AT_NOTIFICATIONS,
    GH_RPC_AT_SUBSCRIPTIONS,
    GH_RPC_AT_REF,
    GH_RPC_AT_REF_TYPE,
    GH_RPC_AT_REF_NAME,
    GH_RPC_AT_REF_URI,
    GH_RPC_PLACES,
    GH_RPC_AT_NONE = GH_RPC_PLACES /* is guarded against twins, and not kept */
};

struct gh_rpc_member {
    const char *name;
    enum gh_rpc_place place;
    enum gh_rpc_role role; /* of an object that stands there */
};
/* names.c: the member of that name; NULL: none. *ret_is_twin: it is one but for letter case. */
const struct gh_rpc_member *gh_rpc_member_find(enum gh_rpc_role role, gh_str name, bool *ret_is_twin);

/* A step on the way to values that are read: a member of an object, or an item of an array. */
struct gh_rpc_path {
    gh_str name;
    size_t index;                     /* the same as a number; SIZE_MAX: it is none */
    unsigned slot;                    /* GH_RPC_VALUES_MAX: the way only leads further */
    struct gh_rpc_path *first, *next; /* child and sibling */
};
struct gh_rpc_paths {
    struct gh_rpc_path root; /* the arguments */
    size_t count;            /* of slots */
};
/* paths.c: the child of that name; NULL: none, and *ret_is_twin: there is one but for letter case. */
const struct gh_rpc_path *gh_rpc_path_member(const struct gh_rpc_path *path, gh_str name, bool *ret_is_twin);
const struct gh_rpc_path *gh_rpc_path_item(const struct gh_rpc_path *path, size_t index);

/* What one walk finds. */
struct gh_rpc_found {
    struct gh_rpc_part parts[GH_RPC_PLACES];
    struct gh_rpc_part values[GH_RPC_VALUES_MAX]; /* by slot */
};
/* walk.c: from the first byte of the text to its last. Every string is well formed, every number too. Returns
 * GH_OK, GH_RPC_JSON, GH_RPC_DUPLICATE, GH_RPC_LIMITS, or GH_RPC_MESSAGE: it is no object. */
GH_MUST_USE enum gh_reason gh_rpc_walk(struct gh_rpc_scanner *scanner, const struct gh_rpc_paths *paths,
                                       gh_str text, struct gh_rpc_found *found);
/* What a string means, in the text or in the scanner. GH_RPC_JSON: it holds U+0000; GH_RPC_LIMITS: there is
 * no more room. */
GH_MUST_USE enum gh_reason gh_rpc_meaning(struct gh_rpc_scanner *scanner, const struct gh_rpc_part *part,
                                          gh_str *ret_meaning);
/* Where the scanner keeps values; lent until its next scan. */
struct gh_rpc_value *gh_rpc_values(struct gh_rpc_scanner *scanner);

#endif
