/* issuer/person.h: accounts as rows, and the one-time links by which their owners choose a password; also for
 * the admin interface, which makes and ends them. */
#ifndef GH_ISSUER_PERSON_H
#define GH_ISSUER_PERSON_H

#include "gatehouse/effects.h"

#define GH_PERSON_NAME_MAX 64u /* bytes */
#define GH_PERSON_ID       "usr_"
#define GH_PERSON_PREFIX   GH_STR("user/")
#define GH_LINK_S          86400 /* so long a link waits */

/* Somebody with an account here. */
struct gh_person {
    gh_str id, name;
    gh_str key; /* of the row */
    uint64_t version;
    gh_str password; /* PHC text; empty: none yet, nobody can sign in with one */
    gh_str identity; /* the row key of who it is at a provider; empty: known by name here */
    gh_str provider; /* the name of that connection */
    gh_str link;     /* the row key of the link that counts; empty: none */
    bool disabled;
    int64_t since; /* sessions begun at or before it are over; 0: none is */
    int64_t created;
};

/* All its sessions of before are over; also those that were begun a second ahead, behind an epoch. `now`: or,
 * where that is later, the last epoch. Returns the epoch that ends as much of its tokens and grants. */
int64_t gh_person_end_sessions(struct gh_person *person, int64_t now);

gh_str gh_person_key(struct gh_arena *arena, gh_str id);
/* Names differ in more than the case of ASCII letters. */
gh_str gh_person_name_key(struct gh_arena *arena, gh_str name);
/* 1 to GH_PERSON_NAME_MAX bytes of UTF-8 without control characters, not like an id: what is typed means one
 * account. */
bool gh_person_name_is_sound(gh_str name);
GH_MUST_USE enum gh_reason gh_person_read(struct gh_arena *arena, const struct gh_stored_row *row,
                                          struct gh_person *ret_person);
/* The row as it is now, expected at the version it was read at. */
GH_MUST_USE enum gh_reason gh_person_put(struct gh_arena *arena, const struct gh_person *person,
                                         struct gh_effects *effects);
/* A new one: its row and the one that finds it by its name, which must be free. */
GH_MUST_USE enum gh_reason gh_person_add(struct gh_arena *arena, const struct gh_person *person,
                                         struct gh_effects *effects);
/* The id that a row of a name holds. */
GH_MUST_USE enum gh_reason gh_person_id(struct gh_arena *arena, gh_str value, gh_str *ret_id);

/* ---- links ---- */
/* The row key of a link's secret. */
gh_str gh_link_key(struct gh_arena *arena, gh_str secret);
/* The person gets a new link in place of an older one, and has no password until it is used. */
GH_MUST_USE enum gh_reason gh_link_put(struct gh_arena *arena, struct gh_person *person, gh_str secret,
                                       int64_t now, struct gh_effects *effects);
/* The link, if there is one, opens nothing from now on. */
GH_MUST_USE enum gh_reason gh_link_end(struct gh_person *person, struct gh_effects *effects);

#endif
