/* issuer/account.c: what a user has allowed, and its end. */
#include "base/str.h"
#include "issuer/flow.h"

enum gh_step_end gh_step_session(struct gh_issuer_request *r)
{
    enum gh_reason reason = gh_session_begin(r);
    r->again = r->step - 1;
    if (reason != GH_OK)
        return gh_issuer_refuse(r, reason);
    return r->session.key.len > 0 ? gh_issuer_read(r, &r->session.key, 1) : GH_STEP_NEXT;
}

enum gh_step_end gh_step_need_session(struct gh_issuer_request *r)
{
    enum gh_reason reason = gh_session_take(r);
    if (reason != GH_OK)
        return gh_issuer_refuse(r, reason);
    if (!r->session.is_valid)
        return gh_page_go(r, "/login", GH_STR(""));
    gh_str key = gh_person_key(r->x->arena, r->session.user);
    return gh_issuer_read(r, &key, 1);
}

/* An account that is gone, or disabled, has no session. */
enum gh_step_end gh_step_need_person(struct gh_issuer_request *r)
{
    enum gh_reason reason = gh_session_person(r, &r->rows.at[0]);
    if (reason == GH_OK && !r->session.is_valid)
        return gh_page_go(r, "/login", GH_STR(""));
    r->effects = (struct gh_effects){ 0 };
    if (reason == GH_OK)
        reason = gh_session_touch(r);
    (void)gh_issuer_name(r, r->session.user, GH_STR(""));
    return reason == GH_OK ? gh_issuer_commit(r) : gh_issuer_refuse(r, reason);
}

static enum gh_step_end read_grants(struct gh_issuer_request *r)
{
    return gh_issuer_list(r, gh_arena_printf(r->x->arena, "grant/%.*s/", GH_STR_FMT(r->session.user)),
                          GH_ACCOUNT_GRANTS_MAX);
}

static enum gh_step_end show(struct gh_issuer_request *r)
{
    gh_str csrf = gh_browser_token(r->x->arena, r->session.secret, "account", GH_STR(""));
    return csrf.ptr != NULL ? gh_page_account(r, csrf) : gh_issuer_refuse(r, GH_OUT_OF_MEMORY);
}

const struct gh_step gh_steps_account[] = {
    { "session", gh_step_session },
    { "session", gh_step_need_session },
    { "session", gh_step_need_person },
    { "account", read_grants },
    { "answer", show },
    { NULL, NULL },
};

/* ---- ending one ---- */

static enum gh_step_end read_form(struct gh_issuer_request *r)
{
    enum gh_reason reason = gh_form_read(r->x->arena, gh_buf_peek(&r->body), &r->posted);
    if (reason == GH_OK)
        reason = gh_browser_check_form(r, gh_browser_cookie(r, GH_COOKIE_SESSION), "account", GH_STR(""));
    return reason == GH_OK ? GH_STEP_NEXT : gh_issuer_refuse(r, reason);
}

static enum gh_step_end read_grant(struct gh_issuer_request *r)
{
    gh_str id = gh_form_get(&r->posted, GH_STR("grant"));
    if (!gh_id_is_sound(id))
        return gh_issuer_refuse(r, GH_FORM_MALFORMED);
    gh_str key = gh_grant_key(r->x->arena, r->session.user, id);
    return gh_issuer_read(r, &key, 1);
}

static void tell_ended(struct gh_issuer_request *r, const struct gh_grant *grant)
{
    struct gh_principal *principal = gh_issuer_name(r, r->session.user, grant->client);
    if (principal != NULL)
        principal->grant = grant->id;
    r->act.resource = grant->resource;
}

static enum gh_step_end end_grant(struct gh_issuer_request *r)
{
    struct gh_grant grant;
    const struct gh_stored_row *row = &r->rows.at[0];
    r->effects = (struct gh_effects){ 0 };
    if (row->version == 0) /* twice, or it had ended by itself */
        return GH_STEP_NEXT;
    enum gh_reason reason = gh_grant_read(r->x->arena, row->value, &grant);
    if (reason == GH_OK)
        reason = gh_grant_end(r->x->arena, &r->managed->policy, row, gh_issuer_now(r), &r->effects);
    if (reason == GH_OK)
        reason = gh_consent_forget(r->x->arena, &grant, &r->effects);
    if (reason == GH_OK)
        tell_ended(r, &grant);
    return reason == GH_OK ? gh_issuer_commit(r) : gh_issuer_refuse(r, reason);
}

static enum gh_step_end ended(struct gh_issuer_request *r)
{
    if (r->effects.revocation_count > 0)
        gh_issuer_tell(r, GH_EVENT_CONSENT_REVOKED);
    return gh_page_go(r, "/account", GH_STR(""));
}

const struct gh_step gh_steps_account_post[] = {
    { "form", read_form },
    { "session", gh_step_session },
    { "session", gh_step_need_session },
    { "session", gh_step_need_person },
    { "account", read_grant },
    { "account", end_grant },
    { "answer", ended },
    { NULL, NULL },
};
