/* conf/schema_route.c: the rows of a route: what is protected, for whom, and the server behind it. */
/* size: table - the rows of the sections, which must stand together */
#include "conf/settings.h"

#define AT(field)   offsetof(struct gh_settings_route, field)
#define UP(field)   offsetof(struct gh_settings_upstream, conf.field)
#define BIND(field) AT(policy.binding.field)

static const struct gh_choice upstream_http[] = {
    { "auto", GH_UPSTREAM_AUTO }, { "http1", GH_UPSTREAM_HTTP1 }, { "http2", GH_UPSTREAM_HTTP2 }, { NULL, 0 }
};

static const struct gh_row credential_rows[] = {
    { "header", GH_ROW_HEADER, UP(credential_header), .fallback = "authorization",
      .doc = "Header field it is sent in." },
    { "file", GH_ROW_FILE, UP(credential_file), GH_ROW_REQUIRED | GH_ROW_SECRET,
      .doc = "File with the whole value of the field, such as `Bearer ...`." },
    { .key = NULL }
};
static const struct gh_section credential_section = { .title = "routes[].upstream.credential",
                                                      .doc = "A static credential for the server behind.",
                                                      .rows = credential_rows };

static const struct gh_row health_rows[] = {
    { "path", GH_ROW_TEXT, UP(health_path), GH_ROW_REQUIRED, .doc = "Asked by GET; 2xx is healthy." },
    { "interval", GH_ROW_MS, UP(health_interval_ms), .fallback = "5s", .min = 500, .max = 600000,
      .doc = "Between two questions to one endpoint." },
    { .key = NULL }
};
static const struct gh_section health_section = { .title = "routes[].upstream.health",
                                                  .doc = "Active health checks.",
                                                  .rows = health_rows };

static const struct gh_row upstream_rows[] = {
    { "urls", GH_ROW_URLS, offsetof(struct gh_settings_upstream, urls), GH_ROW_REQUIRED | GH_ROW_ONE,
      .min = 1, .max = 32, .doc = "Endpoints of the MCP server, all with one path; least busy first." },
    { "http", GH_ROW_CHOICE, UP(http), .fallback = "auto", .choices = upstream_http,
      .doc = "`auto`: by ALPN over TLS, HTTP/1.1 without TLS. `http2` without TLS: prior knowledge." },
    { "ca_file", GH_ROW_FILE, UP(ca_file), .unset = "the system's", .doc = "PEM file with its authorities." },
    { "certificate", GH_ROW_FILE, UP(certificate_file), .unset = "none",
      .doc = "PEM file: our client certificate." },
    { "key", GH_ROW_FILE, UP(key_file), GH_ROW_SECRET, .unset = "none", .doc = "PEM file: its private key." },
    { "credential", GH_ROW_SECTION, 0, .section = &credential_section, .unset = "none",
      .doc = "A static credential for the server behind." },
    { "connect_timeout", GH_ROW_MS, UP(connect_ms), .fallback = "2s", .min = 50, .max = 60000,
      .doc = "TCP and TLS." },
    { "first_byte_timeout", GH_ROW_MS, UP(first_byte_ms), .fallback = "60s", .min = 100, .max = 3600000,
      .doc = "From the request to the head of the answer: as long may a tool work." },
    { "idle_timeout", GH_ROW_MS, UP(idle_ms), .fallback = "60s", .min = 1000, .max = 3600000,
      .doc = "How long an unused connection is kept." },
    { "stall_timeout", GH_ROW_MS, UP(stall_ms), .fallback = "30s", .min = 1000, .max = 3600000,
      .doc = "Request bytes that wait and are not taken." },
    { "keep_idle", GH_ROW_INT, UP(keep_idle), .fallback = "512", .min = 0, .max = 10000,
      .doc = "Unused connections kept per endpoint and worker." },
    { "max_connections", GH_ROW_INT, UP(max_connections), .fallback = "1024", .min = 1, .max = 100000,
      .doc = "Connections per endpoint and worker." },
    { "max_head", GH_ROW_SIZE, UP(head_max), .fallback = "64KiB", .min = 4096, .max = 1 << 20,
      .doc = "Header of an answer." },
    { "max_fields", GH_ROW_INT, UP(fields_max), .fallback = "100", .min = 16, .max = 1000,
      .doc = "Header fields of an answer." },
    { "max_interim", GH_ROW_INT, UP(interim_max), .fallback = "8", .min = 0, .max = 64,
      .doc = "Interim (1xx) answers before a final one; they are not passed on." },
    { "health", GH_ROW_SECTION, 0, .section = &health_section, .unset = "none",
      .doc = "Active health checks." },
    { "eject_after", GH_ROW_INT, UP(eject_after), .fallback = "5", .min = 1, .max = 1000,
      .doc = "Failures in a row after which an endpoint is left out." },
    { "eject_time", GH_ROW_MS, UP(eject_ms), .fallback = "10s", .min = 100, .max = 3600000,
      .doc = "For how long." },
    { .key = NULL }
};
static const struct gh_section upstream_section = {
    .title = "routes[].upstream",
    .doc = "The MCP server behind a route. A lone URL stands for `{ urls: [URL] }`.",
    .rows = upstream_rows,
    .scalar_key = "urls",
};

#define IDENTITY(KEY, FIELD, WHAT)                                                                           \
    {                                                                                                        \
        .key = KEY, .type = GH_ROW_HEADER, .offset = AT(identity.FIELD), .unset = "not sent",                \
        .doc = "Header field for " WHAT "."                                                                  \
    }
static const struct gh_row identity_rows[] = { IDENTITY("user", user, "the user"),
                                               IDENTITY("client", client, "the client id"),
                                               IDENTITY("tenant", tenant, "the name of the tenant"),
                                               IDENTITY("issuer", issuer, "the issuer"),
                                               IDENTITY("agent", agent, "the acting agent"),
                                               IDENTITY("scopes", scopes, "the scopes, separated by spaces"),
                                               IDENTITY("kind", kind, "`user`, `service` or `agent`"),
                                               { .key = NULL } };
static const struct gh_section identity_section = {
    .title = "routes[].identity_headers",
    .doc = "Verified identity for the server behind. What a client sends under these names is removed.",
    .rows = identity_rows,
};

static const struct gh_row assertion_rows[] = {
    { "header", GH_ROW_HEADER, AT(assertion.header), .fallback = "X-Gatehouse-Assertion",
      .doc = "Header field it is sent in." },
    { "audience", GH_ROW_URL, AT(assertion.audience), .unset = "the upstream's origin",
      .doc = "`aud`: the server behind must expect exactly this." },
    { "lifetime", GH_ROW_SECONDS, AT(assertion.lifetime_s), .fallback = "60s", .min = 10, .max = 300,
      .doc = "From `iat` to `exp`, which is never later than that of the client's token. A new one is signed "
             "when half of it is over." },
    { .key = NULL }
};
static const struct gh_section assertion_section = {
    .title = "routes[].identity_assertion",
    .doc =
        "Verified identity for the server behind, in a JWT that it can verify (upstream-identity.md). Needs "
        "`assertion`. What a client sends in the field is removed. A lone text stands for `{ header: TEXT "
        "}`.",
    .rows = assertion_rows,
    .scalar_key = "header",
};

static const struct gh_choice fail_modes[] = { { "closed", GH_FAIL_CLOSED },
                                               { "open", GH_FAIL_OPEN },
                                               { NULL, 0 } };
static const struct gh_row revocation_rows[] = {
    { "max_stale", GH_ROW_MS, AT(max_stale_ms), .fallback = "2s", .min = 1000, .max = 3600000,
      .doc = "How long the log of revocations may have been out of reach before `fail` decides." },
    { "fail", GH_ROW_CHOICE, AT(fail), .fallback = "closed", .choices = fail_modes,
      .doc = "`closed`: then nobody passes (503), and open streams end. `open`: revocations known so far are "
             "enforced, later ones missed." },
    { .key = NULL }
};
static const struct gh_section revocation_section = { .title = "routes[].revocation",
                                                      .doc =
                                                          "What counts when revocations cannot be heard of; "
                                                          "needs a `store`.",
                                                      .rows = revocation_rows };

static const struct gh_choice lists[] = { { "callable", GH_LISTS_CALLABLE },
                                          { "grantable", GH_LISTS_GRANTABLE },
                                          { NULL, 0 } };
static const struct gh_choice transports[] = { { "streamable-http", GH_TRANSPORT_STREAMABLE },
                                               { "http+sse", GH_TRANSPORT_SSE },
                                               { NULL, 0 } };
static const struct gh_row route_rows[] = {
    { "name", GH_ROW_TEXT, AT(name), GH_ROW_REQUIRED | GH_ROW_LABEL,
      .doc = "For logs, metrics and the audit log." },
    { "tenant", GH_ROW_TEXT, AT(tenant), GH_ROW_REQUIRED, .doc = "Name of the tenant it belongs to." },
    { "resource", GH_ROW_URL, AT(resource), GH_ROW_REQUIRED,
      .doc = "The canonical public URI, with a path: what clients connect to and tokens must be bound to." },
    { "upstream", GH_ROW_SECTION, AT(upstream), GH_ROW_REQUIRED, .section = &upstream_section,
      .doc = "The MCP server behind." },
    { "transport", GH_ROW_CHOICE, AT(transport), .fallback = "streamable-http", .choices = transports,
      .doc =
          "What the server speaks. `http+sse`, of MCP 2024-11-05: `upstream` is the URL of its event stream, "
          "and clients send their messages to `/messages` below the resource." },
    { "issuers", GH_ROW_TEXTS, AT(issuers), .min = 1, .max = 64, .unset = "the tenant's",
      .doc = "Some of the tenant's issuers." },
    { "audiences", GH_ROW_TEXTS, BIND(audiences), .max = 64, .unset = "the resource",
      .doc = "`aud` of the token must hold one of these, byte for byte." },
    { "single_audience", GH_ROW_BOOL, BIND(single_audience), .fallback = "false",
      .doc = "Refuse tokens for several audiences." },
    { "weak_binding", GH_ROW_BOOL, BIND(weak), .fallback = "false",
      .doc = "Allow the substitutes below, and audiences shared with another route." },
    { "client_ids", GH_ROW_TEXTS, BIND(client_ids), .max = 256, .unset = "none",
      .doc = "Weak: tokens without `aud` pass for these clients, if a scope begins with "
             "`client_scope_prefix`." },
    { "client_scope_prefix", GH_ROW_TEXT, BIND(scope_prefix), .unset = "none",
      .doc = "Weak: goes with `client_ids`." },
    { "shared_audiences", GH_ROW_TEXTS, BIND(shared_audiences), .max = 64, .unset = "none",
      .doc = "Weak: project-wide audiences that pass together with one of `scopes`." },
    { "scopes", GH_ROW_SCOPES, AT(policy.scopes), .max = 64, .unset = "none",
      .doc = "Every request needs all of these." },
    { "scopes_supported", GH_ROW_SCOPES, AT(policy.scopes_supported), .max = 256,
      .unset = "`scopes`, and those of `tools`, `prompts`, `resources` and `rules`",
      .doc = "Published in the metadata; a managed issuer grants no others." },
    { "scope_hierarchy", GH_ROW_TEXTS, AT(policy.scope_hierarchy), .max = 256, .unset = "none",
      .doc = "Pairs `broad>narrow`: the broad scope satisfies the narrow one." },
    { "resource_name", GH_ROW_TEXT, AT(policy.resource_name), .unset = "none",
      .doc = "Shown to people by their clients." },
    { "origins", GH_ROW_TEXTS, AT(origins), .max = 256, .unset = "the tenant's",
      .doc = "Origins of browser clients; the resource's own is always allowed." },
    { "identity_headers", GH_ROW_SECTION, 0, .section = &identity_section, .unset = "none are sent",
      .doc = "Verified identity for the server behind." },
    { "identity_assertion", GH_ROW_SECTION, 0, .section = &assertion_section, .unset = "none is sent",
      .doc = "Verified identity for the server behind, signed." },
    { "forward_headers", GH_ROW_HEADERS, AT(forward_headers), .max = 64, .unset = "none",
      .doc = "Further request header fields that pass." },
    { "max_body", GH_ROW_SIZE, AT(body_max), GH_ROW_OFF, .fallback = "4MiB", .min = 1024, .max = 1LL << 30,
      .doc = "The largest request body." },
    { "whole_body", GH_ROW_BOOL, AT(body_whole), .fallback = "false",
      .doc = "Hold the body whole (4 MiB at most) before it is forwarded." },
    { "step_up_by_refresh", GH_ROW_BOOL, AT(step_up), .fallback = "false",
      .doc = "With a managed issuer: after a 403 for want of scopes that the client could get, the next "
             "refresh of that grant is refused, once in 10 minutes, so that clients which answer a 403 by a "
             "refresh (the official TypeScript SDK v1) ask their user for the scopes." },
    { "tools", GH_ROW_CALLS, AT(tools), .unset = "all may be called",
      .doc = "Which tools may be called, and the scopes that each needs beside the route's: `{ get_forecast: "
             "[mcp:read], \"*\": "
             "[mcp:execute] }`. `\"*\"` stands for all others; without it those are refused. Bodies are then "
             "held whole and read "
             "(`whole_body`), and methods that MCP does not know are refused." },
    { "prompts", GH_ROW_CALLS, AT(prompts), .unset = "all may be got",
      .doc = "The same of prompts, and of completions for them." },
    { "resources", GH_ROW_CALLS, AT(resources), .unset = "all may be read",
      .doc = "The same of resources by their whole URI, in its one normal form, which is compared byte for "
             "byte: where there is more than `\"*\"`, other URIs are denied." },
    { "rules", GH_ROW_SECTIONS, AT(rules), .section = &gh_rule_section, .max = 4096, .unset = "none",
      .doc =
          "Further rules for calls, in order, before those of `tools`, `prompts` and `resources`: the first "
          "one that is about a call and whose conditions hold decides. Where a kind has rules, what none of "
          "them allows is denied; methods of MCP need none, other methods one that allows them." },
    { "lists", GH_ROW_CHOICE, AT(lists), .fallback = "callable", .choices = lists,
      .doc = "What lists of tools, prompts and resources show where there are rules. `callable`: what the "
             "token allows. `grantable`: also what it would allow with more scopes, so that clients learn of "
             "what they may ask for." },
    { "param_headers", GH_ROW_SECTIONS, AT(param_headers), .section = &gh_mirror_section, .max = 1024,
      .unset = "`Mcp-Param-*` is passed on, and compared with nothing",
      .doc = "Which `Mcp-Param-*` fields repeat which arguments (MCP 2026-07-28): they must agree, or the "
             "call is "
             "refused. Bodies are then held whole and read." },
    { "audit_arguments", GH_ROW_BOOL, AT(audit_arguments), .fallback = "false",
      .doc = "Where there are rules: the audit log has the SHA-256 of the arguments of a call, as they were "
             "written, in `mcp_arguments`. Who can guess them can find them." },
    { "rate_limits", GH_ROW_SECTIONS, AT(rate_limits), .section = &gh_route_rate_section, .max = 8,
      .unset = "none", .doc = "How many requests pass, by whom." },
    { "revocation", GH_ROW_SECTION, 0, .section = &revocation_section,
      .doc = "What counts when revocations cannot be heard of." },
    { "sse_keepalive", GH_ROW_MS, AT(keepalive_ms), GH_ROW_OFF, .fallback = "15s", .min = 1000, .max = 600000,
      .doc = "Comments on silent event streams, between events." },
    { .key = NULL }
};
const struct gh_section gh_route_section = {
    .title = "routes[]",
    .doc = "A protected MCP endpoint.",
    .rows = route_rows,
    .size = sizeof(struct gh_settings_route),
};
