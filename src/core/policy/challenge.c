/* core/policy/challenge.c: what a refused client is told: the WWW-Authenticate line and the JSON body. */
#include "base/arena.h"
#include "base/str.h"
#include "core/text.h"
#include "gatehouse/policy.h"

/* Granted scopes come from a token: what they may add to a header line is bounded. */
#define GRANTED_MAX 4096u

enum kind { KIND_NONE, KIND_PLAIN, KIND_REQUEST, KIND_TOKEN, KIND_SCOPE };

static enum kind kind_of(const struct gh_reason_row *row);
static void put_parameter(struct gh_text *text, const char *name, gh_str value);
static void put_error(struct gh_text *text, const struct gh_reason_row *row);
static void put_dpop(struct gh_text *text, const struct gh_reason_row *row);
static void put_place(struct gh_text *text, const struct gh_policy *policy);
static void put_scopes(struct gh_text *text, const struct gh_policy *policy,
                       const struct gh_principal *principal, struct gh_strs needed);
static void add_scope(struct gh_text *scopes, gh_str scope);

gh_str gh_challenge_write(struct gh_arena *arena, const struct gh_policy *policy, enum gh_reason reason,
                          const struct gh_principal *principal, struct gh_strs needed)
{
    const struct gh_reason_row *row = gh_reason_row(reason);
    struct gh_text text = { .arena = arena };
    switch (kind_of(row)) {
    case KIND_NONE:
        return GH_STR_NONE;
    case KIND_PLAIN:
        /* RFC 6750 section 3.1: without authentication information the response "SHOULD NOT include an error
         * code or other error information". */
        put_place(&text, policy);
        put_scopes(&text, policy, NULL, (struct gh_strs){ 0 });
        break;
    case KIND_REQUEST:
        put_error(&text, row);
        break;
    case KIND_TOKEN:
        put_place(&text, policy);
        put_scopes(&text, policy, NULL, (struct gh_strs){ 0 });
        put_error(&text, row);
        if (reason == GH_TOKEN_BOUND)
            put_dpop(&text, row);
        break;
    case KIND_SCOPE:
        put_parameter(&text, "error", gh_str_from(row->error));
        put_scopes(&text, policy, principal, needed);
        put_place(&text, policy);
        put_parameter(&text, "error_description", gh_str_from(row->text));
        break;
    }
    return text.len == 0 && !text.failed ? GH_STR("Bearer") : gh_text_take(&text);
}

static enum kind kind_of(const struct gh_reason_row *row)
{
    if (row->error == NULL)
        return row->status == 401 ? KIND_PLAIN : KIND_NONE;
    gh_str error = gh_str_from(row->error);
    if (gh_str_eq(error, GH_STR("invalid_token")))
        return KIND_TOKEN;
    if (gh_str_eq(error, GH_STR("insufficient_scope")))
        return KIND_SCOPE;
    return gh_str_eq(error, GH_STR("invalid_request")) ? KIND_REQUEST : KIND_NONE;
}

static void put_parameter(struct gh_text *text, const char *name, gh_str value)
{
    gh_text_add(text, text->len == 0 ? GH_STR("Bearer ") : GH_STR(", "));
    gh_text_add(text, gh_str_from(name));
    gh_text_add(text, GH_STR("="));
    gh_text_quoted(text, value);
}

static void put_error(struct gh_text *text, const struct gh_reason_row *row)
{
    put_parameter(text, "error", gh_str_from(row->error));
    put_parameter(text, "error_description", gh_str_from(row->text));
}

/* RFC 9449 section 7.1: a second challenge on the same line, for a token that came as Bearer and is bound to
 * a key. Its own error code says that this token is meant, not only that the scheme exists. */
static void put_dpop(struct gh_text *text, const struct gh_reason_row *row)
{
    gh_text_add(text, GH_STR(", DPoP error="));
    gh_text_quoted(text, gh_str_from(row->error));
    gh_text_add(text, GH_STR(", algs="));
    gh_text_quoted(text, GH_STR("ES256 EdDSA"));
}

/* RFC 9728 section 5.1. Routes behind an edge have no document of ours. */
static void put_place(struct gh_text *text, const struct gh_policy *policy)
{
    if (policy != NULL && policy->metadata_url.len != 0)
        put_parameter(text, "resource_metadata", policy->metadata_url);
}

/* What was granted first, then what is needed beyond it: older SDKs ask for exactly this set next time. */
static void put_scopes(struct gh_text *text, const struct gh_policy *policy,
                       const struct gh_principal *principal, struct gh_strs needed)
{
    if (policy == NULL)
        return;
    struct gh_strs granted = principal != NULL ? principal->scopes : (struct gh_strs){ 0 };
    struct gh_text scopes = { .arena = text->arena };
    for (size_t i = 0; i < granted.count && scopes.len + granted.at[i].len < GRANTED_MAX; i++)
        add_scope(&scopes, granted.at[i]);
    for (size_t i = 0; i < policy->scopes.count; i++) {
        if (!gh_strs_has(granted, policy->scopes.at[i]))
            add_scope(&scopes, policy->scopes.at[i]);
    }
    for (size_t i = 0; i < needed.count; i++) {
        if (!gh_strs_has(granted, needed.at[i]) && !gh_strs_has(policy->scopes, needed.at[i]))
            add_scope(&scopes, needed.at[i]);
    }
    text->failed |= scopes.failed;
    if (scopes.len != 0)
        put_parameter(text, "scope", gh_str_of(scopes.ptr, scopes.len));
}

/* RFC 6749 section 3.3: scope-token = 1*( %x21 / %x23-5B / %x5D-7E ); others cannot be asked for and are left
 * out. offline_access never stands in a challenge (MCP 2026-07-28, Refresh Tokens). */
static void add_scope(struct gh_text *scopes, gh_str scope)
{
    bool legal = scope.len != 0 && !gh_str_eq(scope, GH_STR("offline_access"));
    for (size_t i = 0; i < scope.len; i++) {
        unsigned char c = (unsigned char)scope.ptr[i];
        legal = legal && c > 0x20 && c < 0x7f && c != '"' && c != '\\';
    }
    if (!legal)
        return;
    if (scopes->len != 0)
        gh_text_add(scopes, GH_STR(" "));
    gh_text_add(scopes, scope);
}

/* The code of a body whose reason has no OAuth code of its own, by status: it says no more than the status.
 */
static const char *code_of(int status)
{
    static const struct {
        int status;
        const char *code;
    } codes[] = {
        { 401, "unauthorized" },       { 403, "forbidden" },       { 404, "not_found" },
        { 405, "method_not_allowed" }, { 408, "request_timeout" }, { 429, "too_many_requests" },
        { 500, "server_error" },       { 502, "bad_gateway" },     { 503, "temporarily_unavailable" },
        { 504, "gateway_timeout" },
    };
    for (size_t i = 0; i < GH_ARRAY_LEN(codes); i++) {
        if (codes[i].status == status)
            return codes[i].code;
    }
    return "invalid_request";
}

/* JSON-RPC 2.0 section 5.1, and HeaderMismatch of MCP 2026-07-28; 0: the reason is none of a message. */
static int rpc_code_of(enum gh_reason reason)
{
    if (reason == GH_RPC_JSON)
        return -32700;
    if (reason == GH_RPC_DUPLICATE || reason == GH_RPC_LIMITS || reason == GH_RPC_MESSAGE)
        return -32600;
    return reason == GH_RPC_HEADERS ? -32020 : 0;
}

gh_str gh_reason_body(struct gh_arena *arena, enum gh_reason reason, gh_str id)
{
    const struct gh_reason_row *row = gh_reason_row(reason);
    if (row->status < 400)
        return GH_STR("");
    if (rpc_code_of(reason) != 0)
        return gh_arena_printf(
            arena, "{\"jsonrpc\":\"2.0\",\"id\":%.*s,\"error\":{\"code\":%d,\"message\":\"%s\"}}",
            GH_STR_FMT(id.ptr != NULL ? id : GH_STR("null")), rpc_code_of(reason), row->text);
    const char *code = row->error != NULL ? row->error : code_of(row->status);
    if (row->text == NULL)
        return gh_arena_printf(arena, "{\"error\":\"%s\"}", code);
    return gh_arena_printf(arena, "{\"error\":\"%s\",\"error_description\":\"%s\"}", code, row->text);
}
