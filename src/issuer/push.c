/* issuer/push.c: pushed authorization requests (RFC 9126): checked here as at the authorization endpoint,
 * kept for a minute, and used once. */
#include "base/str.h"
#include "core/grant/rows.h"
#include "issuer/document.h"
#include "issuer/flow.h"

#define LIFE_S    60
#define SPAN_S    600
#define QUERY_MAX 8192 /* as long as a browser may bring one */
#define PREFIX    "urn:ietf:params:oauth:request_uri:"

/* What an authorization request is made of; how the client proved itself is no part of it, and is not kept.
 */
static const char *const kept[] = {
    "response_type", "response_mode",  "redirect_uri",          "scope",  "state",
    "resource",      "code_challenge", "code_challenge_method", "prompt", "login_hint"
};

static gh_str row_key(struct gh_arena *arena, gh_str secret)
{
    return secret.ptr != NULL ? gh_row_key(arena, "pushed", &secret, 1) : GH_STR_NONE;
}

/* ---- pushed ---- */

static gh_str query_of(const struct gh_issuer_request *r)
{
    struct gh_parameter parameters[GH_ARRAY_LEN(kept) + 1] = { { GH_STR("client_id"), r->client.id } };
    for (size_t i = 0; i < GH_ARRAY_LEN(kept); i++)
        parameters[i + 1] =
            (struct gh_parameter){ gh_str_from(kept[i]), gh_form_get(&r->form, gh_str_from(kept[i])) };
    gh_str url = gh_url_with(r->x->arena, GH_STR(""), parameters, GH_ARRAY_LEN(parameters));
    return url.ptr != NULL ? gh_str_skip(url, 1) : GH_STR_NONE;
}

static enum gh_reason check(struct gh_issuer_request *r)
{
    enum gh_reason reason = gh_authorization_redirect(&r->client, &r->form, &r->request.redirect_uri);
    if (reason != GH_OK)
        return reason;
    return gh_authorization_read(r->x->arena, &r->managed->policy, &r->client, &r->form,
                                 r->request.redirect_uri, &r->request);
}

static enum gh_reason keep(struct gh_issuer_request *r)
{
    struct gh_text text = { .arena = r->x->arena };
    gh_str secret = gh_browser_secret(r->x->arena), key = row_key(r->x->arena, secret), query = query_of(r);
    if (key.ptr == NULL || query.ptr == NULL)
        return GH_OUT_OF_MEMORY;
    if (query.len > QUERY_MAX)
        return GH_FORM_MALFORMED;
    gh_put_text(&text, "client", r->client.id);
    gh_put_text(&text, "query", query);
    gh_str value = gh_put_end(&text);
    r->reply = gh_arena_printf(r->x->arena, "{\"request_uri\":\"" PREFIX "%.*s\",\"expires_in\":%d}",
                               GH_STR_FMT(secret), LIFE_S);
    if (value.ptr == NULL || r->reply.ptr == NULL)
        return GH_OUT_OF_MEMORY;
    enum gh_reason reason = gh_effects_expect(&r->effects, key, 0);
    return reason == GH_OK ? gh_effects_write(&r->effects, key, value, gh_issuer_now(r) + LIFE_S) : reason;
}

static enum gh_step_end limit(struct gh_issuer_request *r)
{
    enum gh_reason reason = gh_throttle_client(r, "push", r->managed->limits.push);
    return reason == GH_OK ? GH_STEP_NEXT : gh_issuer_refuse(r, reason);
}

/* As many as begin a sign-in, counted apart: most are both. Where a client has a secret of the settings
 * nobody else pushes for it; anybody can register one, so what those push counts with that of all. */
static enum gh_reason spend(struct gh_issuer_request *r)
{
    bool has_secret = r->client.auth != GH_CLIENT_AUTH_NONE;
    const struct gh_rate one = { .tries = r->managed->limits.pending, .span_s = SPAN_S };
    const struct gh_rate all = { .tries = r->managed->limits.pending_all, .span_s = SPAN_S };
    if (has_secret && r->client.kind == GH_CLIENT_SETTINGS)
        return GH_OK;
    gh_str key = gh_throttle_key(r->x->arena, "pushed", r->address);
    enum gh_reason reason = has_secret ? GH_OK : gh_throttle_at_once(r, key, &one);
    return reason == GH_OK ? gh_throttle_all(r, "pushed", &all) : reason;
}

/* RFC 9126 section 2.1: authenticated as at the token endpoint, then validated "in the same way as at the
 * authorization endpoint". */
static enum gh_step_end push(struct gh_issuer_request *r)
{
    gh_issuer_tell_asked(r);
    enum gh_reason reason = gh_issuer_authenticate(r);
    if (reason == GH_OK)
        reason = check(r);
    if (reason == GH_OK)
        reason = keep(r);
    if (reason == GH_OK)
        reason = spend(r);
    return reason == GH_OK ? gh_issuer_commit(r) : gh_issuer_refuse(r, reason);
}

static enum gh_step_end pushed(struct gh_issuer_request *r)
{
    gh_issuer_tell(r, GH_EVENT_AUTHZ_REQUEST);
    (void)gh_issuer_name(r, GH_STR(""), r->client.id);
    r->act.resource = r->request.resource;
    return gh_issuer_json(r, 201, r->reply);
}

const struct gh_step gh_steps_push[] = {
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
    { "request", push },
    { "answer", pushed },
    { NULL, NULL },
};

/* ---- used: steps of the authorization endpoint ---- */

/* Others are refused unseen (threats.md A24); beside it only the client's name counts (RFC 9101 section 5).
 */
enum gh_step_end gh_step_pushed_read(struct gh_issuer_request *r)
{
    gh_str uri = gh_form_get(&r->form, GH_STR("request_uri"));
    if (r->transaction.key.len > 0 || !gh_str_starts(uri, GH_STR(PREFIX)))
        return GH_STEP_NEXT;
    r->again = r->step - 1;
    gh_str key = row_key(r->x->arena, gh_str_skip(uri, sizeof(PREFIX) - 1));
    return gh_issuer_read(r, &key, 1);
}

/* The row of another client stays: it is not the one who asks that loses it. */
static enum gh_reason take(struct gh_issuer_request *r, const struct gh_stored_row *row)
{
    struct gh_json value;
    bool ok = true;
    if (row->version == 0)
        return GH_REQUEST_URI_UNKNOWN;
    enum gh_reason reason =
        gh_json_read(r->x->arena, row->value, &gh_json_control_limits, GH_STORE_MALFORMED, &value);
    if (reason != GH_OK)
        return reason;
    if (!gh_str_eq(gh_get_text(&value, "client", &ok), gh_form_get(&r->form, GH_STR("client_id"))))
        return ok ? GH_REQUEST_URI_UNKNOWN : GH_STORE_MALFORMED;
    r->pushed = gh_get_text(&value, "query", &ok);
    r->effects = (struct gh_effects){ 0 };
    reason =
        ok && r->pushed.len > 0 ? gh_effects_expect(&r->effects, row->key, row->version) : GH_STORE_MALFORMED;
    return reason == GH_OK ? gh_effects_delete(&r->effects, row->key) : reason;
}

/* Of two who come with it at once, one finds it used. */
enum gh_step_end gh_step_pushed_take(struct gh_issuer_request *r)
{
    if (r->transaction.key.len > 0 || r->rows.count == 0)
        return GH_STEP_NEXT;
    enum gh_reason reason = take(r, &r->rows.at[0]);
    return reason == GH_OK ? gh_issuer_commit(r) : gh_issuer_refuse(r, reason);
}

enum gh_step_end gh_step_pushed_open(struct gh_issuer_request *r)
{
    r->rows = (struct gh_rows){ 0 };
    if (r->pushed.len == 0)
        return GH_STEP_NEXT;
    r->transaction.query = r->pushed;
    enum gh_reason reason = gh_form_read(r->x->arena, r->pushed, &r->form);
    return reason == GH_OK ? GH_STEP_NEXT : gh_issuer_refuse(r, reason);
}

bool gh_push_is_missing(const struct gh_issuer_request *r)
{
    return r->managed->push_required && r->pushed.len == 0 && r->transaction.version == 0;
}
