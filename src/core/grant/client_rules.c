/* core/grant/client_rules.c: the rules of pre-registered clients, each with its words. */
#include "core/grant/client_rules.h"

#include "base/arena.h"
#include "base/str.h"
#include "core/grant/client_words.h"
#include "core/grant/rows.h"

#define REDIRECTS_MAX 20u

static bool has_secret(const struct gh_client *client)
{
    return client->auth == GH_CLIENT_AUTH_BASIC || client->auth == GH_CLIENT_AUTH_POST;
}

/* ---- what is asked for ---- */

static gh_str read_words(const struct gh_json *asked, struct gh_strs grants, struct gh_client *client)
{
    bool ok = true;
    gh_str auth = gh_get_text(asked, "auth", &ok);
    bool says_grants = gh_json_get(asked, GH_STR("grants")) != NULL;
    client->grants = GH_CLIENT_GRANTS_UNSAID;
    if (!gh_client_auth_read(auth.len > 0 ? auth : GH_STR("none"), &client->auth))
        return GH_STR("auth: allowed: none, client_secret_basic, client_secret_post, private_key_jwt");
    if (says_grants && !gh_client_grants_read(grants, &client->grants))
        return GH_STR("grants: allowed: authorization_code, refresh_token, client_credentials");
    return GH_STR("");
}

gh_str gh_client_wish_read(struct gh_arena *arena, const struct gh_json *asked, struct gh_client *ret_client)
{
    const struct gh_json *jwks = gh_json_get(asked, GH_STR("jwks")),
                         *no_consent = gh_json_get(asked, GH_STR("no_consent"));
    bool ok = true;
    struct gh_client client = {
        .id = gh_get_text(asked, "client", &ok),
        .name = gh_get_text(asked, "name", &ok),
        .kind = GH_CLIENT_SETTINGS,
        .redirect_uris = gh_get_list(arena, asked, "redirect_uris", &ok),
        .scopes = gh_get_list(arena, asked, "scopes", &ok),
        .resources = gh_get_list(arena, asked, "resources", &ok),
        .jwks = jwks != NULL ? gh_json_write(arena, jwks) : GH_STR(""),
    };
    struct gh_strs grants = gh_get_list(arena, asked, "grants", &ok);
    const struct gh_strs lists[] = { client.redirect_uris, client.scopes, client.resources, grants };
    for (size_t i = 0; i < GH_ARRAY_LEN(lists); i++)
        if (gh_list_failed(lists[i]))
            return GH_STR_NONE;
    if (client.jwks.ptr == NULL)
        return GH_STR_NONE;
    client.no_consent = no_consent != NULL && no_consent->type == GH_JSON_TRUE;
    if (!ok)
        return GH_STR("redirect_uris, scopes, resources, grants: allowed: lists of texts");
    gh_str words = read_words(asked, grants, &client);
    *ret_client = client;
    return words;
}

void gh_client_fill_in(struct gh_client *client)
{
    if (client->grants == GH_CLIENT_GRANTS_UNSAID)
        client->grants = client->redirect_uris.count > 0 ? GH_GRANT_CODE | GH_GRANT_REFRESH : 0;
    if (client->name.len == 0)
        client->name = client->id;
}

/* ---- redirect URIs and grants ---- */

static void fault(struct gh_client_faults *faults, const char *member, gh_str found, gh_str allowed)
{
    faults->at[faults->count++] = (struct gh_client_fault){ member, found, allowed };
}

/* The operator may name any private-use scheme. */
static enum gh_reason check_redirects(struct gh_arena *arena, const struct gh_client *client,
                                      struct gh_client_faults *faults)
{
    if (client->redirect_uris.count > REDIRECTS_MAX)
        fault(faults, "redirect_uris", GH_STR("more of them"), GH_STR("at most 20"));
    for (size_t i = 0; faults->count == 0 && i < client->redirect_uris.count; i++) {
        enum gh_redirect_kind kind;
        gh_str uri = client->redirect_uris.at[i], own = gh_str_take(uri, gh_str_find(uri, ':'));
        enum gh_reason reason = gh_redirect_check(arena, uri, (struct gh_strs){ &own, 1 }, &kind);
        if (reason == GH_OUT_OF_MEMORY)
            return reason;
        if (reason != GH_OK)
            fault(faults, "redirect_uris", uri,
                  GH_STR("https, http on loopback or a private-use scheme; no fragment, user or wildcard"));
    }
    return GH_OK;
}

static void check_grants(const struct gh_client *client, struct gh_client_faults *faults)
{
    unsigned grants = client->grants;
    bool redirects = client->redirect_uris.count > 0, proves = client->auth != GH_CLIENT_AUTH_NONE;
    bool codes = (grants & GH_GRANT_CODE) != 0;
    if (codes != redirects)
        fault(faults, "grants",
              redirects ? GH_STR("no authorization_code")
                        : GH_STR("authorization_code without redirect_uris"),
              GH_STR("authorization_code together with redirect_uris"));
    else if ((grants & GH_GRANT_REFRESH) != 0 && !codes)
        fault(faults, "grants", GH_STR("refresh_token alone"),
              GH_STR("it with authorization_code beside it"));
    else if ((grants & GH_GRANT_CREDENTIALS) != 0 && !proves)
        fault(faults, "grants", GH_STR("client_credentials for a public client"),
              GH_STR("that with a secret or a key"));
    else if (grants == 0 && !proves)
        fault(faults, "grants", GH_STR("none for a public client"),
              GH_STR("redirect_uris, a secret or a key: it has nothing else to do here"));
}

/* ---- keys ---- */

gh_str gh_client_keys_wrong(struct gh_arena *arena, gh_str jwks)
{
    struct gh_json set;
    struct gh_jwks *read = NULL;
    enum gh_reason reason = gh_jwks_read(jwks, (1u << GH_ALG_COUNT) - 1u, NULL, &read);
    gh_jwks_unref(read);
    if (reason == GH_OK)
        reason = gh_json_read(arena, jwks, &gh_json_control_limits, GH_KEYS_MALFORMED, &set);
    if (reason == GH_OUT_OF_MEMORY)
        return GH_STR_NONE;
    if (reason != GH_OK)
        return GH_STR("is no JWK set, or none of its keys can be used");
    const struct gh_json *keys = gh_json_get(&set, GH_STR("keys"));
    for (size_t i = 0; i < keys->count; i++)
        if (gh_json_get(&keys->items[i], GH_STR("d")) != NULL ||
            gh_json_get(&keys->items[i], GH_STR("k")) != NULL)
            return GH_STR("found a private or shared key; allowed: public keys");
    return GH_STR("");
}

static gh_str wrong_keys(struct gh_arena *arena, const struct gh_client *client)
{
    if ((client->jwks.len > 0) != (client->auth == GH_CLIENT_AUTH_KEY))
        return GH_STR("jwks: allowed with private_key_jwt, which needs it, and only there");
    gh_str why = client->jwks.len > 0 ? gh_client_keys_wrong(arena, client->jwks) : GH_STR("");
    return why.len > 0 ? gh_arena_printf(arena, "jwks: %.*s", GH_STR_FMT(why)) : why;
}

/* ---- resources and scopes ---- */

static bool is_resource(const struct gh_grant_policy *policy, gh_str canonical)
{
    for (size_t i = 0; i < policy->resource_count; i++)
        if (gh_str_eq(policy->resources[i].canonical, canonical))
            return true;
    return false;
}

static enum gh_reason check_resources(struct gh_arena *arena, const struct gh_grant_policy *policy,
                                      const struct gh_client *client, struct gh_client_faults *faults)
{
    for (size_t i = 0; i < client->resources.count; i++) {
        if (is_resource(policy, client->resources.at[i]))
            continue;
        gh_str allowed =
            gh_arena_printf(arena, "resources of routes that trust %.*s", GH_STR_FMT(policy->issuer_name));
        fault(faults, "resources", client->resources.at[i], allowed);
        return allowed.ptr != NULL ? GH_OK : GH_OUT_OF_MEMORY;
    }
    return GH_OK;
}

static bool has_scope(const struct gh_grant_policy *policy, const struct gh_client *client, gh_str scope)
{
    bool found = false;
    for (size_t k = 0; k < policy->resource_count; k++)
        found |= (client->resources.count == 0 ||
                  gh_strs_has(client->resources, policy->resources[k].canonical)) &&
                 gh_strs_has(policy->resources[k].scopes, scope);
    return found;
}

static void check_scopes(const struct gh_grant_policy *policy, const struct gh_client *client,
                         struct gh_client_faults *faults)
{
    for (size_t i = 0; i < client->scopes.count; i++) {
        if (has_scope(policy, client, client->scopes.at[i]))
            continue;
        fault(faults, "scopes", client->scopes.at[i],
              GH_STR("scopes that one of the client's resources has"));
        return;
    }
}

enum gh_reason gh_client_check(struct gh_arena *arena, const struct gh_grant_policy *policy,
                               const struct gh_client *client, struct gh_client_faults *ret_faults)
{
    struct gh_client_faults faults = { .count = 0 };
    enum gh_reason reason = check_redirects(arena, client, &faults);
    if (!gh_str_eq(gh_client_name_cut(client->name), client->name))
        fault(&faults, "name", GH_STR(""), GH_STR("at most 100 characters, no control characters"));
    check_grants(client, &faults);
    if (reason == GH_OK)
        reason = check_resources(arena, policy, client, &faults);
    check_scopes(policy, client, &faults);
    if (reason == GH_OK)
        *ret_faults = faults;
    return reason;
}

static gh_str words_of(struct gh_arena *arena, const struct gh_client_fault *first)
{
    bool tells = first->found.len > 0;
    return gh_arena_printf(arena, "%s: %s%.*s%sallowed: %.*s", first->member, tells ? "found " : "",
                           GH_STR_FMT(first->found), tells ? "; " : "", GH_STR_FMT(first->allowed));
}

gh_str gh_client_wrong(struct gh_arena *arena, const struct gh_grant_policy *policy,
                       const struct gh_client *client)
{
    struct gh_client_faults faults;
    if (!gh_id_is_sound(client->id))
        return GH_STR("client: allowed: 1 to 64 letters, digits, - and _");
    if (gh_client_check(arena, policy, client, &faults) != GH_OK)
        return GH_STR_NONE;
    return faults.count > 0 ? words_of(arena, &faults.at[0]) : wrong_keys(arena, client);
}

/* ---- secrets: the newest last ---- */

bool gh_client_add_secret(struct gh_arena *arena, struct gh_client *client, gh_str hash)
{
    gh_str *at = gh_arena_calloc(arena, GH_CLIENT_SECRETS_MAX, sizeof(*at));
    size_t count = client->secrets.count;
    if (at == NULL || count >= GH_CLIENT_SECRETS_MAX || !has_secret(client))
        return false;
    for (size_t i = 0; i < count; i++)
        at[i] = client->secrets.at[i];
    at[count] = hash;
    client->secrets = (struct gh_strs){ at, count + 1 };
    return true;
}

bool gh_client_drop_secret(struct gh_client *client)
{
    if (client->secrets.count < GH_CLIENT_SECRETS_MAX)
        return false;
    client->secrets = (struct gh_strs){ client->secrets.at + 1, client->secrets.count - 1 };
    return true;
}
