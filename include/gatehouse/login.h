/* include/gatehouse/login.h: signing people in at another issuer (OpenID Connect Core, code flow): the
 * request that is sent there, the answer, and the ID token. Pure: what is fetched in between is somebody
 * else's. */
#ifndef GATEHOUSE_LOGIN_H
#define GATEHOUSE_LOGIN_H

#include "gatehouse/client.h"
#include "gatehouse/sign.h"

/* One connection to a provider; owned by the settings snapshot. */
struct gh_login {
    gh_str name;               /* in the settings, and in the path of the callback */
    struct gh_profile profile; /* how its ID tokens are read: issuers, template, tenants, algs, claims */
    gh_str tenant_hint;        /* request parameter that names the one tenant (Google: hd); may be empty */
    gh_str client_id;
    enum gh_client_auth auth; /* at its token endpoint */
    struct gh_strs scopes;    /* beside openid */
};

/* How ID tokens of a provider are read: "generic", "entra-id", "google", "okta", "cognito"; NULL: not known.
 * It names no issuer. These never read access tokens, and the profiles of gatehouse/token.h no ID tokens. */
const struct gh_profile *gh_login_profile(gh_str name);
/* The profile's issuer where all customers share one (Google), or the template with {tid} (Entra ID); ptr
 * NULL when every customer has an own. */
gh_str gh_login_profile_issuer(gh_str name);

/* ---- the request (OpenID Connect Core section 3.1.2.1) ---- */

struct gh_login_request {
    gh_str endpoint; /* the provider's authorization endpoint */
    gh_str redirect_uri;
    gh_str state, nonce;
    gh_str verifier; /* PKCE; its S256 challenge is sent */
    gh_str login_hint;
    bool again; /* the user shall sign in even if the provider knows them, and the ID token say when they did
                 */
};
/* Where the browser goes; ptr NULL when out of memory. */
gh_str gh_login_request_write(struct gh_arena *arena, const struct gh_login *login,
                              const struct gh_login_request *request);

/* ---- the answer ---- */

/* The code of an authorization response whose state was found to be ours. RFC 9207 section 2.4 comes first:
 * `iss` must be the connection's, and must be there where the provider says that it sends it.
 * GH_LOGIN_ISSUER, GH_LOGIN_REFUSED for an error or no code. */
GH_MUST_USE enum gh_reason gh_login_answer_read(const struct gh_login *login, const struct gh_form *answer,
                                                bool sends_iss, gh_str *ret_code);

/* ---- the token request (section 3.1.3.1) ---- */

struct gh_login_redemption {
    gh_str code, verifier, redirect_uri;
    gh_str secret;    /* client_secret_post */
    gh_str assertion; /* private_key_jwt */
};
/* The form; ptr NULL when out of memory. */
gh_str gh_login_form(struct gh_arena *arena, const struct gh_login *login,
                     const struct gh_login_redemption *redemption);
/* The claims of a client assertion (RFC 7523 section 3); `jti` 16 random bytes. */
gh_str gh_login_assertion(struct gh_arena *arena, const struct gh_login *login, gh_str token_endpoint,
                          const unsigned char jti[16], int64_t now);

struct gh_login_tokens {
    gh_str id_token, access_token;
};
/* Its answer. GH_LOGIN_TOKEN when there is no ID token in it. */
GH_MUST_USE enum gh_reason gh_login_tokens_read(struct gh_arena *arena, gh_str body,
                                                struct gh_login_tokens *ret_tokens);

/* ---- the ID token (section 3.1.3.7) ---- */

/* Form, algorithm, typ and issuer; nothing in it is believed yet. GH_LOGIN_TOKEN, GH_LOGIN_ISSUER. The key is
 * found by gh_token_key, the signature checked by gh_token_signature. */
GH_MUST_USE enum gh_reason gh_id_token_open(struct gh_arena *arena, gh_str text, const struct gh_login *login,
                                            struct gh_token *ret_token);

/* Somebody at a provider. */
struct gh_identity {
    gh_str issuer;  /* iss, verified */
    gh_str tenant;  /* tid, hd; may be empty */
    gh_str subject; /* never empty, never an e-mail address */
    gh_str name;    /* for people to read: nothing depends on it */
    bool by_tenant; /* tenant and subject are who it is (Entra ID: tid and oid), at Microsoft whichever its
                       issuer, elsewhere at that issuer; else issuer and subject */
};
/* What it has to answer. */
struct gh_login_asked {
    gh_str nonce;
    int64_t since; /* nobody who signed in before counts; 0: whenever it was */
};
/* After the signature. GH_LOGIN_AUDIENCE (aud, azp), GH_LOGIN_TIME (exp, nbf, iat, auth_time),
 * GH_LOGIN_NONCE, GH_LOGIN_HASH (at_hash, of tokens->access_token), GH_LOGIN_TOKEN (what the profile
 * requires, a claim of the wrong type, no subject), GH_LOGIN_USER (not of an allowed tenant). */
GH_MUST_USE enum gh_reason gh_id_token_judge(struct gh_arena *arena, const struct gh_token *token,
                                             const struct gh_login *login,
                                             const struct gh_login_tokens *tokens,
                                             const struct gh_login_asked *asked, int64_t now,
                                             struct gh_identity *ret_identity);

/* Which provider a connection leads to, and as whom we are known there: another text for every other. ptr
 * NULL when out of memory. */
gh_str gh_login_provider(struct gh_arena *arena, const struct gh_login *login);

/* The row that says which user of ours somebody is: exact, and another one for every provider that could name
 * two people alike. ptr NULL when out of memory. */
gh_str gh_identity_key(struct gh_arena *arena, const struct gh_identity *identity);
/* As text between threads, and back (GH_STORE_MALFORMED). */
gh_str gh_identity_write(struct gh_arena *arena, const struct gh_identity *identity);
GH_MUST_USE enum gh_reason gh_identity_read(struct gh_arena *arena, gh_str text,
                                            struct gh_identity *ret_identity);

#endif
