/* core/metadata/issuer.c: reads what an authorization server publishes about itself (RFC 8414 section 2). */
#include "base/str.h"
#include "core/json/json.h"
#include "gatehouse/policy.h"

static bool read_text(const struct gh_json *doc, gh_str name, gh_str *ret_text);
static bool read_methods(const struct gh_json *doc, bool *ret_s256);

enum gh_reason gh_issuer_metadata_read(struct gh_arena *arena, gh_str text, struct gh_strs issuers,
                                       struct gh_issuer_metadata *ret_metadata)
{
    struct gh_json doc;
    struct gh_issuer_metadata metadata;
    enum gh_reason reason = gh_json_read(arena, text, &gh_json_control_limits, GH_METADATA_MALFORMED, &doc);
    if (reason != GH_OK)
        return reason;
    if (!read_text(&doc, GH_STR("issuer"), &metadata.issuer) || metadata.issuer.len == 0 ||
        !read_text(&doc, GH_STR("jwks_uri"), &metadata.jwks_uri) ||
        !read_text(&doc, GH_STR("introspection_endpoint"), &metadata.introspection_endpoint) ||
        !read_text(&doc, GH_STR("registration_endpoint"), &metadata.registration_endpoint) ||
        !read_methods(&doc, &metadata.s256))
        return GH_METADATA_MALFORMED;
    const struct gh_json *cimd = gh_json_get(&doc, GH_STR("client_id_metadata_document_supported"));
    metadata.cimd = cimd != NULL && cimd->type == GH_JSON_TRUE;
    const struct gh_json *iss = gh_json_get(&doc, GH_STR("authorization_response_iss_parameter_supported"));
    metadata.sends_iss = iss != NULL && iss->type == GH_JSON_TRUE;
    /* of use to who signs in alone: what is wrong there ends nobody else's trust */
    if (!read_text(&doc, GH_STR("authorization_endpoint"), &metadata.authorization_endpoint))
        metadata.authorization_endpoint = GH_STR("");
    if (!read_text(&doc, GH_STR("token_endpoint"), &metadata.token_endpoint))
        metadata.token_endpoint = GH_STR("");
    /* RFC 8414 section 3.3: identical, or nothing else in the document may be used. */
    if (!gh_strs_has(issuers, metadata.issuer))
        return GH_METADATA_ISSUER;
    *ret_metadata = metadata;
    return GH_OK;
}

/* Empty when the member is not there. */
static bool read_text(const struct gh_json *doc, gh_str name, gh_str *ret_text)
{
    const struct gh_json *value = gh_json_get(doc, name);
    *ret_text = value != NULL ? gh_json_text(value) : GH_STR("");
    return ret_text->ptr != NULL;
}

static bool read_methods(const struct gh_json *doc, bool *ret_s256)
{
    const struct gh_json *methods = gh_json_get(doc, GH_STR("code_challenge_methods_supported"));
    *ret_s256 = false;
    if (methods != NULL && methods->type != GH_JSON_ARRAY)
        return false;
    for (size_t i = 0; methods != NULL && i < methods->count; i++)
        *ret_s256 = *ret_s256 || gh_str_eq(gh_json_text(&methods->items[i]), GH_STR("S256"));
    return true;
}
