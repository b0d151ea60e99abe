/* include/gatehouse/token.h: verify an access token in three pure steps: open, signature, judge. */
#ifndef GATEHOUSE_TOKEN_H
#define GATEHOUSE_TOKEN_H

#include "gatehouse/reason.h"
#include "gatehouse/types.h"

/* ---- algorithms and keys
 * ------------------------------------------------------------------------------------ */

enum gh_alg {
    GH_ALG_RS256,
    GH_ALG_RS384,
    GH_ALG_RS512,
    GH_ALG_PS256,
    GH_ALG_PS384,
    GH_ALG_PS512,
    GH_ALG_ES256,
    GH_ALG_ES384,
    GH_ALG_ES512,
    GH_ALG_EDDSA, /* Ed25519 only; also spelled "Ed25519" (RFC 9864) */
    GH_ALG_COUNT
};
/* A set of algorithms: bit (1u << alg). */
typedef uint32_t gh_algs;
#define GH_ALG_BIT(alg) (1u << (unsigned)(alg))
/* GH_TOKEN_ALGORITHM for anything else: none, HS*, ES256K, other case. */
GH_MUST_USE enum gh_reason gh_alg_read(gh_str name, enum gh_alg *ret_alg);
gh_str gh_alg_name(enum gh_alg alg);
/* Does verifying cost over half a millisecond, so that it belongs on an offload thread? ES384, ES512. */
bool gh_alg_is_costly(enum gh_alg alg);

/* One public key, immutable and shared between threads by reference count. */
struct gh_key;
struct gh_key *gh_key_ref(struct gh_key *key);
void gh_key_unref(struct gh_key *key);
gh_str gh_key_kid(const struct gh_key *key);
/* SHA-256 over the RFC 7638 members: the same key under any kid or set has the same thumbprint. 32 bytes. */
const unsigned char *gh_key_thumbprint(const struct gh_key *key);
/* The algorithms this key may verify, fixed when the set was read (threats.md rule 8). */
gh_algs gh_key_algs(const struct gh_key *key);

/* Why a key of a set was left out; a metric label. */
enum gh_key_fault {
    GH_KEY_FAULT_MALFORMED,
    GH_KEY_FAULT_TYPE,      /* unknown kty, crv, or oct */
    GH_KEY_FAULT_USE,       /* use=enc, key_ops without verify */
    GH_KEY_FAULT_WEAK,      /* RSA below 2048 or above 4096 bits, e below 65537 or even, ROCA,
                               an Ed25519 point of small order, a published private half */
    GH_KEY_FAULT_ALGORITHM, /* alg outside the issuer's algs, or not for this type */
    GH_KEY_FAULT_DUPLICATE, /* two different keys under one kid: both are dropped */
    GH_KEY_FAULT_EXCESS,    /* beyond 64 */
    GH_KEY_FAULT_COUNT
};

/* An immutable key set, shared by reference count. */
struct gh_jwks;
/* Reads a JWK set (RFC 7517 section 5). One bad key never spoils the set: it is counted in ret_faults (an
 * array of GH_KEY_FAULT_COUNT, may be NULL) and left out. GH_KEYS_MALFORMED when the document is no JWK set
 * or no key is usable. */
GH_MUST_USE enum gh_reason gh_jwks_read(gh_str text, gh_algs allowed, unsigned *ret_faults,
                                        struct gh_jwks **ret_set);
struct gh_jwks *gh_jwks_ref(struct gh_jwks *set);
void gh_jwks_unref(struct gh_jwks *set);
size_t gh_jwks_count(const struct gh_jwks *set);
/* The i-th key, lent. */
struct gh_key *gh_jwks_peek_key(const struct gh_jwks *set, size_t i);
/* The key for (kid, alg), lent; without kid (ptr NULL) the only key that fits alg, else NULL. */
struct gh_key *gh_jwks_find(const struct gh_jwks *set, gh_str kid, enum gh_alg alg);
/* Is there a key under that kid at all, of any type? Decides between refetch and refusal. */
bool gh_jwks_has_kid(const struct gh_jwks *set, gh_str kid);
bool gh_jwks_has_thumbprint(const struct gh_jwks *set, const unsigned char thumbprint[32]);

/* ---- the issuer profile (byoa.md section 3)
 * ----------------------------------------------------------------- */

/* One claim that must have (or must not have) one of the values. An empty value list means: is present at
 * all. */
struct gh_claim_rule {
    gh_str claim;
    struct gh_strs values;
    bool nocase;
};
struct gh_claim_rules {
    const struct gh_claim_rule *at;
    size_t count;
};

enum gh_shape { GH_SHAPE_DIRECT, GH_SHAPE_EDGE };

/* How a trusted issuer's tokens are read. Plain data, owned by the settings snapshot. */
struct gh_profile {
    gh_str name;               /* of the issuer in the settings: part of every principal key */
    struct gh_strs issuers;    /* opaque strings, compared byte for byte */
    gh_str issuer_template;    /* Entra multi-tenant: holds "{tid}"; ptr NULL otherwise */
    struct gh_strs tenant_ids; /* allow-list for the tenant claim; mandatory with a template */
    enum gh_shape shape;
    gh_algs algs;
    struct gh_strs types; /* allowed typ, lower case; the empty string stands for "no typ" */
    struct gh_claim_rules require, reject;
    struct gh_strs scope_claims, client_claims, subject_claims, jti_claims, grant_claims, group_claims,
        role_claims, tenant_claims;
    struct gh_strs extra_scope_claims; /* permissions, roles: added to the scopes */
    gh_str scope_prefix;               /* removed from each scope; empty for none */
    bool subject_with_tenant;          /* Entra: the principal's subject is oid and tid */
    bool service_by_client; /* Cloudflare: an empty subject is a service named by the client claim */
    int64_t leeway;         /* seconds, 0 to 120 */
    int64_t max_lifetime;   /* seconds of exp - iat; 0: no bound */
    struct gh_strs
        login_clients; /* client ids of login applications: an aud that equals one marks an ID token */
    bool needs_scope_or_roles; /* no distinguishing typ: scp, scope or roles must be present */
    bool nonce_is_fine;        /* nonce does not mark an ID token here */
    bool entra_agents;         /* read the xms_act_fct facets */
    bool no_auth_time;         /* of ID tokens: mostly without, even where max_age was asked */
    bool is_ours; /* a managed issuer, here or in another process over the same store: its clock is ours */
};

/* What binds a token to one route (byoa.md section 7). */
struct gh_binding {
    struct gh_strs audiences;        /* one must equal an entry of aud byte for byte */
    bool single_audience;            /* refuse arrays longer than one */
    bool weak;                       /* weak_binding: true was written; the substitutes below may be used */
    struct gh_strs client_ids;       /* weak: aud absent, client in this list ... */
    gh_str scope_prefix;             /* ... and a scope with this prefix */
    struct gh_strs shared_audiences; /* weak: aud holds a project id of this list, and a scope of the route */
    struct gh_strs route_scopes;     /* for shared_audiences */
};

/* ---- step 1: open
 * ------------------------------------------------------------------------------------------- */

/* A parsed but unverified token. Everything in it points into the arena or the token text. */
struct gh_token {
    gh_str text; /* the whole compact serialisation */
    gh_str signed_part;
    gh_str signature;          /* decoded */
    gh_str alg_name, typ, kid; /* ptr NULL when absent */
    enum gh_alg alg;
    gh_str iss;
    const struct gh_claims_doc *claims; /* the payload, for gh_token_judge */
};

/* Form and header: steps 2 and 4 of byoa.md section 4 that need no issuer. Refuses five segments, strange
 * base64url, duplicates, crit, b64, unknown algorithms. Never looks at jwk, jku, x5u, x5c. GH_TOKEN_OPAQUE
 * when it is no JWS at all, GH_TOKEN_LARGE above 32 KiB, GH_TOKEN_ENCRYPTED, GH_TOKEN_MALFORMED,
 * GH_TOKEN_ALGORITHM, GH_TOKEN_CRITICAL, GH_TOKEN_ISSUER without an iss, GH_OUT_OF_MEMORY. RFC 7515
 * section 3.1, RFC 8725. */
GH_MUST_USE enum gh_reason gh_token_open(struct gh_arena *arena, gh_str text, struct gh_token *ret_token);

/* Is this token's issuer the profile's (byte compare; with a template: tid substituted and listed)? */
bool gh_profile_matches(const struct gh_profile *profile, const struct gh_token *token);
/* Algorithm and typ against the profile: GH_OK, GH_TOKEN_ALGORITHM, GH_TOKEN_TYPE. */
GH_MUST_USE enum gh_reason gh_token_fits(const struct gh_token *token, const struct gh_profile *profile);

/* The key that must have signed the token. GH_TOKEN_KEY_UNKNOWN: the set has nothing under its kid, or,
 * without kid, not exactly one key that fits; a newer set may help. GH_TOKEN_ALGORITHM: what is under that
 * kid is no key for alg. GH_TOKEN_ISSUER: with an issuer template, the key itself is another tenant's. */
GH_MUST_USE enum gh_reason gh_token_key(const struct gh_jwks *set, const struct gh_token *token,
                                        const struct gh_profile *profile, struct gh_key **ret_key);

/* ---- step 2: signature
 * -------------------------------------------------------------------------------------- */

/* Callable on any thread: takes bytes and a key reference, touches nothing else. GH_OK or GH_TOKEN_SIGNATURE;
 * GH_TOKEN_ALGORITHM when the key is not for alg; GH_OUT_OF_MEMORY. RFC 7515 section 5.2, RFC 7518 section 3.
 */
GH_MUST_USE enum gh_reason gh_token_signature(const struct gh_key *key, enum gh_alg alg, gh_str signed_part,
                                              gh_str signature);

/* ---- step 3: judge
 * ------------------------------------------------------------------------------------------ */

enum gh_principal_kind { GH_PRINCIPAL_USER, GH_PRINCIPAL_SERVICE, GH_PRINCIPAL_AGENT };

struct gh_actor {
    gh_str iss, sub, profile;
};
#define GH_ACTORS_MAX 5

/* Who acts, for whom, with which scopes. All slices live in the arena given to judge. */
struct gh_principal {
    gh_str issuer_name; /* the profile's name */
    gh_str issuer;      /* iss, verified */
    gh_str subject;     /* never empty */
    gh_str client;      /* may be empty */
    gh_str jti;         /* may be empty */
    gh_str jti_hash;    /* base64url of its SHA-256, as logs name it; empty with it */
    gh_str grant;       /* the grant it came from (sid of our own issuer); may be empty */
    gh_str tenant_id;   /* the issuer's tenant claim; may be empty */
    enum gh_principal_kind kind;
    struct gh_strs scopes;
    struct gh_strs groups;
    bool groups_unknown; /* overage marker: every group rule is unknown, which denies */
    struct gh_strs roles;
    bool roles_unknown;                    /* the claim is there, and no list of texts */
    gh_str acr;                            /* may be empty */
    int64_t auth_time;                     /* when the user signed in, seconds; 0: nobody says */
    struct gh_actor actors[GH_ACTORS_MAX]; /* outermost first */
    size_t actor_count;
    int64_t expires; /* exp, seconds */
    int64_t issued;  /* iat, 0 when absent */
};

/* Steps 7 to 13: time, kind, binding, tenant, confirmation, actor, principal. `now` in seconds since 1970. */
GH_MUST_USE enum gh_reason gh_token_judge(struct gh_arena *arena, const struct gh_token *token,
                                          const struct gh_profile *profile, const struct gh_binding *binding,
                                          int64_t now, struct gh_principal *ret_principal);

/* The same judgement over an RFC 7662 answer: `active` must be JSON true, else GH_TOKEN_INACTIVE; iss is
 * compared when present. GH_INTROSPECTION_DOWN when the answer is not a JSON object. */
GH_MUST_USE enum gh_reason gh_introspection_judge(struct gh_arena *arena, gh_str answer,
                                                  const struct gh_profile *profile,
                                                  const struct gh_binding *binding, int64_t now,
                                                  struct gh_principal *ret_principal);

/* A built-in provider profile by name ("generic", "okta", "auth0", "entra-id", "keycloak", ...), or NULL. It
 * names no issuer and no tenant; gh_profile_refusal says why a known provider has none. */
const struct gh_profile *gh_profile_builtin(gh_str name);
/* Why there is no such profile, one sentence for the operator; ptr NULL for names that are just unknown. */
gh_str gh_profile_refusal(gh_str name);
/* The names, for error messages: "auth0, clerk, ...". */
gh_str gh_profile_builtin_names(void);

#endif
