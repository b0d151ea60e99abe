/* keys/signing_members.h: signing keys by their times of birth: who signs, who is due, who gives way; without
 * a folder or a store. Private to this folder. */
#ifndef GH_KEYS_SIGNING_MEMBERS_H
#define GH_KEYS_SIGNING_MEMBERS_H

#include "keys/signing.h"

/* Sorted by birth, and twins by name: alike in every process. */
struct gh_signing_members {
    struct gh_signing_member {
        int64_t created;
        struct gh_signing_key *key; /* a reference */
        enum gh_signing_state state;
    } at[GH_SIGNING_KEYS_MAX];
    size_t count;
};

/* Takes the key; the caller saw that there is room. */
void gh_members_insert(struct gh_signing_members *members, int64_t created, struct gh_signing_key *key);
void gh_members_remove(struct gh_signing_members *members, size_t i);
void gh_members_done(struct gh_signing_members *members);
/* Further references to the same keys. */
void gh_members_copy(const struct gh_signing_members *members, struct gh_signing_members *ret_copy);
/* The place of that key, or count. */
size_t gh_members_find(const struct gh_signing_members *members, gh_str kid);
/* What each is now; *ret_due: a new one is to be made. */
void gh_members_judge(const struct gh_signing_conf *conf, struct gh_signing_members *members, int64_t now,
                      bool *ret_due);
/* No two are of the same second: the first one from then on that is nobody's. */
int64_t gh_members_free_second(const struct gh_signing_members *members, int64_t from);
/* States come from times of birth alone: whoever was born later than `born` was so before it from now on, in
 * the same order, and the heir at `born`. */
void gh_members_births(const struct gh_signing_members *members, const struct gh_signing_key *heir,
                       int64_t born, int64_t ret_births[GH_SIGNING_KEYS_MAX]);
/* When their times of birth have changed. */
void gh_members_sort(struct gh_signing_members *members);
/* The key that signs, lent; NULL: none. */
struct gh_signing_key *gh_members_active(const struct gh_signing_members *members);

/* Kids of keys that were in a ring and are not any more, the last so many: none of them comes back. */
#define GH_SIGNING_PAST_MAX 64u
struct gh_signing_past {
    char kids[GH_SIGNING_PAST_MAX][64];
    size_t at; /* of the next one; the oldest gives way */
};
/* What `before` has and `after` lacks. */
void gh_past_add(struct gh_signing_past *past, const struct gh_signing_members *before,
                 const struct gh_signing_members *after);
/* Takes out what is past; true when there was any. */
bool gh_past_remove(const struct gh_signing_past *past, struct gh_signing_members *members);

#endif
