/* issuer/revoke.c: revocation (RFC 7009) and introspection (RFC 7662) of tokens of this issuer. */
#include "base/str.h"
#include "issuer/document.h"
#include "issuer/flow.h"

/* ---- an access token of ours ---- */

/* Verified like everybody's: signature, type, issuer, time; the audience is for the caller to judge. */
static bool read_access_token(struct gh_issuer_request *r, gh_str text, struct gh_grant_token *ret_token)
{
    const struct gh_issuer_keys *keys = gh_issuer_keys_of(r);
    struct gh_token token;
    if (keys == NULL || gh_token_open(r->x->arena, text, &token) != GH_OK ||
        !gh_str_eq(token.iss, r->managed->policy.issuer) || !gh_str_eq(token.typ, GH_STR("at+jwt")))
        return false;
    struct gh_key *key = gh_jwks_find(keys->set, token.kid, token.alg);
    return key != NULL && gh_token_signature(key, token.alg, token.signed_part, token.signature) == GH_OK &&
           gh_grant_token_read(r->x->arena, &token, ret_token) == GH_OK &&
           ret_token->expires > gh_issuer_now(r);
}

/* ---- the refresh token's rows ---- */

static enum gh_step_end read_secret(struct gh_issuer_request *r)
{
    gh_str text = gh_form_get(&r->form, GH_STR("token"));
    r->rows = (struct gh_rows){ 0 };
    if (text.ptr == NULL)
        return gh_issuer_refuse(r, GH_PARAMETER_MISSING);
    gh_str key = gh_refresh_key(r->x->arena, text);
    return gh_issuer_read(r, &key, 1);
}

/* ---- revocation ---- */

/* As many as it may ask tokens for, counted apart. */
static enum gh_step_end limit(struct gh_issuer_request *r)
{
    enum gh_reason reason = gh_throttle_client(r, "revoke", r->managed->limits.token);
    return reason == GH_OK ? GH_STEP_NEXT : gh_issuer_refuse(r, reason);
}

/* Only the client's own; and nobody learns whose another one is (threats.md A20). */
static enum gh_reason end_what_it_names(struct gh_issuer_request *r)
{
    const struct gh_grant_policy *policy = &r->managed->policy;
    struct gh_grant grant;
    struct gh_grant_token token;
    if (r->rows.count > 0 && r->rows.at[0].version != 0) {
        enum gh_reason reason = gh_grant_read(r->x->arena, r->rows.at[0].value, &grant);
        if (reason != GH_OK || !gh_str_eq(grant.client, r->client.id))
            return reason;
        r->act.about = grant.id;
        return gh_grant_end(r->x->arena, policy, &r->rows.at[0], gh_issuer_now(r), &r->effects);
    }
    if (!read_access_token(r, gh_form_get(&r->form, GH_STR("token")), &token) ||
        !gh_str_eq(token.client, r->client.id))
        return GH_OK;
    gh_issuer_tell_token(r, &token);
    const struct gh_revocation revocation = { .level = GH_REVOKED_TOKEN,
                                              .tenant = policy->tenant,
                                              .issuer_name = policy->issuer_name,
                                              .id = token.jti,
                                              .epoch = GH_REVOKED_ALWAYS,
                                              .until = token.expires };
    return gh_effects_revoke(&r->effects, &revocation);
}

static enum gh_step_end revoke(struct gh_issuer_request *r)
{
    enum gh_reason reason = gh_issuer_authenticate(r);
    if (reason == GH_OK)
        reason = end_what_it_names(r);
    return reason == GH_OK ? gh_issuer_commit(r) : gh_issuer_refuse(r, reason);
}

/* RFC 7009 section 2.2: "The authorization server responds with HTTP status code 200 if the token has been
 * revoked successfully or if the client submitted an invalid token." */
static enum gh_step_end revoked(struct gh_issuer_request *r)
{
    gh_issuer_tell(r, GH_EVENT_REVOKE);
    (void)gh_issuer_name(r, GH_STR(""), r->client.id);
    return gh_issuer_json(r, 200, GH_STR("{}"));
}

const struct gh_step gh_steps_revoke[] = {
    { "form", gh_step_form },
    { "client", gh_step_credential },
    { "client", gh_step_client },
    { "client", gh_step_fetch },
    { "client", gh_step_fetch_keys },
    { "client", gh_step_keep_document },
    { "client", gh_step_look_again },
    { "client", gh_step_authenticate },
    { "client", gh_step_unspent },
    { "limit", limit },
    { "revoke", read_secret },
    { "revoke", gh_step_grant },
    { "revoke", revoke },
    { "answer", revoked },
    { NULL, NULL },
};

/* ---- introspection ---- */

static bool is_revoked(const struct gh_issuer_request *r, const struct gh_grant_token *token)
{
    const struct gh_grant_policy *policy = &r->managed->policy;
    const struct gh_principal principal = { .issuer_name = policy->issuer_name,
                                            .issuer = policy->issuer,
                                            .subject = token->subject,
                                            .client = token->client,
                                            .jti = token->jti,
                                            .grant = token->grant,
                                            .issued = token->issued };
    struct gh_dependencies dependencies;
    return r->server->with.index != NULL &&
           (gh_dependencies_of(policy->tenant, &principal, GH_STR_NONE, &dependencies) != GH_OK ||
            gh_index_ask(r->server->with.index, &dependencies) != GH_OK);
}

/* RFC 7662 section 2.1: the endpoint "MUST also require some form of authorization"; a public client has
 * none. Only tokens for resources that the caller serves are told about. */
static enum gh_step_end introspect(struct gh_issuer_request *r)
{
    struct gh_grant_token token;
    enum gh_reason reason = r->client.auth == GH_CLIENT_AUTH_NONE ? GH_CLIENT_UNAUTHENTICATED : GH_OK;
    if (reason == GH_OK && gh_form_get(&r->form, GH_STR("token")).ptr == NULL)
        reason = GH_PARAMETER_MISSING;
    if (reason != GH_OK)
        return gh_issuer_refuse(r, reason);
    bool active = read_access_token(r, gh_form_get(&r->form, GH_STR("token")), &token) &&
                  gh_strs_has(r->client.resources, token.resource) && !is_revoked(r, &token);
    r->reply = active ? gh_grant_introspection(r->x->arena, &r->managed->policy, &token)
                      : GH_STR("{\"active\":false}");
    if (active) { /* nobody is told about a token of others, not even the log */
        gh_issuer_tell_token(r, &token);
        r->act.about = token.subject;
    }
    return gh_issuer_commit(r);
}

static enum gh_step_end limit_introspections(struct gh_issuer_request *r)
{
    enum gh_reason reason = gh_throttle_client(r, "introspect", r->managed->limits.introspect);
    return reason == GH_OK ? GH_STEP_NEXT : gh_issuer_refuse(r, reason);
}

static enum gh_step_end introspected(struct gh_issuer_request *r)
{
    gh_issuer_tell(r, GH_EVENT_INTROSPECT);
    (void)gh_issuer_name(r, GH_STR(""), r->client.id);
    return gh_issuer_json(r, 200, r->reply);
}

const struct gh_step gh_steps_introspect[] = {
    { "form", gh_step_form },
    { "client", gh_step_credential },
    { "client", gh_step_client },
    { "client", gh_step_fetch },
    { "client", gh_step_fetch_keys },
    { "client", gh_step_keep_document },
    { "client", gh_step_look_again },
    { "client", gh_step_authenticate },
    { "client", gh_step_unspent },
    { "limit", limit_introspections },
    { "introspect", introspect },
    { "answer", introspected },
    { NULL, NULL },
};
