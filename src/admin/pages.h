/* admin/pages.h: what the pages of the admin listener share. Private to this folder. */
#ifndef GH_ADMIN_PAGES_H
#define GH_ADMIN_PAGES_H

#include "admin/admin.h"

/* How often a revocation is written that was overtaken by its own clock, or by others: more in a row is a
 * store that is too slow to be believed. What was written holds; who asked is told that it is not all. */
#define GH_ADMIN_TRIES_MAX 8

/* Of one exchange: the handler's state. */
struct gh_admin_pending {
    const struct gh_admin_page *page;
    struct gh_buf body;
    struct gh_store_call *call; /* under way */
    struct gh_revocation revocation;
    bool by_clock;   /* its epoch is the time of its being known */
    int64_t asked_s; /* when that was looked at */
    unsigned tries;
    struct gh_admin *admin;
    struct gh_exchange *x;
    struct gh_task *task; /* NULL: it is none */
};

void gh_admin_answer_json(struct gh_exchange *x, int status, gh_str body);
/* A refusal with words: the reason's status. */
void gh_admin_answer_why(struct gh_exchange *x, enum gh_reason why, gh_str body);

/* revoke.c: answers when the revocation is durable. */
void gh_admin_serve_revoke(struct gh_exchange *x, struct gh_admin *admin, gh_str body);

#endif
