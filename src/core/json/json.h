/* core/json/json.h: strict reading of control documents and JOSE parts into plain values in an arena. */
#ifndef GH_CORE_JSON_JSON_H
#define GH_CORE_JSON_JSON_H

#include "gatehouse/reason.h"
#include "gatehouse/types.h"

enum gh_json_type {
    GH_JSON_NULL,
    GH_JSON_FALSE,
    GH_JSON_TRUE,
    GH_JSON_NUMBER,
    GH_JSON_STRING,
    GH_JSON_ARRAY,
    GH_JSON_OBJECT
};

struct gh_json_member;

/* One value; everything it points at is in the arena it was read into. */
struct gh_json {
    enum gh_json_type type;
    size_t count; /* of items or members */
    union {
        double number;
        gh_str string; /* valid UTF-8 without U+0000; ptr never NULL */
        const struct gh_json *items;
        const struct gh_json_member *members; /* in the order of the text */
    };
};

struct gh_json_member {
    gh_str name;
    struct gh_json value;
};

/* What is refused before a tree is built. */
struct gh_json_limits {
    size_t bytes;
    size_t depth;
    size_t values;
};

/* Metadata, key sets, introspection answers (threats.md section 8). */
extern const struct gh_json_limits gh_json_control_limits;
/* Headers and payloads of tokens. */
extern const struct gh_json_limits gh_json_token_limits;

/* Reads one JSON object that fills the text. `malformed` is returned for everything that is none: another
 * value, trailing bytes, a byte order mark, duplicate members (by escape too), invalid UTF-8, U+0000, lone
 * surrogates, NaN, numbers out of range, and whatever exceeds the limits. */
GH_MUST_USE enum gh_reason gh_json_read(struct gh_arena *arena, gh_str text,
                                        const struct gh_json_limits *limits, enum gh_reason malformed,
                                        struct gh_json *ret_object);

/* The member's value, lent; NULL when there is none or `object` is no object. */
const struct gh_json *gh_json_get(const struct gh_json *object, gh_str name);
/* The text of a string; ptr NULL for every other type and for NULL. */
gh_str gh_json_text(const struct gh_json *value);
/* Is there a member that folds to one of the names without being equal to it? */
bool gh_json_has_twin(const struct gh_json *object, struct gh_strs names);

#endif
