/* core/login/request.c: what a provider is sent and asked, and what its answers hold. */
#include <openssl/sha.h>

#include "base/arena.h"
#include "base/base64.h"
#include "base/str.h"
#include "core/grant/rows.h"
#include "core/grant/secret.h"
#include "core/token/judge.h"
#include "gatehouse/login.h"

#define ASSERTION_TYPE "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
#define ASSERTION_LIFE 60

/* ---- the authorization request ---- */

static gh_str challenge_of(struct gh_arena *arena, gh_str verifier)
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    if (SHA256((const unsigned char *)verifier.ptr, verifier.len, digest) == NULL)
        return GH_STR_NONE;
    return gh_secret_text(arena, digest, sizeof(digest));
}

static gh_str if_any(gh_str text)
{
    return text.len > 0 ? text : GH_STR_NONE;
}

gh_str gh_login_request_write(struct gh_arena *arena, const struct gh_login *login,
                              const struct gh_login_request *request)
{
    const struct gh_profile *profile = &login->profile;
    bool one = login->tenant_hint.len > 0 && profile->tenant_ids.count == 1;
    gh_str more = gh_scope_write(arena, login->scopes), challenge = challenge_of(arena, request->verifier);
    gh_str scope = gh_arena_printf(arena, "openid%s%.*s", more.len > 0 ? " " : "", GH_STR_FMT(more));
    /* Google knows none, consent and select_account alone */
    gh_str anew = profile->no_auth_time ? GH_STR("select_account") : GH_STR("login");
    if (more.ptr == NULL || challenge.ptr == NULL || scope.ptr == NULL)
        return GH_STR_NONE;
    const struct gh_parameter parameters[] = {
        { GH_STR("response_type"), GH_STR("code") },
        { GH_STR("client_id"), login->client_id },
        { GH_STR("redirect_uri"), request->redirect_uri },
        { GH_STR("scope"), scope },
        { GH_STR("state"), request->state },
        { GH_STR("nonce"), request->nonce },
        { GH_STR("code_challenge"), challenge },
        { GH_STR("code_challenge_method"), GH_STR("S256") },
        { GH_STR("prompt"), request->again ? anew : GH_STR_NONE },
        { GH_STR("max_age"), request->again ? GH_STR("0") : GH_STR_NONE },
        { GH_STR("login_hint"), if_any(request->login_hint) },
        { login->tenant_hint, one ? profile->tenant_ids.at[0] : GH_STR_NONE },
    };
    return gh_url_with(arena, request->endpoint, parameters, GH_ARRAY_LEN(parameters));
}

/* ---- its answer ---- */

static bool is_issuer_of(const struct gh_profile *profile, gh_str iss)
{
    if (gh_strs_has(profile->issuers, iss))
        return true;
    for (size_t i = 0; profile->issuer_template.len > 0 && i < profile->tenant_ids.count; i++)
        if (gh_template_gives(profile->issuer_template, GH_STR("{tid}"), profile->tenant_ids.at[i], iss))
            return true;
    return false;
}

/* RFC 9207 section 2.4: "clients MUST [...] compare the result to the issuer identifier of the authorization
 * server where the authorization request was sent to", in errors too. */
enum gh_reason gh_login_answer_read(const struct gh_login *login, const struct gh_form *answer,
                                    bool sends_iss, gh_str *ret_code)
{
    gh_str iss = gh_form_get(answer, GH_STR("iss")), code = gh_form_get(answer, GH_STR("code"));
    if (iss.ptr == NULL ? sends_iss : !is_issuer_of(&login->profile, iss))
        return GH_LOGIN_ISSUER;
    if (gh_form_get(answer, GH_STR("error")).ptr != NULL || code.ptr == NULL)
        return GH_LOGIN_REFUSED;
    *ret_code = code;
    return GH_OK;
}

/* ---- the token request ---- */

gh_str gh_login_form(struct gh_arena *arena, const struct gh_login *login,
                     const struct gh_login_redemption *redemption)
{
    bool basic = login->auth == GH_CLIENT_AUTH_BASIC, key = login->auth == GH_CLIENT_AUTH_KEY;
    const struct gh_parameter parameters[] = {
        { GH_STR("grant_type"), GH_STR("authorization_code") },
        { GH_STR("code"), redemption->code },
        { GH_STR("redirect_uri"), redemption->redirect_uri },
        { GH_STR("code_verifier"), redemption->verifier },
        { GH_STR("client_id"), basic ? GH_STR_NONE : login->client_id },
        { GH_STR("client_secret"), login->auth == GH_CLIENT_AUTH_POST ? redemption->secret : GH_STR_NONE },
        { GH_STR("client_assertion_type"), key ? GH_STR(ASSERTION_TYPE) : GH_STR_NONE },
        { GH_STR("client_assertion"), key ? redemption->assertion : GH_STR_NONE },
    };
    gh_str url = gh_url_with(arena, GH_STR(""), parameters, GH_ARRAY_LEN(parameters));
    return url.ptr != NULL ? gh_str_skip(url, 1) : url;
}

/* The audience is the token endpoint: RFC 7523 section 3 allows it and every provider takes it. The key is
 * this connection's alone, so nobody gains by having us sign for another endpoint. */
gh_str gh_login_assertion(struct gh_arena *arena, const struct gh_login *login, gh_str token_endpoint,
                          const unsigned char jti[16], int64_t now)
{
    struct gh_text text = { .arena = arena };
    gh_str unique = gh_secret_text(arena, jti, 16);
    if (unique.ptr == NULL)
        return GH_STR_NONE;
    gh_put_text(&text, "iss", login->client_id);
    gh_put_text(&text, "sub", login->client_id);
    gh_put_text(&text, "aud", token_endpoint);
    gh_put_text(&text, "jti", unique);
    gh_put_number(&text, "iat", now);
    gh_put_number(&text, "exp", now + ASSERTION_LIFE);
    return gh_put_end(&text);
}

enum gh_reason gh_login_tokens_read(struct gh_arena *arena, gh_str body, struct gh_login_tokens *ret_tokens)
{
    struct gh_json doc;
    enum gh_reason reason = gh_json_read(arena, body, &gh_json_control_limits, GH_LOGIN_TOKEN, &doc);
    if (reason != GH_OK)
        return reason;
    const struct gh_json *id_token = gh_json_get(&doc, GH_STR("id_token"));
    const struct gh_json *access_token = gh_json_get(&doc, GH_STR("access_token"));
    struct gh_login_tokens tokens = { .id_token = gh_json_text(id_token),
                                      .access_token = gh_json_text(access_token) };
    if (tokens.id_token.len == 0)
        return GH_LOGIN_TOKEN;
    *ret_tokens = tokens;
    return GH_OK;
}
