/* admin/task.h: what can be asked about a managed issuer: each question a table of steps over the store, run
 * again on fresh rows where another was faster. Private to this folder. */
#ifndef GH_ADMIN_TASK_H
#define GH_ADMIN_TASK_H

#include "admin/pages.h"
#include "core/grant/rows.h"
#include "issuer/person.h"
#include "issuer/site.h"

#define GH_TASK_SESSION_S 86400 /* no session lives longer */

struct gh_task;

enum gh_task_end {
    GH_TASK_NEXT, /* the next step */
    GH_TASK_WAIT, /* the store answers; then the next step */
    GH_TASK_DONE  /* answered */
};
typedef enum gh_task_end (*gh_task_step)(struct gh_task *t);

/* A member of the JSON object that is asked with; of another type, or another name, it is refused. */
struct gh_task_member {
    const char *name;
    enum gh_json_type type; /* GH_JSON_TRUE: or false */
    bool is_needed;
};

struct gh_task_kind {
    gh_str path;
    const char *event; /* the audit line's stage */
    const struct gh_task_member
        *members; /* ends with name NULL; beside them `issuer`. NULL: about no issuer, nothing is taken */
    const gh_task_step *steps; /* ends with NULL */
};
/* One list a file; they end with path.ptr NULL. */
extern const struct gh_task_kind gh_task_users[], gh_task_clients[], gh_task_grants[], gh_task_keys[],
    gh_task_tenants[], gh_task_nodes[];

struct gh_task {
    struct gh_exchange *x;
    const struct gh_admin *admin;
    const struct gh_task_kind *kind;
    struct gh_issuer_site *site; /* a reference */
    const struct gh_managed *managed;
    struct gh_json asked;
    int64_t now;
    unsigned step, again, tries;
    bool running, ended;
    struct gh_store_call *call;
    struct gh_signing_ask *key_ask; /* under way */

    struct gh_rows rows; /* of the last read */
    struct gh_effects effects;
    struct gh_audit_act act; /* for the audit line: what was revoked */
    gh_str reply;            /* what is answered once the effects are durable */
    struct gh_person person; /* whom it is about */
    struct gh_client client; /* or what */
    struct gh_rows listed;   /* of the list, while the rows that it names are read */
    size_t shown;
};

/* Of a request with this path: NULL when it is none of these. */
const struct gh_task_kind *gh_task_find(gh_str path);
/* Reads what is asked and begins; `x->handler_state` is a struct gh_admin_pending. */
void gh_task_serve(struct gh_exchange *x, struct gh_admin *admin, gh_str body);
/* What a step has waited for has come: the next one. */
void gh_task_go_on(struct gh_task *t);
/* The client is gone. */
void gh_task_let_go(struct gh_task *t);

/* ---- what was asked: types and needed ones were checked ---- */
gh_str gh_task_text(const struct gh_task *t, const char *name); /* empty: absent */

/* ---- asking the store: each ends the step ---- */
enum gh_task_end gh_task_read(struct gh_task *t, const gh_str *keys, size_t count);
enum gh_task_end gh_task_list(struct gh_task *t, gh_str prefix, gh_str after, size_t limit);
/* A conflict goes back to step t->again, a few times. */
enum gh_task_end gh_task_commit(struct gh_task *t);
/* Now, or where it was revoked in this second already, behind that. */
int64_t gh_task_epoch(const struct gh_task *t, enum gh_revoked level, gh_str id);
/* Ends everything up to then: tokens, sessions, grants, open streams. With GH_REVOKED_USER or _CLIENT. */
GH_MUST_USE enum gh_reason gh_task_revoke(struct gh_task *t, enum gh_revoked level, gh_str id, int64_t epoch);

/* ---- answering: each ends the task ---- */
enum gh_task_end gh_task_answer(struct gh_task *t, gh_str body); /* ptr NULL: out of memory */
enum gh_task_end gh_task_reply(struct gh_task *t);               /* t->reply */
enum gh_task_end gh_task_refuse(struct gh_task *t, enum gh_reason why);
/* With words for the operator: what was found, what is allowed. */
enum gh_task_end gh_task_tell(struct gh_task *t, enum gh_reason why, gh_str words);
/* For the audit line: whom and what it was about. */
void gh_task_name(struct gh_task *t, gh_str user, gh_str client, gh_str grant);

/* ---- users.c: the two steps that find the one whom `user` (an id) or `name` means: t->person ---- */
enum gh_task_end gh_task_read_user(struct gh_task *t);
enum gh_task_end gh_task_read_person(struct gh_task *t);
enum gh_task_end gh_task_take_person(struct gh_task *t);

#endif
