/* conf/settings.h: the settings as they were written, one struct per section, before they are checked against
 * each other. */
#ifndef GH_CONF_SETTINGS_H
#define GH_CONF_SETTINGS_H

#include "conf/rows.h"
#include "issuer/site.h"

struct gh_settings_pair {
    struct gh_element at;
    gh_str certificate, key;
};

struct gh_settings_listen {
    struct gh_element at;
    gh_str address;
    struct gh_settings_pair pair; /* tls: { certificate, key } */
    struct gh_elements pairs;     /* tls: { certificates: [...] } of gh_settings_pair */
    bool proxy_protocol;
};

struct gh_settings_client {
    struct gh_element at; /* its name is the client id */
    gh_str display_name, secret_file, jwks_file;
    int auth; /* enum gh_client_auth */
    struct gh_strs redirect_uris, scopes, resources;
    bool credentials, consent;
};

/* A provider that people sign in at. */
struct gh_settings_login {
    struct gh_element at; /* its name is in the path of the callback */
    gh_str display_name, issuer, issuer_template, discovery_url, authorization_url, token_url, jwks_url;
    gh_str client_id, secret_file, key_file;
    int profile, auth; /* enum gh_settings_login_profile, enum gh_client_auth */
    struct gh_strs scopes, tenants, tenant_claims;
    bool response_iss;
};
enum gh_keys_in { GH_KEYS_IN_FOLDER, GH_KEYS_IN_STORE };
enum gh_accounts { GH_ACCOUNTS_AUTO, GH_ACCOUNTS_OFF, GH_ACCOUNTS_ON };

struct gh_settings_managed {
    gh_str url, keys, kek_file;
    int registration, alg, keys_in; /* enum gh_registration, enum gh_alg, enum gh_keys_in */
    bool push_required;
    struct gh_issuer_limits limits;
    struct gh_strs redirect_schemes;
    int64_t code_s, access_s, refresh_idle_s, refresh_max_s, grace_s, key_life_s, key_lead_s, password_cost;
    struct gh_elements clients; /* of gh_settings_client */
    struct gh_elements login;   /* of gh_settings_login */
    int accounts;               /* enum gh_accounts */
};

struct gh_settings_back_channel {
    gh_str url;
    struct gh_strs audiences;
};

struct gh_settings_issuer {
    struct gh_element at;
    gh_str profile; /* name of the built-in profile */
    gh_str issuer;  /* one, or conf.profile.issuers */
    struct gh_issuer_conf conf;
    struct gh_settings_managed managed;
    struct gh_settings_back_channel back_channel; /* audiences empty: none */
};

struct gh_settings_rate {
    struct gh_element at;
    struct gh_rate_limit limit;
};

struct gh_settings_tenant {
    struct gh_element at;
    struct gh_elements rate_limits;
    struct gh_strs hosts, issuers, origins, tenant_ids;
    const struct gh_issuer **trusted; /* built: as many as issuers, under this tenant's tenant_ids */
};

struct gh_settings_upstream {
    struct gh_strs urls;
    struct gh_upstream_conf conf; /* endpoints: filled later from urls */
};

struct gh_settings_assertion {
    gh_str issuer;
    struct gh_strs key_files;
};
enum gh_fail_mode { GH_FAIL_CLOSED, GH_FAIL_OPEN };
enum gh_transport { GH_TRANSPORT_STREAMABLE, GH_TRANSPORT_SSE };

struct gh_settings_route {
    struct gh_element at;
    gh_str name, tenant, resource;
    struct gh_settings_upstream upstream;
    struct gh_strs issuers, origins;
    struct gh_policy policy; /* resource and authorization_servers: filled later */
    struct gh_identity_headers identity;
    struct gh_identity_assertion assertion;
    struct gh_strs forward_headers;
    int64_t body_max, keepalive_ms, max_stale_ms;
    enum gh_fail_mode fail;
    enum gh_transport transport;
    bool body_whole, step_up;
    struct gh_elements rate_limits;
    struct gh_claim_rules tools, prompts, resources;
    struct gh_elements rules;         /* of gh_settings_rule */
    struct gh_elements param_headers; /* of gh_settings_mirror */
    int lists;                        /* enum gh_lists */
    bool audit_arguments;
};
enum gh_lists { GH_LISTS_CALLABLE, GH_LISTS_GRANTABLE };

/* One rule of `rules`. */
enum gh_effect { GH_EFFECT_ALLOW, GH_EFFECT_DENY };
struct gh_settings_argument {
    struct gh_element at; /* its name is the pointer */
    struct gh_settings_values equals;
    struct gh_strs patterns;
    struct gh_rpc_value min, max;
};
struct gh_settings_rule {
    struct gh_element at;
    gh_str name;
    enum gh_effect effect;
    struct gh_strs tools, prompts, resources, methods, scopes;
    struct gh_claim_tests claims;
    struct gh_elements arguments; /* of gh_settings_argument */
};

/* A field that repeats an argument. */
struct gh_settings_mirror {
    struct gh_element at;
    gh_str tool, header, argument;
};

/* The root. */
struct gh_settings {
    struct gh_conf conf; /* listeners and site: filled later */
    struct gh_site_limits limits;
    struct gh_settings_assertion assertion;
    struct gh_elements listen, issuers, tenants, routes;
};

/* The sections that stand in tables of their own. */
extern const struct gh_section gh_issuer_section, gh_tenant_section, gh_route_section, gh_limits_section,
    gh_listen_section, gh_managed_section, gh_login_section, gh_tenant_rate_section, gh_route_rate_section,
    gh_rule_section, gh_mirror_section;
/* Of a connection: the name for gh_login_profile. */
gh_str gh_settings_login_profile(const struct gh_settings_login *login);

#endif
