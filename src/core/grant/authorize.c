/* core/grant/authorize.c: authorization requests: read in the order that decides where an error may go. */
#include "base/arena.h"
#include "base/str.h"
#include "core/grant/rows.h"
#include "core/grant/secret.h"
#include "core/token/claims.h"
#include "gatehouse/grant.h"

#define STATE_MAX 4096u
#define HINT_MAX  256u

/* ---- the resource ---- */

/* A client may be bound to some resources only. */
static bool client_may(const struct gh_client *client, gh_str canonical)
{
    return client->resources.count == 0 || gh_strs_has(client->resources, canonical);
}

static enum gh_reason matches(struct gh_arena *arena, const struct gh_grant_resource *resource, gh_str asked,
                              bool *ret_matches)
{
    if (asked.ptr == NULL) {
        *ret_matches = true;
        return GH_OK;
    }
    return gh_resource_matches(arena, resource->canonical, asked, ret_matches);
}

enum gh_reason gh_grant_find_resource(struct gh_arena *arena, const struct gh_grant_policy *policy,
                                      const struct gh_client *client, gh_str asked,
                                      const struct gh_grant_resource **ret_resource)
{
    const struct gh_grant_resource *found = NULL;
    size_t count = 0;
    for (size_t i = 0; i < policy->resource_count; i++) {
        bool is_meant = false;
        enum gh_reason reason = matches(arena, &policy->resources[i], asked, &is_meant);
        if (reason != GH_OK)
            return reason;
        if (!is_meant || !client_may(client, policy->resources[i].canonical))
            continue;
        found = &policy->resources[i];
        count++;
    }
    if (count != 1)
        return GH_RESOURCE_UNKNOWN;
    *ret_resource = found;
    return GH_OK;
}

/* Unknown scopes are dropped and the rest is echoed: clients ask for whole catalogues (mcp.md S28). */
enum gh_reason gh_grant_scopes(struct gh_arena *arena, const struct gh_client *client,
                               const struct gh_grant_resource *resource, gh_str asked,
                               struct gh_strs *ret_scopes)
{
    struct gh_strs words = resource->default_scopes, scopes = { 0 };
    enum gh_reason reason = asked.ptr != NULL ? gh_scope_read(arena, asked, &words) : GH_OK;
    /* offline_access says nothing about the resource: alone it asks for the defaults (mcp.md fact 12) */
    if (reason == GH_OK && words.count == 1 && gh_str_eq(words.at[0], GH_STR("offline_access")))
        words = resource->default_scopes;
    if (reason == GH_OK)
        reason = gh_scope_common(arena, words, resource->scopes, &scopes);
    if (reason == GH_OK && client->scopes.count > 0)
        reason = gh_scope_common(arena, client->scopes, scopes, &scopes);
    if (reason != GH_OK)
        return reason;
    if (scopes.count == 0 && resource->scopes.count > 0)
        return GH_SCOPE_NONE;
    *ret_scopes = scopes;
    return GH_OK;
}

/* ---- the request ---- */

enum gh_reason gh_authorization_redirect(const struct gh_client *client, const struct gh_form *form,
                                         gh_str *ret_redirect_uri)
{
    gh_str presented = gh_form_get(form, GH_STR("redirect_uri"));
    if (presented.ptr == NULL && client->redirect_uris.count == 1)
        presented = client->redirect_uris.at[0];
    for (size_t i = 0; presented.ptr != NULL && i < client->redirect_uris.count; i++) {
        if (!gh_redirect_matches(client->redirect_uris.at[i], presented))
            continue;
        *ret_redirect_uri = presented;
        return GH_OK;
    }
    return GH_REDIRECT_UNKNOWN;
}

static enum gh_reason check_words(const struct gh_client *client, const struct gh_form *form)
{
    gh_str mode = gh_form_get(form, GH_STR("response_mode"));
    if (gh_form_get(form, GH_STR("request")).ptr != NULL ||
        gh_form_get(form, GH_STR("request_uri")).ptr != NULL)
        return GH_REQUEST_OBJECT;
    if (!gh_str_eq(gh_form_get(form, GH_STR("response_type")), GH_STR("code")) ||
        (mode.ptr != NULL && !gh_str_eq(mode, GH_STR("query"))))
        return GH_RESPONSE_TYPE;
    if ((client->grants & GH_GRANT_CODE) == 0)
        return GH_GRANT_UNAUTHORIZED;
    /* OAuth 2.1 section 4.1.1; a method left out means plain, which is not offered. */
    if (!gh_pkce_challenge_is_legal(gh_form_get(form, GH_STR("code_challenge"))) ||
        !gh_str_eq(gh_form_get(form, GH_STR("code_challenge_method")), GH_STR("S256")))
        return GH_PKCE_MISSING;
    return GH_OK;
}

/* OpenID Connect Core section 3.1.2.1: none stands alone; select_account means nothing here. */
static enum gh_reason read_prompt(gh_str prompt, struct gh_authorization *request)
{
    request->prompt_none = gh_words_have(prompt, GH_STR("none"));
    request->prompt_login = gh_words_have(prompt, GH_STR("login"));
    request->prompt_consent = gh_words_have(prompt, GH_STR("consent"));
    return request->prompt_none && gh_str_find(prompt, ' ') < prompt.len ? GH_PROMPT : GH_OK;
}

enum gh_reason gh_authorization_read(struct gh_arena *arena, const struct gh_grant_policy *policy,
                                     const struct gh_client *client, const struct gh_form *form,
                                     gh_str redirect_uri, struct gh_authorization *ret_request)
{
    const struct gh_grant_resource *resource = NULL;
    struct gh_authorization request = { .client_id = client->id,
                                        .redirect_uri = redirect_uri,
                                        .state = gh_form_get(form, GH_STR("state")),
                                        .code_challenge = gh_form_get(form, GH_STR("code_challenge")),
                                        .login_hint = gh_form_get(form, GH_STR("login_hint")) };
    enum gh_reason reason = check_words(client, form);
    if (reason == GH_OK)
        reason = read_prompt(gh_form_get(form, GH_STR("prompt")), &request);
    if (reason == GH_OK)
        reason =
            gh_grant_find_resource(arena, policy, client, gh_form_get(form, GH_STR("resource")), &resource);
    if (reason == GH_OK)
        reason =
            gh_grant_scopes(arena, client, resource, gh_form_get(form, GH_STR("scope")), &request.scopes);
    if (reason != GH_OK)
        return reason;
    if (request.state.len > STATE_MAX)
        return GH_FORM_MALFORMED;
    if (request.login_hint.len > HINT_MAX)
        request.login_hint = GH_STR_NONE;
    request.resource = resource->canonical;
    *ret_request = request;
    return GH_OK;
}

gh_str gh_authorization_write(struct gh_arena *arena, const struct gh_authorization *request)
{
    struct gh_text text = { .arena = arena };
    gh_put_text(&text, "client", request->client_id);
    gh_put_text(&text, "redirect_uri", request->redirect_uri);
    gh_put_text(&text, "state", request->state);
    gh_put_text(&text, "challenge", request->code_challenge);
    gh_put_text(&text, "resource", request->resource);
    gh_put_list(&text, "scopes", request->scopes);
    gh_put_text(&text, "hint", request->login_hint);
    gh_put_true(&text, "none", request->prompt_none);
    gh_put_true(&text, "login", request->prompt_login);
    gh_put_true(&text, "consent", request->prompt_consent);
    return gh_put_end(&text);
}

enum gh_reason gh_authorization_load(struct gh_arena *arena, gh_str value,
                                     struct gh_authorization *ret_request)
{
    struct gh_json row;
    enum gh_reason reason = gh_json_read(arena, value, &gh_json_control_limits, GH_STORE_MALFORMED, &row);
    if (reason != GH_OK)
        return reason;
    bool ok = true;
    struct gh_authorization request = { .client_id = gh_get_text(&row, "client", &ok),
                                        .redirect_uri = gh_get_text(&row, "redirect_uri", &ok),
                                        .state = gh_get_text(&row, "state", &ok),
                                        .code_challenge = gh_get_text(&row, "challenge", &ok),
                                        .resource = gh_get_text(&row, "resource", &ok),
                                        .scopes = gh_get_list(arena, &row, "scopes", &ok),
                                        .login_hint = gh_get_text(&row, "hint", &ok),
                                        .prompt_none = gh_get_true(&row, "none", &ok),
                                        .prompt_login = gh_get_true(&row, "login", &ok),
                                        .prompt_consent = gh_get_true(&row, "consent", &ok) };
    if (!ok || request.client_id.len == 0 || request.redirect_uri.len == 0 || request.resource.len == 0)
        return GH_STORE_MALFORMED;
    *ret_request = request;
    return GH_OK;
}

/* ---- the answer ---- */

gh_str gh_authorization_answer(struct gh_arena *arena, const struct gh_grant_policy *policy,
                               gh_str redirect_uri, gh_str state, gh_str code, enum gh_reason error)
{
    const struct gh_reason_row *row = gh_reason_row(error);
    gh_str name = gh_str_from(row->error != NULL ? row->error : "server_error");
    gh_str text = gh_str_from(row->text);
    bool failed = error != GH_OK;
    const struct gh_parameter parameters[] = {
        { GH_STR("code"), failed ? GH_STR_NONE : code },
        { GH_STR("error"), failed ? name : GH_STR_NONE },
        { GH_STR("error_description"), failed ? text : GH_STR_NONE },
        { GH_STR("state"), state.len > 0 ? state : GH_STR_NONE },
        { GH_STR("iss"), policy->issuer },
    };
    return gh_url_with(arena, redirect_uri, parameters, GH_ARRAY_LEN(parameters));
}

/* The port of a loopback redirect is any free one, each time another: it tells no two programs apart. */
static gh_str place_of(gh_str redirect_uri)
{
    gh_str host = gh_redirect_host(redirect_uri);
    size_t colon = gh_str_rfind(host, ':'), bracket = gh_str_rfind(host, ']');
    bool has_port = colon < host.len && (bracket == host.len || colon > bracket);
    return has_port && gh_str_starts(redirect_uri, GH_STR("http://")) ? gh_str_take(host, colon) : host;
}

gh_str gh_consent_key(struct gh_arena *arena, gh_str user, const struct gh_authorization *request)
{
    gh_str scopes = gh_scope_write(arena, request->scopes);
    const gh_str parts[] = { user, request->client_id, request->resource, scopes,
                             place_of(request->redirect_uri) };
    return scopes.ptr != NULL ? gh_row_key(arena, "consent", parts, GH_ARRAY_LEN(parts)) : GH_STR_NONE;
}
