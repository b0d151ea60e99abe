/* core/grant/client_auth.c: how a client proves who it is: secret by Basic or form, signed assertion, or not
 * at all. */
#include <openssl/crypto.h>

#include "base/arena.h"
#include "base/base64.h"
#include "base/str.h"
#include "core/grant/rows.h"
#include "core/token/claims.h"
#include "gatehouse/client.h"

#define ASSERTION_TYPE "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
#define ASSERTION_LIFE 300 /* issuer.md section 4: at most 5 min ahead */
#define LEEWAY         30
#define JTI_MAX        256u

/* ---- reading the one credential of a request ---- */

/* RFC 6749 section 2.3.1: both halves are form-encoded before they are joined. */
static enum gh_reason decode_half(struct gh_arena *arena, gh_str half, gh_str *ret_text)
{
    struct gh_form form;
    gh_str pair = gh_arena_printf(arena, "x=%.*s", GH_STR_FMT(half));
    if (pair.ptr == NULL)
        return GH_OUT_OF_MEMORY;
    enum gh_reason reason = gh_form_read(arena, pair, &form);
    if (reason != GH_OK)
        return reason == GH_OUT_OF_MEMORY ? reason : GH_CLIENT_UNAUTHENTICATED;
    *ret_text = gh_form_get(&form, GH_STR("x"));
    return ret_text->len > 0 && form.count == 1 ? GH_OK : GH_CLIENT_UNAUTHENTICATED;
}

/* The standard alphabet with padding, made the other one: both are 6 bits a character. */
static bool decode_base64(struct gh_arena *arena, gh_str text, gh_str *ret_bytes)
{
    while (text.len > 0 && text.len % 4 == 0 && gh_str_ends(text, GH_STR("=")))
        text.len--;
    while (text.len % 4 == 3 && gh_str_ends(text, GH_STR("=")))
        text.len--;
    size_t len = gh_base64url_decoded_len(text.len);
    char *url = gh_arena_alloc(arena, text.len + 1),
         *bytes = len != SIZE_MAX ? gh_arena_alloc(arena, len + 1) : NULL;
    if (url == NULL || bytes == NULL)
        return false;
    for (size_t i = 0; i < text.len; i++)
        url[i] = text.ptr[i] == '+' ? '-' : text.ptr[i] == '/' ? '_' : text.ptr[i];
    if (!gh_base64url_decode(gh_str_of(url, text.len), bytes))
        return false;
    *ret_bytes = gh_str_of(bytes, len);
    return true;
}

static enum gh_reason read_basic(struct gh_arena *arena, gh_str value,
                                 struct gh_client_credential *credential)
{
    gh_str scheme = gh_str_cut(&value, ' '), both;
    if (!gh_str_eq_nocase(scheme, GH_STR("Basic")) || value.ptr == NULL ||
        !decode_base64(arena, value, &both))
        return GH_CLIENT_UNAUTHENTICATED;
    gh_str id = gh_str_cut(&both, ':');
    enum gh_reason reason =
        both.ptr != NULL ? decode_half(arena, id, &credential->client_id) : GH_CLIENT_UNAUTHENTICATED;
    if (reason == GH_OK)
        reason = decode_half(arena, both, &credential->secret);
    credential->method = GH_CLIENT_AUTH_BASIC;
    return reason;
}

/* An assertion names its client in `iss`, which counts only after the signature. */
static enum gh_reason read_assertion(struct gh_arena *arena, const struct gh_form *form, gh_str assertion,
                                     struct gh_client_credential *credential)
{
    struct gh_token token;
    if (!gh_str_eq(gh_form_get(form, GH_STR("client_assertion_type")), GH_STR(ASSERTION_TYPE)))
        return GH_CLIENT_UNAUTHENTICATED;
    enum gh_reason reason = gh_token_open(arena, assertion, &token);
    if (reason != GH_OK)
        return reason == GH_OUT_OF_MEMORY ? reason : GH_CLIENT_UNAUTHENTICATED;
    credential->method = GH_CLIENT_AUTH_KEY;
    credential->assertion = assertion;
    credential->client_id = token.iss;
    return GH_OK;
}

static enum gh_reason read_one(struct gh_arena *arena, const struct gh_header *basic,
                               const struct gh_form *form, struct gh_client_credential *credential)
{
    gh_str secret = gh_form_get(form, GH_STR("client_secret"));
    gh_str assertion = gh_form_get(form, GH_STR("client_assertion"));
    if ((basic != NULL) + (secret.ptr != NULL) + (assertion.ptr != NULL) > 1)
        return GH_CLIENT_UNAUTHENTICATED; /* RFC 6749 section 2.3: not more than one method in each request */
    if (basic != NULL)
        return read_basic(arena, basic->value, credential);
    if (assertion.ptr != NULL)
        return read_assertion(arena, form, assertion, credential);
    credential->method = secret.ptr != NULL ? GH_CLIENT_AUTH_POST : GH_CLIENT_AUTH_NONE;
    credential->secret = secret;
    credential->client_id = gh_form_get(form, GH_STR("client_id"));
    return GH_OK;
}

enum gh_reason gh_client_credential_read(struct gh_arena *arena, const struct gh_headers *headers,
                                         const struct gh_form *form,
                                         struct gh_client_credential *ret_credential)
{
    struct gh_client_credential credential = { .method = GH_CLIENT_AUTH_NONE };
    if (gh_headers_count(headers, GH_STR("authorization")) > 1)
        return GH_CLIENT_UNAUTHENTICATED;
    enum gh_reason reason =
        read_one(arena, gh_headers_find(headers, GH_STR("authorization")), form, &credential);
    if (reason != GH_OK)
        return reason;
    gh_str named = gh_form_get(form, GH_STR("client_id"));
    if (credential.client_id.len == 0 || (named.ptr != NULL && !gh_str_eq(named, credential.client_id)))
        return GH_CLIENT_UNAUTHENTICATED;
    *ret_credential = credential;
    return GH_OK;
}

/* ---- checking it ---- */

static enum gh_reason check_secret(struct gh_arena *arena, const struct gh_client *client, gh_str secret)
{
    gh_str hash = gh_secret_hash(arena, secret);
    if (hash.ptr == NULL)
        return GH_OUT_OF_MEMORY;
    bool found = false;
    for (size_t i = 0; i < client->secrets.count; i++)
        found |= client->secrets.at[i].len == hash.len &&
                 CRYPTO_memcmp(client->secrets.at[i].ptr, hash.ptr, hash.len) == 0;
    return found ? GH_OK : GH_CLIENT_UNAUTHENTICATED;
}

/* As the successor of RFC 7523 section 3 has it: the issuer, or an array of it alone; never the endpoint. */
static bool aud_is(const struct gh_json *claims, gh_str issuer)
{
    const struct gh_json *aud = gh_json_get(claims, GH_STR("aud"));
    if (aud != NULL && aud->type == GH_JSON_ARRAY && aud->count == 1)
        aud = &aud->items[0];
    return gh_str_eq(gh_json_text(aud), issuer) && issuer.len > 0;
}

static bool times_are_good(const struct gh_json *claims, int64_t now, int64_t *ret_exp)
{
    bool ok = gh_json_get(claims, GH_STR("exp")) != NULL;
    int64_t exp = gh_get_number(claims, "exp", &ok);
    int64_t nbf = gh_get_number(claims, "nbf", &ok), iat = gh_get_number(claims, "iat", &ok);
    *ret_exp = exp;
    return ok && exp > now - LEEWAY && exp <= now + ASSERTION_LIFE + LEEWAY && nbf <= now + LEEWAY &&
           iat <= now + LEEWAY;
}

static bool typ_is_good(gh_str typ)
{
    return typ.ptr == NULL || gh_str_eq_nocase(typ, GH_STR("JWT")) ||
           gh_str_eq_nocase(typ, GH_STR("client-authentication+jwt"));
}

static const gh_algs assertion_algs =
    GH_ALG_BIT(GH_ALG_ES256) | GH_ALG_BIT(GH_ALG_EDDSA) | GH_ALG_BIT(GH_ALG_RS256) | GH_ALG_BIT(GH_ALG_PS256);

static enum gh_reason check_signature(const struct gh_jwks *jwks, const struct gh_token *token)
{
    struct gh_key *key = jwks != NULL && (assertion_algs & GH_ALG_BIT(token->alg)) != 0
                             ? gh_jwks_find(jwks, token->kid, token->alg)
                             : NULL;
    if (key == NULL)
        return GH_CLIENT_UNAUTHENTICATED;
    enum gh_reason reason = gh_token_signature(key, token->alg, token->signed_part, token->signature);
    return reason == GH_OK || reason == GH_OUT_OF_MEMORY ? reason : GH_CLIENT_UNAUTHENTICATED;
}

/* threats.md A16: the jti counts once; the row that says so must not be there yet when the commit happens. */
static enum gh_reason spend(struct gh_arena *arena, const struct gh_client *client, gh_str jti, int64_t exp,
                            struct gh_effects *effects)
{
    const gh_str parts[] = { client->id, jti };
    gh_str key = gh_row_key(arena, "assertion", parts, GH_ARRAY_LEN(parts));
    if (key.ptr == NULL)
        return GH_OUT_OF_MEMORY;
    enum gh_reason reason = gh_effects_expect(effects, key, 0);
    return reason == GH_OK ? gh_effects_write(effects, key, GH_STR("{}"), exp + LEEWAY + 1) : reason;
}

static enum gh_reason check_assertion(struct gh_arena *arena, gh_str issuer, const struct gh_client *client,
                                      gh_str assertion, const struct gh_jwks *jwks, int64_t now,
                                      struct gh_effects *effects)
{
    struct gh_token token;
    enum gh_reason reason = gh_token_open(arena, assertion, &token);
    if (reason == GH_OK)
        reason = check_signature(jwks, &token);
    if (reason != GH_OK)
        return reason == GH_OUT_OF_MEMORY ? reason : GH_CLIENT_UNAUTHENTICATED;
    const struct gh_json *claims = &token.claims->root;
    int64_t exp;
    gh_str jti = gh_json_text(gh_json_get(claims, GH_STR("jti")));
    gh_str sub = gh_json_text(gh_json_get(claims, GH_STR("sub")));
    if (!times_are_good(claims, now, &exp) || !aud_is(claims, issuer) || !typ_is_good(token.typ) ||
        !gh_str_eq(token.iss, client->id) || !gh_str_eq(sub, client->id) || jti.len == 0 || jti.len > JTI_MAX)
        return GH_CLIENT_UNAUTHENTICATED;
    return spend(arena, client, jti, exp, effects);
}

enum gh_reason gh_client_verify(struct gh_arena *arena, gh_str issuer, const struct gh_client *client,
                                const struct gh_client_credential *credential, const struct gh_jwks *jwks,
                                int64_t now, struct gh_effects *effects)
{
    if (credential->method != client->auth || !gh_str_eq(credential->client_id, client->id))
        return GH_CLIENT_UNAUTHENTICATED;
    switch (client->auth) {
    case GH_CLIENT_AUTH_NONE:
        return GH_OK;
    case GH_CLIENT_AUTH_BASIC:
    case GH_CLIENT_AUTH_POST:
        return check_secret(arena, client, credential->secret);
    case GH_CLIENT_AUTH_KEY:
        return check_assertion(arena, issuer, client, credential->assertion, jwks, now, effects);
    }
    return GH_CLIENT_UNAUTHENTICATED;
}
