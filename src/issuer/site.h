/* issuer/site.h: the managed issuers of one settings snapshot: immutable, refcounted, read by every worker.
 */
#ifndef GH_ISSUER_SITE_H
#define GH_ISSUER_SITE_H

#include "base/map.h"
#include "base/secret.h"
#include "gatehouse/grant.h"
#include "gatehouse/login.h"
#include "gatehouse/policy.h"

#define GH_ISSUER_SITE_MAX 64 /* managed issuers of one settings file */

enum gh_registration {
    GH_REGISTRATION_OFF, /* in no metadata, and no path of ours */
    GH_REGISTRATION_ON
};

/* How often, where nothing else bounds it (issuer.md section 14). */
struct gh_issuer_limits {
    int64_t authorize, token, push, introspect; /* of one client in a minute, at this process */
    int64_t client_failures;                    /* of one address in a minute, at this process */
    int64_t registrations;                      /* of one address in an hour */
    int64_t registrations_all;                  /* of all together in an hour, at this process */
    int64_t login_failures;                     /* of one address in a minute */
    int64_t pending;                            /* sign-ins begun by one address in ten minutes */
    int64_t pending_all;                        /* by all together, at this process */
};

/* A client of the settings; its secrets and keys come from files, by gh_issuer_site_load. */
struct gh_managed_client {
    struct gh_client client;
    gh_str secret_file, jwks_file; /* may be empty */
};

struct gh_issuer_conf;
/* A provider that people sign in at. */
struct gh_issuer_login {
    struct gh_login login;
    gh_str label;                                  /* for people */
    gh_str redirect_uri;                           /* our callback */
    gh_str authorization_endpoint, token_endpoint; /* empty: from its metadata */
    bool sends_iss;                                /* where they are written: it does as RFC 9207 says */
    gh_str secret_file, key_file;                  /* may be empty */
    struct gh_secret secret;                       /* by gh_issuer_site_load */
    struct gh_signing_key *key;                    /* likewise: a reference; NULL: none */
    gh_str full_name;                              /* "ISSUER/NAME": in logs and metrics */
    struct gh_issuer_conf *ring;                   /* where its keys are; keys/keyring.h */
    uint32_t slot;                                 /* of that ring; UINT32_MAX until it is made */
};
#define GH_ISSUER_LOGINS_MAX 32

/* One managed issuer; it belongs to one tenant. */
struct gh_managed {
    gh_str name;       /* in the settings */
    struct gh_url url; /* of the issuer constant */
    gh_str base;       /* its path: before every path of ours; empty at an origin */
    bool insecure;     /* http, on loopback: cookies without Secure and the __Host- prefix */
    enum gh_registration registration;
    gh_str keys_folder, kek_file; /* of its signing keys */
    bool keys_in_store;           /* a row for all gateways; the folder is where they were before */
    enum gh_alg signing;          /* of new keys */
    int64_t key_life_s, key_lead_s;
    struct gh_issuer_limits limits;
    bool push_required;             /* authorization requests come by RFC 9126 alone */
    unsigned password_cost;         /* ln of scrypt */
    bool accounts;                  /* people may have a password here */
    struct gh_issuer_login *logins; /* and sign in at these */
    size_t login_count;
    struct gh_grant_policy policy;     /* what it may grant */
    struct gh_managed_client *clients; /* of the settings */
    size_t client_count;
    gh_str metadata;       /* RFC 8414 section 2; built once */
    struct gh_policy seen; /* tenant and issuer, as audit lines name them */
    uint32_t index;        /* in site->issuers */
    uint32_t stats_id;     /* in the registry */
};

/* Everything an issuer answers is a row of the table in endpoints.c; a path stands for one. */
struct gh_endpoint;
struct gh_issuer_path {
    struct gh_map_node node; /* key: host ["\n" path] */
    const struct gh_managed *managed;
    const struct gh_endpoint *endpoint;
    const struct gh_issuer_login *login; /* of the path of a callback; NULL elsewhere */
};

struct gh_issuer_site {
    unsigned refs; /* atomic */
    struct gh_arena *arena;
    struct gh_managed *issuers;
    size_t issuer_count;
    struct gh_map paths; /* of struct gh_issuer_path, by "host:port\n/path" */
};

struct gh_issuer_site *gh_issuer_site_new(void);
struct gh_issuer_site *gh_issuer_site_ref(struct gh_issuer_site *site);
void gh_issuer_site_unref(struct gh_issuer_site *site);
/* Writes the documents and the index. After it the site is immutable. */
GH_MUST_USE enum gh_reason gh_issuer_site_index(struct gh_issuer_site *site);
/* Before it is shared: reads the files of its clients. GH_SETTINGS_INVALID with a heap text,
 * GH_OUT_OF_MEMORY. Blocks.
 */
GH_MUST_USE enum gh_reason gh_issuer_site_load(struct gh_issuer_site *site, char **ret_why);
/* NULL when the path is no issuer's. Allocates nothing. */
const struct gh_issuer_path *gh_issuer_site_find(const struct gh_issuer_site *site,
                                                 const struct gh_authority *authority, gh_str path);

/* The client of that id among those of the settings, or NULL. */
const struct gh_client *gh_issuer_own_client(const struct gh_managed *managed, gh_str client_id);

/* The connection of that name, or NULL. */
const struct gh_issuer_login *gh_issuer_login_find(const struct gh_managed *managed, gh_str name);

/* metadata.c: the document; ptr NULL when out of memory. */
gh_str gh_issuer_metadata_write(struct gh_arena *arena, const struct gh_managed *managed);

#endif
