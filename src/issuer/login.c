/* issuer/login.c: signing in with name and password, and out again. */
#include "base/str.h"
#include "issuer/flow.h"

static bool has_transaction(const struct gh_issuer_request *r)
{
    return r->transaction.key.len > 0;
}

/* ---- the page ---- */

static enum gh_step_end show(struct gh_issuer_request *r, enum gh_reason told)
{
    struct gh_form query = { 0 };
    gh_str before = gh_browser_before(r);
    enum gh_reason reason = gh_form_read(r->x->arena, r->transaction.query, &query);
    const struct gh_grant_policy *policy = &r->managed->policy;
    bool one = has_transaction(r) && policy->resource_count == 1;
    gh_str typed = gh_form_get(&r->posted, GH_STR("username"));
    const struct gh_page_login login = {
        .csrf = before.ptr != NULL ? gh_browser_token(r->x->arena, before, "login", r->transaction.handle)
                                   : GH_STR_NONE,
        .txn = r->transaction.handle,
        .target = r->transaction.target,
        .name = typed.len > 0 ? typed : gh_form_get(&query, GH_STR("login_hint")),
        .resource = one ? policy->resources[0].name : GH_STR(""),
        .told = told,
    };
    if (reason != GH_OK || login.csrf.ptr == NULL)
        return gh_issuer_refuse(r, reason != GH_OK ? reason : GH_OUT_OF_MEMORY);
    return gh_page_login(r, &login);
}

static enum gh_step_end read_query(struct gh_issuer_request *r)
{
    enum gh_reason reason = gh_form_read(r->x->arena, r->x->target.query, &r->form);
    if (reason == GH_OK)
        reason = gh_transaction_begin(r, gh_form_get(&r->form, GH_STR("txn")));
    if (reason != GH_OK)
        return gh_issuer_refuse(r, reason);
    return has_transaction(r) ? gh_issuer_read(r, &r->transaction.key, 1) : GH_STEP_NEXT;
}

static enum gh_step_end show_first(struct gh_issuer_request *r)
{
    const struct gh_managed *managed = r->managed;
    enum gh_reason reason = has_transaction(r) ? gh_transaction_take(r) : GH_OK;
    if (reason != GH_OK)
        return gh_issuer_refuse(r, reason);
    if (has_transaction(r) && managed->login_count > 0 && !gh_transaction_has_agreed(r))
        return gh_page_go(r, "/oauth/authorize", r->transaction.handle);
    /* nothing to choose; who has just signed out is not sent in again */
    if (has_transaction(r) && managed->login_count == 1 && !managed->accounts) {
        gh_str origin = gh_str_take(managed->policy.issuer, managed->policy.issuer.len - managed->base.len);
        gh_str path = gh_page_start_path(r, &managed->logins[0], r->transaction.handle);
        return gh_page_redirect(
            r, gh_arena_printf(r->x->arena, "%.*s%.*s", GH_STR_FMT(origin), GH_STR_FMT(path)));
    }
    return show(r, GH_OK);
}

const struct gh_step gh_steps_login[] = {
    { "request", read_query },
    { "answer", show_first },
    { NULL, NULL },
};

/* ---- its answer ---- */

static gh_str name_of(const struct gh_issuer_request *r)
{
    return gh_form_get(&r->posted, GH_STR("username"));
}

static enum gh_step_end read_form(struct gh_issuer_request *r)
{
    if (!r->managed->accounts)
        return gh_issuer_refuse(r, GH_LOGIN_FAILED);
    enum gh_reason reason = gh_form_read(r->x->arena, gh_buf_peek(&r->body), &r->posted);
    gh_str handle = gh_form_get(&r->posted, GH_STR("txn"));
    if (reason == GH_OK)
        reason = gh_browser_check_form(r, gh_browser_cookie(r, GH_COOKIE_BEFORE), "login", handle);
    if (reason == GH_OK)
        reason = gh_transaction_begin(r, handle);
    return reason == GH_OK ? GH_STEP_NEXT : gh_issuer_refuse(r, reason);
}

/* A conflict begins here again. */
static enum gh_step_end read_rows(struct gh_issuer_request *r)
{
    gh_str keys[4] = { gh_person_name_key(r->x->arena, name_of(r)), gh_tries_account_key(r, name_of(r)),
                       gh_tries_address_key(r), r->transaction.key };
    r->again = r->step - 1;
    r->person = (struct gh_person){ 0 };
    return gh_issuer_read(r, keys, has_transaction(r) ? 4 : 3);
}

/* Whether the account is there or not, the same is done from here on. */
static enum gh_step_end count_try(struct gh_issuer_request *r)
{
    r->effects = (struct gh_effects){ 0 };
    enum gh_reason reason = has_transaction(r) ? gh_transaction_take(r) : GH_OK;
    if (reason == GH_OK)
        reason = gh_tries_begin(r, name_of(r));
    if (reason != GH_OK)
        return gh_issuer_refuse(r, reason);
    if (r->retry_after_s > 0) {
        gh_issuer_tell(r, GH_EVENT_LOGIN_LOCKED);
        if (r->rows.at[0].version != 0 &&
            gh_person_id(r->x->arena, r->rows.at[0].value, &r->act.about) != GH_OK)
            r->act.about = GH_STR("");
        return show(r, GH_LOGIN_THROTTLED);
    }
    return gh_issuer_commit(r);
}

static enum gh_step_end read_person(struct gh_issuer_request *r)
{
    gh_str id = GH_STR(""), keys[2] = { gh_tries_address_key(r) };
    bool is_there = r->rows.at[0].version != 0;
    enum gh_reason reason = is_there ? gh_person_id(r->x->arena, r->rows.at[0].value, &id) : GH_OK;
    if (reason != GH_OK)
        return gh_issuer_refuse(r, reason);
    if (is_there)
        keys[1] = gh_person_key(r->x->arena, id);
    return gh_issuer_read(r, keys, is_there ? 2 : 1);
}

static enum gh_step_end check_password(struct gh_issuer_request *r)
{
    bool is_there = r->rows.count == 2 && r->rows.at[1].version != 0;
    enum gh_reason reason = is_there ? gh_person_read(r->x->arena, &r->rows.at[1], &r->person) : GH_OK;
    gh_str password = gh_form_get(&r->posted, GH_STR("password"));
    if (reason == GH_OK && password.len > GH_PASSWORD_MAX)
        reason = GH_FORM_MALFORMED;
    if (r->person.disabled) /* as if it were not there, and as costly */
        r->person = (struct gh_person){ 0 };
    return reason == GH_OK ? gh_issuer_hash(r, password, r->person.password) : gh_issuer_refuse(r, reason);
}

/* threats.md A23: a new id at every login; the request that waits knows by whom it was met. */
static enum gh_reason let_in(struct gh_issuer_request *r)
{
    struct gh_person person = r->person;
    enum gh_reason reason = gh_session_begin(r);
    if (reason == GH_OK)
        reason = gh_session_new(r, person.id, person.name);
    if (reason == GH_OK)
        reason = gh_effects_delete(&r->effects, gh_tries_account_key(r, name_of(r)));
    if (reason == GH_OK) /* who was disabled meanwhile is not let in */
        reason = gh_effects_expect(&r->effects, person.key, person.version);
    if (reason == GH_OK && r->reply.len > 0) {
        person.password = r->reply; /* as costly as the settings ask by now */
        reason = gh_person_put(r->x->arena, &person, &r->effects);
    }
    if (reason == GH_OK && has_transaction(r)) {
        r->transaction.signed_in = r->session.key;
        reason = gh_transaction_put(r);
    }
    return reason;
}

static enum gh_step_end judge(struct gh_issuer_request *r)
{
    enum gh_reason reason = GH_OK;
    r->effects = (struct gh_effects){ 0 };
    if (r->reply.ptr == NULL)
        reason = GH_OUT_OF_MEMORY;
    else if (r->verdict == GH_OK)
        reason = let_in(r);
    else
        reason = gh_tries_failed(r);
    if (reason == GH_LOGIN_FAILED) /* revoked for ever */
        r->effects = (struct gh_effects){ 0 };
    if (reason == GH_LOGIN_FAILED)
        r->verdict = reason;
    else if (reason != GH_OK)
        return gh_issuer_refuse(r, reason);
    return gh_issuer_commit(r);
}

static enum gh_step_end answer(struct gh_issuer_request *r)
{
    if (r->verdict != GH_OK) {
        gh_issuer_tell(r, GH_EVENT_LOGIN_FAILED);
        r->act.about = r->person.id; /* whose account it was tried at; what was typed is told nobody */
        return show(r, r->verdict);
    }
    gh_tries_right(r);
    gh_issuer_tell(r, GH_EVENT_LOGIN_OK);
    (void)gh_issuer_name(r, r->session.user, GH_STR(""));
    return has_transaction(r) ? gh_page_go(r, "/oauth/authorize", r->transaction.handle)
                              : gh_page_go(r, "/account", GH_STR(""));
}

const struct gh_step gh_steps_login_post[] = {
    { "form", read_form },       { "login", read_rows }, { "login", count_try }, { "login", read_person },
    { "login", check_password }, { "login", judge },     { "answer", answer },   { NULL, NULL },
};

/* ---- out ---- */

/* Asked first: a link from elsewhere signs nobody out. Where to go then is for nobody else to say (threats.md
 * A21). */
static enum gh_step_end ask_out(struct gh_issuer_request *r)
{
    gh_str csrf = gh_browser_token(r->x->arena, r->session.secret, "account", GH_STR(""));
    return csrf.ptr != NULL ? gh_page_logout(r, csrf) : gh_issuer_refuse(r, GH_OUT_OF_MEMORY);
}

const struct gh_step gh_steps_logout[] = {
    { "session", gh_step_session },
    { "session", gh_step_need_session },
    { "session", gh_step_need_person },
    { "answer", ask_out },
    { NULL, NULL },
};

static enum gh_step_end sign_out(struct gh_issuer_request *r)
{
    enum gh_reason reason = gh_form_read(r->x->arena, gh_buf_peek(&r->body), &r->posted);
    if (reason == GH_OK)
        reason = gh_session_begin(r);
    if (reason == GH_OK)
        reason = gh_browser_check_form(r, r->session.secret, "account", GH_STR(""));
    if (reason == GH_OK)
        reason = gh_effects_delete(&r->effects, r->session.key);
    if (reason == GH_OK)
        reason = gh_browser_set(r, GH_COOKIE_SESSION, GH_STR(""));
    return reason == GH_OK ? gh_issuer_commit(r) : gh_issuer_refuse(r, reason);
}

static enum gh_step_end signed_out(struct gh_issuer_request *r)
{
    return gh_page_go(r, "/login", GH_STR(""));
}

const struct gh_step gh_steps_logout_post[] = {
    { "form", sign_out },
    { "answer", signed_out },
    { NULL, NULL },
};
