/* admin/pages.h: what the pages of the admin listener share. Private to this folder. */
#ifndef GH_ADMIN_PAGES_H
#define GH_ADMIN_PAGES_H

#include "admin/admin.h"

/* Of one exchange: the handler's state. */
struct gh_admin_pending {
    const struct gh_admin_page *page;
    struct gh_buf body;
    struct gh_store_call *call; /* under way */
    struct gh_revocation revocation;
    bool by_clock;   /* its epoch is the time of its being known */
    int64_t asked_s; /* when that was looked at */
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
