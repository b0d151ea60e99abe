/* issuer/setup.c: the first account, made once behind the link that the gateway printed at its start. */
#include "issuer/setup.h"
#include "base/clock.h"
#include "base/str.h"
#include "core/grant/secret.h"
#include "issuer/flow.h"

/* ---- the link ---- */

/* One at a time: a newer one takes the older one's place. */
gh_str gh_setup_link_value(struct gh_arena *arena, gh_str token)
{
    gh_str hash = gh_secret_hash(arena, token);
    struct gh_text text = { .arena = arena };
    gh_put_text(&text, "token", hash);
    return hash.ptr != NULL ? gh_put_end(&text) : GH_STR_NONE;
}

static enum gh_reason check_link(const struct gh_issuer_request *r, gh_str token)
{
    const struct gh_stored_row *row = gh_rows_find(r->rows, GH_SETUP_KEY);
    gh_str value = gh_setup_link_value(r->x->arena, token);
    if (value.ptr == NULL)
        return GH_OUT_OF_MEMORY;
    /* hashes: their comparison says nothing about the token */
    return row != NULL && row->version != 0 && token.len > 0 && gh_str_eq(row->value, value)
               ? GH_OK
               : GH_SETUP_UNKNOWN;
}

static enum gh_step_end show(struct gh_issuer_request *r, gh_str token, enum gh_reason told)
{
    gh_str before = gh_browser_before(r);
    const struct gh_page_setup setup = {
        .csrf = before.ptr != NULL ? gh_browser_token(r->x->arena, before, "setup", token) : GH_STR_NONE,
        .token = token,
        .name = gh_form_get(&r->posted, GH_STR("username")),
        .told = told,
    };
    return setup.csrf.ptr != NULL ? gh_page_setup(r, &setup) : gh_issuer_refuse(r, GH_OUT_OF_MEMORY);
}

/* ---- the page ---- */

static enum gh_step_end read_link(struct gh_issuer_request *r)
{
    enum gh_reason reason = gh_form_read(r->x->arena, r->x->target.query, &r->form);
    return reason == GH_OK ? gh_issuer_read(r, &GH_SETUP_KEY, 1) : gh_issuer_refuse(r, reason);
}

static enum gh_step_end show_first(struct gh_issuer_request *r)
{
    gh_str token = gh_form_get(&r->form, GH_STR("token"));
    enum gh_reason reason = check_link(r, token);
    return reason == GH_OK ? show(r, token, GH_OK) : gh_issuer_refuse(r, reason);
}

const struct gh_step gh_steps_setup[] = {
    { "request", read_link },
    { "answer", show_first },
    { NULL, NULL },
};

/* ---- its answer ---- */

static gh_str posted(const struct gh_issuer_request *r, const char *name)
{
    return gh_form_get(&r->posted, gh_str_from(name));
}

static enum gh_step_end read_form(struct gh_issuer_request *r)
{
    enum gh_reason reason = gh_form_read(r->x->arena, gh_buf_peek(&r->body), &r->posted);
    if (reason == GH_OK)
        reason =
            gh_browser_check_form(r, gh_browser_cookie(r, GH_COOKIE_BEFORE), "setup", posted(r, "token"));
    return reason == GH_OK ? GH_STEP_NEXT : gh_issuer_refuse(r, reason);
}

static enum gh_step_end read_rows(struct gh_issuer_request *r)
{
    r->again = r->step - 1;
    return gh_issuer_read(r, &GH_SETUP_KEY, 1);
}

static bool is_usable(const struct gh_issuer_request *r)
{
    gh_str name = posted(r, "username"), password = posted(r, "password");
    return gh_person_name_is_sound(name) && gh_password_is_usable(password, posted(r, "again"));
}

static enum gh_step_end make_password(struct gh_issuer_request *r)
{
    enum gh_reason reason = check_link(r, posted(r, "token"));
    if (reason != GH_OK)
        return gh_issuer_refuse(r, reason);
    if (!is_usable(r))
        return show(r, posted(r, "token"), GH_PASSWORD_REFUSED);
    return gh_issuer_hash(r, posted(r, "password"), GH_STR(""));
}

static enum gh_reason put_person(struct gh_issuer_request *r)
{
    struct gh_arena *arena = r->x->arena;
    unsigned char random[16];
    gh_random_fill(random, sizeof(random));
    struct gh_person person = { .id = gh_id_text(arena, GH_PERSON_ID, random),
                                .name = posted(r, "username"),
                                .password = r->reply,
                                .created = gh_issuer_now(r) };
    person.key = gh_person_key(arena, person.id);
    enum gh_reason reason = gh_person_add(arena, &person, &r->effects);
    if (reason == GH_OK)
        reason = gh_session_begin(r);
    if (reason == GH_OK)
        reason = gh_session_new(r, person.id, person.name);
    return reason;
}

/* Account and end of the link in one step: of two at once, one finds it used. */
static enum gh_step_end make_account(struct gh_issuer_request *r)
{
    if (r->reply.len == 0)
        return gh_issuer_refuse(r, GH_OUT_OF_MEMORY);
    r->effects = (struct gh_effects){ 0 };
    enum gh_reason reason = gh_effects_expect(&r->effects, GH_SETUP_KEY, r->rows.at[0].version);
    if (reason == GH_OK)
        reason = gh_effects_delete(&r->effects, GH_SETUP_KEY);
    if (reason == GH_OK)
        reason = put_person(r);
    return reason == GH_OK ? gh_issuer_commit(r) : gh_issuer_refuse(r, reason);
}

static enum gh_step_end made(struct gh_issuer_request *r)
{
    gh_issuer_tell(r, GH_EVENT_LOGIN_OK);
    (void)gh_issuer_name(r, r->session.user, GH_STR(""));
    return gh_page_go(r, "/account", GH_STR(""));
}

const struct gh_step gh_steps_setup_post[] = {
    { "form", read_form },     { "setup", read_rows }, { "setup", make_password },
    { "setup", make_account }, { "answer", made },     { NULL, NULL },
};
