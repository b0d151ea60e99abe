/* core/token/claims.h: the payload of a token, and how claims are read from it by a profile's lists. */
#ifndef GH_CORE_TOKEN_CLAIMS_H
#define GH_CORE_TOKEN_CLAIMS_H

#include "core/json/json.h"
#include "gatehouse/token.h"

struct gh_claims_doc {
    struct gh_json root;
};

/* The claim of that name, or NULL. A name that is no member is read as a path: "ext.org_id" is member org_id
 * of member ext. A dot that belongs to a name wins over one that separates. */
const struct gh_json *gh_claim(const struct gh_json *object, gh_str path);
/* Does a member differ from a registered claim by letter case alone? */
bool gh_claims_have_twin(const struct gh_json *object);
/* The first of the claims that is there, or NULL. */
const struct gh_json *gh_claim_first(const struct gh_json *object, struct gh_strs paths);
/* The first of the claims that is there, which must be a string: GH_TOKEN_CLAIMS. Empty when none is. */
GH_MUST_USE enum gh_reason gh_claim_text(const struct gh_json *object, struct gh_strs paths,
                                         gh_str *ret_text);
/* Each is compared with all before it, so their number is bounded. */
#define GH_SCOPES_MAX 500u
/* Adds the scopes of one claim: a string is split at 0x20 only, in an array each entry is one scope.
 * GH_TOKEN_CLAIMS for other types, and for too many. `at` has room for gh_scopes_room(value) more. */
size_t gh_scopes_room(const struct gh_json *value);
GH_MUST_USE enum gh_reason gh_scopes_add(const struct gh_json *value, gh_str *at, size_t *count);
/* Is one of the words of a list separated by spaces equal to `word`? */
bool gh_words_have(gh_str words, gh_str word);

#endif
