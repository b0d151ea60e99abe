/* gateway/site.h: what one settings snapshot says about routes: immutable, refcounted, read by every worker.
 */
#ifndef GH_GATEWAY_SITE_H
#define GH_GATEWAY_SITE_H

#include "base/map.h"
#include "gatehouse/rate.h"
#include "gatehouse/session.h"
#include "gatehouse/sign.h"
#include "keys/keyring.h"
#include "upstream/upstream.h"

/* Headers that carry the verified identity to the upstream; an empty name: not sent. */
struct gh_identity_headers {
    gh_str user, client, tenant, issuer, agent, scopes, kind;
};

/* The same in one signed JWT; an empty header: none is sent. */
struct gh_identity_assertion {
    gh_str header, audience;
    int64_t lifetime_s;
};

/* Who signs it, for all routes. */
struct gh_assertion_signer {
    gh_str issuer;
    struct gh_signing_key **keys; /* references: the first signs, all are published */
    size_t key_count;
    gh_str key_set;    /* the JWK set of all keys; ptr NULL: the settings have no `assertion` */
    gh_str unreadable; /* a key file that another user may read: settings to look at, not to run on */
};

struct gh_issuer {
    struct gh_issuer_conf conf;
    uint32_t slot; /* in the key rings */
};

/* A header field that repeats an argument of a tool (MCP 2026-07-28 "Custom Headers from Tool Parameters").
 */
struct gh_mirror {
    gh_str tool, field;
    size_t value; /* which of the message's */
};

struct gh_route {
    struct gh_policy policy;
    const struct gh_issuer **issuers; /* trusted here, in order */
    size_t issuer_count;
    bool is_edge; /* no metadata is served */
    struct gh_upstream_conf upstream_conf;
    struct gh_upstream_target *target; /* a reference */
    gh_str upstream_path;              /* of the first endpoint: replaces the resource's path */
    const unsigned char (*endpoint_names)[GH_SESSION_ENDPOINT]; /* as sealed sessions call them, in order */
    struct gh_identity_headers identity;
    struct gh_identity_assertion assertion;
    struct gh_strs forward_headers; /* further request headers that pass, lower case */
    int64_t body_max;               /* bytes of a request body; 0: no bound */
    bool body_whole;                /* hold the body before forwarding (body stage) */
    const struct gh_mirror *mirrors;
    size_t mirror_count;
    bool audit_arguments;              /* the audit log has a digest of a call's arguments */
    bool step_up;                      /* who lacks a scope is sent back by a refresh that fails */
    int64_t max_stale_ms;              /* how long revocations may not have been heard of ... */
    bool fails_open;                   /* ... unless they are then done without */
    const struct gh_rate_limit *rates; /* the tenant's, then its own */
    size_t rate_count;
    int64_t keepalive_ms;     /* SSE comments on event boundaries; 0: none */
    gh_str metadata_document; /* built once */
    gh_str metadata_path;     /* path-inserted */
    gh_str suffix_path;       /* resource path + well-known suffix */
    bool is_http_sse;         /* the server speaks HTTP+SSE (MCP 2024-11-05) ... */
    gh_str messages_path;     /* ... and this is where its clients send their messages */
    uint32_t stats_id;        /* in the registry */
    uint32_t index;           /* in site->routes */
    /* Over all that the settings say of the route, its tenant and its issuers: while it stays the same,
     * cached verdicts and open streams survive a reload. */
    uint64_t fingerprint;
};

struct gh_tenant {
    gh_str name;
    struct gh_strs hosts; /* "name" (any port) or "name:port", lower case */
};

/* One public host name: what is found there. */
struct gh_site_host {
    struct gh_map_node node;           /* key: "name" or "name:port" */
    const struct gh_tenant *tenant;    /* whose it is */
    struct gh_map paths;               /* of struct gh_site_path */
    const struct gh_route *only_route; /* when exactly one non-edge route lives here: the root document */
    size_t route_count;
};
enum gh_site_what { GH_SITE_ROUTE, GH_SITE_METADATA, GH_SITE_MESSAGES };
struct gh_site_path {
    struct gh_map_node node; /* key: the canonical path */
    enum gh_site_what what;
    const struct gh_route *route;
};

struct gh_site_limits {
    int64_t max_token;                                  /* 8 KiB */
    int64_t verdicts;                                   /* cached verdicts per worker */
    int64_t verify_burst, verify_per_s;                 /* failed first-sight verifications per connection */
    int64_t verify_address_burst, verify_address_per_s; /* the same per address, at one worker */
    int64_t streams_per_principal, streams_per_tenant, streams; /* event streams, over all workers */
    int64_t body_pool;                                          /* bytes of whole bodies held per worker */
    int64_t keys_wait_ms;                                       /* how long a request waits for a key fetch */
    struct gh_rpc_limits rpc;                                   /* of bodies that are read */
    int64_t rate_wait_ms;                                       /* and for the store to count it */
};

struct gh_site {
    unsigned refs; /* atomic */
    struct gh_arena *arena;
    uint64_t generation;
    struct gh_route *routes;
    size_t route_count;
    struct gh_issuer *issuers;
    size_t issuer_count;
    struct gh_tenant *tenants;
    size_t tenant_count;
    struct gh_site_limits limits;
    struct gh_session_keys *session_keys; /* a reference; NULL until the snapshot is made */
    struct gh_assertion_signer assertion;
    struct gh_map hosts; /* of struct gh_site_host */
};

struct gh_site *gh_site_ref(struct gh_site *site);
/* The last reference frees targets, keys, maps and the arena. */
void gh_site_unref(struct gh_site *site);
/* Builds `hosts` from routes, tenants and policies, the metadata documents and the endpoints' names. After it
 * the site is immutable. */
GH_MUST_USE enum gh_reason gh_site_index(struct gh_site *site);

/* session.c: what sealed sessions call the route's endpoints. */
GH_MUST_USE enum gh_reason gh_session_name_endpoints(struct gh_arena *arena, struct gh_route *route);

/* GH_OK with the route and what of it stands there, GH_HTTP_HOST_UNKNOWN, GH_WELLKNOWN_UNKNOWN below
 * /.well-known/, GH_ROUTE_UNKNOWN. Allocates nothing. */
GH_MUST_USE enum gh_reason gh_site_find(const struct gh_site *site, const struct gh_authority *authority,
                                        gh_str path, const struct gh_route **ret_route,
                                        enum gh_site_what *ret_what);
/* Is `sni`, the name that the connection was opened for, a host of another tenant than the authority's? Names
 * that no tenant has are nobody's, and misdirect nothing. RFC 9110 section 7.4. */
bool gh_site_is_misdirected(const struct gh_site *site, const struct gh_authority *authority, gh_str sni);

#endif
