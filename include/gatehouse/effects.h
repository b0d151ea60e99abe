/* include/gatehouse/effects.h: what a pure OAuth grant wants done: preconditions, writes and revocations
 * which a store commits in one atomic step, or not at all. */
#ifndef GATEHOUSE_EFFECTS_H
#define GATEHOUSE_EFFECTS_H

#include "gatehouse/revocation.h"
#include "gatehouse/types.h"

/* One stored row of one tenant. Keys are "kind/part/part": the kind is a word of ours, each part is either an
 * id that we made (letters, digits, '_', '-') or the base64url SHA-256 of foreign bytes (gh_row_key), so that
 * no client chooses a key (threats.md X4). Values are JSON objects. */
struct gh_stored_row {
    gh_str key, value;
    uint64_t version; /* changes with every write, never 0; 0: there is no such row (value.ptr NULL) */
    int64_t expires;  /* seconds since 1970, 0: never; from then on the row counts as absent */
};

struct gh_rows {
    const struct gh_stored_row *at;
    size_t count;
};

/* The row must still have this version when the commit happens; 0: must not exist. */
struct gh_precondition {
    gh_str key;
    uint64_t version;
};

struct gh_write {
    gh_str key;
    gh_str value; /* ptr NULL: the row is deleted */
    int64_t expires;
};

#define GH_EFFECTS_MAX 24

/* Filled by pure functions from an arena; all of one tenant. A row is written at most once. */
struct gh_effects {
    struct gh_precondition preconditions[GH_EFFECTS_MAX];
    struct gh_write writes[GH_EFFECTS_MAX];
    struct gh_revocation revocations[GH_EFFECTS_MAX];
    size_t precondition_count, write_count, revocation_count;
};

/* Each returns GH_OK, or GH_INTERNAL for what no store could do, a fault of the caller's: there is no room,
 * the row is written already or expected at another version, the revocation is not sound. */
GH_MUST_USE enum gh_reason gh_effects_expect(struct gh_effects *effects, gh_str key, uint64_t version);
GH_MUST_USE enum gh_reason gh_effects_write(struct gh_effects *effects, gh_str key, gh_str value,
                                            int64_t expires);
GH_MUST_USE enum gh_reason gh_effects_delete(struct gh_effects *effects, gh_str key);
GH_MUST_USE enum gh_reason gh_effects_revoke(struct gh_effects *effects,
                                             const struct gh_revocation *revocation);

/* "kind/" + base64url of SHA-256 over the length-prefixed parts. ptr NULL when out of memory. */
gh_str gh_row_key(struct gh_arena *arena, const char *kind, const gh_str *parts, size_t count);
/* An id as we make them, or as the operator may choose one: 1 to 64 letters, digits, '-' and '_'. Nothing
 * else is a part of a row's key (threats.md X4). */
bool gh_id_is_sound(gh_str id);
/* What an answer lends, as long-lived as the arena. False when out of memory. */
bool gh_rows_keep(struct gh_arena *arena, struct gh_rows rows, struct gh_rows *ret_rows) GH_MUST_USE;
/* The row of that key among the rows of an answer; NULL when it was not asked for. */
const struct gh_stored_row *gh_rows_find(struct gh_rows rows, gh_str key);

#endif
