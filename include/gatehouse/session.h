/* include/gatehouse/session.h: legacy MCP session ids as clients see them: sealed to owner and endpoint. */
#ifndef GATEHOUSE_SESSION_H
#define GATEHOUSE_SESSION_H

#include "gatehouse/http.h"

/* What a client holds is base64url, so within 0x21-0x7E (MCP 2025-11-25, Session Management), of
 *
 *   [ key id 4 | nonce 12 | AES-256-GCM( endpoint 16 | the upstream's own id 1..2048 ) | tag 16 ]
 *
 * The key id and the whole owner, each field behind its length, are authenticated with it: of the last one,
 * the purpose, only where there is one, so that ids are what they were. A nonce is random:
 * one key may seal 2^32 ids (NIST SP 800-38D section 8.3), that is 136 a second for a year. */

/* Some servers keep state in their ids: hundreds of bytes are usual there. */
#define GH_SESSION_ID_MAX    2048u
#define GH_SESSION_KEY       32u
#define GH_SESSION_KEYS_MAX  16u
#define GH_SESSION_KEY_ID    4u
#define GH_SESSION_NONCE     12u
#define GH_SESSION_ENDPOINT  16u
#define GH_SESSION_TAG       16u
#define GH_SESSION_BYTES_MIN (GH_SESSION_KEY_ID + GH_SESSION_NONCE + GH_SESSION_ENDPOINT + GH_SESSION_TAG)

/* Who may use a session, and where: it opens only when all of it is the same again (threats.md R11, J12). */
struct gh_session_owner {
    gh_str tenant;
    gh_str issuer; /* the profile's name */
    gh_str subject;
    gh_str issuer_tenant; /* may be empty, like the client */
    gh_str client;
    gh_str route;
    gh_str purpose; /* empty: a session's id; else what other text is sealed, and passes for no id */
};

struct gh_session {
    unsigned char endpoint[GH_SESSION_ENDPOINT]; /* which endpoint made it: gh_session_endpoint */
    gh_str id;                                   /* the upstream's own */
};

/* ---- keys */

/* Immutable, shared between threads by reference count: the first one seals, all of them open. */
struct gh_session_keys;
/* A key a line: 32 random bytes in hexadecimal or base64; blank lines and those that begin with '#' are
 * passed over. GH_SETTINGS_INVALID with the line (0: the whole text) and fixed words for more than 16 keys,
 * none, or one that is malformed, twice there, or all of one byte; GH_OUT_OF_MEMORY. */
GH_MUST_USE enum gh_reason gh_session_keys_read(gh_str text, struct gh_session_keys **ret_keys,
                                                unsigned *ret_line, const char **ret_why);
size_t gh_session_keys_count(const struct gh_session_keys *keys);
/* A secret for the keys of TLS session tickets, of one of them; lent as long as they are there. */
gh_str gh_session_keys_peek_tickets(const struct gh_session_keys *keys, size_t i);
struct gh_session_keys *gh_session_keys_ref(struct gh_session_keys *keys);
void gh_session_keys_unref(struct gh_session_keys *keys);

/* ---- sealing and opening: each thread has a sealer of its own */

struct gh_sealer;
struct gh_sealer *gh_sealer_new(void);
void gh_sealer_free(struct gh_sealer *sealer);

/* 1 to 2048 bytes, each within 0x21-0x7E. */
bool gh_session_id_is_legal(gh_str id);
/* The first 16 bytes of SHA-256 over scheme://authority/path; false when libcrypto fails. */
GH_MUST_USE bool gh_session_endpoint(const struct gh_url *url, unsigned char ret_name[GH_SESSION_ENDPOINT]);

/* The client's text, in the arena; ptr NULL when out of memory. The id is a legal one, the nonce has never
 * been used with these keys. */
gh_str gh_session_seal(struct gh_sealer *sealer, const struct gh_session_keys *keys,
                       const struct gh_session_owner *owner, const struct gh_session *session,
                       const unsigned char nonce[GH_SESSION_NONCE], struct gh_arena *arena);
/* GH_OK, GH_SESSION_UNKNOWN for whatever this owner was not given under these keys, GH_OUT_OF_MEMORY. */
GH_MUST_USE enum gh_reason gh_session_open(struct gh_sealer *sealer, const struct gh_session_keys *keys,
                                           const struct gh_session_owner *owner, gh_str text,
                                           struct gh_arena *arena, struct gh_session *ret_session);

#endif
