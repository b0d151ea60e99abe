/* include/gatehouse/client.h: OAuth clients: stored, described by a document of their own, or registered; and
 * how they prove who they are. */
#ifndef GATEHOUSE_CLIENT_H
#define GATEHOUSE_CLIENT_H

#include "gatehouse/effects.h"
#include "gatehouse/http.h"
#include "gatehouse/oauth.h"

enum gh_client_kind {
    GH_CLIENT_SETTINGS,   /* pre-registered: in the settings or by the admin API */
    GH_CLIENT_DOCUMENT,   /* its id is the URL of its metadata document (CIMD) */
    GH_CLIENT_REGISTERED, /* dynamic registration (RFC 7591) */
};

enum gh_client_auth {
    GH_CLIENT_AUTH_NONE,  /* public */
    GH_CLIENT_AUTH_BASIC, /* client_secret_basic */
    GH_CLIENT_AUTH_POST,  /* client_secret_post */
    GH_CLIENT_AUTH_KEY    /* private_key_jwt */
};

/* Grants a client may use, as bits. */
#define GH_GRANT_CODE        1u
#define GH_GRANT_REFRESH     2u
#define GH_GRANT_CREDENTIALS 4u

#define GH_CLIENT_SECRETS_MAX 2u /* two live at a time, so that one can be replaced */

struct gh_client {
    gh_str id;   /* opaque: compared byte for byte */
    gh_str name; /* as the client says: shown only escaped and cut */
    enum gh_client_kind kind;
    enum gh_client_auth auth;
    unsigned grants;
    struct gh_strs redirect_uris;
    struct gh_strs scopes;    /* at most these; none: what the resource has */
    struct gh_strs resources; /* at these alone; none: at all of the issuer */
    struct gh_strs secrets;   /* base64url of SHA-256, at most GH_CLIENT_SECRETS_MAX */
    gh_str jwks;              /* the JWK set as JSON text, or empty */
    gh_str jwks_uri;          /* or where it is */
    bool no_consent;          /* pre-registered first-party clients */
    int64_t created;
};

/* The JSON of a stored row, and back. GH_STORE_MALFORMED for what gh_client_write did not write. */
gh_str gh_client_write(struct gh_arena *arena, const struct gh_client *client);
GH_MUST_USE enum gh_reason gh_client_read(struct gh_arena *arena, gh_str value, struct gh_client *ret_client);
/* The row key of a client id. */
gh_str gh_client_key(struct gh_arena *arena, gh_str client_id);

/* ---- client id metadata documents (draft-ietf-oauth-client-id-metadata-document, issuer.md section 5.1)
 * ---- */

/* Is the id one that a document describes? Its form is checked by gh_client_url_check. */
bool gh_client_id_is_url(gh_str client_id);
/* https, a path, no query, fragment, userinfo, dot segments, backslash; at most 2,048 bytes: else
 * GH_CLIENT_UNKNOWN. */
GH_MUST_USE enum gh_reason gh_client_url_check(struct gh_arena *arena, gh_str client_id);
/* What stands in the document at that URL. GH_CLIENT_DOCUMENT_REFUSED when it breaks a rule. */
GH_MUST_USE enum gh_reason gh_client_document_read(struct gh_arena *arena, gh_str url, gh_str body,
                                                   struct gh_strs schemes, int64_t now,
                                                   struct gh_client *ret_client);

/* What a consent to such a client stands and falls with: its keys and redirect URIs, as they are now. Empty
 * for clients without a document; ptr NULL when out of memory. */
gh_str gh_client_document_mark(struct gh_arena *arena, const struct gh_client *client);

/* ---- dynamic registration ---- */

/* Reads the request, keeps what is allowed of it, and writes the answer of RFC 7591 section 3.2.1. The id is
 * made of `random`. Unknown members are ignored. GH_REGISTRATION_REFUSED, or GH_REDIRECT_REFUSED when no
 * redirect URI is left. */
GH_MUST_USE enum gh_reason gh_client_register(struct gh_arena *arena, gh_str body, struct gh_strs schemes,
                                              const unsigned char random[16], int64_t now,
                                              struct gh_client *ret_client, gh_str *ret_answer);

/* ---- authentication (RFC 6749 section 2.3, RFC 7523) ---- */

struct gh_client_credential {
    enum gh_client_auth method;
    gh_str client_id; /* never empty */
    gh_str secret;
    gh_str assertion;
};
/* The one way a request authenticates in. GH_CLIENT_UNAUTHENTICATED: none, two at once, malformed Basic, an
 * assertion of another type, a client_id that differs. */
GH_MUST_USE enum gh_reason gh_client_credential_read(struct gh_arena *arena, const struct gh_headers *headers,
                                                     const struct gh_form *form,
                                                     struct gh_client_credential *ret_credential);
/* Is it that client's, by the method it registered? `jwks`: the client's keys, NULL where it has none. An
 * assertion's jti becomes a precondition and a write: it counts once, on all nodes.
 * GH_CLIENT_UNAUTHENTICATED.
 */
GH_MUST_USE enum gh_reason gh_client_verify(struct gh_arena *arena, gh_str issuer,
                                            const struct gh_client *client,
                                            const struct gh_client_credential *credential,
                                            const struct gh_jwks *jwks, int64_t now,
                                            struct gh_effects *effects);
/* base64url of SHA-256, as secrets stand at rest and token ids in logs. ptr NULL when out of memory. */
gh_str gh_secret_hash(struct gh_arena *arena, gh_str secret);

#endif
