/* include/gatehouse/grant.h: the grants of the managed issuer as pure functions: (request, stored rows, now,
 * random bytes) -> effects for the store and an answer. issuer.md sections 4 and 8. */
#ifndef GATEHOUSE_GRANT_H
#define GATEHOUSE_GRANT_H

#include "gatehouse/client.h"

/* ---- what the issuer may grant; owned by the settings snapshot ---- */

struct gh_grant_resource {
    gh_str canonical; /* the route's resource: `aud` of its tokens */
    gh_str name;      /* for people */
    struct gh_strs scopes, default_scopes;
};

struct gh_grant_policy {
    gh_str tenant;
    gh_str issuer;      /* the one constant, no trailing slash */
    gh_str issuer_name; /* in the settings: part of revocation keys */
    const struct gh_grant_resource *resources;
    size_t resource_count;
    struct gh_strs redirect_schemes;
    int64_t code_s;             /* 60 */
    int64_t access_s;           /* 600 */
    int64_t refresh_idle_s;     /* 14 days */
    int64_t refresh_absolute_s; /* 90 days */
    int64_t grace_s;            /* 10: the same client presents a spent refresh token again */
};

/* The resource a request means: its `resource`, or, absent, the only one (of the client, of the issuer).
 * GH_RESOURCE_UNKNOWN. */
GH_MUST_USE enum gh_reason gh_grant_find_resource(struct gh_arena *arena,
                                                  const struct gh_grant_policy *policy,
                                                  const struct gh_client *client, gh_str asked,
                                                  const struct gh_grant_resource **ret_resource);

/* ---- authorization requests ---- */

struct gh_authorization {
    gh_str client_id, redirect_uri; /* as presented: the port of a loopback redirect included */
    gh_str state;                   /* opaque; may be empty */
    gh_str code_challenge;
    gh_str resource; /* canonical */
    struct gh_strs scopes;
    gh_str login_hint;
    bool prompt_none, prompt_login, prompt_consent;
};

/* First: the redirect URI, before which no error may leave to the client. GH_REDIRECT_UNKNOWN. An absent one
 * is the only one of the client. */
GH_MUST_USE enum gh_reason gh_authorization_redirect(const struct gh_client *client,
                                                     const struct gh_form *form, gh_str *ret_redirect_uri);
/* Then everything else; errors go to the redirect URI. GH_RESPONSE_TYPE, GH_REQUEST_OBJECT, GH_PKCE_MISSING,
 * GH_GRANT_UNAUTHORIZED, GH_RESOURCE_UNKNOWN, GH_SCOPE_NONE, GH_SCOPE_MALFORMED, GH_PROMPT. */
GH_MUST_USE enum gh_reason gh_authorization_read(struct gh_arena *arena, const struct gh_grant_policy *policy,
                                                 const struct gh_client *client, const struct gh_form *form,
                                                 gh_str redirect_uri, struct gh_authorization *ret_request);
/* As a stored value, while a person signs in, and back. */
gh_str gh_authorization_write(struct gh_arena *arena, const struct gh_authorization *request);
GH_MUST_USE enum gh_reason gh_authorization_load(struct gh_arena *arena, gh_str value,
                                                 struct gh_authorization *ret_request);
/* Where the browser goes: with `code`, or with the row's OAuth error; `state` and `iss` in both (RFC 9207).
 */
gh_str gh_authorization_answer(struct gh_arena *arena, const struct gh_grant_policy *policy,
                               gh_str redirect_uri, gh_str state, gh_str code, enum gh_reason error);

/* What a person has agreed to once: the row key of (user, client, resource, scope set, redirect host);
 * the port of a loopback redirect does not count. */
gh_str gh_consent_key(struct gh_arena *arena, gh_str user, const struct gh_authorization *request);

/* ---- tokens ---- */

/* What an access token says; who signs it adds nothing but the signature. */
struct gh_grant_token {
    gh_str subject, client, resource, grant; /* grant: `sid`; empty for client_credentials */
    gh_str jti;
    struct gh_strs scopes;
    bool is_service; /* the subject is the client itself */
    int64_t issued, expires;
    gh_str refresh_token; /* empty: none */
    bool in_grace;        /* of a refresh that was answered before: its refresh token is the same */
};
/* The claims of RFC 9068 section 2.2. */
gh_str gh_grant_claims(struct gh_arena *arena, const struct gh_grant_policy *policy,
                       const struct gh_grant_token *token);
/* The token endpoint's answer around the signed text. */
gh_str gh_grant_answer(struct gh_arena *arena, const struct gh_grant_token *token, gh_str access_token);

/* Back from a verified token of ours (introspection, revocation): GH_TOKEN_CLAIMS for other claims than
 * those. */
GH_MUST_USE enum gh_reason gh_grant_token_read(struct gh_arena *arena, const struct gh_token *token,
                                               struct gh_grant_token *ret_token);
/* The RFC 7662 section 2.2 answer for an active one. ptr NULL when out of memory. */
gh_str gh_grant_introspection(struct gh_arena *arena, const struct gh_grant_policy *policy,
                              const struct gh_grant_token *token);

/* 32 bytes for a secret, 16 for an id; the caller takes them from the kernel. */
struct gh_grant_random {
    unsigned char code[32], refresh[32], grant[16], jti[16], nonce[12];
};

/* When it is. Tokens are issued after the latest epoch of their tenant, user and client; codes and grants
 * made at or before it are over (issuer.md section 10). What another process has revoked behind `known` is
 * not in `epoch` yet: nothing says of itself that it is younger, so that it ends with what is still on its
 * way. */
struct gh_moment {
    int64_t now;
    int64_t known;  /* up to then all revocations are known; 0: up to now */
    int64_t epoch;  /* the latest of tenant, user and client; 0: none */
    int64_t people; /* of tenant and user alone: who signed in at or before it has to again */
    int64_t client; /* of the client alone */
};
/* The second that tokens, codes and grants of this moment bear. */
int64_t gh_moment_counts(const struct gh_moment *moment);

/* Who approved. */
struct gh_approval {
    gh_str user;        /* the subject of tokens: an id of ours */
    gh_str client_name; /* as it was shown */
    int64_t auth_time;  /* of the login */
};

/* A code, 256 bits, of which the store keeps the hash. */
GH_MUST_USE enum gh_reason gh_code_issue(struct gh_arena *arena, const struct gh_grant_policy *policy,
                                         const struct gh_authorization *request,
                                         const struct gh_approval *approval,
                                         const struct gh_grant_random *random, const struct gh_moment *moment,
                                         struct gh_effects *effects, gh_str *ret_code);

/* The rows that a code or a refresh token needs: its own first, and where that one is there, the grant it
 * names. ptr NULL when out of memory; empty when the row names none. */
gh_str gh_code_key(struct gh_arena *arena, gh_str code);
gh_str gh_refresh_key(struct gh_arena *arena, gh_str refresh_token);
gh_str gh_grant_key_of(struct gh_arena *arena, gh_str secret_value);
/* Whose code it is: for the epoch of a redemption, where the grant has no row yet. As gh_grant_key_of. */
gh_str gh_code_user_of(struct gh_arena *arena, gh_str secret_value);

/* What both redemptions read. */
struct gh_redemption {
    const struct gh_grant_policy *policy;
    const struct gh_client *client; /* authenticated */
    int64_t client_read;            /* its epoch as it was known before its row was read; INT64_MAX: it is
                                       of the settings, and has none */
    const struct gh_form *form;
    struct gh_stored_row secret, grant; /* version 0: there is no such row */
    const struct gh_grant_random *random;
    struct gh_moment moment;
};

/* grant_type=authorization_code. `effects` is to be committed also when the answer is a refusal: a code that
 * was presented wrongly is used up, one presented twice takes its grant along. GH_GRANT_INVALID,
 * GH_CODE_REPLAYED, GH_PKCE_MISMATCH, GH_GRANT_UNAUTHORIZED, GH_PARAMETER_MISSING, GH_RESOURCE_UNKNOWN,
 * GH_STORE_MALFORMED. RFC 6749 section 4.1.3, RFC 9700 section 2.1.1. */
GH_MUST_USE enum gh_reason gh_code_redeem(struct gh_arena *arena, const struct gh_redemption *redemption,
                                          struct gh_effects *effects, struct gh_grant_token *ret_token);

/* grant_type=refresh_token: rotation with grace (issuer.md section 8). `effects` also when refused.
 * GH_GRANT_INVALID, GH_REFRESH_REUSED, GH_SCOPE_WIDENED, GH_SCOPE_MALFORMED, GH_GRANT_UNAUTHORIZED,
 * GH_PARAMETER_MISSING, GH_RESOURCE_UNKNOWN, GH_STORE_MALFORMED. */
GH_MUST_USE enum gh_reason gh_refresh_redeem(struct gh_arena *arena, const struct gh_redemption *redemption,
                                             struct gh_effects *effects, struct gh_grant_token *ret_token);

/* grant_type=client_credentials: the client for itself; no rows, no refresh token. GH_GRANT_UNAUTHORIZED,
 * GH_RESOURCE_UNKNOWN, GH_SCOPE_NONE, GH_SCOPE_MALFORMED; GH_OVERLOADED: it ended since its row was read. */
GH_MUST_USE enum gh_reason gh_credentials_redeem(struct gh_arena *arena,
                                                 const struct gh_redemption *redemption,
                                                 struct gh_grant_token *ret_token);

/* ---- step-up (issuer.md section 15) ---- */

/* The row that says what a grant's client was refused for. ptr NULL when out of memory. */
gh_str gh_step_up_key(struct gh_arena *arena, gh_str grant);
/* Asks that the next refresh of this grant fails: at most once in ten minutes, by a precondition. */
GH_MUST_USE enum gh_reason gh_step_up_ask(struct gh_arena *arena, gh_str grant, struct gh_strs scopes,
                                          int64_t now, struct gh_effects *effects);
/* At a refresh that would succeed, with that row: GH_REFRESH_STEP_UP when the client could get those scopes
 * and its grant lacks one; the effects then spend the row, and nothing else may happen. GH_OK: it goes on. */
GH_MUST_USE enum gh_reason gh_step_up_take(struct gh_arena *arena, const struct gh_redemption *redemption,
                                           const struct gh_stored_row *row, struct gh_effects *effects);

/* ---- ending and looking at grants ---- */

/* A stored grant; rows are named "grant/USER/ID", so that a user's are found together. */
struct gh_grant {
    gh_str id, user, client, client_name, resource, redirect_host;
    struct gh_strs scopes;
    int64_t created, used, auth_time;
    gh_str current, previous; /* row keys of refresh tokens: the one that counts, and the one before it */
    int64_t ends;             /* the absolute life of its refresh tokens; 0: it has none */
};
gh_str gh_grant_key(struct gh_arena *arena, gh_str user, gh_str id);
gh_str gh_grant_write(struct gh_arena *arena, const struct gh_grant *grant);
GH_MUST_USE enum gh_reason gh_grant_read(struct gh_arena *arena, gh_str value, struct gh_grant *ret_grant);
/* Ends a grant: its refresh token with the row, and by the log its access tokens. */
GH_MUST_USE enum gh_reason gh_grant_end(struct gh_arena *arena, const struct gh_grant_policy *policy,
                                        const struct gh_stored_row *grant_row, int64_t now,
                                        struct gh_effects *effects);
/* Who ends an access means to be asked before it comes back: the consent behind it goes too. */
GH_MUST_USE enum gh_reason gh_consent_forget(struct gh_arena *arena, const struct gh_grant *grant,
                                             struct gh_effects *effects);

#endif
