/* issuer/metadata.c: what an issuer says of itself (RFC 8414), made of the same constant as everything else.
 */
#include "base/arena.h"
#include "base/str.h"
#include "issuer/request.h"

/* Only what is answered is listed: the table of endpoints is the one truth. */
static bool has(const struct gh_managed *managed, const char *path)
{
    for (size_t i = 0; i < gh_endpoint_count; i++)
        if (strcmp(gh_endpoints[i].path, path) == 0)
            return !gh_endpoints[i].is_registration || managed->registration != GH_REGISTRATION_OFF;
    return false;
}

static bool put_url(struct gh_buf *out, const struct gh_managed *managed, const char *name, const char *path)
{
    return !has(managed, path) ||
           gh_buf_printf(out, ",\"%s\":\"%.*s%s\"", name, GH_STR_FMT(managed->policy.issuer), path);
}

static bool put_strings(struct gh_buf *out, const struct gh_strs *list)
{
    bool ok = true;
    for (size_t i = 0; i < list->count; i++)
        ok = ok && gh_buf_printf(out, "%s\"%.*s\"", i > 0 ? "," : "", GH_STR_FMT(list->at[i]));
    return ok;
}

/* Never offline_access: listing it makes clients ask for it together with prompt=consent (issuer.md section
 * 3). */
static bool put_scopes(struct gh_buf *out, const struct gh_grant_policy *policy)
{
    bool ok = gh_buf_printf(out, ",\"scopes_supported\":[");
    gh_str seen[64];
    struct gh_strs all = { seen, 0 };
    for (size_t i = 0; i < policy->resource_count; i++) {
        const struct gh_strs *scopes = &policy->resources[i].scopes;
        for (size_t k = 0; k < scopes->count && all.count < GH_ARRAY_LEN(seen); k++)
            if (!gh_strs_has(all, scopes->at[k]))
                seen[all.count++] = scopes->at[k];
    }
    return ok && put_strings(out, &all) && gh_buf_printf(out, "]");
}

static bool put_resources(struct gh_buf *out, const struct gh_grant_policy *policy)
{
    bool ok = gh_buf_printf(out, ",\"protected_resources\":[");
    for (size_t i = 0; i < policy->resource_count; i++)
        ok = ok &&
             gh_buf_printf(out, "%s\"%.*s\"", i > 0 ? "," : "", GH_STR_FMT(policy->resources[i].canonical));
    return ok && gh_buf_printf(out, "]");
}

#define METHODS "[\"none\",\"private_key_jwt\",\"client_secret_basic\",\"client_secret_post\"]"

static bool put_methods(struct gh_buf *out)
{
    return gh_buf_printf(out, ",\"token_endpoint_auth_methods_supported\":" METHODS
                              ",\"token_endpoint_auth_signing_alg_values_supported\":[\"ES256\",\"EdDSA\","
                              "\"RS256\",\"PS256\"]"
                              ",\"revocation_endpoint_auth_methods_supported\":" METHODS
                              ",\"introspection_endpoint_auth_methods_supported\":[\"private_key_jwt\","
                              "\"client_secret_basic\",\"client_secret_post\"]"
                              ",\"subject_types_supported\":[\"public\"]");
}

static bool put_code_flow(struct gh_buf *out)
{
    return gh_buf_printf(out,
                         ",\"response_types_supported\":[\"code\"],\"response_modes_supported\":[\"query\"]"
                         ",\"grant_types_supported\":[\"authorization_code\",\"refresh_token\","
                         "\"client_credentials\"]"
                         ",\"code_challenge_methods_supported\":[\"S256\"]"
                         ",\"client_id_metadata_document_supported\":true"
                         ",\"authorization_response_iss_parameter_supported\":true");
}

static bool put_all(struct gh_buf *out, const struct gh_managed *managed)
{
    bool ok =
        gh_buf_printf(out, "{\"issuer\":\"%.*s\"", GH_STR_FMT(managed->policy.issuer)) &&
        put_url(out, managed, "authorization_endpoint", "/oauth/authorize") &&
        put_url(out, managed, "token_endpoint", "/oauth/token") &&
        put_url(out, managed, "jwks_uri", "/oauth/jwks") &&
        put_url(out, managed, "revocation_endpoint", "/oauth/revoke") &&
        put_url(out, managed, "introspection_endpoint", "/oauth/introspect") &&
        put_url(out, managed, "pushed_authorization_request_endpoint", "/oauth/par") &&
        put_url(out, managed, "registration_endpoint", "/oauth/register") &&
        (!managed->push_required || gh_buf_printf(out, ",\"require_pushed_authorization_requests\":true"));
    return ok && put_methods(out) && (!has(managed, "/oauth/authorize") || put_code_flow(out)) &&
           put_scopes(out, &managed->policy) && put_resources(out, &managed->policy) &&
           gh_buf_printf(out, "}");
}

gh_str gh_issuer_metadata_write(struct gh_arena *arena, const struct gh_managed *managed)
{
    struct gh_buf out = { 0 };
    gh_str text = put_all(&out, managed) ? gh_arena_dup(arena, gh_buf_peek(&out)) : GH_STR_NONE;
    gh_buf_done(&out);
    return text;
}

static enum gh_step_end serve_metadata(struct gh_issuer_request *r)
{
    return gh_issuer_document(r, r->managed->metadata, 300);
}
const struct gh_step gh_steps_metadata[] = { { "metadata", serve_metadata }, { NULL, NULL } };

static enum gh_step_end serve_jwks(struct gh_issuer_request *r)
{
    const struct gh_issuer_keys *keys = gh_issuer_keys_of(r);
    return keys != NULL ? gh_issuer_document(r, keys->jwks, 300) : gh_issuer_refuse(r, GH_KEYS_UNAVAILABLE);
}
const struct gh_step gh_steps_jwks[] = { { "jwks", serve_jwks }, { NULL, NULL } };
