/* issuer/browser.h: the browser of a person: its cookies, its session, and what proves that a form came from
 * a page of ours. Private to this folder. */
#ifndef GH_ISSUER_BROWSER_H
#define GH_ISSUER_BROWSER_H

#include "gatehouse/grant.h"

#define GH_SESSION_IDLE_S 28800 /* issuer.md section 6 */
#define GH_SESSION_MAX_S  86400

/* Who is signed in. */
struct gh_session {
    gh_str secret; /* the cookie's value; empty: none came */
    gh_str key;    /* of its row */
    uint64_t version;
    gh_str user, name;
    int64_t created, used;
    bool is_valid;
};

struct gh_issuer_request;

/* ---- cookies ---- */
enum gh_cookie {
    GH_COOKIE_SESSION,
    GH_COOKIE_BEFORE, /* a login: what its form's token is bound to */
    GH_COOKIE_AGREED, /* the browser that agreed to an application, and was sent to a provider */
    GH_COOKIE_COUNT
};
/* The value, 43 characters of base64url; empty when none came, or two. */
gh_str gh_browser_cookie(const struct gh_issuer_request *r, enum gh_cookie which);
/* In the answer of this request; an empty value ends it. */
GH_MUST_USE enum gh_reason gh_browser_set(struct gh_issuer_request *r, enum gh_cookie which, gh_str value);
/* The one that came, or a new one that is set. ptr NULL when out of memory. */
gh_str gh_browser_before(struct gh_issuer_request *r);
/* 256 fresh bits as base64url. ptr NULL when out of memory. */
gh_str gh_browser_secret(struct gh_arena *arena);

/* ---- forms (threats.md A6) ---- */
/* Bound to the cookie, to what the form is for, and to what it is about. ptr NULL when libcrypto fails. */
gh_str gh_browser_token(struct gh_arena *arena, gh_str cookie, const char *purpose, gh_str about);
/* GH_CSRF: another origin, no token, another's. */
GH_MUST_USE enum gh_reason gh_browser_check_form(const struct gh_issuer_request *r, gh_str cookie,
                                                 const char *purpose, gh_str about);

/* ---- sessions ---- */
/* Reads the cookie into r->session: its key is empty without one. */
GH_MUST_USE enum gh_reason gh_session_begin(struct gh_issuer_request *r);
/* Its row, when it came with r->rows. */
GH_MUST_USE enum gh_reason gh_session_take(struct gh_issuer_request *r);
/* Writes that it was used, when the row says another time. */
GH_MUST_USE enum gh_reason gh_session_touch(struct gh_issuer_request *r);
/* A new one for this user, under a new id, behind r->person's since; the old one ends. */
GH_MUST_USE enum gh_reason gh_session_new(struct gh_issuer_request *r, gh_str user, gh_str name);

#endif
