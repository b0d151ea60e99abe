/* include/gatehouse/oauth.h: OAuth messages as data: forms, redirect URIs, PKCE, resources, scopes. */
#ifndef GATEHOUSE_OAUTH_H
#define GATEHOUSE_OAUTH_H

#include "gatehouse/reason.h"
#include "gatehouse/types.h"

/* ---- forms and queries ---- */

struct gh_parameter {
    gh_str name, value;
};

struct gh_form {
    const struct gh_parameter *at;
    size_t count;
};
#define GH_FORM_MAX 64u

/* application/x-www-form-urlencoded, of a body or a query. Names and values are decoded into the arena.
 * GH_FORM_MALFORMED: more than GH_FORM_MAX parameters, bad percent-encoding, control characters, no UTF-8.
 * GH_PARAMETER_REPEATED: RFC 6749 section 3.1: "Request and response parameters MUST NOT be included more
 * than once". */
GH_MUST_USE enum gh_reason gh_form_read(struct gh_arena *arena, gh_str text, struct gh_form *ret_form);
/* ptr NULL when it is absent or empty. RFC 6749 section 3.1: "Parameters sent without a value MUST be treated
 * as if they were omitted from the request." */
gh_str gh_form_get(const struct gh_form *form, gh_str name);
/* The URL with these parameters behind its query, percent-encoded; those without value are left out. ptr NULL
 * when out of memory. */
gh_str gh_url_with(struct gh_arena *arena, gh_str url, const struct gh_parameter *parameters, size_t count);

/* ---- redirect URIs (RFC 8252 section 7, RFC 9700 section 2.1) ---- */

enum gh_redirect_kind {
    GH_REDIRECT_WEB,      /* https */
    GH_REDIRECT_LOOPBACK, /* http to 127.0.0.1, [::1] or localhost: any program on that computer */
    GH_REDIRECT_PRIVATE   /* a scheme of an application's own */
};

/* Byte-equal; only the port of a loopback redirect may differ: clients open any free one. */
bool gh_redirect_matches(gh_str registered, gh_str presented);
/* May it be registered? Private-use schemes need a dot (RFC 8252 section 7.1) or an entry in `schemes`.
 * GH_REDIRECT_REFUSED: relative, too long (2,048), fragment, userinfo, wildcard, http elsewhere, schemes that
 * run or read something (javascript, data, file, ...). */
GH_MUST_USE enum gh_reason gh_redirect_check(struct gh_arena *arena, gh_str uri, struct gh_strs schemes,
                                             enum gh_redirect_kind *ret_kind);
/* What a person must see of a redirect that passed the check: "app.example", "127.0.0.1", "com.example.app:".
 */
gh_str gh_redirect_host(gh_str uri);

/* ---- PKCE (RFC 7636, S256 alone) ---- */

/* 43 characters of base64url. */
bool gh_pkce_challenge_is_legal(gh_str challenge);
/* GH_OK, GH_PKCE_MISMATCH also for a verifier that is not 43 to 128 unreserved characters, GH_OUT_OF_MEMORY;
 * constant time. */
GH_MUST_USE enum gh_reason gh_pkce_verify(gh_str challenge, gh_str verifier);

/* ---- resources (RFC 8707) ---- */

/* Does a client mean this canonical resource? Letter case of scheme and host, the scheme's usual port and one
 * slash at the end are forgiven (issuer.md section 4); a fragment never. */
GH_MUST_USE enum gh_reason gh_resource_matches(struct gh_arena *arena, gh_str canonical, gh_str presented,
                                               bool *ret_matches);

/* ---- scopes (RFC 6749 section 3.3) ---- */

#define GH_SCOPE_WORDS_MAX 64u
/* Words parted by single spaces, each once. GH_SCOPE_MALFORMED for other characters or too many. */
GH_MUST_USE enum gh_reason gh_scope_read(struct gh_arena *arena, gh_str text, struct gh_strs *ret_scopes);
/* Those of `asked` that are in `allowed`, in the order of `allowed`. */
GH_MUST_USE enum gh_reason gh_scope_common(struct gh_arena *arena, struct gh_strs asked,
                                           struct gh_strs allowed, struct gh_strs *ret_scopes);
/* Is each of `some` in `all`? */
bool gh_scope_within(struct gh_strs some, struct gh_strs all);
/* Joined by spaces; ptr NULL when out of memory. */
gh_str gh_scope_write(struct gh_arena *arena, struct gh_strs scopes);

#endif
