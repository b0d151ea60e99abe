/* core/grant/token.c: access tokens of grants: minted, written as claims, answered. */
#include "base/arena.h"
#include "base/base64.h"
#include "base/str.h"
#include "core/grant/rows.h"
#include "core/grant/secret.h"
#include "core/token/claims.h"

gh_str gh_secret_text(struct gh_arena *arena, const unsigned char *bytes, size_t len)
{
    size_t text_len = gh_base64url_encoded_len(len);
    char *text = gh_arena_alloc(arena, text_len + 1);
    if (text == NULL)
        return GH_STR_NONE;
    gh_base64url_encode(gh_str_of(bytes, len), text);
    text[text_len] = '\0';
    return gh_str_of(text, text_len);
}

gh_str gh_id_text(struct gh_arena *arena, const char *prefix, const unsigned char random[16])
{
    gh_str text = gh_secret_text(arena, random, 16);
    return text.ptr != NULL ? gh_arena_printf(arena, "%s%.*s", prefix, GH_STR_FMT(text)) : GH_STR_NONE;
}

/* A token of the very second of an epoch would be refused by it (issuer.md section 10). */
int64_t gh_moment_counts(const struct gh_moment *moment)
{
    bool lags = moment->known > 0 && moment->known < moment->now;
    int64_t known = lags ? moment->known : moment->now;
    return known > moment->epoch || moment->epoch == INT64_MAX ? known : moment->epoch + 1;
}

enum gh_reason gh_grant_mint(struct gh_arena *arena, const struct gh_redemption *redemption,
                             const struct gh_grant *grant, struct gh_strs scopes,
                             struct gh_grant_token *ret_token)
{
    if (redemption->moment.epoch == INT64_MAX) /* over for ever */
        return GH_GRANT_INVALID;
    struct gh_grant_token token = {
        .subject = grant->user,
        .client = grant->client,
        .resource = grant->resource,
        .grant = grant->id,
        .jti = gh_id_text(arena, "", redemption->random->jti),
        .scopes = scopes,
        .issued = gh_moment_counts(&redemption->moment),
    };
    token.expires = token.issued + redemption->policy->access_s;
    if (token.jti.ptr == NULL)
        return GH_OUT_OF_MEMORY;
    *ret_token = token;
    return GH_OK;
}

gh_str gh_grant_claims(struct gh_arena *arena, const struct gh_grant_policy *policy,
                       const struct gh_grant_token *token)
{
    struct gh_text text = { .arena = arena };
    gh_put_text(&text, "iss", policy->issuer);
    gh_put_text(&text, "sub", token->subject);
    gh_put_text(&text, "sub_profile", token->is_service ? GH_STR("service") : GH_STR("user"));
    gh_put_text(&text, "aud", token->resource);
    gh_put_text(&text, "client_id", token->client);
    gh_put_made(&text, "scope", gh_scope_write(arena, token->scopes));
    gh_put_text(&text, "tenant", policy->tenant);
    gh_put_text(&text, "sid", token->grant);
    gh_put_text(&text, "jti", token->jti);
    gh_put_number(&text, "iat", token->issued);
    gh_put_number(&text, "exp", token->expires);
    return gh_put_end(&text);
}

enum gh_reason gh_grant_token_read(struct gh_arena *arena, const struct gh_token *token,
                                   struct gh_grant_token *ret_token)
{
    const struct gh_json *claims = &token->claims->root;
    bool ok = true;
    struct gh_grant_token read = { .subject = gh_get_text(claims, "sub", &ok),
                                   .client = gh_get_text(claims, "client_id", &ok),
                                   .resource = gh_get_text(claims, "aud", &ok),
                                   .grant = gh_get_text(claims, "sid", &ok),
                                   .jti = gh_get_text(claims, "jti", &ok),
                                   .issued = gh_get_number(claims, "iat", &ok),
                                   .expires = gh_get_number(claims, "exp", &ok) };
    enum gh_reason reason = gh_scope_read(arena, gh_get_text(claims, "scope", &ok), &read.scopes);
    if (reason == GH_OUT_OF_MEMORY)
        return reason;
    if (!ok || reason != GH_OK || read.subject.len == 0 || read.jti.len == 0)
        return GH_TOKEN_CLAIMS;
    *ret_token = read;
    return GH_OK;
}

gh_str gh_grant_introspection(struct gh_arena *arena, const struct gh_grant_policy *policy,
                              const struct gh_grant_token *token)
{
    struct gh_text text = { .arena = arena };
    gh_put_true(&text, "active", true);
    gh_put_text(&text, "iss", policy->issuer);
    gh_put_text(&text, "sub", token->subject);
    gh_put_text(&text, "aud", token->resource);
    gh_put_text(&text, "client_id", token->client);
    gh_put_made(&text, "scope", gh_scope_write(arena, token->scopes));
    gh_put_text(&text, "tenant", policy->tenant);
    gh_put_text(&text, "sid", token->grant);
    gh_put_text(&text, "jti", token->jti);
    gh_put_text(&text, "token_type", GH_STR("Bearer"));
    gh_put_number(&text, "iat", token->issued);
    gh_put_number(&text, "exp", token->expires);
    return gh_put_end(&text);
}

gh_str gh_grant_answer(struct gh_arena *arena, const struct gh_grant_token *token, gh_str access_token)
{
    struct gh_text text = { .arena = arena };
    gh_put_text(&text, "access_token", access_token);
    gh_put_text(&text, "token_type", GH_STR("Bearer"));
    gh_put_number(&text, "expires_in", token->expires - token->issued);
    gh_put_made(&text, "scope", gh_scope_write(arena, token->scopes));
    gh_put_text(&text, "refresh_token", token->refresh_token);
    return gh_put_end(&text);
}

/* ---- client_credentials ---- */

enum gh_reason gh_credentials_redeem(struct gh_arena *arena, const struct gh_redemption *redemption,
                                     struct gh_grant_token *ret_token)
{
    const struct gh_client *client = redemption->client;
    const struct gh_form *form = redemption->form;
    const struct gh_grant_resource *resource;
    /* RFC 6749 section 4.4: "The client credentials grant type MUST only be used by confidential clients." */
    if ((client->grants & GH_GRANT_CREDENTIALS) == 0 || client->auth == GH_CLIENT_AUTH_NONE)
        return GH_GRANT_UNAUTHORIZED;
    /* Its token would be younger than the end of this client: nothing else would refuse it. Whoever asks
     * again finds what is true by then. */
    if (redemption->client_read < redemption->moment.client)
        return GH_OVERLOADED;
    enum gh_reason reason = gh_grant_find_resource(arena, redemption->policy, client,
                                                   gh_form_get(form, GH_STR("resource")), &resource);
    if (reason != GH_OK)
        return reason;
    struct gh_grant service = { .user = client->id, .client = client->id, .resource = resource->canonical };
    struct gh_strs scopes;
    reason = gh_grant_scopes(arena, client, resource, gh_form_get(form, GH_STR("scope")), &scopes);
    if (reason == GH_OK)
        reason = gh_grant_mint(arena, redemption, &service, scopes, ret_token);
    if (reason == GH_OK)
        ret_token->is_service = true;
    return reason;
}
