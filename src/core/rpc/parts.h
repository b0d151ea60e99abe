/* core/rpc/parts.h: what a scan keeps of a message: the members that say what it is. */
#ifndef GH_CORE_RPC_PARTS_H
#define GH_CORE_RPC_PARTS_H

#include "gatehouse/rpc.h"

enum gh_rpc_what {
    GH_RPC_ABSENT,
    GH_RPC_STRING,
    GH_RPC_NUMBER,
    GH_RPC_OBJECT,
    GH_RPC_ARRAY,
    GH_RPC_LITERAL, /* true, false, null */
};

/* A value where it stands. */
struct gh_rpc_part {
    enum gh_rpc_what what;
    bool is_escaped; /* a string that means something else than it says */
    gh_str raw;      /* of a string without its quotes, of a number; else empty */
};

/* Objects whose members mean something, and the values that are kept of them. */
enum gh_rpc_role { GH_RPC_FREE, GH_RPC_ENVELOPE, GH_RPC_PARAMS, GH_RPC_REF, GH_RPC_ROLES };
enum gh_rpc_place {
    GH_RPC_AT_JSONRPC,
    GH_RPC_AT_ID,
    GH_RPC_AT_METHOD,
    GH_RPC_AT_PARAMS,
    GH_RPC_AT_RESULT,
    GH_RPC_AT_ERROR,
    GH_RPC_AT_NAME,
    GH_RPC_AT_URI,
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

/* names.c: what a method of MCP names; of completion/complete: GH_RPC_NAMES_NOTHING and *ret_by_ref. */
enum gh_rpc_names gh_rpc_method_names(gh_str method, bool *ret_by_ref);

/* walk.c: from the first byte of the text to its last. Every string is well formed, every number too. Returns
 * GH_OK, GH_RPC_JSON, GH_RPC_DUPLICATE, GH_RPC_LIMITS, or GH_RPC_MESSAGE: it is no object. */
GH_MUST_USE enum gh_reason gh_rpc_walk(struct gh_rpc_scanner *scanner, gh_str text,
                                       struct gh_rpc_part parts[GH_RPC_PLACES]);
/* What a string means, in the text or in the scanner; ptr NULL: it holds U+0000, or there is no more room. */
gh_str gh_rpc_meaning(struct gh_rpc_scanner *scanner, const struct gh_rpc_part *part);

#endif
