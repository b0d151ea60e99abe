/* issuer/choose.c: a password chosen behind a one-time link that the operator handed over. */
#include "base/str.h"
#include "issuer/flow.h"

static gh_str posted(const struct gh_issuer_request *r, const char *name)
{
    return gh_form_get(&r->posted, gh_str_from(name));
}

/* ---- the link ---- */

static enum gh_step_end read_link(struct gh_issuer_request *r, gh_str secret)
{
    gh_str key = gh_link_key(r->x->arena, secret);
    return gh_issuer_read(r, &key, 1);
}

/* The row of its person comes with it. */
static enum gh_step_end read_person(struct gh_issuer_request *r)
{
    gh_str id, keys[2] = { r->rows.at[0].key };
    if (r->rows.at[0].version == 0)
        return gh_issuer_refuse(r, GH_LINK_UNKNOWN);
    enum gh_reason reason = gh_person_id(r->x->arena, r->rows.at[0].value, &id);
    if (reason != GH_OK)
        return gh_issuer_refuse(r, reason);
    keys[1] = gh_person_key(r->x->arena, id);
    return gh_issuer_read(r, keys, GH_ARRAY_LEN(keys));
}

/* The newest link of a person alone counts, and of nobody who is disabled. */
static enum gh_step_end check_link(struct gh_issuer_request *r)
{
    const struct gh_stored_row *link = &r->rows.at[0], *row = &r->rows.at[1];
    bool is_there = link->version != 0 && row->version != 0;
    enum gh_reason reason = is_there ? gh_person_read(r->x->arena, row, &r->person) : GH_LINK_UNKNOWN;
    if (reason == GH_OK && (r->person.disabled || !gh_str_eq(r->person.link, link->key)))
        reason = GH_LINK_UNKNOWN;
    return reason == GH_OK ? GH_STEP_NEXT : gh_issuer_refuse(r, reason);
}

static enum gh_step_end show(struct gh_issuer_request *r, gh_str secret, enum gh_reason told)
{
    gh_str before = gh_browser_before(r);
    const struct gh_page_password page = {
        .csrf = before.ptr != NULL ? gh_browser_token(r->x->arena, before, "link", secret) : GH_STR_NONE,
        .token = secret,
        .name = r->person.name,
        .told = told,
    };
    return page.csrf.ptr != NULL ? gh_page_choose(r, &page) : gh_issuer_refuse(r, GH_OUT_OF_MEMORY);
}

/* ---- the page ---- */

static enum gh_step_end read_query(struct gh_issuer_request *r)
{
    enum gh_reason reason = gh_form_read(r->x->arena, r->x->target.query, &r->form);
    gh_str secret = gh_form_get(&r->form, GH_STR("token"));
    if (reason == GH_OK && secret.len == 0)
        reason = GH_LINK_UNKNOWN;
    return reason == GH_OK ? read_link(r, secret) : gh_issuer_refuse(r, reason);
}

static enum gh_step_end show_first(struct gh_issuer_request *r)
{
    return show(r, gh_form_get(&r->form, GH_STR("token")), GH_OK);
}

const struct gh_step gh_steps_choose[] = {
    { "request", read_query }, { "link", read_person }, { "link", check_link },
    { "answer", show_first },  { NULL, NULL },
};

/* ---- its answer ---- */

static enum gh_step_end read_form(struct gh_issuer_request *r)
{
    enum gh_reason reason = gh_form_read(r->x->arena, gh_buf_peek(&r->body), &r->posted);
    if (reason == GH_OK)
        reason = gh_browser_check_form(r, gh_browser_cookie(r, GH_COOKIE_BEFORE), "link", posted(r, "token"));
    return reason == GH_OK ? GH_STEP_NEXT : gh_issuer_refuse(r, reason);
}

static enum gh_step_end read_again(struct gh_issuer_request *r)
{
    r->again = r->step - 1;
    return read_link(r, posted(r, "token"));
}

static enum gh_step_end make_password(struct gh_issuer_request *r)
{
    if (!gh_password_is_usable(posted(r, "password"), posted(r, "again")))
        return show(r, posted(r, "token"), GH_PASSWORD_REFUSED);
    return gh_issuer_hash(r, posted(r, "password"), GH_STR(""));
}

/* Password, end of the link and of all older sessions in one step: of two at once, one finds it used. */
static enum gh_step_end put_password(struct gh_issuer_request *r)
{
    const struct gh_stored_row *link = &r->rows.at[0];
    struct gh_person *person = &r->person;
    if (r->reply.len == 0)
        return gh_issuer_refuse(r, GH_OUT_OF_MEMORY);
    r->effects = (struct gh_effects){ 0 };
    person->password = r->reply;
    enum gh_reason reason = gh_session_end_all(r);
    if (reason == GH_OK)
        reason = gh_effects_expect(&r->effects, link->key, link->version);
    if (reason == GH_OK)
        reason = gh_link_end(person, &r->effects);
    if (reason == GH_OK)
        reason = gh_person_put(r->x->arena, person, &r->effects);
    if (reason == GH_OK)
        reason = gh_effects_delete(&r->effects, gh_tries_account_key(r, person->name));
    if (reason == GH_OK)
        reason = gh_session_begin(r);
    if (reason == GH_OK)
        reason = gh_session_new(r, person->id, person->name);
    return reason == GH_OK ? gh_issuer_commit(r) : gh_issuer_refuse(r, reason);
}

static enum gh_step_end chosen(struct gh_issuer_request *r)
{
    gh_issuer_tell(r, GH_EVENT_LOGIN_OK);
    (void)gh_issuer_name(r, r->session.user, GH_STR(""));
    return gh_page_go(r, "/account", GH_STR(""));
}

const struct gh_step gh_steps_choose_post[] = {
    { "form", read_form },     { "link", read_again },   { "link", read_person }, { "link", check_link },
    { "link", make_password }, { "link", put_password }, { "answer", chosen },    { NULL, NULL },
};
