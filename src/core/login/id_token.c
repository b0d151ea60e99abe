/* core/login/id_token.c: ID tokens judged: for whom, when, in answer to what, and who it is. */
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>

#include "base/arena.h"
#include "base/base64.h"
#include "base/str.h"
#include "core/token/alg.h"
#include "core/token/claims.h"
#include "core/token/judge.h"
#include "gatehouse/login.h"

#define NAME_MAX_BYTES 256u

struct judging {
    struct gh_arena *arena;
    const struct gh_token *token;
    const struct gh_json *claims;
    const struct gh_login *login;
    const struct gh_login_tokens *tokens;
    const struct gh_login_asked *asked;
    int64_t now;
};

enum gh_reason gh_id_token_open(struct gh_arena *arena, gh_str text, const struct gh_login *login,
                                struct gh_token *ret_token)
{
    struct gh_token token;
    enum gh_reason reason = gh_token_open(arena, text, &token);
    if (reason == GH_OK)
        reason = gh_token_fits(&token, &login->profile);
    if (reason != GH_OK)
        return reason == GH_OUT_OF_MEMORY ? reason : GH_LOGIN_TOKEN;
    if (!gh_profile_matches(&login->profile, &token))
        return GH_LOGIN_ISSUER;
    *ret_token = token;
    return GH_OK;
}

/* "The Client MUST validate that the aud (audience) Claim contains its client_id value"; of several audiences
 * azp must say that it was made for us, and where it is there it must say so too. */
static enum gh_reason judge_audience(const struct judging *judging)
{
    const struct gh_json *aud = gh_json_get(judging->claims, GH_STR("aud"));
    const struct gh_json *azp = gh_json_get(judging->claims, GH_STR("azp"));
    gh_str client_id = judging->login->client_id;
    bool several = aud != NULL && aud->type == GH_JSON_ARRAY && aud->count > 1;
    if (!gh_aud_has(aud, (struct gh_strs){ &client_id, 1 }))
        return GH_LOGIN_AUDIENCE;
    if (azp == NULL)
        return several ? GH_LOGIN_AUDIENCE : GH_OK;
    return gh_str_eq(gh_json_text(azp), client_id) ? GH_OK : GH_LOGIN_AUDIENCE;
}

static enum gh_reason judge_times(const struct judging *judging)
{
    const struct gh_judging times = { .arena = judging->arena,
                                      .claims = judging->claims,
                                      .profile = &judging->login->profile,
                                      .now = judging->now };
    struct gh_principal unused = { 0 };
    bool has_iat = gh_json_get(judging->claims, GH_STR("iat")) != NULL;
    return has_iat && gh_judge_times(&times, &unused) == GH_OK ? GH_OK : GH_LOGIN_TIME;
}

/* Section 3.1.2.1, of max_age: "the ID Token returned MUST include an auth_time Claim Value"; and not every
 * provider takes notice of prompt=login. One that is known to leave the claim out is believed that somebody
 * has chosen an account there since: the token is of this exchange, by its nonce and its iat. That is less
 * than a password; nobody could meet a client's wish otherwise. */
static enum gh_reason judge_sign_in(const struct judging *judging)
{
    const struct gh_json *auth_time = gh_json_get(judging->claims, GH_STR("auth_time"));
    double leeway = (double)judging->login->profile.leeway;
    if (judging->asked->since == 0)
        return GH_OK;
    if (auth_time == NULL && judging->login->profile.no_auth_time)
        auth_time = gh_json_get(judging->claims, GH_STR("iat"));
    if (auth_time == NULL || auth_time->type != GH_JSON_NUMBER)
        return GH_LOGIN_TIME;
    bool is_fresh = auth_time->number >= (double)judging->asked->since - leeway &&
                    auth_time->number <= (double)judging->now + leeway;
    return is_fresh ? GH_OK : GH_LOGIN_TIME;
}

static const EVP_MD *digest_of(enum gh_alg alg)
{
    const char *name = gh_alg_row(alg)->digest; /* NULL: Ed25519 */
    if (name != NULL && strcmp(name, "SHA256") == 0)
        return EVP_sha256();
    return name != NULL && strcmp(name, "SHA384") == 0 ? EVP_sha384() : EVP_sha512();
}

/* Section 3.1.3.6: "the base64url encoding of the left-most half of the hash of the octets of the ASCII
 * representation of the access_token value", by the hash of the token's own algorithm; Ed25519's is SHA-512.
 */
static enum gh_reason judge_hash(const struct judging *judging)
{
    const struct gh_json *at_hash = gh_json_get(judging->claims, GH_STR("at_hash"));
    gh_str access_token = judging->tokens->access_token;
    unsigned char digest[EVP_MAX_MD_SIZE];
    char text[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    if (at_hash == NULL)
        return GH_OK;
    if (access_token.len == 0)
        return GH_LOGIN_HASH;
    if (EVP_Digest(access_token.ptr, access_token.len, digest, &len, digest_of(judging->token->alg), NULL) !=
        1) {
        ERR_clear_error();
        return GH_OUT_OF_MEMORY; /* nothing else can fail there */
    }
    gh_base64url_encode(gh_str_of(digest, len / 2), text);
    gh_str wanted = gh_str_of(text, gh_base64url_encoded_len(len / 2));
    return gh_str_eq(gh_json_text(at_hash), wanted) ? GH_OK : GH_LOGIN_HASH;
}

static enum gh_reason judge_kind(const struct judging *judging)
{
    const struct gh_profile *profile = &judging->login->profile;
    for (size_t i = 0; i < profile->require.count; i++)
        if (!gh_claim_rule_is_met(judging->claims, &profile->require.at[i]))
            return GH_LOGIN_TOKEN;
    return GH_OK;
}

/* Where tenants are listed, nobody else's users are ours, and nobody's without one. */
static enum gh_reason judge_tenant(const struct judging *judging, struct gh_identity *identity)
{
    const struct gh_profile *profile = &judging->login->profile;
    enum gh_reason reason = gh_claim_text(judging->claims, profile->tenant_claims, &identity->tenant);
    if (reason != GH_OK)
        return GH_LOGIN_TOKEN;
    bool listed = identity->tenant.len > 0 && gh_strs_has(profile->tenant_ids, identity->tenant);
    return profile->tenant_ids.count == 0 || listed ? GH_OK : GH_LOGIN_USER;
}

/* What people know an account by. It proves nothing and decides nothing. */
static gh_str find_name(const struct gh_json *claims)
{
    static const gh_str names[] = { GH_STR_INIT("preferred_username"), GH_STR_INIT("email"),
                                    GH_STR_INIT("name") };
    for (size_t i = 0; i < GH_ARRAY_LEN(names); i++) {
        gh_str name = gh_json_text(gh_json_get(claims, names[i]));
        if (name.len > 0 && name.len <= NAME_MAX_BYTES)
            return name;
    }
    return GH_STR("");
}

/* An e-mail address is nobody: it moves between people, and whoever runs a provider writes what they like. */
static enum gh_reason judge_subject(const struct judging *judging, struct gh_identity *identity)
{
    const struct gh_profile *profile = &judging->login->profile;
    enum gh_reason reason = gh_claim_text(judging->claims, profile->subject_claims, &identity->subject);
    identity->by_tenant = profile->subject_with_tenant;
    if (reason != GH_OK || identity->subject.len == 0)
        return GH_LOGIN_TOKEN;
    if (identity->by_tenant && identity->tenant.len == 0)
        return GH_LOGIN_TOKEN;
    identity->issuer = judging->token->iss;
    identity->name = find_name(judging->claims);
    if (identity->name.len == 0)
        identity->name = identity->subject;
    return GH_OK;
}

enum gh_reason gh_id_token_judge(struct gh_arena *arena, const struct gh_token *token,
                                 const struct gh_login *login, const struct gh_login_tokens *tokens,
                                 const struct gh_login_asked *asked, int64_t now,
                                 struct gh_identity *ret_identity)
{
    const struct judging judging = { arena, token, &token->claims->root, login, tokens, asked, now };
    struct gh_identity identity = { 0 };
    gh_str said = gh_json_text(gh_json_get(judging.claims, GH_STR("nonce")));
    enum gh_reason reason = judge_audience(&judging);
    if (reason == GH_OK)
        reason = judge_times(&judging);
    if (reason == GH_OK && (asked->nonce.len == 0 || !gh_str_eq(said, asked->nonce)))
        reason = GH_LOGIN_NONCE;
    if (reason == GH_OK)
        reason = judge_sign_in(&judging);
    if (reason == GH_OK)
        reason = judge_hash(&judging);
    if (reason == GH_OK)
        reason = judge_kind(&judging);
    if (reason == GH_OK)
        reason = judge_tenant(&judging, &identity);
    if (reason == GH_OK)
        reason = judge_subject(&judging, &identity);
    if (reason == GH_OK)
        *ret_identity = identity;
    return reason;
}
