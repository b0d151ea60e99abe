/* issuer/change.c: a new password for somebody who is signed in and knows the present one. */
#include "base/str.h"
#include "issuer/flow.h"

static gh_str posted(const struct gh_issuer_request *r, const char *name)
{
    return gh_form_get(&r->posted, gh_str_from(name));
}

static enum gh_step_end show(struct gh_issuer_request *r, enum gh_reason told)
{
    const struct gh_page_password page = {
        .csrf = gh_browser_token(r->x->arena, r->session.secret, "password", GH_STR("")),
        .name = r->session.name,
        .told = told,
    };
    return page.csrf.ptr != NULL ? gh_page_change(r, &page) : gh_issuer_refuse(r, GH_OUT_OF_MEMORY);
}

/* Who signs in at a provider has none here to change, and is not asked for one. */
static enum gh_step_end need_password(struct gh_issuer_request *r)
{
    return r->person.password.len > 0 ? GH_STEP_NEXT : gh_page_go(r, "/account", GH_STR(""));
}

/* ---- the page ---- */

static enum gh_step_end show_first(struct gh_issuer_request *r)
{
    return show(r, GH_OK);
}

const struct gh_step gh_steps_password[] = {
    { "session", gh_step_session },     { "session", gh_step_need_session },
    { "session", gh_step_need_person }, { "password", need_password },
    { "answer", show_first },           { NULL, NULL },
};

/* ---- its answer ---- */

static enum gh_step_end read_form(struct gh_issuer_request *r)
{
    enum gh_reason reason = gh_form_read(r->x->arena, gh_buf_peek(&r->body), &r->posted);
    if (reason == GH_OK)
        reason = gh_browser_check_form(r, gh_browser_cookie(r, GH_COOKIE_SESSION), "password", GH_STR(""));
    return reason == GH_OK ? GH_STEP_NEXT : gh_issuer_refuse(r, reason);
}

static enum gh_step_end read_rows(struct gh_issuer_request *r)
{
    const gh_str keys[] = { gh_person_key(r->x->arena, r->session.user), r->session.key,
                            gh_tries_account_key(r, r->session.name), gh_tries_address_key(r) };
    r->again = r->step - 1;
    return gh_issuer_read(r, keys, GH_ARRAY_LEN(keys));
}

/* Who holds a session alone tries no more passwords than somebody at the login page. */
static enum gh_step_end count_try(struct gh_issuer_request *r)
{
    enum gh_reason reason = gh_session_take(r);
    if (reason == GH_OK)
        reason = gh_session_person(r, &r->rows.at[0]);
    if (reason == GH_OK && !r->session.is_valid)
        return gh_page_go(r, "/login", GH_STR(""));
    r->effects = (struct gh_effects){ 0 };
    if (reason == GH_OK && !gh_password_is_usable(posted(r, "password"), posted(r, "again")))
        return show(r, GH_PASSWORD_REFUSED);
    if (reason == GH_OK && posted(r, "current").len > GH_PASSWORD_MAX)
        reason = GH_FORM_MALFORMED;
    if (reason == GH_OK)
        reason = gh_tries_begin(r, r->person.name);
    if (reason != GH_OK)
        return gh_issuer_refuse(r, reason);
    return r->retry_after_s > 0 ? show(r, GH_LOGIN_THROTTLED) : gh_issuer_commit(r);
}

static enum gh_step_end check_current(struct gh_issuer_request *r)
{
    return gh_issuer_hash(r, posted(r, "current"), r->person.password);
}

static enum gh_step_end judge_current(struct gh_issuer_request *r)
{
    r->effects = (struct gh_effects){ 0 };
    if (r->verdict == GH_OK) {
        gh_tries_right(r);
        return GH_STEP_NEXT;
    }
    enum gh_reason reason = gh_tries_failed(r);
    return reason == GH_OK ? gh_issuer_commit(r) : gh_issuer_refuse(r, reason);
}

static enum gh_step_end make_password(struct gh_issuer_request *r)
{
    if (r->verdict != GH_OK)
        return show(r, GH_LOGIN_FAILED);
    return gh_issuer_hash(r, posted(r, "password"), GH_STR(""));
}

/* All sessions of before are over, this browser's too: it gets another. */
static enum gh_step_end put_password(struct gh_issuer_request *r)
{
    struct gh_person *person = &r->person;
    if (r->reply.len == 0)
        return gh_issuer_refuse(r, GH_OUT_OF_MEMORY);
    r->effects = (struct gh_effects){ 0 };
    person->password = r->reply;
    enum gh_reason reason = gh_session_end_all(r);
    if (reason == GH_OK)
        reason = gh_person_put(r->x->arena, person, &r->effects);
    if (reason == GH_OK)
        reason = gh_effects_delete(&r->effects, gh_tries_account_key(r, person->name));
    if (reason == GH_OK)
        reason = gh_session_new(r, person->id, person->name);
    return reason == GH_OK ? gh_issuer_commit(r) : gh_issuer_refuse(r, reason);
}

static enum gh_step_end changed(struct gh_issuer_request *r)
{
    return gh_page_go(r, "/account", GH_STR(""));
}

const struct gh_step gh_steps_password_post[] = {
    { "form", read_form },
    { "session", gh_step_session },
    { "session", gh_step_need_session },
    { "session", gh_step_need_person },
    { "password", need_password },
    { "password", read_rows },
    { "password", count_try },
    { "password", check_current },
    { "password", judge_current },
    { "password", make_password },
    { "password", put_password },
    { "answer", changed },
    { NULL, NULL },
};
