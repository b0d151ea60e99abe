/* issuer/request.h: what the steps of an endpoint share: one exchange on its way through the issuer. Private
 * to this folder. */
#ifndef GH_ISSUER_REQUEST_H
#define GH_ISSUER_REQUEST_H

#include "base/arena.h"
#include "base/buf.h"
#include "issuer/browser.h"
#include "issuer/issuer.h"
#include "issuer/password.h"
#include "issuer/person.h"

#define GH_ISSUER_KEYS_MAX (2 * GH_ISSUER_SITE_MAX) /* a new site's come before the old one's go */
struct gh_named_keys {
    gh_str name; /* of the issuer, on the heap; empty: a free place */
    struct gh_issuer_keys *keys;
};

struct gh_issuer_server {
    struct gh_issuer_new with;
    uint64_t last_ticket;
    struct gh_issuer_site *site;
    struct gh_named_keys keys[GH_ISSUER_KEYS_MAX];
    struct gh_list requests;
};

#define GH_DOCUMENT_STALE_S 86400 /* so long behind its freshness a document still serves token requests */

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
    bool is_page;                /* for people: refusals are pages too, and no other origin posts here */
    bool is_alias;               /* where older clients look: only of an issuer without a path */
    bool is_password;            /* absent where nobody has a password */
    bool is_sign_in;             /* absent where there is no provider to sign in at */
    bool is_push;                /* authorization requests come in here, without a browser */
    bool is_callback;            /* one for each provider: the path goes on with "/NAME" */
    const struct gh_step *steps; /* ends with run NULL */
    const struct gh_step *post;  /* those of a POST, where they differ */
    enum gh_audit_event refused; /* what a refusal is, for the audit line */
};
extern const struct gh_endpoint gh_endpoints[];
extern const size_t gh_endpoint_count;

/* An authorization request that waits for a person: what came in the query, kept for ten minutes. */
struct gh_transaction {
    gh_str handle, key; /* empty: none yet */
    uint64_t version;   /* 0: not stored yet */
    gh_str query;       /* as the client sent it */
    gh_str target;      /* where its forms may lead to, as CSP names it */
    gh_str signed_in;   /* the key of the session that was begun for it */
    gh_str agreed;      /* proof of the browser that agreed before anybody was signed in; empty: none did */
    int64_t agreements; /* how often some browser has */
    bool is_changed;    /* since it was stored */
    int64_t expires;
};

/* Where a person goes next. */
enum gh_next { GH_NEXT_LOGIN, GH_NEXT_CONSENT, GH_NEXT_CLIENT /* back to it, with a code or an error */ };

struct gh_issuer_request {
    struct gh_exchange *x;
    struct gh_issuer_server *server;
    struct gh_issuer_site *site; /* a reference */
    const struct gh_managed *managed;
    const struct gh_endpoint *endpoint;
    const struct gh_issuer_login *login; /* the provider that answers, or is asked */
    const struct gh_step *steps;         /* of the endpoint, for this method */
    gh_str address;                      /* of the client, as limits name it: io/address.h */
    struct gh_list link;                 /* in server->requests */
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
    struct gh_stored_row step_up; /* of a refresh: is its client to ask for more? */
    struct gh_grant_random random;
    struct gh_effects effects;
    struct gh_grant_token token;
    enum gh_reason verdict; /* of the grant: told once its effects are durable */
    gh_str signed_token;
    gh_str reply;            /* a body that waits for a commit */
    struct gh_audit_act act; /* what the audit line says of it */
    bool is_proven;          /* `client` is the one who asks */
    bool is_counted;         /* in the limit of its client */
    bool is_taken;           /* and in one of its address */

    /* Pages. */
    gh_str set_cookies[GH_COOKIE_COUNT]; /* by enum gh_cookie; ptr NULL: left as it is */
    struct gh_form posted;               /* the form of a page, where `form` is the client's request */
    struct gh_session session;
    struct gh_transaction transaction;
    gh_str pushed;                   /* the query that was pushed for it; empty: none */
    struct gh_stored_row client_row; /* of the client, where it has one */
    int64_t client_epoch;            /* what was revoked of the client, last, by the time its row was read */
    struct gh_authorization request;
    enum gh_next next;
    bool before_sign_in;     /* consent is asked of whoever will sign in */
    bool has_consented;      /* to this client and all that it asks, before */
    bool gives_consent;      /* and is written down now */
    gh_str location;         /* where an answer sends the browser once its effects are durable */
    int64_t retry_after_s;   /* of a refusal; 0: as usual */
    struct gh_person person; /* who signs in, made an account, or has the session */
    uint64_t ticket;         /* of what other threads do for it, a password or a fetch; 0: nothing */

    /* Signing in at a provider. */
    gh_str state_login, state_provider; /* its name, as the state was given out for, and whom that was */
    int64_t since;                      /* of struct gh_login_asked */
    bool sends_iss;
    struct gh_identity identity;
    gh_str user_key; /* of the row that it names; empty: none */

    /* Clients with a document. */
    gh_str wanted; /* its URL, when it must be fetched */
    unsigned looks;
    bool wants_person; /* before anything is fetched for it */
    struct {
        enum gh_reason reason;
        gh_str body;
        int64_t max_age_s;
        struct gh_client client; /* what the document says */
        bool is_changed;         /* other redirects or keys than before */
    } fetched;
};

/* Runs steps until one waits or is done. */
void gh_issuer_run(struct gh_issuer_request *r);
/* After the exchange has ended. */
void gh_issuer_let_go(struct gh_issuer_request *r);
/* NULL until the first ones are made. */
const struct gh_issuer_keys *gh_issuer_keys_of(const struct gh_issuer_request *r);
/* Fresh bytes for the decision of a grant: at every try anew. */
void gh_issuer_chance(struct gh_issuer_request *r);
/* Who waits under that ticket, or NULL: gone. */
struct gh_issuer_request *gh_issuer_by_ticket(const struct gh_issuer_server *server, uint64_t ticket);
int64_t gh_issuer_now(const struct gh_issuer_request *r);

/* What was revoked of the tenant and the user, last. */
GH_MUST_USE enum gh_reason gh_issuer_people_epoch(const struct gh_issuer_request *r, gh_str user,
                                                  int64_t *ret_epoch);
/* Of the client. */
GH_MUST_USE enum gh_reason gh_issuer_client_epoch(const struct gh_issuer_request *r, gh_str client,
                                                  int64_t *ret_epoch);
/* The moment for what is given to them; GH_STORE_DOWN while nobody knows what has been revoked. */
GH_MUST_USE enum gh_reason gh_issuer_moment(const struct gh_issuer_request *r, gh_str client, gh_str user,
                                            struct gh_moment *ret_moment);

/* ---- ask.c: asking the store; each ends the step ---- */
enum gh_step_end gh_issuer_read(struct gh_issuer_request *r, const gh_str *keys, size_t count);
/* Rows whose key begins so, at most `limit`. */
enum gh_step_end gh_issuer_list(struct gh_issuer_request *r, gh_str prefix, size_t limit);
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

/* ---- audit.c: for the line of this exchange; nothing is told before it is durable ---- */
/* Before anything else: what is told later reaches the line. */
void gh_issuer_tell_from(struct gh_issuer_request *r);
void gh_issuer_tell(struct gh_issuer_request *r, enum gh_audit_event event);
/* Who acted; either may be empty. NULL when out of memory: the line says less, then. */
struct gh_principal *gh_issuer_name(struct gh_issuer_request *r, gh_str user, gh_str client);
/* Which token it is about. */
void gh_issuer_tell_token(struct gh_issuer_request *r, const struct gh_grant_token *token);
/* The scopes of r->form. */
void gh_issuer_tell_asked(struct gh_issuer_request *r);
/* What r->effects, committed, has revoked. */
void gh_issuer_tell_effects(struct gh_issuer_request *r);
void gh_issuer_tell_refused(struct gh_issuer_request *r);

/* ---- signer.c: an access token of these claims, by the key that is active; then goes on. r->verdict, and
 * r->signed_token. Refuses when too many wait. ---- */
enum gh_step_end gh_issuer_sign(struct gh_issuer_request *r, gh_str claims);

/* ---- client.c: the steps that find and authenticate the client of a form ---- */
enum gh_step_end gh_step_form(struct gh_issuer_request *r);
enum gh_step_end gh_step_credential(struct gh_issuer_request *r);
enum gh_step_end gh_step_client(struct gh_issuer_request *r);
enum gh_step_end gh_step_authenticate(struct gh_issuer_request *r);
enum gh_step_end gh_step_unspent(struct gh_issuer_request *r);
/* Begins r->effects anew with what the credential spends. */
GH_MUST_USE enum gh_reason gh_issuer_authenticate(struct gh_issuer_request *r);

/* ---- account.c: the steps of pages for somebody who is signed in: the others go to the login ---- */
enum gh_step_end gh_step_session(struct gh_issuer_request *r);
enum gh_step_end gh_step_need_session(struct gh_issuer_request *r);
enum gh_step_end gh_step_need_person(struct gh_issuer_request *r);

/* ---- login_files.c ---- */
/* Reads its secret or key. GH_SETTINGS_INVALID with a heap text. Blocks. */
GH_MUST_USE enum gh_reason gh_issuer_login_load(struct gh_issuer_login *login, char **ret_why);

/* ---- the endpoints' steps ---- */
/* token.c: of the row of a code or refresh token, which was read: its grant's. */
enum gh_step_end gh_step_grant(struct gh_issuer_request *r);
extern const struct gh_step gh_steps_metadata[], gh_steps_jwks[], gh_steps_token[], gh_steps_register[],
    gh_steps_revoke[], gh_steps_introspect[], gh_steps_push[];
extern const struct gh_step gh_steps_authorize[], gh_steps_consent[], gh_steps_login[], gh_steps_login_post[],
    gh_steps_start[], gh_steps_callback[], gh_steps_logout[], gh_steps_logout_post[], gh_steps_setup[],
    gh_steps_setup_post[], gh_steps_account[], gh_steps_account_post[], gh_steps_choose[],
    gh_steps_choose_post[], gh_steps_password[], gh_steps_password_post[], gh_steps_style[];

#endif
