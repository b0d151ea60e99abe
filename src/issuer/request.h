/* issuer/request.h: what the steps of an endpoint share: one exchange on its way through the issuer. Private
 * to this folder. */
#ifndef GH_ISSUER_REQUEST_H
#define GH_ISSUER_REQUEST_H

#include "base/arena.h"
#include "base/buf.h"
#include "issuer/issuer.h"

struct gh_issuer_server {
    struct gh_issuer_new with;
    struct gh_issuer_site *site;
    struct {
        gh_str name; /* heap */
        struct gh_issuer_keys *keys;
    } keys[GH_ISSUER_SITE_MAX];
    struct gh_list requests;
};

/* Where a request goes on after a step. */
enum gh_step_end {
    GH_STEP_NEXT, /* the next step */
    GH_STEP_WAIT, /* an answer comes; then the next step */
    GH_STEP_DONE  /* answered */
};

struct gh_issuer_request;
struct gh_step {
    const char *name; /* the audit line's stage */
    enum gh_step_end (*run)(struct gh_issuer_request *r);
};

/* One row of the table of paths. */
struct gh_endpoint {
    const char *path;            /* behind the issuer's base */
    const char *allow;           /* methods: "POST", "GET, HEAD", ... */
    bool is_form;                /* a POST brings a form of at most 64 KiB */
    bool is_public;              /* any origin may read the answer, without credentials (mcp.md section 4) */
    bool is_registration;        /* absent while registration is off */
    bool is_well_known;          /* inserted before the issuer's path (RFC 8414 section 3.1) */
    const struct gh_step *steps; /* ends with run NULL */
};
extern const struct gh_endpoint gh_endpoints[];
extern const size_t gh_endpoint_count;

struct gh_issuer_request {
    struct gh_exchange *x;
    struct gh_issuer_server *server;
    struct gh_issuer_site *site; /* a reference */
    const struct gh_managed *managed;
    const struct gh_endpoint *endpoint;
    struct gh_list link; /* in server->requests */
    unsigned step, tries;
    bool running, ended;
    struct gh_buf body; /* while it comes in */

    struct gh_store_call *call; /* the one under way */
    enum gh_reason answered;    /* how it ended */
    struct gh_rows rows;        /* of a read: in the arena */
    unsigned again;             /* the step a conflict goes back to */

    struct gh_form form;
    struct gh_client_credential credential;
    struct gh_client client;
    struct gh_redemption redemption;
    struct gh_grant_random random;
    struct gh_effects effects;
    struct gh_grant_token token;
    enum gh_reason verdict; /* of the grant: told once its effects are durable */
    gh_str signed_token;
    gh_str reply; /* a body that waits for a commit */
};

/* Runs steps until one waits or is done. */
void gh_issuer_run(struct gh_issuer_request *r);
/* After the exchange has ended. */
void gh_issuer_let_go(struct gh_issuer_request *r);
/* NULL until the first ones are made. */
const struct gh_issuer_keys *gh_issuer_keys_of(const struct gh_issuer_request *r);
/* Fresh bytes for the decision of a grant: at every try anew. */
void gh_issuer_chance(struct gh_issuer_request *r);
int64_t gh_issuer_now(const struct gh_issuer_request *r);

/* ---- ask.c: asking the store; each ends the step ---- */
enum gh_step_end gh_issuer_read(struct gh_issuer_request *r, const gh_str *keys, size_t count);
/* Commits r->effects; a conflict goes back to step r->again, a few times. Nothing to do: the next step at
 * once. */
enum gh_step_end gh_issuer_commit(struct gh_issuer_request *r);

/* ---- answer.c: each answers and returns GH_STEP_DONE ---- */
enum gh_step_end gh_issuer_json(struct gh_issuer_request *r, int status, gh_str body);
/* RFC 6749 section 5.2: the reason's row as JSON. */
enum gh_step_end gh_issuer_refuse(struct gh_issuer_request *r, enum gh_reason why);
enum gh_step_end gh_issuer_preflight(struct gh_issuer_request *r);
/* A document that may be kept for `max_age` seconds. */
enum gh_step_end gh_issuer_document(struct gh_issuer_request *r, gh_str body, int max_age);

/* ---- client.c: the steps that find and authenticate the client of a form ---- */
enum gh_step_end gh_step_form(struct gh_issuer_request *r);
enum gh_step_end gh_step_credential(struct gh_issuer_request *r);
enum gh_step_end gh_step_client(struct gh_issuer_request *r);
enum gh_step_end gh_step_authenticate(struct gh_issuer_request *r);
enum gh_step_end gh_step_unspent(struct gh_issuer_request *r);
/* Begins r->effects anew with what the credential spends. */
GH_MUST_USE enum gh_reason gh_issuer_authenticate(struct gh_issuer_request *r);
/* The client of that id among those of the settings, or NULL. */
const struct gh_client *gh_issuer_own_client(const struct gh_managed *managed, gh_str client_id);

/* ---- the endpoints' steps ---- */
extern const struct gh_step gh_steps_metadata[], gh_steps_jwks[], gh_steps_token[], gh_steps_register[],
    gh_steps_revoke[], gh_steps_introspect[];

#endif
