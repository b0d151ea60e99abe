/* issuer/sign_in.c: the way back from a provider: whose state it is, who has signed in, which user that is.
 */
#include "issuer/sign_in.h"

#include <openssl/crypto.h>

#include "base/clock.h"
#include "base/str.h"
#include "core/grant/rows.h"
#include "core/grant/secret.h"
#include "issuer/flow.h"

gh_str gh_sign_in_key(struct gh_arena *arena, gh_str state)
{
    return gh_row_key(arena, "sign-in", &state, 1);
}

enum gh_step_end gh_sign_in_send(struct gh_issuer_request *r, const struct gh_sign_in_ask *ask)
{
    const struct gh_issuer_ports *ports = r->server->with.ports;
    gh_str text = gh_sign_in_ask_write(r->x->arena, ask);
    r->fetched.reason = GH_OVERLOADED;
    r->ticket = ++r->server->last_ticket;
    if (text.ptr != NULL && ports != NULL && ports->sign_in(ports->ctx, text, r->ticket))
        return GH_STEP_WAIT;
    r->ticket = 0;
    return gh_issuer_refuse(r, text.ptr != NULL ? GH_OVERLOADED : GH_OUT_OF_MEMORY);
}

/* ---- the state ---- */

static gh_str state_of(const struct gh_issuer_request *r)
{
    return gh_form_get(&r->form, GH_STR("state"));
}

static enum gh_step_end read_query(struct gh_issuer_request *r)
{
    enum gh_reason reason = gh_form_read(r->x->arena, r->x->target.query, &r->form);
    if (reason == GH_OK && state_of(r).ptr == NULL)
        reason = GH_LOGIN_STATE;
    return reason == GH_OK ? GH_STEP_NEXT : gh_issuer_refuse(r, reason);
}

static enum gh_step_end read_state(struct gh_issuer_request *r)
{
    gh_str key = gh_sign_in_key(r->x->arena, state_of(r));
    r->again = r->step - 1;
    return gh_issuer_read(r, &key, 1);
}

static bool is_this_browser(const struct gh_issuer_request *r, gh_str browser)
{
    gh_str cookie = gh_browser_cookie(r, GH_COOKIE_AGREED);
    gh_str token = cookie.len > 0 ? gh_browser_token(r->x->arena, cookie, "state", state_of(r)) : GH_STR_NONE;
    return token.ptr != NULL && token.len == browser.len &&
           CRYPTO_memcmp(token.ptr, browser.ptr, token.len) == 0;
}

/* Another browser takes nothing from the one it belongs to: only there the state is used up. */
static enum gh_step_end take_state(struct gh_issuer_request *r)
{
    const struct gh_stored_row *row = &r->rows.at[0];
    struct gh_json value;
    bool ok = true;
    if (row->version == 0)
        return gh_issuer_refuse(r, GH_LOGIN_STATE);
    enum gh_reason reason =
        gh_json_read(r->x->arena, row->value, &gh_json_control_limits, GH_STORE_MALFORMED, &value);
    if (reason != GH_OK)
        return gh_issuer_refuse(r, reason);
    gh_str browser = gh_get_text(&value, "browser", &ok), txn = gh_get_text(&value, "txn", &ok);
    r->state_login = gh_get_text(&value, "login", &ok);
    r->state_provider = gh_get_text(&value, "provider", &ok);
    r->since = gh_get_number(&value, "since", &ok);
    r->sends_iss = gh_get_true(&value, "sends_iss", &ok);
    if (!ok)
        return gh_issuer_refuse(r, GH_STORE_MALFORMED);
    if (!is_this_browser(r, browser))
        return gh_issuer_refuse(r, GH_LOGIN_BROWSER);
    r->effects = (struct gh_effects){ 0 };
    reason = gh_transaction_begin(r, txn);
    if (reason == GH_OK)
        reason = gh_effects_expect(&r->effects, row->key, row->version);
    if (reason == GH_OK)
        reason = gh_effects_delete(&r->effects, row->key);
    return reason == GH_OK ? gh_issuer_commit(r) : gh_issuer_refuse(r, reason);
}

/* RFC 9700 section 4.4.2: the callback of one provider takes no answer to a request to another one, under
 * whichever name: a reload may have pointed it elsewhere since. */
static enum gh_step_end redeem(struct gh_issuer_request *r)
{
    gh_str cookie = gh_browser_cookie(r, GH_COOKIE_AGREED), code;
    gh_str provider = gh_login_provider(r->x->arena, &r->login->login);
    bool is_same = gh_str_eq(r->state_login, r->login->login.name) && gh_str_eq(r->state_provider, provider);
    enum gh_reason reason = provider.ptr == NULL ? GH_OUT_OF_MEMORY : is_same ? GH_OK : GH_LOGIN_ISSUER;
    if (reason == GH_OK)
        reason = gh_login_answer_read(&r->login->login, &r->form, r->sends_iss, &code);
    if (reason != GH_OK)
        return gh_issuer_refuse(r, reason);
    const struct gh_sign_in_ask ask = {
        .issuer = r->managed->name,
        .login = r->login->login.name,
        .code = code,
        .nonce = gh_browser_token(r->x->arena, cookie, "nonce", state_of(r)),
        .verifier = gh_browser_token(r->x->arena, cookie, "verifier", state_of(r)),
        .provider = provider,
        .since = r->since,
    };
    return ask.nonce.ptr != NULL && ask.verifier.ptr != NULL ? gh_sign_in_send(r, &ask)
                                                             : gh_issuer_refuse(r, GH_OUT_OF_MEMORY);
}

/* ---- the user ---- */

static enum gh_step_end take_identity(struct gh_issuer_request *r)
{
    enum gh_reason reason = r->fetched.reason;
    if (reason == GH_OK)
        reason = gh_identity_read(r->x->arena, r->fetched.body, &r->identity);
    return reason == GH_OK ? GH_STEP_NEXT : gh_issuer_refuse(r, reason);
}

/* A conflict begins here again: of two at once, one finds the user that the other made. */
static enum gh_step_end find_user(struct gh_issuer_request *r)
{
    gh_str key = gh_identity_key(r->x->arena, &r->identity);
    r->again = r->step - 1;
    r->user_key = GH_STR("");
    return gh_issuer_read(r, &key, 1);
}

static enum gh_step_end read_user(struct gh_issuer_request *r)
{
    gh_str keys[3] = { r->rows.at[0].key }, id;
    size_t count = 1;
    if (r->transaction.key.len > 0)
        keys[count++] = r->transaction.key;
    if (r->rows.at[0].version != 0) {
        enum gh_reason reason = gh_person_id(r->x->arena, r->rows.at[0].value, &id);
        if (reason != GH_OK)
            return gh_issuer_refuse(r, reason);
        r->user_key = gh_person_key(r->x->arena, id);
        keys[count++] = r->user_key;
    }
    return gh_issuer_read(r, keys, count);
}

/* At the first sign-in, and after the account was deleted: under another id, for the old one is over. */
static enum gh_reason make_user(struct gh_issuer_request *r, struct gh_person *person)
{
    const struct gh_stored_row *row = &r->rows.at[0]; /* of the identity */
    unsigned char random[16];
    struct gh_text text = { .arena = r->x->arena };
    gh_random_fill(random, sizeof(random));
    *person = (struct gh_person){ .id = gh_id_text(r->x->arena, "usr_", random),
                                  .name = r->identity.name,
                                  .identity = row->key,
                                  .provider = r->login->login.name,
                                  .created = gh_issuer_now(r) };
    gh_put_text(&text, "user", person->id);
    gh_str value = gh_put_end(&text);
    if (person->id.ptr == NULL || value.ptr == NULL)
        return GH_OUT_OF_MEMORY;
    person->key = gh_person_key(r->x->arena, person->id);
    enum gh_reason reason =
        person->key.ptr != NULL ? gh_person_put(r->x->arena, person, &r->effects) : GH_OUT_OF_MEMORY;
    if (reason == GH_OK)
        reason = gh_effects_expect(&r->effects, row->key, row->version);
    return reason == GH_OK ? gh_effects_write(&r->effects, row->key, value, 0) : reason;
}

static enum gh_reason find_or_make(struct gh_issuer_request *r, struct gh_person *person)
{
    const struct gh_stored_row *row = r->user_key.len > 0 ? gh_rows_find(r->rows, r->user_key) : NULL;
    if (row == NULL || row->version == 0)
        return make_user(r, person);
    enum gh_reason reason = gh_person_read(r->x->arena, row, person);
    if (reason != GH_OK)
        return reason;
    if (person->disabled)
        return GH_LOGIN_USER;
    if (gh_str_eq(person->name, r->identity.name)) /* what ends it now ends this sign-in */
        return gh_effects_expect(&r->effects, person->key, person->version);
    person->name = r->identity.name; /* as the provider calls them now */
    return gh_person_put(r->x->arena, person, &r->effects);
}

/* threats.md A23: a new session id at every login; the request that waits knows by whom it was met. */
static enum gh_reason let_in(struct gh_issuer_request *r)
{
    struct gh_person person = { 0 };
    enum gh_reason reason = r->transaction.key.len > 0 ? gh_transaction_take(r) : GH_OK;
    if (reason == GH_OK)
        reason = find_or_make(r, &person);
    if (reason == GH_OK)
        reason = gh_session_begin(r);
    r->person = person; /* its `since` is behind the session */
    if (reason == GH_OK)
        reason = gh_session_new(r, person.id, person.name);
    if (reason == GH_OK && r->transaction.key.len > 0) {
        r->transaction.signed_in = r->session.key;
        reason = gh_transaction_put(r);
    }
    return reason;
}

static enum gh_step_end sign_in(struct gh_issuer_request *r)
{
    r->effects = (struct gh_effects){ 0 };
    enum gh_reason reason = let_in(r);
    return reason == GH_OK ? gh_issuer_commit(r) : gh_issuer_refuse(r, reason);
}

static enum gh_step_end answer(struct gh_issuer_request *r)
{
    /* our user, and where they signed in */
    struct gh_principal *principal = gh_issuer_name(r, r->session.user, GH_STR(""));
    gh_issuer_tell(r, GH_EVENT_FEDERATION_OK);
    if (principal != NULL) {
        principal->issuer_name = r->login->full_name;
        principal->issuer = r->identity.issuer;
        principal->tenant_id = r->identity.tenant;
    }
    return r->transaction.key.len > 0 ? gh_page_go(r, "/oauth/authorize", r->transaction.handle)
                                      : gh_page_go(r, "/account", GH_STR(""));
}

const struct gh_step gh_steps_callback[] = {
    { "federation", read_query },    { "federation", read_state },
    { "federation", take_state },    { "federation", redeem },
    { "federation", take_identity }, { "federation", find_user },
    { "federation", read_user },     { "federation", sign_in },
    { "federation", answer },        { NULL, NULL },
};
