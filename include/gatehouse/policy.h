/* include/gatehouse/policy.h: routes as plain data: which route a request belongs to, whether it may pass,
 * what it is told. */
#ifndef GATEHOUSE_POLICY_H
#define GATEHOUSE_POLICY_H

#include "gatehouse/call.h"
#include "gatehouse/http.h"

/* The policy half of a route; transport settings live with the upstream. Owned by the settings snapshot. */
struct gh_policy {
    gh_str route;           /* name in the settings */
    gh_str tenant;          /* name in the settings */
    struct gh_url resource; /* parsed canonical resource */
    gh_str resource_text;   /* as published and compared */
    gh_str resource_name;   /* human-readable; may be empty */
    gh_str
        metadata_url; /* absolute URL of the path-inserted document, for challenges; empty for edge routes */
    struct gh_strs scopes;                /* every request needs all of these */
    struct gh_strs scopes_supported;      /* published */
    struct gh_strs scope_hierarchy;       /* pairs "broad>narrow": broad satisfies narrow */
    struct gh_strs authorization_servers; /* advertised issuers, verbatim, in order */
    struct gh_strs origins;               /* allowed Origin values; the resource's own origin is always in */
    struct gh_binding binding;
    bool reads_calls;                                 /* one of these is set: bodies are read */
    struct gh_call_rules calls[GH_RPC_NAMES_UNKNOWN]; /* by what a method names */
    const struct gh_rpc_paths *paths;                 /* what they read of arguments; NULL: nothing */
    bool lists_grantable;                             /* lists show what a step-up would reach, too */
};
#define GH_RPC_NAMES_METHOD GH_RPC_NAMES_NOTHING /* where rules for methods themselves stand */

/* GH_OK or GH_SCOPE_MISSING. A broader scope satisfies a narrower one (MCP 2026-07-28). Allocates nothing. */
GH_MUST_USE enum gh_reason gh_policy_decide(const struct gh_policy *policy,
                                            const struct gh_principal *principal);
/* Which rule decided; NULL: none was about it. */
struct gh_call_verdict {
    const struct gh_call_rule *method, *name; /* about the method, and about what it names */
    struct gh_strs needed;                    /* of GH_SCOPE_MISSING, lent by the policy */
};
/* GH_OK; GH_SCOPE_MISSING: who had the scopes could; GH_RPC_DENIED: a rule denies it, or none allows it, or
 * MCP has no such method and no rule allows it. `now` in seconds since 1970. Allocates nothing. The verdict
 * is always written. */
GH_MUST_USE enum gh_reason gh_policy_call(const struct gh_policy *policy,
                                          const struct gh_principal *principal, int64_t now,
                                          const struct gh_rpc_message *message,
                                          struct gh_call_verdict *ret_verdict);
/* Tells, for those who ask why, of each rule about the method and then about the name, until one decides. */
typedef void (*gh_call_tell)(void *ctx, const struct gh_call_rule *rule, enum gh_truth claims,
                             enum gh_truth arguments);
void gh_policy_call_tell(const struct gh_policy *policy, const struct gh_principal *principal, int64_t now,
                         const struct gh_rpc_message *message, gh_call_tell tell, void *ctx);
/* The same of all calls of a name together, as a list has it: GH_OK when some call is allowed, as far as each
 * rule by itself can tell; GH_SCOPE_MISSING when one would be with more scopes. `is_template`: the name is a
 * URI template (RFC 6570), and stands for all that it may become. */
GH_MUST_USE enum gh_reason gh_policy_listed(const struct gh_policy *policy,
                                            const struct gh_principal *principal, int64_t now,
                                            enum gh_rpc_names names, gh_str name, bool is_template);
/* GH_OK, or GH_HTTP_ORIGIN when an Origin is present and not listed (also "null" and repeated ones). */
GH_MUST_USE enum gh_reason gh_policy_origin(const struct gh_policy *policy, const struct gh_headers *headers);

/* The value of WWW-Authenticate for this reason on this route, one line, every value quoted; ptr NULL when
 * the reason carries none. RFC 6750 section 3, RFC 9728 section 5.1. `principal` adds the granted scopes to
 * an insufficient_scope challenge and may be NULL; `needed` are those of the call, beside the route's. */
gh_str gh_challenge_write(struct gh_arena *arena, const struct gh_policy *policy, enum gh_reason reason,
                          const struct gh_principal *principal, struct gh_strs needed);
/* The JSON body of a reason: {"error":...,"error_description":...}; for a body that is no message, or not the
 * one that the headers name, a JSON-RPC error with `id` as it was written (ptr NULL: null). Static or in the
 * arena. */
gh_str gh_reason_body(struct gh_arena *arena, enum gh_reason reason, gh_str id);

/* The RFC 9728 section 2 document of a route. */
gh_str gh_metadata_write(struct gh_arena *arena, const struct gh_policy *policy);
/* "/.well-known/oauth-protected-resource" + path of the resource (RFC 9728 section 3.1). */
gh_str gh_metadata_path(struct gh_arena *arena, const struct gh_policy *policy);

/* Where an issuer's metadata may stand, in the order they are asked (byoa.md section 5): at most 4 absolute
 * URLs. */
GH_MUST_USE enum gh_reason gh_discovery_urls(struct gh_arena *arena, gh_str issuer, struct gh_strs *ret_urls);
/* What is needed of an authorization server's metadata (RFC 8414 section 2). */
struct gh_issuer_metadata {
    gh_str issuer, jwks_uri, introspection_endpoint, registration_endpoint;
    gh_str authorization_endpoint, token_endpoint; /* empty also when they are no texts */
    bool s256;
    bool sends_iss; /* RFC 9207 section 3: in its authorization responses */
    bool cimd;      /* takes the URL of a client's own metadata as its client id */
};
/* GH_METADATA_MALFORMED, or GH_METADATA_ISSUER when doc.issuer is none of `issuers`, byte for byte. */
GH_MUST_USE enum gh_reason gh_issuer_metadata_read(struct gh_arena *arena, gh_str text,
                                                   struct gh_strs issuers,
                                                   struct gh_issuer_metadata *ret_metadata);

#endif
