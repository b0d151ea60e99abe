/* conf/check_login.c: providers that people sign in at: whose they are, how we show who asks, where their
 * keys are. */
#include "base/str.h"
#include "conf/build.h"

#define MAX_AGE_S   600
#define MAX_STALE_S 3600
#define COOLDOWN_S  30
static const gh_str entra_discovery =
    GH_STR_INIT("https://login.microsoftonline.com/organizations/v2.0/.well-known/openid-configuration");

struct made {
    struct gh_build *build;
    struct gh_arena *arena; /* of the issuer site */
    const struct gh_settings_login *from;
    struct gh_issuer_login *login;
};

static gh_str text(struct made *made, gh_str value)
{
    made->build->teller->out_of_memory |= value.ptr == NULL;
    return value.ptr != NULL ? value : GH_STR("");
}

static void wrong(struct made *made, const char *key, gh_str found, gh_str allowed)
{
    gh_tell_error(made->build->teller, made->from->at.node, key, found, allowed);
}

/* ---- who it is ---- */

static struct gh_strs one_text(struct made *made, gh_str value)
{
    gh_str *at = gh_arena_calloc(made->arena, 1, sizeof(*at));
    made->build->teller->out_of_memory |= at == NULL;
    if (at == NULL)
        return (struct gh_strs){ 0 };
    *at = value;
    return (struct gh_strs){ at, 1 };
}

static gh_str with_tenant(struct made *made, gh_str template, gh_str tenant)
{
    gh_str mark = GH_STR("{tid}"), before = template;
    for (size_t i = 0; i + mark.len <= template.len; i++)
        if (gh_str_starts(gh_str_skip(template, i), mark))
            before = gh_str_take(template, i);
    return text(made, gh_arena_printf(made->arena, "%.*s%.*s%.*s", GH_STR_FMT(before), GH_STR_FMT(tenant),
                                      GH_STR_FMT(gh_str_skip(template, before.len + mark.len))));
}

/* Users, codes and keys come by it, so nobody on the way may change it. What is fetched from there on
 * loopback needs fetch.allow_http_loopback besides. */
static void check_url(struct made *made, const char *key, gh_str read, gh_str written)
{
    struct gh_url url;
    if (read.len == 0)
        return;
    if (!gh_build_read_url(made->build->teller, read, &url))
        wrong(made, key, gh_tell_quoted(made->build->teller, written), GH_STR("an https URL"));
    else if (gh_str_eq(url.scheme, GH_STR("http")) && !gh_build_is_loopback(url.authority.host))
        wrong(made, key, gh_tell_quoted(made->build->teller, written),
              GH_STR("an https URL; http only on loopback"));
}

static void check_template(struct made *made, gh_str template)
{
    if (gh_str_contains(template, GH_STR("{tid}")))
        check_url(made, "issuer_template", with_tenant(made, template, GH_STR("tenant")), template);
    else
        wrong(made, "issuer_template", gh_tell_quoted(made->build->teller, template),
              GH_STR("a text that holds {tid}"));
    if (made->from->tenants.count == 0)
        wrong(made, "tenants", GH_STR("nothing"),
              GH_STR("the list of tenants whose users may sign in, since the template fits all"));
    if (made->from->discovery_url.len == 0 && made->from->jwks_url.len == 0)
        wrong(made, "discovery", GH_STR("nothing"),
              GH_STR("where the metadata of all tenants is, beside issuer_template"));
}

/* One issuer, or a template for several tenants. */
static void name_issuer(struct made *made)
{
    const struct gh_settings_login *from = made->from;
    struct gh_profile *profile = &made->login->login.profile;
    gh_str by_profile = gh_login_profile_issuer(gh_settings_login_profile(from));
    bool has_template = gh_str_contains(by_profile, GH_STR("{tid}"));
    if (from->issuer.len > 0 && from->issuer_template.len > 0) {
        wrong(made, "issuer_template", GH_STR("issuer and issuer_template"), GH_STR("one of the two"));
    } else if (from->issuer_template.len > 0) {
        check_template(made, from->issuer_template);
        profile->issuer_template = from->issuer_template;
    } else if (from->issuer.len > 0) {
        check_url(made, "issuer", from->issuer, from->issuer);
        profile->issuers = one_text(made, from->issuer);
    } else if (has_template && from->tenants.count == 1) {
        profile->issuers = one_text(made, with_tenant(made, by_profile, from->tenants.at[0]));
    } else if (has_template) {
        profile->issuer_template = by_profile;
        made->login->ring->discovery_url = entra_discovery;
    } else if (by_profile.len > 0) {
        profile->issuers = one_text(made, by_profile);
    } else {
        wrong(made, "issuer", GH_STR("nothing"), GH_STR("the issuer as its ID tokens write it in iss"));
    }
}

static void limit_tenants(struct made *made)
{
    const struct gh_settings_login *from = made->from;
    struct gh_profile *profile = &made->login->login.profile;
    gh_str name = gh_settings_login_profile(from);
    bool is_open = gh_str_eq(name, GH_STR("google")) || gh_str_eq(name, GH_STR("entra-id"));
    if (from->tenant_claims.count > 0)
        profile->tenant_claims = from->tenant_claims;
    if (from->tenant_claims.count > 0 && gh_str_eq(name, GH_STR("entra-id")))
        wrong(made, "tenant_claims", GH_STR("a list"),
              GH_STR("none with profile entra-id: users are known by tid and oid"));
    profile->tenant_ids = from->tenants;
    if (is_open && from->tenants.count == 0)
        wrong(made, "tenants", GH_STR("nothing"),
              GH_STR(
                  "the directories or domains whose users may sign in: everybody can have an account there"));
    if (from->tenants.count > 0 && profile->tenant_claims.count == 0)
        wrong(made, "tenants", GH_STR("a list, but no tenant claim to compare it with"),
              GH_STR("tenant_claims beside it"));
}

/* ---- how we ask ---- */

static void check_credential(struct made *made)
{
    const struct gh_settings_login *from = made->from;
    bool wants_secret = from->auth == GH_CLIENT_AUTH_BASIC || from->auth == GH_CLIENT_AUTH_POST;
    bool has_secret = from->secret_file.len > 0, has_key = from->key_file.len > 0;
    if (has_secret != wants_secret)
        wrong(made, "client_secret_file", has_secret ? GH_STR("a file") : GH_STR("nothing"),
              GH_STR("a file with client_secret_basic and client_secret_post, and only there"));
    if (has_key != (from->auth == GH_CLIENT_AUTH_KEY))
        wrong(made, "key_file", has_key ? GH_STR("a file") : GH_STR("nothing"),
              GH_STR("a file with private_key_jwt, and only there"));
}

static void set_endpoints(struct made *made)
{
    const struct gh_settings_login *from = made->from;
    const struct {
        const char *key;
        gh_str url;
    } places[] = { { "authorization_endpoint", from->authorization_url },
                   { "token_endpoint", from->token_url },
                   { "jwks", from->jwks_url } };
    size_t count = 0;
    for (size_t i = 0; i < GH_ARRAY_LEN(places); i++) {
        check_url(made, places[i].key, places[i].url, places[i].url);
        count += places[i].url.len > 0 ? 1 : 0;
    }
    check_url(made, "discovery", from->discovery_url, from->discovery_url);
    if (count != 0 && count != GH_ARRAY_LEN(places))
        wrong(made, NULL, GH_STR("some of authorization_endpoint, token_endpoint and jwks"),
              GH_STR("all three, or none and the metadata"));
    made->login->authorization_endpoint = from->authorization_url;
    made->login->token_endpoint = from->token_url;
    made->login->sends_iss = from->response_iss;
}

static void set_ring(struct made *made)
{
    struct gh_issuer_conf *ring = made->login->ring;
    ring->is_login = true;
    ring->profile = made->login->login.profile;
    ring->profile.name = made->login->full_name;
    if (made->from->discovery_url.len > 0)
        ring->discovery_url = made->from->discovery_url;
    ring->jwks_url = made->from->jwks_url;
    ring->max_age_s = MAX_AGE_S;
    ring->max_stale_s = MAX_STALE_S;
    ring->cooldown_s = COOLDOWN_S;
}

static void build_login(struct made *made, const struct gh_managed *managed)
{
    static const gh_str usual[] = { GH_STR_INIT("profile"), GH_STR_INIT("email") };
    const struct gh_settings_login *from = made->from;
    struct gh_login *login = &made->login->login;
    gh_str profile = gh_settings_login_profile(from);
    login->name = from->at.name;
    login->profile = *gh_login_profile(profile);
    login->profile.name = from->at.name;
    login->tenant_hint = gh_str_eq(profile, GH_STR("google")) ? GH_STR("hd") : GH_STR("");
    login->client_id = from->client_id;
    login->auth = (enum gh_client_auth)from->auth;
    bool has_scopes = gh_node_get(from->at.node, "scopes") != NULL;
    login->scopes = has_scopes ? from->scopes : (struct gh_strs){ usual, GH_ARRAY_LEN(usual) };
    made->login->label = from->display_name.len > 0 ? from->display_name : from->at.name;
    made->login->secret_file = from->secret_file;
    made->login->key_file = from->key_file;
    made->login->slot = UINT32_MAX;
    made->login->redirect_uri =
        text(made, gh_arena_printf(made->arena, "%.*s/login/callback/%.*s",
                                   GH_STR_FMT(managed->policy.issuer), GH_STR_FMT(from->at.name)));
    made->login->full_name = text(made, gh_arena_printf(made->arena, "%.*s/%.*s", GH_STR_FMT(managed->name),
                                                        GH_STR_FMT(from->at.name)));
    made->login->ring = GH_ARENA_NEW(made->arena, struct gh_issuer_conf);
    if (made->login->ring == NULL) {
        made->build->teller->out_of_memory = true;
        return;
    }
    limit_tenants(made);
    name_issuer(made);
    check_credential(made);
    set_endpoints(made);
    set_ring(made);
}

void gh_build_logins(struct gh_build *build, const struct gh_settings_managed *from,
                     struct gh_managed *managed)
{
    struct gh_arena *arena = build->settings->conf.issuer_site->arena;
    managed->logins = gh_arena_calloc(arena, from->login.count + 1, sizeof(*managed->logins));
    build->teller->out_of_memory |= managed->logins == NULL;
    for (size_t i = 0; managed->logins != NULL && i < from->login.count; i++) {
        struct made made = { build, arena, (const struct gh_settings_login *)from->login.at + i,
                             &managed->logins[managed->login_count++] };
        build_login(&made, managed);
    }
}
