/* core/grant/code.c: authorization codes: issued once, redeemed once; a second try takes the grant along. */
#include "base/arena.h"
#include "base/str.h"
#include "core/grant/rows.h"
#include "core/grant/secret.h"

/* A code as it is stored, under the hash of its text. */
struct code {
    struct gh_authorization request;
    gh_str user, client_name, grant_id;
    int64_t auth_time, issued;
    bool used;
};

static gh_str write_code(struct gh_arena *arena, const struct code *code)
{
    struct gh_text text = { .arena = arena };
    gh_put_made(&text, "request", gh_authorization_write(arena, &code->request));
    gh_put_text(&text, "user", code->user);
    gh_put_text(&text, "client_name", code->client_name);
    gh_put_text(&text, "grant_id", code->grant_id);
    gh_put_made(&text, "grant", gh_grant_key(arena, code->user, code->grant_id));
    gh_put_number(&text, "auth_time", code->auth_time);
    gh_put_number(&text, "issued", code->issued);
    gh_put_true(&text, "used", code->used);
    return gh_put_end(&text);
}

static enum gh_reason read_code(struct gh_arena *arena, gh_str value, struct code *ret_code)
{
    struct gh_json row;
    enum gh_reason reason = gh_json_read(arena, value, &gh_json_control_limits, GH_STORE_MALFORMED, &row);
    if (reason != GH_OK)
        return reason;
    bool ok = true;
    struct code code = { .user = gh_get_text(&row, "user", &ok),
                         .client_name = gh_get_text(&row, "client_name", &ok),
                         .grant_id = gh_get_text(&row, "grant_id", &ok),
                         .auth_time = gh_get_number(&row, "auth_time", &ok),
                         .issued = gh_get_number(&row, "issued", &ok),
                         .used = gh_get_true(&row, "used", &ok) };
    reason = gh_authorization_load(arena, gh_get_text(&row, "request", &ok), &code.request);
    if (reason != GH_OK)
        return reason;
    if (!ok || code.user.len == 0 || code.grant_id.len == 0)
        return GH_STORE_MALFORMED;
    *ret_code = code;
    return GH_OK;
}

gh_str gh_code_key(struct gh_arena *arena, gh_str code)
{
    return gh_row_key(arena, "code", &code, 1);
}

/* A row that cannot be read is refused by the redemption, which reads it too. */
static gh_str member_of(struct gh_arena *arena, gh_str value, const char *name)
{
    struct gh_json row;
    bool ok = true;
    enum gh_reason reason = gh_json_read(arena, value, &gh_json_control_limits, GH_STORE_MALFORMED, &row);
    if (reason == GH_OUT_OF_MEMORY)
        return GH_STR_NONE;
    return reason == GH_OK ? gh_get_text(&row, name, &ok) : GH_STR("");
}

gh_str gh_grant_key_of(struct gh_arena *arena, gh_str secret_value)
{
    return member_of(arena, secret_value, "grant");
}

gh_str gh_code_user_of(struct gh_arena *arena, gh_str secret_value)
{
    return member_of(arena, secret_value, "user");
}

/* ---- issued ---- */

enum gh_reason gh_code_issue(struct gh_arena *arena, const struct gh_grant_policy *policy,
                             const struct gh_authorization *request, const struct gh_approval *approval,
                             const struct gh_grant_random *random, const struct gh_moment *moment,
                             struct gh_effects *effects, gh_str *ret_code)
{
    const struct code code = { .request = *request,
                               .user = approval->user,
                               .client_name = approval->client_name,
                               .grant_id = gh_id_text(arena, "grt_", random->grant),
                               .auth_time = approval->auth_time,
                               .issued = gh_moment_counts(moment) };
    gh_str text = gh_secret_text(arena, random->code, sizeof(random->code));
    gh_str key = text.ptr != NULL ? gh_code_key(arena, text) : GH_STR_NONE;
    gh_str value = code.grant_id.ptr != NULL ? write_code(arena, &code) : GH_STR_NONE;
    if (key.ptr == NULL || value.ptr == NULL)
        return GH_OUT_OF_MEMORY;
    enum gh_reason reason = gh_effects_expect(effects, key, 0);
    if (reason == GH_OK)
        reason = gh_effects_write(effects, key, value, moment->now + policy->code_s);
    if (reason == GH_OK)
        *ret_code = text;
    return reason;
}

/* ---- redeemed ---- */

/* RFC 6749 section 4.1.2: "the authorization server MUST deny the request and SHOULD revoke (when possible)
 * all tokens previously issued based on that authorization code." */
static enum gh_reason refuse_replay(struct gh_arena *arena, const struct gh_redemption *redemption,
                                    const struct code *code, struct gh_effects *effects)
{
    enum gh_reason reason =
        redemption->grant.version != 0
            ? gh_grant_end(arena, redemption->policy, &redemption->grant, redemption->moment.now, effects)
            : gh_grant_revoke(redemption->policy, code->grant_id, redemption->moment.now, effects);
    return reason == GH_OK ? GH_CODE_REPLAYED : reason;
}

/* Whoever presents it wrongly has it: nobody shall use it any more (threats.md A2). */
static enum gh_reason use_up(const struct gh_stored_row *secret, enum gh_reason why,
                             struct gh_effects *effects)
{
    enum gh_reason reason = gh_effects_expect(effects, secret->key, secret->version);
    if (reason == GH_OK)
        reason = gh_effects_delete(effects, secret->key);
    return reason == GH_OK ? why : reason;
}

static enum gh_reason check(struct gh_arena *arena, const struct gh_redemption *redemption,
                            const struct code *code)
{
    const struct gh_form *form = redemption->form;
    gh_str redirect_uri = gh_form_get(form, GH_STR("redirect_uri"));
    gh_str resource = gh_form_get(form, GH_STR("resource"));
    bool same = true;
    if (!gh_str_eq(redemption->client->id, code->request.client_id) ||
        code->issued <= redemption->moment.epoch)
        return GH_GRANT_INVALID;
    /* OAuth 2.1 has dropped it here; who sends it, sends the one of the request. */
    if (redirect_uri.ptr != NULL && !gh_str_eq(redirect_uri, code->request.redirect_uri))
        return GH_GRANT_INVALID;
    /* What ends a client says nothing of who signed in. */
    if (code->auth_time <= redemption->moment.people)
        return GH_GRANT_INVALID;
    enum gh_reason reason =
        resource.ptr != NULL ? gh_resource_matches(arena, code->request.resource, resource, &same) : GH_OK;
    if (reason != GH_OK)
        return reason;
    if (!same)
        return GH_RESOURCE_UNKNOWN;
    return gh_pkce_verify(code->request.code_challenge, gh_form_get(form, GH_STR("code_verifier")));
}

static enum gh_reason begin_grant(struct gh_arena *arena, const struct gh_redemption *redemption,
                                  const struct code *code, struct gh_effects *effects,
                                  struct gh_grant_token *ret_token)
{
    const struct gh_grant_policy *policy = redemption->policy;
    int64_t now = redemption->moment.now;
    bool refreshes = (redemption->client->grants & GH_GRANT_REFRESH) != 0;
    struct gh_grant grant = { .id = code->grant_id,
                              .user = code->user,
                              .client = code->request.client_id,
                              .client_name = code->client_name,
                              .resource = code->request.resource,
                              .redirect_host = gh_redirect_host(code->request.redirect_uri),
                              .scopes = code->request.scopes,
                              .created = gh_moment_counts(&redemption->moment),
                              .used = now,
                              .auth_time = code->auth_time,
                              .ends = refreshes ? now + policy->refresh_absolute_s : 0 };
    gh_str key = gh_grant_key(arena, grant.user, grant.id);
    gh_str refresh = gh_secret_text(arena, redemption->random->refresh, sizeof(redemption->random->refresh));
    if (key.ptr == NULL || refresh.ptr == NULL)
        return GH_OUT_OF_MEMORY;
    enum gh_reason reason = gh_effects_expect(effects, key, 0);
    if (reason == GH_OK && refreshes)
        reason = gh_refresh_put(arena, redemption, &grant, key, refresh, effects);
    gh_str value = reason == GH_OK ? gh_grant_write(arena, &grant) : GH_STR_NONE;
    if (reason == GH_OK && value.ptr == NULL)
        reason = GH_OUT_OF_MEMORY;
    if (reason == GH_OK)
        reason = gh_effects_write(effects, key, value, gh_grant_expires(policy, &grant, now));
    if (reason == GH_OK)
        reason = gh_grant_mint(arena, redemption, &grant, grant.scopes, ret_token);
    if (reason == GH_OK && refreshes)
        ret_token->refresh_token = refresh;
    return reason;
}

/* The spent code is remembered as long as a token of it can live, so that a second use is seen. */
static enum gh_reason mark_used(struct gh_arena *arena, const struct gh_redemption *redemption,
                                struct code *code, struct gh_effects *effects)
{
    code->used = true;
    gh_str value = write_code(arena, code);
    if (value.ptr == NULL)
        return GH_OUT_OF_MEMORY;
    const struct gh_stored_row *secret = &redemption->secret;
    enum gh_reason reason = gh_effects_expect(effects, secret->key, secret->version);
    int64_t until = redemption->moment.now + redemption->policy->access_s + GH_GRANT_SLACK;
    return reason == GH_OK ? gh_effects_write(effects, secret->key, value, until) : reason;
}

enum gh_reason gh_code_redeem(struct gh_arena *arena, const struct gh_redemption *redemption,
                              struct gh_effects *effects, struct gh_grant_token *ret_token)
{
    struct code code;
    if ((redemption->client->grants & GH_GRANT_CODE) == 0)
        return GH_GRANT_UNAUTHORIZED;
    if (gh_form_get(redemption->form, GH_STR("code")).ptr == NULL)
        return GH_PARAMETER_MISSING;
    if (redemption->secret.version == 0)
        return GH_GRANT_INVALID;
    enum gh_reason reason = read_code(arena, redemption->secret.value, &code);
    if (reason != GH_OK)
        return reason;
    if (code.used)
        return refuse_replay(arena, redemption, &code, effects);
    reason = check(arena, redemption, &code);
    if (reason != GH_OK)
        return reason == GH_OUT_OF_MEMORY ? reason : use_up(&redemption->secret, reason, effects);
    reason = mark_used(arena, redemption, &code, effects);
    return reason == GH_OK ? begin_grant(arena, redemption, &code, effects, ret_token) : reason;
}
