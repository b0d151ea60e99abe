/* issuer/sign_in_start.c: the way to a provider: a state for one use, bound to the browser, and the redirect.
 */
#include "issuer/sign_in.h"

#include "base/str.h"
#include "core/grant/rows.h"
#include "core/token/claims.h"
#include "issuer/flow.h"

#define STATE_LIFE_S 600 /* issuer.md section 6 */

/* ---- letters ---- */

gh_str gh_sign_in_ask_write(struct gh_arena *arena, const struct gh_sign_in_ask *ask)
{
    gh_str since = gh_arena_printf(arena, "%lld", (long long)ask->since);
    if (since.ptr == NULL)
        return GH_STR_NONE;
    const struct gh_parameter parameters[] = {
        { GH_STR("issuer"), ask->issuer }, { GH_STR("login"), ask->login },
        { GH_STR("code"), ask->code },     { GH_STR("verifier"), ask->verifier },
        { GH_STR("nonce"), ask->nonce },   { GH_STR("provider"), ask->provider },
        { GH_STR("since"), since },
    };
    gh_str url = gh_url_with(arena, GH_STR(""), parameters, GH_ARRAY_LEN(parameters));
    return url.ptr != NULL ? gh_str_skip(url, 1) : url;
}

enum gh_reason gh_sign_in_ask_read(struct gh_arena *arena, gh_str text, struct gh_sign_in_ask *ret_ask)
{
    struct gh_form form;
    enum gh_reason reason = gh_form_read(arena, text, &form);
    uint64_t since;
    if (reason == GH_OK && !gh_str_to_u64(gh_form_get(&form, GH_STR("since")), &since))
        reason = GH_FORM_MALFORMED;
    if (reason != GH_OK)
        return reason;
    *ret_ask = (struct gh_sign_in_ask){ .issuer = gh_form_get(&form, GH_STR("issuer")),
                                        .login = gh_form_get(&form, GH_STR("login")),
                                        .code = gh_form_get(&form, GH_STR("code")),
                                        .verifier = gh_form_get(&form, GH_STR("verifier")),
                                        .nonce = gh_form_get(&form, GH_STR("nonce")),
                                        .provider = gh_form_get(&form, GH_STR("provider")),
                                        .since = (int64_t)since };
    return GH_OK;
}

gh_str gh_sign_in_place_write(struct gh_arena *arena, const struct gh_sign_in_place *place)
{
    struct gh_text text = { .arena = arena };
    gh_put_text(&text, "endpoint", place->endpoint);
    gh_put_true(&text, "sends_iss", place->sends_iss);
    return gh_put_end(&text);
}

enum gh_reason gh_sign_in_place_read(struct gh_arena *arena, gh_str text, struct gh_sign_in_place *ret_place)
{
    struct gh_json value;
    bool ok = true;
    enum gh_reason reason = gh_json_read(arena, text, &gh_json_control_limits, GH_STORE_MALFORMED, &value);
    if (reason != GH_OK)
        return reason;
    *ret_place = (struct gh_sign_in_place){ .endpoint = gh_get_text(&value, "endpoint", &ok),
                                            .sends_iss = gh_get_true(&value, "sends_iss", &ok) };
    return ok && ret_place->endpoint.len > 0 ? GH_OK : GH_STORE_MALFORMED;
}

/* ---- steps ---- */

static enum gh_step_end read_query(struct gh_issuer_request *r)
{
    enum gh_reason reason = gh_form_read(r->x->arena, r->x->target.query, &r->form);
    if (reason != GH_OK)
        return gh_issuer_refuse(r, reason);
    r->login = gh_issuer_login_find(r->managed, gh_form_get(&r->form, GH_STR("provider")));
    if (r->login == NULL)
        return gh_issuer_refuse(r, GH_ROUTE_UNKNOWN);
    reason = gh_transaction_begin(r, gh_form_get(&r->form, GH_STR("txn")));
    return reason == GH_OK ? GH_STEP_NEXT : gh_issuer_refuse(r, reason);
}

static enum gh_step_end read_rows(struct gh_issuer_request *r)
{
    const gh_str keys[] = { gh_throttle_begun_key(r), r->transaction.key };
    r->again = r->step - 1;
    return gh_issuer_read(r, keys, r->transaction.key.len > 0 ? 2 : 1);
}

/* What a client asked for leads to a provider only in the browser that agreed to the client. */
static enum gh_step_end need_consent(struct gh_issuer_request *r)
{
    enum gh_reason reason = r->transaction.key.len > 0 ? gh_transaction_take(r) : GH_OK;
    if (reason != GH_OK)
        return gh_issuer_refuse(r, reason);
    if (r->transaction.version != 0 && !gh_transaction_has_agreed(r))
        return gh_page_go(r, "/oauth/authorize", r->transaction.handle);
    return GH_STEP_NEXT;
}

/* Before the control thread is asked: what does not lead to a provider costs as much as what does. */
static enum gh_step_end spend(struct gh_issuer_request *r)
{
    const struct gh_rate one = { .tries = r->managed->limits.pending, .span_s = 600 };
    const struct gh_rate all = { .tries = r->managed->limits.pending_all, .span_s = one.span_s };
    r->effects = (struct gh_effects){ 0 };
    enum gh_reason reason = gh_throttle_spend(r, gh_throttle_begun_key(r), &one);
    if (reason == GH_OK)
        reason = gh_throttle_all(r, "begun", &all);
    return reason == GH_OK ? GH_STEP_NEXT : gh_issuer_refuse(r, reason);
}

static enum gh_step_end ask_place(struct gh_issuer_request *r)
{
    const struct gh_sign_in_ask ask = { .issuer = r->managed->name, .login = r->login->login.name };
    return gh_sign_in_send(r, &ask);
}

/* A sign-in that is about to begin. */
struct beginning {
    gh_str state, cookie;
    struct gh_sign_in_place place;
    struct gh_form asked; /* of the client */
    bool again;           /* it wants them to sign in anew */
};

static enum gh_reason put_state(struct gh_issuer_request *r, const struct beginning *b)
{
    struct gh_text text = { .arena = r->x->arena };
    gh_str key = gh_sign_in_key(r->x->arena, b->state);
    gh_str browser = gh_browser_token(r->x->arena, b->cookie, "state", b->state);
    gh_str provider = gh_login_provider(r->x->arena, &r->login->login);
    if (key.ptr == NULL || browser.ptr == NULL || provider.ptr == NULL)
        return GH_OUT_OF_MEMORY;
    gh_put_text(&text, "login", r->login->login.name);
    gh_put_text(&text, "provider", provider); /* the name may lead to another one after a reload */
    gh_put_text(&text, "txn", r->transaction.handle);
    gh_put_text(&text, "browser", browser);
    gh_put_true(&text, "sends_iss", b->place.sends_iss);
    gh_put_number(&text, "since", b->again ? gh_issuer_now(r) : 0);
    gh_str value = gh_put_end(&text);
    if (value.ptr == NULL)
        return GH_OUT_OF_MEMORY;
    enum gh_reason reason = gh_effects_expect(&r->effects, key, 0);
    return reason == GH_OK ? gh_effects_write(&r->effects, key, value, gh_issuer_now(r) + STATE_LIFE_S)
                           : reason;
}

/* The client's hint and its wish for a fresh sign-in go along. */
static enum gh_reason write_location(struct gh_issuer_request *r, const struct beginning *b)
{
    struct gh_login_request request = {
        .endpoint = b->place.endpoint,
        .redirect_uri = r->login->redirect_uri,
        .state = b->state,
        .nonce = gh_browser_token(r->x->arena, b->cookie, "nonce", b->state),
        .verifier = gh_browser_token(r->x->arena, b->cookie, "verifier", b->state),
        .login_hint = gh_form_get(&b->asked, GH_STR("login_hint")),
        .again = b->again,
    };
    if (request.nonce.ptr == NULL || request.verifier.ptr == NULL)
        return GH_OUT_OF_MEMORY;
    r->location = gh_login_request_write(r->x->arena, &r->login->login, &request);
    return r->location.ptr != NULL ? GH_OK : GH_OUT_OF_MEMORY;
}

/* Nonce and verifier are not kept: they follow from the browser's cookie and the state, so that another
 * browser brings others. */
static enum gh_step_end begin(struct gh_issuer_request *r)
{
    struct beginning b = { .state = gh_browser_secret(r->x->arena),
                           .cookie = gh_browser_cookie(r, GH_COOKIE_AGREED) };
    enum gh_reason reason = r->fetched.reason;
    if (reason == GH_OK)
        reason = gh_sign_in_place_read(r->x->arena, r->fetched.body, &b.place);
    if (reason == GH_OK)
        reason = gh_form_read(r->x->arena, r->transaction.query, &b.asked);
    if (reason == GH_OK && b.cookie.len == 0) { /* for our own pages, without a client */
        b.cookie = gh_browser_secret(r->x->arena);
        reason = b.cookie.ptr != NULL ? gh_browser_set(r, GH_COOKIE_AGREED, b.cookie) : GH_OUT_OF_MEMORY;
    }
    if (reason == GH_OK && b.state.ptr == NULL)
        reason = GH_OUT_OF_MEMORY;
    b.again = reason == GH_OK && gh_words_have(gh_form_get(&b.asked, GH_STR("prompt")), GH_STR("login"));
    if (reason == GH_OK)
        reason = put_state(r, &b);
    if (reason == GH_OK)
        reason = write_location(r, &b);
    return reason == GH_OK ? gh_issuer_commit(r) : gh_issuer_refuse(r, reason);
}

static enum gh_step_end go(struct gh_issuer_request *r)
{
    return gh_page_redirect(r, r->location);
}

const struct gh_step gh_steps_start[] = {
    { "request", read_query },
    { "request", read_rows },
    { "request", need_consent },
    { "limit", spend },
    { "federation", ask_place },
    { "federation", begin },
    { "answer", go },
    { NULL, NULL },
};
