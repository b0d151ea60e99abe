/* core/token/jws.c: takes a token apart and reads its header; nothing in it is believed yet. */
#include "core/token/jws.h"

#include "base/arena.h"
#include "base/base64.h"
#include "base/str.h"
#include "core/token/claims.h"

/* threats.md section 8: settings may lower it, nothing raises it. */
#define TOKEN_MAX 32768u

static enum gh_reason find_segments(gh_str text, gh_str segments[3]);
static enum gh_reason decode(struct gh_arena *arena, gh_str segment, gh_str *ret_bytes);
static enum gh_reason read_header(struct gh_arena *arena, gh_str header, struct gh_token *token);
static enum gh_reason read_claims(struct gh_arena *arena, gh_str payload, struct gh_token *token);

enum gh_reason gh_token_open(struct gh_arena *arena, gh_str text, struct gh_token *ret_token)
{
    struct gh_token token;
    gh_str payload;
    enum gh_reason reason = gh_jws_open(arena, text, &token, &payload);
    if (reason == GH_OK)
        reason = read_claims(arena, payload, &token);
    if (reason == GH_OK)
        *ret_token = token;
    return reason;
}

enum gh_reason gh_jws_open(struct gh_arena *arena, gh_str text, struct gh_token *ret_token,
                           gh_str *ret_payload)
{
    gh_str segments[3], header;
    struct gh_token token = { .text = text };
    enum gh_reason reason = find_segments(text, segments);
    if (reason == GH_OK)
        reason = decode(arena, segments[0], &header);
    if (reason == GH_OK)
        reason = read_header(arena, header, &token);
    if (reason == GH_OK)
        reason = decode(arena, segments[1], ret_payload);
    if (reason == GH_OK)
        reason = decode(arena, segments[2], &token.signature);
    if (reason != GH_OK)
        return reason;
    token.signed_part = gh_str_take(text, segments[0].len + 1 + segments[1].len);
    *ret_token = token;
    return GH_OK;
}

/* RFC 6750 section 2.1: b64token, and the dots of JOSE are in it. */
static bool is_token_char(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~' || c == '+' || c == '/' || c == '=';
}

static enum gh_reason find_segments(gh_str text, gh_str segments[3])
{
    if (text.len > TOKEN_MAX)
        return GH_TOKEN_LARGE;
    size_t dots = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (!is_token_char(text.ptr[i]))
            return GH_TOKEN_MALFORMED;
        dots += text.ptr[i] == '.';
    }
    if (dots == 4)
        return GH_TOKEN_ENCRYPTED;
    if (dots != 2)
        return GH_TOKEN_OPAQUE;
    gh_str rest = text;
    for (size_t i = 0; i < 3; i++)
        segments[i] = gh_str_cut(&rest, '.');
    return GH_OK;
}

static enum gh_reason decode(struct gh_arena *arena, gh_str segment, gh_str *ret_bytes)
{
    size_t len = gh_base64url_decoded_len(segment.len);
    if (len == SIZE_MAX)
        return GH_TOKEN_MALFORMED;
    char *bytes = gh_arena_alloc(arena, len);
    if (bytes == NULL)
        return GH_OUT_OF_MEMORY;
    if (segment.len != 0 && !gh_base64url_decode(segment, bytes))
        return GH_TOKEN_MALFORMED;
    *ret_bytes = gh_str_of(bytes, len);
    return GH_OK;
}

/* jwk, jku, x5u and x5c are never looked at: a key comes from the issuer's set or not at all (RFC 8725
 * section 3.10). */
static enum gh_reason read_header(struct gh_arena *arena, gh_str header, struct gh_token *token)
{
    static const gh_str protocol[] = { GH_STR_INIT("alg"), GH_STR_INIT("crit"), GH_STR_INIT("b64"),
                                       GH_STR_INIT("kid"), GH_STR_INIT("typ"),  GH_STR_INIT("enc") };
    struct gh_json json;
    enum gh_reason reason = gh_json_read(arena, header, &gh_json_token_limits, GH_TOKEN_MALFORMED, &json);
    if (reason != GH_OK)
        return reason;
    if (gh_json_has_twin(&json, (struct gh_strs){ protocol, GH_ARRAY_LEN(protocol) }))
        return GH_TOKEN_MALFORMED;
    /* RFC 7515 section 4.1.11: no extension is understood here, so any list of them is refused, the empty
     * one too. b64 (RFC 7797 section 3) changes what is signed. */
    if (gh_json_get(&json, GH_STR("crit")) != NULL || gh_json_get(&json, GH_STR("b64")) != NULL)
        return GH_TOKEN_CRITICAL;
    /* RFC 7516 section 9: what has an "enc" is meant to be encrypted. */
    if (gh_json_get(&json, GH_STR("enc")) != NULL)
        return GH_TOKEN_ENCRYPTED;
    const struct gh_json *kid = gh_json_get(&json, GH_STR("kid")), *typ = gh_json_get(&json, GH_STR("typ"));
    token->alg_name = gh_json_text(gh_json_get(&json, GH_STR("alg")));
    token->kid = gh_json_text(kid);
    token->typ = gh_json_text(typ);
    if ((kid != NULL && token->kid.ptr == NULL) || (typ != NULL && token->typ.ptr == NULL))
        return GH_TOKEN_MALFORMED;
    return gh_alg_read(token->alg_name, &token->alg);
}

static enum gh_reason read_claims(struct gh_arena *arena, gh_str payload, struct gh_token *token)
{
    struct gh_claims_doc *claims = GH_ARENA_NEW(arena, struct gh_claims_doc);
    if (claims == NULL)
        return GH_OUT_OF_MEMORY;
    enum gh_reason reason =
        gh_json_read(arena, payload, &gh_json_token_limits, GH_TOKEN_MALFORMED, &claims->root);
    if (reason != GH_OK)
        return reason;
    if (gh_claims_have_twin(&claims->root))
        return GH_TOKEN_MALFORMED;
    token->iss = gh_json_text(gh_json_get(&claims->root, GH_STR("iss")));
    token->claims = claims;
    return token->iss.len != 0 ? GH_OK : GH_TOKEN_ISSUER;
}
