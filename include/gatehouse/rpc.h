/* include/gatehouse/rpc.h: one JSON-RPC message of a client, read without a tree and without changing a byte:
 * what it calls, if all readers would read the same. MCP "Base Protocol", threats.md R1 to R6. */
#ifndef GATEHOUSE_RPC_H
#define GATEHOUSE_RPC_H

#include "gatehouse/reason.h"
#include "gatehouse/types.h"

struct gh_rpc_limits {
    int64_t depth;   /* of objects and arrays, the message's own included; at most GH_RPC_DEPTH_MAX */
    int64_t members; /* of all objects together */
    int64_t string;  /* bytes of one string as it is written */
};
#define GH_RPC_DEPTH_MAX 128

/* What one thread reads with, again and again; a scan allocates nothing. NULL when out of memory. `seed` is
 * of a random source: nobody who writes a message can tell where its members meet. */
struct gh_rpc_scanner;
struct gh_rpc_scanner *gh_rpc_scanner_new(const struct gh_rpc_limits *limits, const uint64_t seed[2]);
void gh_rpc_scanner_free(struct gh_rpc_scanner *scanner);

enum gh_rpc_kind { GH_RPC_REQUEST, GH_RPC_NOTIFICATION, GH_RPC_RESPONSE };

/* What a method names, that somebody may be allowed and somebody else not. */
enum gh_rpc_names {
    GH_RPC_NAMES_NOTHING,
    GH_RPC_NAMES_TOOL,     /* tools/call: params.name */
    GH_RPC_NAMES_PROMPT,   /* prompts/get: params.name; completion/complete: params.ref.name */
    GH_RPC_NAMES_RESOURCE, /* resources/read and (un)subscribe: params.uri; completion/complete:
                              params.ref.uri; subscriptions/listen to resources: "*", any */
    GH_RPC_NAMES_UNKNOWN   /* no method of any revision of MCP that clients send */
};

enum gh_rpc_what {
    GH_RPC_ABSENT,
    GH_RPC_STRING,
    GH_RPC_NUMBER,
    GH_RPC_OBJECT,
    GH_RPC_ARRAY,
    GH_RPC_BOOL,
    GH_RPC_NULL
};
struct gh_rpc_value {
    enum gh_rpc_what what;
    gh_str text; /* what a string means; a number, true, false, null as they are written; else empty */
};

/* Where in `params.arguments` stands what somebody wants to know: JSON pointers (RFC 6901). Members that are
 * read must have no twin either. Lives in the arena. GH_RPC_MESSAGE: a pointer is none, or the root, or holds
 * what is not ASCII; GH_RPC_LIMITS: more than GH_RPC_VALUES_MAX; GH_RPC_DUPLICATE: two differ by letter
 * case alone; GH_OUT_OF_MEMORY. */
#define GH_RPC_VALUES_MAX 32u
struct gh_rpc_paths;
GH_MUST_USE enum gh_reason gh_rpc_paths_read(struct gh_arena *arena, struct gh_strs pointers,
                                             const struct gh_rpc_paths **ret_paths);

struct gh_rpc_message {
    enum gh_rpc_kind kind;
    gh_str id;     /* as it is written, a string or a number; ptr NULL: none */
    gh_str method; /* what it means; ptr NULL: a response */
    enum gh_rpc_names names;
    gh_str name;                       /* what it means; ptr NULL: it names nothing */
    gh_str arguments;                  /* params.arguments as they are written; ptr NULL: none */
    const struct gh_rpc_value *values; /* as many as pointers, in their order; NULL without paths */
};
/* The message that fills the text. Slices lie in the text or in the scanner, until its next scan. `paths` may
 * be NULL. GH_RPC_JSON: no JSON text in UTF-8, or a name, or a value that is read, with U+0000.
 * GH_RPC_DUPLICATE: two members of one object have one name; or one of the message, of params, of params.ref
 * or of an object that is read has a name that is looked for but for letter case (RFC 8259 section 4: "the
 * names within an object SHOULD be unique"). GH_RPC_LIMITS. GH_RPC_MESSAGE: a batch, or no JSON-RPC 2.0
 * message, or one that does not name what its method must name.
 */
GH_MUST_USE enum gh_reason gh_rpc_scan(struct gh_rpc_scanner *scanner, const struct gh_rpc_paths *paths,
                                       gh_str text, struct gh_rpc_message *ret_message);

/* What a client's method names; of completion/complete, which names by its reference, NOTHING. */
enum gh_rpc_names gh_rpc_method(gh_str method);

#endif
