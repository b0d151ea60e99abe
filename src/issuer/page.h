/* issuer/page.h: pages for people: their frame, their headers, and one template a file. Private to this
 * folder. */
#ifndef GH_ISSUER_PAGE_H
#define GH_ISSUER_PAGE_H

#include "issuer/html.h"
#include "issuer/request.h"

/* ---- page.c: each answers and returns GH_STEP_DONE ---- */

/* The beginning of every page, with this heading; a literal. */
struct gh_html gh_page_begin(const struct gh_issuer_request *r, gh_str heading);
/* `target`: what forms may lead to beside this site, as CSP names it; may be empty. */
enum gh_step_end gh_page_answer(struct gh_issuer_request *r, int status, struct gh_html *html, gh_str target);
/* 303: after a POST the browser asks by GET (threats.md A25). */
enum gh_step_end gh_page_redirect(struct gh_issuer_request *r, gh_str location);
/* The same to a path of ours, "/login?txn=HANDLE"; `txn` may be empty. */
enum gh_step_end gh_page_go(struct gh_issuer_request *r, const char *path, gh_str txn);
/* The same by a page that goes on by itself: where a form led here, its form-action would hold for every
 * redirect behind it, and nobody knows where a provider leads. */
enum gh_step_end gh_page_forward(struct gh_issuer_request *r, const char *path, gh_str txn);
enum gh_step_end gh_page_stylesheet(struct gh_issuer_request *r, gh_str text);
/* What went wrong and what to do, with the reason's status; never a Location. */
enum gh_step_end gh_page_refuse(struct gh_issuer_request *r, enum gh_reason why);

/* Of templates: <form method="post" action="BASE/path">, with these hidden fields (those without value are
 * left out). */
struct gh_page_form {
    const char *path;
    gh_str csrf, txn, token, grant;
};
void gh_page_form_begin(struct gh_html *html, const struct gh_issuer_request *r,
                        const struct gh_page_form *form);
/* A date, "5 March 2026". */
void gh_page_date(struct gh_html *html, int64_t at);

/* ---- page_login.c ---- */
struct gh_page_login {
    gh_str csrf, txn, target;
    gh_str name;         /* as it was typed, or as the client hints */
    gh_str resource;     /* what for; empty: the account page */
    enum gh_reason told; /* GH_OK, or why the last try failed */
};
/* Where signing in at that provider begins; ptr NULL when out of memory. */
gh_str gh_page_start_path(const struct gh_issuer_request *r, const struct gh_issuer_login *login, gh_str txn);
enum gh_step_end gh_page_login(struct gh_issuer_request *r, const struct gh_page_login *login);

/* ---- page_setup.c ---- */
struct gh_page_setup {
    gh_str csrf, token, name;
    enum gh_reason told;
};
enum gh_step_end gh_page_setup(struct gh_issuer_request *r, const struct gh_page_setup *setup);

/* ---- page_password.c ---- */
struct gh_page_password {
    gh_str csrf, name;
    gh_str token;        /* of the link */
    enum gh_reason told; /* GH_OK, or why nothing was changed */
};
enum gh_step_end gh_page_choose(struct gh_issuer_request *r, const struct gh_page_password *page);
enum gh_step_end gh_page_change(struct gh_issuer_request *r, const struct gh_page_password *page);

/* ---- page_consent.c: of r->client, r->request, r->session, r->transaction ---- */
/* A list of what scopes mean, in words. */
void gh_page_scopes(struct gh_html *html, struct gh_strs scopes);
enum gh_step_end gh_page_consent(struct gh_issuer_request *r, gh_str csrf);

/* ---- page_account.c: of r->session and the grants in r->rows ---- */
#define GH_ACCOUNT_GRANTS_MAX 100 /* that the page shows; those behind them come when some have ended */
enum gh_step_end gh_page_account(struct gh_issuer_request *r, gh_str csrf);
/* Does the user want to sign out? */
enum gh_step_end gh_page_logout(struct gh_issuer_request *r, gh_str csrf);

/* ---- page_style.c ---- */
extern const gh_str gh_page_style;

#endif
