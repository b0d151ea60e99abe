/* conf/schema_issuer.c: the rows of an issuer: a built-in profile first, then what the operator overrides. */
/* size: table - the rows of the sections, which must stand together */
#include "base/str.h"
#include "conf/settings.h"

#define AT(field)      offsetof(struct gh_settings_issuer, field)
#define PROFILE(field) offsetof(struct gh_settings_issuer, conf.profile.field)
#define BY_PROFILE     .unset = "by profile"

static void start_from_profile(struct gh_fill *fill, const struct gh_node *node, void *base);

static const struct gh_row introspection_rows[] = {
    { "url", GH_ROW_URL, AT(conf.introspection_url), GH_ROW_REQUIRED,
      .doc = "RFC 7662 endpoint that opaque tokens are posted to." },
    { "client_id", GH_ROW_TEXT, AT(conf.introspection_client), .unset = "no authentication",
      .doc = "Our client id there." },
    { "client_secret_file", GH_ROW_FILE, AT(conf.introspection_secret_file), GH_ROW_SECRET,
      .unset = "no authentication", .doc = "File with our client secret. Secrets are never written inline." },
    { "key_file", GH_ROW_FILE, AT(conf.introspection_key_file), GH_ROW_SECRET, .unset = "client_secret_file",
      .doc = "File with our private key there (PKCS#8: P-256, Ed25519 or RSA) instead of a secret: "
             "`private_key_jwt`." },
    { "audience", GH_ROW_TEXT, AT(conf.introspection_audience), .unset = "the issuer",
      .doc = "With `key_file`: `aud` of the assertion we send." },
    { "max_age", GH_ROW_SECONDS, AT(conf.introspection_max_age_s), .fallback = "30s", .min = 0, .max = 3600,
      .doc = "How long a positive answer is used: as long may a token live here that has ended there." },
    { "parallel", GH_ROW_INT, AT(conf.introspection_parallel), .fallback = "32", .min = 1, .max = 1024,
      .doc = "Questions under way at once." },
    { .key = NULL }
};
static const struct gh_section introspection_section = {
    .title = "issuers.NAME.introspection",
    .doc = "For issuers with opaque tokens.",
    .rows = introspection_rows,
};

static const struct gh_row back_channel_rows[] = {
    { "url", GH_ROW_URL, AT(back_channel.url), GH_ROW_REQUIRED,
      .doc =
          "Where the issuer reaches us: on a host that leads here, under a path of its own. Registered there "
          "as `backchannel_logout_uri`, or as the receiver of a stream." },
    { "audiences", GH_ROW_TEXTS, AT(back_channel.audiences), GH_ROW_REQUIRED, .min = 1, .max = 64,
      .doc = "What the issuer calls us: the client ids in `aud` of its logout tokens, the audience of its "
             "stream." },
    { .key = NULL }
};
static const struct gh_section back_channel_section = {
    .title = "issuers.NAME.back_channel",
    .doc =
        "The issuer says when users sign out, or their sessions and credentials end: their tokens end here "
        "too. OpenID Connect Back-Channel Logout, and Shared Signals pushed by RFC 8935. Needs a `store`.",
    .rows = back_channel_rows,
};

static const struct gh_choice shapes[] = { { "direct", GH_SHAPE_DIRECT },
                                           { "edge", GH_SHAPE_EDGE },
                                           { NULL, 0 } };

static const struct gh_row issuer_rows[] = {
    { "profile", GH_ROW_PROFILE, AT(profile), .fallback = "generic",
      .doc = "Built-in profile of the provider: how its tokens are read. Every key below overrides it." },
    { "issuer", GH_ROW_TEXT, AT(issuer), .unset = "issuers or issuer_template",
      .doc = "The issuer, compared byte for byte with `iss`, a slash at the end included." },
    { "issuers", GH_ROW_TEXTS, PROFILE(issuers), .min = 1, .max = 16, .unset = "issuer",
      .doc = "Several names of one issuer; the first is the one that is advertised." },
    { "issuer_template", GH_ROW_TEXT, PROFILE(issuer_template), .unset = "issuer",
      .doc = "Multi-tenant issuers: holds `{tid}`, which must be one of `tenants`." },
    { "tenants", GH_ROW_TEXTS, PROFILE(tenant_ids), .min = 1, .max = 4096, .unset = "any",
      .doc = "Allowed values of the tenant claim. Mandatory with `issuer_template`." },
    { "shape", GH_ROW_CHOICE, PROFILE(shape), .choices = shapes, BY_PROFILE,
      .doc = "`direct`: clients bring its tokens. `edge`: something in front passes its assertion in a "
             "header." },
    { "advertise", GH_ROW_BOOL, AT(conf.advertise), .unset = "true for direct, false for edge",
      .doc = "Name it in the protected-resource metadata. Without, its tokens are only verified." },
    { "discovery", GH_ROW_URL, AT(conf.discovery_url), .unset = "the four well-known places",
      .doc = "Where its metadata is." },
    { "jwks", GH_ROW_URL, AT(conf.jwks_url), .unset = "from the metadata", .doc = "Where its key set is." },
    { "jwks_file", GH_ROW_FILE, AT(conf.jwks_file), .unset = "fetched",
      .doc = "Static key set; nothing is fetched." },
    { "algs", GH_ROW_ALGS, PROFILE(algs), .min = 1, .max = 10, BY_PROFILE,
      .doc = "Signature algorithms; HMAC and `none` cannot be written." },
    { "types", GH_ROW_TEXTS, PROFILE(types), GH_ROW_NULL | GH_ROW_LOWER, .min = 1, .max = 16, BY_PROFILE,
      .doc = "Allowed `typ` of the token, compared without case; `null` stands for a token without." },
    { "require", GH_ROW_RULES, PROFILE(require), BY_PROFILE,
      .doc = "Claims that must have one of the values: `{ token_use: access }`; `[]`: must be there." },
    { "reject", GH_ROW_RULES, PROFILE(reject), BY_PROFILE,
      .doc = "Claims that must not have one of the values; `[]`: must not be there." },
    { "scope_claims", GH_ROW_TEXTS, PROFILE(scope_claims), .max = 8, BY_PROFILE,
      .doc = "Where scopes are, in order." },
    { "extra_scope_claims", GH_ROW_TEXTS, PROFILE(extra_scope_claims), .max = 8, BY_PROFILE,
      .doc = "Claims added to the scopes: `permissions`, `roles`." },
    { "scope_prefix", GH_ROW_TEXT, PROFILE(scope_prefix), BY_PROFILE, .doc = "Removed from each scope." },
    { "client_claims", GH_ROW_TEXTS, PROFILE(client_claims), .max = 8, BY_PROFILE,
      .doc = "Where the client id is, in order." },
    { "subject_claims", GH_ROW_TEXTS, PROFILE(subject_claims), .min = 1, .max = 8, BY_PROFILE,
      .doc = "Where the user is, in order. Never an e-mail address." },
    { "jti_claims", GH_ROW_TEXTS, PROFILE(jti_claims), .max = 8, BY_PROFILE,
      .doc = "Where the token id is." },
    { "grant_claims", GH_ROW_TEXTS, PROFILE(grant_claims), .max = 8, BY_PROFILE,
      .doc = "Where the id of the grant or session is that the token came from: `sid`." },
    { "group_claims", GH_ROW_TEXTS, PROFILE(group_claims), .max = 8, BY_PROFILE, .doc = "Where groups are." },
    { "role_claims", GH_ROW_TEXTS, PROFILE(role_claims), .max = 8, BY_PROFILE,
      .doc = "Where roles are, for conditions of `rules`: `roles`, `realm_access.roles`." },
    { "tenant_claims", GH_ROW_TEXTS, PROFILE(tenant_claims), .max = 8, BY_PROFILE,
      .doc = "Where the tenant is: `org_id`, `tid`." },
    { "leeway", GH_ROW_SECONDS, PROFILE(leeway), .min = 0, .max = 120, BY_PROFILE,
      .doc = "Clock difference that is forgiven." },
    { "max_lifetime", GH_ROW_SECONDS, PROFILE(max_lifetime), GH_ROW_OFF, .min = 60, .max = 31536000,
      BY_PROFILE, .doc = "Longest life of a token, `exp` less `iat`." },
    { "login_clients", GH_ROW_TEXTS, PROFILE(login_clients), .max = 256, .unset = "none",
      .doc = "Client ids of login applications: a token for one of them is an ID token and refused." },
    { "max_age", GH_ROW_SECONDS, AT(conf.max_age_s), .fallback = "10m", .min = 300, .max = 86400,
      .doc = "How long a withdrawn key may live on here: bound of the key set's Cache-Control." },
    { "max_stale", GH_ROW_SECONDS, AT(conf.max_stale_s), .fallback = "1h", .min = 0, .max = 86400,
      .doc = "How long keys are used after the last good fetch; then 503." },
    { "cooldown", GH_ROW_SECONDS, AT(conf.cooldown_s), .fallback = "30s", .min = 5, .max = 3600,
      .doc = "Rest after a fruitless fetch for an unknown key id." },
    { "token_header", GH_ROW_HEADER, AT(conf.token_header),
      .unset = "Authorization, or the edge product's own",
      .doc = "Edge: the header field that carries the assertion." },
    { "token_prefix", GH_ROW_TEXT, AT(conf.token_prefix), .unset = "all opaque tokens",
      .doc = "Opaque tokens that begin with this go to this issuer." },
    { "managed", GH_ROW_SECTION, AT(managed), .section = &gh_managed_section, .unset = "an issuer elsewhere",
      .doc = "Our own authorization server." },
    { "introspection", GH_ROW_SECTION, 0, .section = &introspection_section,
      .unset = "opaque tokens are refused", .doc = "For issuers with opaque tokens." },
    { "back_channel", GH_ROW_SECTION, 0, .section = &back_channel_section,
      .unset = "tokens end when they expire", .doc = "Where the issuer says that sessions have ended." },
    { .key = NULL }
};
const struct gh_section gh_issuer_section = {
    .title = "issuers.NAME",
    .doc = "Whose tokens are believed, and how they are read.",
    .rows = issuer_rows,
    .size = sizeof(struct gh_settings_issuer),
    .prepare = start_from_profile,
};

static const struct gh_row tenant_rows[] = {
    { "hosts", GH_ROW_TEXTS, offsetof(struct gh_settings_tenant, hosts), GH_ROW_REQUIRED, .min = 1,
      .max = 256, .doc = "Public host names: `mcp.example.com` (any port) or `mcp.example.com:8443`." },
    { "issuers", GH_ROW_TEXTS, offsetof(struct gh_settings_tenant, issuers), GH_ROW_REQUIRED, .min = 1,
      .max = 64, .doc = "Names of the issuers this tenant trusts, in the order they are advertised." },
    { "origins", GH_ROW_TEXTS, offsetof(struct gh_settings_tenant, origins), .max = 256, .unset = "none",
      .doc = "Origins of browser clients; a resource's own origin is always allowed." },
    { "tenant_ids", GH_ROW_TEXTS, offsetof(struct gh_settings_tenant, tenant_ids), .max = 256, .unset = "any",
      .doc = "Values of the issuers' tenant claim that belong to this tenant." },
    { "rate_limits", GH_ROW_SECTIONS, offsetof(struct gh_settings_tenant, rate_limits),
      .section = &gh_tenant_rate_section, .max = 8, .unset = "none",
      .doc = "How many requests pass over all routes of the tenant, by whom." },
    { .key = NULL }
};
const struct gh_section gh_tenant_section = {
    .title = "tenants.NAME",
    .doc = "Who owns which public hosts and trusts which issuers.",
    .rows = tenant_rows,
    .size = sizeof(struct gh_settings_tenant),
};

/* An unknown profile is told here; the rows are then read over the generic one. */
static void start_from_profile(struct gh_fill *fill, const struct gh_node *node, void *base)
{
    struct gh_settings_issuer *issuer = base;
    const struct gh_node *name = gh_node_get(node, "profile");
    gh_str text = name != NULL && name->kind == GH_NODE_SCALAR ? name->text : GH_STR("generic");
    if (gh_node_get(node, "managed") != NULL)
        text = GH_STR("managed");
    const struct gh_profile *profile = gh_profile_builtin(text);
    gh_str refusal = gh_profile_refusal(text);
    if (profile == NULL)
        gh_tell_wrong(fill->teller, name, NULL,
                      refusal.len != 0
                          ? gh_tell_text(fill->teller, "another profile: %.*s", GH_STR_FMT(refusal))
                          : gh_profile_builtin_names());
    if (profile == NULL)
        profile = gh_profile_builtin(GH_STR("generic"));
    if (profile != NULL)
        issuer->conf.profile = *profile;
    issuer->conf.profile.name = issuer->at.name;
}
