/* observe/audit.h: one JSON line per exchange, allowed or denied, made from verified facts only; never a
 * token. */
#ifndef GH_OBSERVE_AUDIT_H
#define GH_OBSERVE_AUDIT_H

#include "gatehouse/policy.h"

/* What can happen at an issuer of ours (issuer.md section 13): a line names all that did. */
#define GH_AUDIT_EVENTS(X)                                                                                   \
    X(TOKEN_ISSUED, "token.issued")                                                                          \
    X(TOKEN_REFUSED, "token.refused")                                                                        \
    X(REFRESH_ROTATED, "refresh.rotated")                                                                    \
    X(REFRESH_GRACE, "refresh.grace")                                                                        \
    X(REFRESH_REUSE, "refresh.reuse")                                                                        \
    X(CLIENT_REGISTERED, "client.registered")                                                                \
    X(CLIENT_FETCHED, "client.fetched")                                                                      \
    X(CLIENT_CHANGED, "client.changed")                                                                      \
    X(CLIENT_REJECTED, "client.rejected")                                                                    \
    X(AUTHZ_REQUEST, "authz.request")                                                                        \
    X(AUTHZ_DENIED, "authz.denied")                                                                          \
    X(LOGIN_OK, "login.ok")                                                                                  \
    X(LOGIN_FAILED, "login.failed")                                                                          \
    X(LOGIN_LOCKED, "login.locked")                                                                          \
    X(FEDERATION_OK, "federation.ok")                                                                        \
    X(FEDERATION_FAILED, "federation.failed")                                                                \
    X(CONSENT_GRANTED, "consent.granted")                                                                    \
    X(CONSENT_DENIED, "consent.denied")                                                                      \
    X(CONSENT_REVOKED, "consent.revoked")                                                                    \
    X(REVOKE, "revoke")                                                                                      \
    X(INTROSPECT, "introspect")                                                                              \
    X(SIGNAL, "signal")
#define GH_AUDIT_EVENT_ID(id, name) GH_EVENT_##id,
enum gh_audit_event { GH_EVENT_NONE, GH_AUDIT_EVENTS(GH_AUDIT_EVENT_ID) GH_EVENT_COUNT };
#undef GH_AUDIT_EVENT_ID

/* What such a line says beside who it was. Never a token, code, secret, verifier or cookie. */
struct gh_audit_act {
    uint64_t events;     /* bits by enum gh_audit_event; 0: there is nothing to say */
    gh_str about;        /* an account, client or document, of which nobody has proven to be it */
    gh_str grant_type;   /* a word that we know */
    gh_str resource;     /* canonical */
    gh_str asked, given; /* scopes: as the request has them, as they were granted */
    gh_str jti_hash;     /* base64url of SHA-256 */
    gh_str revoked;      /* the level of what was revoked; empty: nothing */
    uint64_t revoked_count;
    gh_str user_agent; /* what the client says of itself: a label */
};
#define GH_EVENT_BIT(event) ((uint64_t)1 << (event))

/* What an exchange knows when it ends. Slices are lent for the call. */
struct gh_audit_record {
    int64_t wall_us; /* when it began */
    gh_str request_id;
    gh_str trace_id; /* of a valid traceparent, or empty */
    enum gh_reason reason;
    const char *stage;                    /* that decided */
    int status;                           /* sent to the client; 0: none */
    const struct gh_policy *policy;       /* NULL: no route */
    const struct gh_principal *principal; /* NULL: nobody proven */
    gh_str by;                            /* who asked at the admin listener; may be empty */
    const struct gh_audit_act *act;       /* NULL: no issuer's */
    gh_str rpc_method, rpc_name;          /* of a message whose body was read; may be empty */
    gh_str rpc_rule, rpc_arguments;       /* the rule that decided, and a digest; may be empty */
    gh_str method, host, path;            /* path without query; empty host when it was not a name of ours */
    gh_str client_ip, http_version;
    uint64_t bytes_in, bytes_out;
    int64_t total_us, verify_us, upstream_us; /* -1: did not happen */
};

/* At most 8 KiB with the newline; values are escaped and cut. Returns the length written. */
#define GH_AUDIT_LINE 8192
size_t gh_audit_write(const struct gh_audit_record *record, char out[GH_AUDIT_LINE]);

/* ---- lines on their way to a file: a ring per worker, one writer thread; nobody waits ---- */

struct gh_logfile; /* one open destination, and its writer thread once started */
struct gh_lane;    /* one producer's ring (single producer) */
/* destination: a path, "stdout", "stderr". NULL with errno when it cannot be opened. */
struct gh_logfile *gh_logfile_open(gh_str destination);
/* Starts the thread. It wakes every 20 ms while lines come; it reopens its file when asked or when the name
 * points elsewhere (rotation). Until then lines wait in their lanes. */
bool gh_logfile_start(struct gh_logfile *file) GH_MUST_USE;
/* Writes what is queued (bounded by 2 s), started or not; joins the thread. Lanes die with it. */
void gh_logfile_close(struct gh_logfile *file);
void gh_logfile_reopen(struct gh_logfile *file);
struct gh_lane *gh_logfile_lane(struct gh_logfile *file, size_t capacity);
/* Copies the line (with its newline) whole or not at all: false when the ring is full; the caller counts it.
 */
bool gh_lane_put(struct gh_lane *lane, gh_str line);

#endif
