/* issuer/token.c: the token endpoint: a grant is decided on fresh rows, made durable, and only then answered.
 */
#include "base/str.h"
#include "issuer/document.h"
#include "issuer/flow.h"

#define CODE        GH_STR("authorization_code")
#define REFRESH     GH_STR("refresh_token")
#define CREDENTIALS GH_STR("client_credentials")

static gh_str grant_type(const struct gh_issuer_request *r)
{
    return gh_form_get(&r->form, GH_STR("grant_type"));
}

/* The word, where it is one of those that are answered. */
static gh_str known_grant_type(const struct gh_issuer_request *r)
{
    bool is_known = gh_str_eq(grant_type(r), CODE) || gh_str_eq(grant_type(r), REFRESH) ||
                    gh_str_eq(grant_type(r), CREDENTIALS);
    return is_known ? grant_type(r) : GH_STR("");
}

/* ---- the rows of a code or refresh token ---- */

static enum gh_step_end limit(struct gh_issuer_request *r)
{
    enum gh_reason reason = gh_throttle_client(r, "token", r->managed->limits.token);
    return reason == GH_OK ? GH_STEP_NEXT : gh_issuer_refuse(r, reason);
}

static enum gh_step_end read_secret(struct gh_issuer_request *r)
{
    struct gh_arena *arena = r->x->arena;
    bool is_code = gh_str_eq(grant_type(r), CODE), is_refresh = gh_str_eq(grant_type(r), REFRESH);
    gh_str secret = gh_form_get(&r->form, is_code ? GH_STR("code") : GH_STR("refresh_token"));
    r->redemption.secret = r->redemption.grant = r->step_up = (struct gh_stored_row){ 0 };
    r->act.grant_type = known_grant_type(r);
    gh_issuer_tell_asked(r);
    if (grant_type(r).ptr == NULL)
        return gh_issuer_refuse(r, GH_PARAMETER_MISSING);
    if (!is_code && !is_refresh)
        return gh_str_eq(grant_type(r), CREDENTIALS) ? GH_STEP_NEXT
                                                     : gh_issuer_refuse(r, GH_GRANT_UNSUPPORTED);
    if (secret.ptr == NULL)
        return GH_STEP_NEXT; /* the grant itself says that it is missing */
    gh_str key = is_code ? gh_code_key(arena, secret) : gh_refresh_key(arena, secret);
    return gh_issuer_read(r, &key, 1);
}

enum gh_step_end gh_step_grant(struct gh_issuer_request *r)
{
    if (r->rows.count == 0)
        return GH_STEP_NEXT;
    r->redemption.secret = r->rows.at[0];
    r->rows = (struct gh_rows){ 0 };
    if (r->redemption.secret.version == 0)
        return GH_STEP_NEXT;
    gh_str keys[2] = { gh_grant_key_of(r->x->arena, r->redemption.secret.value) };
    if (keys[0].ptr == NULL)
        return gh_issuer_refuse(r, GH_OUT_OF_MEMORY);
    bool is_refresh = gh_str_eq(grant_type(r), REFRESH);
    if (is_refresh) /* the key ends with the grant's id */
        keys[1] = gh_step_up_key(r->x->arena, gh_str_skip(keys[0], gh_str_rfind(keys[0], '/') + 1));
    return keys[0].len > 0 ? gh_issuer_read(r, keys, is_refresh ? 2 : 1) : GH_STEP_NEXT;
}

/* ---- the decision ---- */

/* Of the grant, or of the code that begins one. A row that cannot be read is refused by the redemption, which
 * reads it too. */
static enum gh_reason find_moment(const struct gh_issuer_request *r, struct gh_moment *ret_moment)
{
    struct gh_arena *arena = r->x->arena;
    struct gh_grant grant = { 0 };
    const struct gh_stored_row *row = &r->redemption.grant, *secret = &r->redemption.secret;
    if (row->version != 0 && gh_grant_read(arena, row->value, &grant) == GH_OUT_OF_MEMORY)
        return GH_OUT_OF_MEMORY;
    gh_str user = grant.user;
    if (row->version == 0 && secret->version != 0) {
        user = gh_code_user_of(arena, secret->value);
        if (user.ptr == NULL)
            return GH_OUT_OF_MEMORY;
    }
    return gh_issuer_moment(r, r->client.id, user, ret_moment);
}

/* One that would succeed fails instead where the client has to ask its user for more; nothing is spent then
 * but the row that says so. */
static enum gh_reason refresh(struct gh_issuer_request *r)
{
    struct gh_effects before = r->effects;
    enum gh_reason reason = gh_refresh_redeem(r->x->arena, &r->redemption, &r->effects, &r->token);
    if (reason == GH_OK)
        reason = gh_step_up_take(r->x->arena, &r->redemption, &r->step_up, &before);
    if (reason == GH_REFRESH_STEP_UP)
        r->effects = before;
    return reason;
}

static enum gh_reason redeem(struct gh_issuer_request *r)
{
    struct gh_arena *arena = r->x->arena;
    struct gh_redemption *redemption = &r->redemption;
    gh_issuer_chance(r);
    redemption->policy = &r->managed->policy;
    redemption->client = &r->client;
    redemption->client_read =
        gh_issuer_own_client(r->managed, r->client.id) != NULL ? INT64_MAX : r->client_epoch;
    redemption->form = &r->form;
    redemption->random = &r->random;
    enum gh_reason reason = find_moment(r, &redemption->moment);
    if (reason != GH_OK)
        return reason;
    if (gh_str_eq(grant_type(r), CODE))
        return gh_code_redeem(arena, redemption, &r->effects, &r->token);
    if (gh_str_eq(grant_type(r), REFRESH))
        return refresh(r);
    return gh_credentials_redeem(arena, redemption, &r->token);
}

/* Did the decision itself fail? Its effects are then half of something: a spent code without its grant. */
static bool is_fault(enum gh_reason reason)
{
    return gh_reason_row(reason)->status >= 500;
}

/* The verdict is told once its effects are durable, a refusal's too: a code used twice has ended its grant by
 * then. The token is signed before, so that what cannot be signed spends nothing; no fault does. */
static enum gh_step_end decide(struct gh_issuer_request *r)
{
    if (r->rows.count > 0)
        r->redemption.grant = r->rows.at[0];
    if (r->rows.count > 1)
        r->step_up = r->rows.at[1];
    enum gh_reason reason =
        gh_issuer_authenticate(r); /* what its assertion spends goes into this try's effects */
    if (reason != GH_OK)
        return gh_issuer_refuse(r, reason);
    r->verdict = redeem(r);
    if (r->verdict != GH_OK)
        return is_fault(r->verdict) ? gh_issuer_refuse(r, r->verdict) : GH_STEP_NEXT;
    gh_str claims = gh_grant_claims(r->x->arena, &r->managed->policy, &r->token);
    return claims.ptr != NULL ? gh_issuer_sign(r, claims) : gh_issuer_refuse(r, GH_OUT_OF_MEMORY);
}

/* What changed while a thread signed is a conflict, and decided anew. */
static enum gh_step_end commit(struct gh_issuer_request *r)
{
    return is_fault(r->verdict) ? gh_issuer_refuse(r, r->verdict) : gh_issuer_commit(r);
}

/* ---- the answer ---- */

/* Whose grant it was that a client presented something of, when it is that client's. */
static void tell_whose(struct gh_issuer_request *r)
{
    struct gh_grant grant;
    const struct gh_stored_row *row = &r->redemption.grant;
    if (row->version == 0 || gh_grant_read(r->x->arena, row->value, &grant) != GH_OK ||
        !gh_str_eq(grant.client, r->client.id))
        return;
    struct gh_principal *principal = gh_issuer_name(r, grant.user, grant.client);
    if (principal != NULL)
        principal->grant = grant.id;
}

static void tell_issued(struct gh_issuer_request *r)
{
    struct gh_principal *principal = gh_issuer_name(r, r->token.subject, r->token.client);
    if (principal != NULL) {
        principal->grant = r->token.grant;
        principal->kind = r->token.is_service ? GH_PRINCIPAL_SERVICE : GH_PRINCIPAL_USER;
    }
    gh_issuer_tell(r, GH_EVENT_TOKEN_ISSUED);
    if (gh_str_eq(grant_type(r), REFRESH))
        gh_issuer_tell(r, r->token.in_grace ? GH_EVENT_REFRESH_GRACE : GH_EVENT_REFRESH_ROTATED);
    gh_issuer_tell_token(r, &r->token);
}

static enum gh_step_end answer(struct gh_issuer_request *r)
{
    if (r->verdict == GH_REFRESH_REUSED)
        gh_issuer_tell(r, GH_EVENT_REFRESH_REUSE);
    if (r->verdict != GH_OK) {
        tell_whose(r);
        return gh_issuer_refuse(r, r->verdict);
    }
    tell_issued(r);
    return gh_issuer_json(r, 200, gh_grant_answer(r->x->arena, &r->token, r->signed_token));
}

const struct gh_step gh_steps_token[] = {
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
    { "grant", read_secret },
    { "grant", gh_step_grant },
    { "grant", decide },
    { "grant", commit },
    { "answer", answer },
    { NULL, NULL },
};
