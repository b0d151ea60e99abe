/* issuer/authorize.c: the authorization endpoint, and the answer of the consent page: both go the same way
 * from what the client asked to what may be given. */
#include "base/str.h"
#include "core/grant/rows.h"
#include "core/text.h"
#include "core/token/claims.h"
#include "issuer/document.h"
#include "issuer/flow.h"

#define CONSENT_S    31536000 /* after a year a person is asked again */
#define REGISTERED_S 7776000  /* issuer.md section 5.2: a registration in use lives so long */
#define SLACK_S      86400

/* ---- what is asked ---- */

/* Straight from the client, or one that waited for a person. */
static enum gh_step_end read_query(struct gh_issuer_request *r)
{
    enum gh_reason reason = gh_form_read(r->x->arena, r->x->target.query, &r->form);
    if (reason == GH_OK)
        reason = gh_transaction_begin(r, gh_form_get(&r->form, GH_STR("txn")));
    if (reason != GH_OK)
        return gh_issuer_refuse(r, reason);
    if (r->transaction.key.len > 0)
        return gh_issuer_read(r, &r->transaction.key, 1);
    r->transaction.query = r->x->target.query;
    return GH_STEP_NEXT;
}

static enum gh_step_end open_transaction(struct gh_issuer_request *r)
{
    if (r->transaction.key.len == 0)
        return GH_STEP_NEXT;
    enum gh_reason reason = gh_transaction_take(r);
    if (reason == GH_OK)
        reason = gh_form_read(r->x->arena, r->transaction.query, &r->form);
    return reason == GH_OK ? GH_STEP_NEXT : gh_issuer_refuse(r, reason);
}

/* Where people sign in at a provider they agree first: it knows one client, us, and would let them through
 * for whichever client asks (issuer.md section 7, threats.md A9). */
static bool agrees_first(const struct gh_issuer_request *r)
{
    return r->managed->login_count > 0;
}

static enum gh_reason spend_pending(struct gh_issuer_request *r)
{
    const struct gh_rate rate = { .tries = r->managed->limits.pending, .span_s = 600 };
    enum gh_reason reason = gh_throttle_spend(r, gh_throttle_pending_key(r), &rate);
    const struct gh_rate all = { .tries = r->managed->limits.pending_all, .span_s = 600 };
    return reason == GH_OK ? gh_throttle_all(r, "pending", &all) : reason;
}

static gh_str row_key_of(const struct gh_issuer_request *r, gh_str client_id)
{
    return gh_client_id_is_url(client_id) ? gh_document_key(r->x->arena, client_id)
                                          : gh_client_key(r->x->arena, client_id);
}

/* A conflict begins here again, and what waited for a document. */
static enum gh_step_end read_rows(struct gh_issuer_request *r)
{
    gh_str keys[4], client_id = gh_form_get(&r->form, GH_STR("client_id"));
    size_t count = 0;
    r->again = r->step - 1;
    if (client_id.len == 0)
        return gh_issuer_refuse(r, GH_PARAMETER_MISSING);
    enum gh_reason reason = gh_session_begin(r);
    if (reason != GH_OK)
        return gh_issuer_refuse(r, reason);
    if (r->session.key.len > 0)
        keys[count++] = r->session.key;
    if (r->transaction.version != 0)
        keys[count++] = r->transaction.key;
    if (r->transaction.version == 0)
        keys[count++] = gh_throttle_pending_key(r);
    if (gh_issuer_own_client(r->managed, client_id) == NULL)
        keys[count++] = row_key_of(r, client_id);
    r->rows = (struct gh_rows){ 0 };
    return count > 0 ? gh_issuer_read(r, keys, count) : GH_STEP_NEXT;
}

/* Old ones are asked for anew; that needs somebody who is signed in (threats.md A12: else anybody on the net
 * could send us anywhere), or, where people agree before they are, a request that its address has paid for.
 */
static bool may_fetch(const struct gh_issuer_request *r)
{
    return r->session.is_valid || (agrees_first(r) && r->transaction.version != 0);
}

static enum gh_reason take_client(struct gh_issuer_request *r)
{
    gh_str client_id = gh_form_get(&r->form, GH_STR("client_id"));
    const struct gh_client *own = gh_issuer_own_client(r->managed, client_id);
    if (own != NULL) {
        r->client = *own;
        return GH_OK;
    }
    gh_str key = row_key_of(r, client_id);
    const struct gh_stored_row *row = key.ptr != NULL ? gh_rows_find(r->rows, key) : NULL;
    if (key.ptr == NULL)
        return GH_OUT_OF_MEMORY;
    if (row != NULL && row->version != 0)
        r->client_row = *row;
    if (gh_client_id_is_url(client_id))
        return gh_document_take(r, client_id, row, may_fetch(r));
    return row == NULL || row->version == 0 ? GH_CLIENT_UNKNOWN
                                            : gh_client_read(r->x->arena, row->value, &r->client);
}

static enum gh_step_end take_rows(struct gh_issuer_request *r)
{
    enum gh_reason reason = gh_session_take(r);
    if (reason == GH_OK && r->transaction.version != 0)
        reason = gh_transaction_take(r);
    if (reason == GH_OK)
        reason = take_client(r);
    return reason == GH_OK ? GH_STEP_NEXT : gh_issuer_refuse(r, reason);
}

/* A client that nobody knows yet: a person comes first. Its redirect is not checked, so nothing is sent
 * there; what its forms may lead to later is named all the same, because browsers hold the whole way to it.
 */
static enum gh_step_end need_person(struct gh_issuer_request *r)
{
    gh_str redirect_uri = gh_form_get(&r->form, GH_STR("redirect_uri"));
    enum gh_redirect_kind kind;
    if (r->client.id.len > 0 || r->wanted.len > 0)
        return GH_STEP_NEXT;
    if (gh_push_is_missing(r))
        return gh_issuer_refuse(r, GH_PUSH_REQUIRED);
    if (gh_words_have(gh_form_get(&r->form, GH_STR("prompt")), GH_STR("none")))
        return gh_issuer_refuse(r, GH_LOGIN_REQUIRED);
    if (r->transaction.version != 0)
        return gh_page_go(r, "/login", r->transaction.handle);
    enum gh_reason reason =
        gh_redirect_check(r->x->arena, redirect_uri, r->managed->policy.redirect_schemes, &kind);
    r->transaction.target = reason == GH_OK ? gh_transaction_target(r->x->arena, redirect_uri) : GH_STR("");
    r->effects = (struct gh_effects){ 0 };
    if (reason == GH_OUT_OF_MEMORY || r->transaction.target.ptr == NULL)
        return gh_issuer_refuse(r, GH_OUT_OF_MEMORY);
    r->wants_person = true;
    reason = gh_transaction_put(r);
    if (reason == GH_OK)
        reason = spend_pending(r);
    return reason == GH_OK ? gh_issuer_commit(r) : gh_issuer_refuse(r, reason);
}

static enum gh_step_end send_to_person(struct gh_issuer_request *r)
{
    const char *path = agrees_first(r) ? "/oauth/authorize" : "/login";
    return r->wants_person ? gh_page_go(r, path, r->transaction.handle) : GH_STEP_NEXT;
}

/* ---- back to the client ---- */

/* RFC 9207: `iss` in errors too. */
static enum gh_step_end bounce(struct gh_issuer_request *r, enum gh_reason why)
{
    r->x->reason = why;
    gh_issuer_tell_refused(r);
    return gh_page_redirect(
        r, gh_authorization_answer(r->x->arena, &r->managed->policy, r->request.redirect_uri,
                                   gh_form_get(&r->form, GH_STR("state")), GH_STR_NONE, why));
}

/* Until here an error is a page (RFC 6749 section 4.1.2.1: "MUST NOT automatically redirect the user-agent to
 * the invalid redirection URI"). */
static enum gh_step_end find_redirect(struct gh_issuer_request *r)
{
    enum gh_reason reason = gh_authorization_redirect(&r->client, &r->form, &r->request.redirect_uri);
    r->is_proven = reason == GH_OK; /* as far as a public client can be: the answer goes to it alone */
    gh_issuer_tell_asked(r);
    return reason == GH_OK ? GH_STEP_NEXT : gh_issuer_refuse(r, reason);
}

/* Told anew when its person comes back from the sign-in: who it is, is known then. */
static void tell_request(struct gh_issuer_request *r)
{
    if (r->x->method != GH_METHOD_POST)
        gh_issuer_tell(r, GH_EVENT_AUTHZ_REQUEST);
    (void)gh_issuer_name(r, r->session.is_valid ? r->session.user : GH_STR(""), r->client.id);
    r->act.resource = r->request.resource;
}

static enum gh_step_end read_request(struct gh_issuer_request *r)
{
    gh_str redirect_uri = r->request.redirect_uri;
    enum gh_reason reason = r->transaction.version == 0
                                ? gh_throttle_client(r, "authorize", r->managed->limits.authorize)
                                : GH_OK;
    if (reason != GH_OK)
        return gh_issuer_refuse(r, reason);
    if (gh_push_is_missing(r))
        return bounce(r, GH_PUSH_REQUIRED);
    reason = gh_authorization_read(r->x->arena, &r->managed->policy, &r->client, &r->form, redirect_uri,
                                   &r->request);
    if (reason == GH_OUT_OF_MEMORY)
        return gh_issuer_refuse(r, reason);
    if (reason != GH_OK)
        return bounce(r, reason);
    tell_request(r);
    return GH_STEP_NEXT;
}

/* ---- who answers ---- */

/* The account of the session, and what it agreed to before; and what the address has begun, because the
 * session may turn out to be over. */
static enum gh_step_end read_person(struct gh_issuer_request *r)
{
    gh_str keys[3];
    if (!r->session.is_valid)
        return GH_STEP_NEXT;
    keys[0] = gh_person_key(r->x->arena, r->session.user);
    keys[1] = gh_consent_key(r->x->arena, r->session.user, &r->request);
    keys[2] = gh_throttle_pending_key(r);
    return gh_issuer_read(r, keys, GH_ARRAY_LEN(keys));
}

/* A consent is to the client that was there then: it ends with all else that was given to it, and another
 * one of the same name begins without. A document is younger than its client: there the mark says whether it
 * is the one that was agreed to. */
static enum gh_reason take_consent(struct gh_issuer_request *r, const struct gh_stored_row *row)
{
    struct gh_json value;
    bool ok = true;
    gh_str mark = gh_client_document_mark(r->x->arena, &r->client);
    int64_t epoch, created = r->client.kind == GH_CLIENT_DOCUMENT ? 0 : r->client.created;
    if (row->version == 0)
        return GH_OK;
    enum gh_reason reason = mark.ptr == NULL ? GH_OUT_OF_MEMORY
                                             : gh_json_read(r->x->arena, row->value, &gh_json_control_limits,
                                                            GH_STORE_MALFORMED, &value);
    if (reason == GH_OK)
        reason = gh_issuer_client_epoch(r, r->client.id, &epoch);
    if (reason != GH_OK)
        return reason;
    int64_t granted = gh_get_number(&value, "granted", &ok);
    r->has_consented =
        granted > epoch && granted >= created && gh_str_eq(gh_get_text(&value, "mark", &ok), mark);
    return ok ? GH_OK : GH_STORE_MALFORMED;
}

static enum gh_step_end take_person(struct gh_issuer_request *r)
{
    r->has_consented = false;
    enum gh_reason reason = r->session.is_valid ? gh_session_person(r, &r->rows.at[0]) : GH_OK;
    if (reason == GH_OK && r->session.is_valid)
        reason = take_consent(r, &r->rows.at[1]);
    return reason == GH_OK ? GH_STEP_NEXT : gh_issuer_refuse(r, reason);
}

/* Somebody is signed in, and has signed in for this request where the client asks for that. */
static bool is_signed_in(const struct gh_issuer_request *r)
{
    return r->session.is_valid &&
           (!r->request.prompt_login || gh_str_eq(r->transaction.signed_in, r->session.key));
}

static bool has_agreed(const struct gh_issuer_request *r)
{
    return r->client.no_consent || r->has_consented;
}

/* ---- giving ---- */

/* A registration or document that is used lives on, longer than anything it was given. */
static enum gh_reason keep_client(struct gh_issuer_request *r)
{
    const struct gh_stored_row *row = &r->client_row;
    int64_t life = r->managed->policy.refresh_absolute_s > REGISTERED_S
                       ? r->managed->policy.refresh_absolute_s
                       : REGISTERED_S;
    int64_t expires = gh_issuer_now(r) + life + SLACK_S;
    if (r->client.kind == GH_CLIENT_SETTINGS || row->expires > expires - SLACK_S)
        return GH_OK;
    enum gh_reason reason = gh_effects_expect(&r->effects, row->key, row->version);
    return reason == GH_OK ? gh_effects_write(&r->effects, row->key, row->value, expires) : reason;
}

static enum gh_reason give_code(struct gh_issuer_request *r)
{
    const struct gh_approval approval = { .user = r->session.user,
                                          .client_name = r->client.name,
                                          .auth_time = r->session.created };
    gh_str code;
    struct gh_moment moment;
    gh_issuer_chance(r);
    enum gh_reason reason = gh_issuer_moment(r, r->client.id, r->session.user, &moment);
    if (reason == GH_OK) /* who is disabled meanwhile gives nothing any more */
        reason = gh_effects_expect(&r->effects, r->person.key, r->person.version);
    if (reason == GH_OK)
        reason = gh_code_issue(r->x->arena, &r->managed->policy, &r->request, &approval, &r->random, &moment,
                               &r->effects, &code);
    if (reason == GH_OK)
        reason = keep_client(r);
    if (reason == GH_OK)
        reason = gh_transaction_end(r);
    if (reason == GH_OK)
        reason = gh_session_touch(r);
    if (reason != GH_OK)
        return reason;
    r->next = GH_NEXT_CLIENT;
    r->verdict = GH_OK;
    r->location = gh_authorization_answer(r->x->arena, &r->managed->policy, r->request.redirect_uri,
                                          r->request.state, code, GH_OK);
    return r->location.ptr != NULL ? GH_OK : GH_OUT_OF_MEMORY;
}

/* The request waits for a person; its forms may lead back to the client. */
static enum gh_reason ask_person(struct gh_issuer_request *r, enum gh_next next)
{
    bool is_new = r->transaction.version == 0;
    r->next = next;
    r->verdict = GH_OK;
    if (is_new)
        r->transaction.target = gh_transaction_target(r->x->arena, r->request.redirect_uri);
    if (r->transaction.target.ptr == NULL)
        return GH_OUT_OF_MEMORY;
    enum gh_reason reason = is_new || r->transaction.is_changed ? gh_transaction_put(r) : GH_OK;
    if (reason == GH_OK && is_new && !r->session.is_valid)
        reason = spend_pending(r);
    return reason == GH_OK ? gh_session_touch(r) : reason;
}

/* Nobody is signed in: first the consent, where people sign in elsewhere. */
static enum gh_reason ask_stranger(struct gh_issuer_request *r)
{
    enum gh_reason reason = GH_OK;
    r->before_sign_in = agrees_first(r) && !r->client.no_consent && !gh_transaction_has_agreed(r);
    if (agrees_first(r) && r->client.no_consent)
        reason = gh_transaction_agree(r);
    return reason == GH_OK ? ask_person(r, r->before_sign_in ? GH_NEXT_CONSENT : GH_NEXT_LOGIN) : reason;
}

static enum gh_reason allow(struct gh_issuer_request *r)
{
    gh_str key = gh_consent_key(r->x->arena, r->session.user, &r->request);
    struct gh_text text = { .arena = r->x->arena };
    int64_t epoch, now = gh_issuer_now(r);
    enum gh_reason reason = gh_issuer_client_epoch(r, r->client.id, &epoch);
    if (reason != GH_OK)
        return reason;
    gh_put_text(&text, "client", r->client.id);
    gh_put_made(&text, "mark", gh_client_document_mark(r->x->arena, &r->client));
    gh_put_number(&text, "granted", now > epoch || epoch == INT64_MAX ? now : epoch + 1);
    gh_str value = gh_put_end(&text);
    if (key.ptr == NULL || value.ptr == NULL)
        return GH_OUT_OF_MEMORY;
    r->gives_consent = true;
    reason = gh_effects_write(&r->effects, key, value, now + CONSENT_S);
    return reason == GH_OK ? give_code(r) : reason;
}

/* Whoever agreed in this browser has come back from signing in for this request: it is that user's consent.
 */
static bool agreed_as_stranger(const struct gh_issuer_request *r)
{
    return gh_str_eq(r->transaction.signed_in, r->session.key) && gh_transaction_has_agreed(r);
}

static enum gh_step_end decide(struct gh_issuer_request *r)
{
    enum gh_reason reason;
    r->effects = (struct gh_effects){ 0 };
    if (!is_signed_in(r)) {
        if (r->request.prompt_none)
            return bounce(r, GH_LOGIN_REQUIRED);
        reason = ask_stranger(r);
    } else if (agreed_as_stranger(r)) {
        reason = has_agreed(r) ? give_code(r) : allow(r);
    } else if (!has_agreed(r) || r->request.prompt_consent) {
        if (r->request.prompt_none)
            return bounce(r, GH_CONSENT_REQUIRED);
        reason = ask_person(r, GH_NEXT_CONSENT);
    } else {
        reason = give_code(r);
    }
    return reason == GH_OK ? gh_issuer_commit(r) : gh_issuer_refuse(r, reason);
}

static void tell_answer(struct gh_issuer_request *r)
{
    bool is_given = r->verdict == GH_OK;
    if (r->x->method == GH_METHOD_POST || r->gives_consent)
        gh_issuer_tell(r, is_given ? GH_EVENT_CONSENT_GRANTED : GH_EVENT_CONSENT_DENIED);
    if (is_given)
        r->act.given = gh_scope_write(r->x->arena, r->request.scopes);
    else
        r->x->reason = r->verdict;
}

/* What was decided is durable now. */
static enum gh_step_end go_on(struct gh_issuer_request *r)
{
    gh_str csrf, secret;
    switch (r->next) {
    case GH_NEXT_LOGIN:
        return r->x->method == GH_METHOD_POST && agrees_first(r)
                   ? gh_page_forward(r, "/login", r->transaction.handle)
                   : gh_page_go(r, "/login", r->transaction.handle);
    case GH_NEXT_CONSENT:
        secret = r->before_sign_in ? gh_browser_before(r) : r->session.secret;
        csrf = secret.ptr != NULL ? gh_browser_token(r->x->arena, secret, "consent", r->transaction.handle)
                                  : GH_STR_NONE;
        return csrf.ptr != NULL ? gh_page_consent(r, csrf) : gh_issuer_refuse(r, GH_OUT_OF_MEMORY);
    case GH_NEXT_CLIENT:
        tell_answer(r);
        return gh_page_redirect(r, r->location);
    }
    return gh_issuer_refuse(r, GH_INTERNAL);
}

const struct gh_step gh_steps_authorize[] = {
    { "request", read_query },
    { "request", open_transaction },
    { "request", gh_step_pushed_read },
    { "request", gh_step_pushed_take },
    { "request", gh_step_pushed_open },
    { "client", read_rows },
    { "client", take_rows },
    { "client", need_person },
    { "client", send_to_person },
    { "client", gh_step_fetch },
    { "client", gh_step_fetch_keys },
    { "client", gh_step_keep_document },
    { "client", gh_step_look_again },
    { "client", find_redirect },
    { "request", read_request },
    { "person", read_person },
    { "person", take_person },
    { "person", decide },
    { "answer", go_on },
    { NULL, NULL },
};

/* ---- the answer of the consent page ---- */

/* The page was made for somebody who is signed in, or for a browser where nobody was. */
static enum gh_reason check_form(const struct gh_issuer_request *r, gh_str handle)
{
    enum gh_reason reason =
        gh_browser_check_form(r, gh_browser_cookie(r, GH_COOKIE_SESSION), "consent", handle);
    if (reason != GH_CSRF || !agrees_first(r))
        return reason;
    return gh_browser_check_form(r, gh_browser_cookie(r, GH_COOKIE_BEFORE), "consent", handle);
}

static enum gh_step_end read_answer(struct gh_issuer_request *r)
{
    enum gh_reason reason = gh_form_read(r->x->arena, gh_buf_peek(&r->body), &r->posted);
    gh_str handle = gh_form_get(&r->posted, GH_STR("txn"));
    if (reason == GH_OK)
        reason = check_form(r, handle);
    if (reason == GH_OK)
        reason = handle.len > 0 ? gh_transaction_begin(r, handle) : GH_TRANSACTION_UNKNOWN;
    return reason == GH_OK ? gh_issuer_read(r, &r->transaction.key, 1) : gh_issuer_refuse(r, reason);
}

static enum gh_reason deny(struct gh_issuer_request *r)
{
    r->next = GH_NEXT_CLIENT;
    r->verdict = GH_ACCESS_DENIED;
    r->location = gh_authorization_answer(r->x->arena, &r->managed->policy, r->request.redirect_uri,
                                          r->request.state, GH_STR_NONE, GH_ACCESS_DENIED);
    return r->location.ptr != NULL ? gh_transaction_end(r) : GH_OUT_OF_MEMORY;
}

/* Nobody is signed in: where people agree first, that is what has just happened, and it is theirs who comes
 * back. */
static enum gh_reason answer_of_stranger(struct gh_issuer_request *r, gh_str answer)
{
    if (!agrees_first(r))
        return ask_person(r, GH_NEXT_LOGIN);
    if (gh_str_eq(answer, GH_STR("deny")))
        return deny(r);
    if (!gh_str_eq(answer, GH_STR("allow")))
        return GH_FORM_MALFORMED;
    enum gh_reason reason = gh_transaction_agree(r);
    return reason == GH_OK ? ask_person(r, GH_NEXT_LOGIN) : reason;
}

static enum gh_step_end judge_answer(struct gh_issuer_request *r)
{
    gh_str answer = gh_form_get(&r->posted, GH_STR("answer"));
    enum gh_reason reason;
    r->effects = (struct gh_effects){ 0 };
    if (!is_signed_in(r))
        reason = answer_of_stranger(r, answer);
    else if (gh_str_eq(answer, GH_STR("allow")))
        reason = allow(r);
    else
        reason = gh_str_eq(answer, GH_STR("deny")) ? deny(r) : GH_FORM_MALFORMED;
    return reason == GH_OK ? gh_issuer_commit(r) : gh_issuer_refuse(r, reason);
}

const struct gh_step gh_steps_consent[] = {
    { "form", read_answer },
    { "request", open_transaction },
    { "client", read_rows },
    { "client", take_rows },
    { "client", need_person },
    { "client", send_to_person },
    { "client", gh_step_fetch },
    { "client", gh_step_fetch_keys },
    { "client", gh_step_keep_document },
    { "client", gh_step_look_again },
    { "client", find_redirect },
    { "request", read_request },
    { "person", read_person },
    { "person", take_person },
    { "consent", judge_answer },
    { "answer", go_on },
    { NULL, NULL },
};
