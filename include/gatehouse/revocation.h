/* include/gatehouse/revocation.h: what ends tokens before they expire: an entry of the replicated log, and
 * what a principal must be asked about. issuer.md section 10. */
#ifndef GATEHOUSE_REVOCATION_H
#define GATEHOUSE_REVOCATION_H

#include "gatehouse/token.h"

/* Levels. All but grant and token are epochs: tokens issued at or before `epoch` are refused (a token without
 * iat counts as issued at 0). A grant or token entry refuses whatever carries that id. */
enum gh_revoked {
    GH_REVOKED_TENANT,   /* id empty */
    GH_REVOKED_USER,     /* id: subject */
    GH_REVOKED_CLIENT,   /* id: client id */
    GH_REVOKED_AGENT,    /* id: subject of the outermost actor */
    GH_REVOKED_INSTANCE, /* id: thumbprint of the key a token is bound to */
    GH_REVOKED_GRANT,    /* id: sid */
    GH_REVOKED_TOKEN,    /* id: gh_token_id */
    GH_REVOKED_COUNT
};

/* "tenant", "user", "client", "agent", "instance", "grant", "token". */
gh_str gh_revoked_name(enum gh_revoked level);
bool gh_revoked_read(gh_str name, enum gh_revoked *ret_level);

struct gh_revocation {
    enum gh_revoked level;
    gh_str tenant;      /* of ours */
    gh_str issuer_name; /* the profile's name in the settings: equal ids of two issuers are two; empty with
                           GH_REVOKED_TENANT */
    gh_str id;
    int64_t epoch; /* seconds; GH_REVOKED_ALWAYS for grants and tokens */
    int64_t until; /* seconds: nothing it could refuse lives longer, and the entry may be forgotten then;
                      GH_REVOKED_ALWAYS: never */
};
#define GH_REVOKED_ALWAYS INT64_MAX
/* Entries are kept this much longer than they say: a clock that steps back brings no revoked token back. */
#define GH_REVOKED_SLACK_S 900

/* Are all parts there that the level needs, and none that it does not have? */
bool gh_revocation_is_sound(const struct gh_revocation *revocation);

/* A line for the log: length-prefixed, binary-safe. ptr NULL when out of memory. */
gh_str gh_revocation_write(struct gh_arena *arena, const struct gh_revocation *revocation);
/* GH_OK, or GH_STORE_MALFORMED for anything gh_revocation_write did not write. Slices lie in `text`. */
GH_MUST_USE enum gh_reason gh_revocation_read(gh_str text, struct gh_revocation *ret_revocation);

/* A revocation's identity in an index: 128 bits of SHA-256 over (level, tenant, issuer name, id), each
 * length-prefixed. */
struct gh_revocation_key {
    uint64_t hash[2];
};
/* GH_OK or GH_OUT_OF_MEMORY. */
GH_MUST_USE enum gh_reason gh_revocation_key(const struct gh_revocation *revocation,
                                             struct gh_revocation_key *ret_key);

/* What names one token: its jti, or where the issuer writes none "sha256:" and the base64url SHA-256 of its
 * content: the signed part of a JWT, the text of an opaque token. Never the signature: one of ECDSA has a
 * twin (threats.md rule 9). Lies in the principal or in the buffer; ptr NULL when out of
 * memory. */
#define GH_TOKEN_ID_DIGEST (7 + 43)
gh_str gh_token_id(const struct gh_principal *principal, gh_str content, char buffer[GH_TOKEN_ID_DIGEST]);

/* Everything one verified principal depends on: computed once, when its verdict is made; asked on every
 * request. GH_OK or GH_OUT_OF_MEMORY; `content` as above. */
struct gh_dependencies {
    struct gh_revocation_key at[GH_REVOKED_COUNT];
    unsigned count;
    int64_t issued;
};
GH_MUST_USE enum gh_reason gh_dependencies_of(gh_str tenant, const struct gh_principal *principal,
                                              gh_str content, struct gh_dependencies *ret_dependencies);

#endif
