/* conf/tree.h: a YAML text as a tree in which every node knows its place; the risky half of YAML is refused.
 */
#ifndef GH_CONF_TREE_H
#define GH_CONF_TREE_H

#include "conf/conf.h"

enum gh_node_kind { GH_NODE_SCALAR, GH_NODE_LIST, GH_NODE_MAP };

struct gh_node {
    enum gh_node_kind kind;
    unsigned line, column; /* from 1 */
    unsigned key_line, key_column;
    gh_str key;  /* member of a map */
    gh_str text; /* scalar */
    bool plain;  /* scalar without quotes: only these can be null */
    const struct gh_node *parent;
    size_t index;             /* among the parent's children */
    struct gh_node *children; /* first child */
    struct gh_node *last, *next;
    size_t count; /* of children */
};

#define GH_YAML_SIZE_MAX  (1u << 20)
#define GH_YAML_DEPTH_MAX 32u
#define GH_YAML_CHILD_MAX 4096u
#define GH_YAML_NODES_MAX 100000u

/* Reads one document. Refused, with one error in `errors`: syntax errors, more than one document, duplicate
 * keys, anchors, aliases, merge keys, tags, directives, keys that are no scalars, byte order marks and
 * encodings other than UTF-8, and whatever is larger than the limits above. The tree lives in `arena`. */
GH_MUST_USE enum gh_reason gh_yaml_read(struct gh_arena *arena, gh_str file, gh_str text,
                                        struct gh_conf_errors *errors, const struct gh_node **ret_root);

/* The member of that name, or NULL; NULL for anything but a map, and for NULL. */
const struct gh_node *gh_node_get(const struct gh_node *node, const char *key);
/* "routes[0].resource"; `key` (may be NULL) is appended as one more member. Empty for the root. */
gh_str gh_node_path(struct gh_arena *arena, const struct gh_node *node, const char *key);

#endif
