/* gateway/authn.c: credential -> principal: known verdict, or open, find the key, have the signature checked,
 * judge. */
#include <stdlib.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/str.h"
#include "gateway/request.h"

static enum gh_next admit(struct gh_request *r)
{
    r->x->principal = &r->verdict->principal;
    if (r->verify_started_ns != 0)
        r->x->verify_ns = gh_clock_mono_ns() - r->verify_started_ns;
    return GH_NEXT;
}

/* ---- where the token is ---- */

/* Edge: the assertion stands in a header of its own; exactly one (byoa.md section 10). */
static enum gh_reason read_assertion(struct gh_request *r, gh_str name)
{
    if (!r->x->trusted_peer) /* anybody else could have come without the edge (threats.md H17) */
        return GH_ASSERTION_MISSING;
    const struct gh_headers *headers = &r->x->headers;
    const struct gh_header *field = gh_headers_find(headers, name);
    if (field == NULL || field->value.len == 0)
        return GH_ASSERTION_MISSING;
    if (gh_headers_count(headers, name) > 1)
        return GH_AUTHORIZATION_MANY;
    if ((int64_t)field->value.len > r->site->limits.max_token)
        return GH_TOKEN_LARGE;
    r->token_text = field->value;
    return GH_OK;
}

static enum gh_reason read_credential(struct gh_request *r)
{
    if (gh_query_has_token(r->x->target.query))
        return GH_TOKEN_IN_QUERY;
    if (r->route->is_edge)
        return read_assertion(r, r->route->issuers[0]->conf.token_header);
    struct gh_credential credential;
    enum gh_reason reason =
        gh_credential_read(&r->x->headers, (size_t)r->site->limits.max_token, &credential);
    if (reason != GH_OK)
        return reason;
    if (credential.scheme != GH_SCHEME_BEARER)
        return GH_AUTHORIZATION_SCHEME;
    r->token_text = credential.token;
    return GH_OK;
}

/* ---- a verdict given before ---- */

/* A verdict dies with its key: by thumbprint, so that a refreshed set which still holds it changes nothing.
 */
static bool key_still_stands(struct gh_request *r, struct gh_verdict *verdict)
{
    if (!verdict->has_thumbprint)
        return true;
    const struct keys_here *keys = &r->gateway->keys[verdict->slot];
    if (verdict->keys_seen == keys->published)
        return true;
    if (keys->view.set == NULL || !gh_jwks_has_thumbprint(keys->view.set, verdict->thumbprint))
        return false;
    verdict->keys_seen = keys->published;
    return true;
}

static bool is_known(struct gh_request *r)
{
    struct gh_verdicts *verdicts = r->gateway->verdicts;
    r->verdict = gh_verdicts_find(verdicts, r->verdict_key, gh_loop_wall_s(r->gateway->with.loop));
    if (r->verdict == NULL)
        return false;
    if (key_still_stands(r, r->verdict))
        return true;
    gh_verdicts_drop(verdicts, r->verdict);
    gh_verdict_unref(r->verdict);
    r->verdict = NULL;
    return false;
}

/* ---- waiting for another thread ---- */

static enum gh_reason late_reason(enum authn_step step)
{
    switch (step) {
    case AUTHN_ASKED:
        return GH_INTROSPECTION_DOWN;
    case AUTHN_OFFLOADED:
        return GH_OVERLOADED;
    case AUTHN_TURN:
        return GH_VERIFY_BUDGET;
    case AUTHN_READ:
    case AUTHN_KEY_ASKED:
        break;
    }
    return GH_KEYS_UNAVAILABLE;
}

void gh_authn_expired(struct gh_deadline *deadline)
{
    struct gh_request *r = GH_LIST_ENTRY(deadline, struct gh_request, wait_deadline);
    if (r->renewing) {
        gh_renew_answered(r, GH_INTROSPECTION_DOWN, GH_STR_NONE);
        return;
    }
    (void)gh_request_refuse(r, late_reason(r->authn));
    gh_request_let_go(r);
}

enum gh_next gh_authn_wait(struct gh_request *r, enum authn_step step)
{
    r->authn = step;
    r->awaits = true;
    r->answer_reason = GH_INTERNAL; /* should anybody take it for an answer before one came */
    gh_deadline_set(r->gateway->with.loop, &r->wait_deadline, r->site->limits.keys_wait_ms);
    return GH_WAIT;
}

void gh_authn_resume(struct gh_request *r, enum gh_reason reason)
{
    gh_deadline_clear(&r->wait_deadline);
    r->awaits = false;
    r->answer_reason = reason;
    gh_request_run(r);
}

void gh_gateway_key_came(struct gh_gateway *gateway, uint64_t ticket)
{
    struct gh_request *r = gh_request_by_ticket(gateway, ticket);
    if (r != NULL)
        gh_authn_resume(r, GH_OK);
}

void gh_gateway_introspected(struct gh_gateway *gateway, uint64_t ticket, enum gh_reason reason,
                             gh_str answer)
{
    struct gh_request *r = gh_request_by_ticket(gateway, ticket);
    if (r == NULL)
        return;
    if (r->renewing) {
        gh_renew_answered(r, reason, answer);
        return;
    }
    r->answer = reason == GH_OK ? gh_arena_dup(r->x->arena, answer) : GH_STR_NONE;
    gh_authn_resume(r, reason == GH_OK && r->answer.ptr == NULL ? GH_OUT_OF_MEMORY : reason);
}

/* ---- the verdict ---- */

/* Binding was checked by judge; the verdict lives until the token ends or, introspected, until it must be
 * asked again. */
static enum gh_next remember(struct gh_request *r, const struct gh_principal *principal, int64_t until)
{
    struct gh_dependencies found, *dependencies = r->gateway->with.index != NULL ? &found : NULL;
    gh_str content = r->key != NULL ? r->token.signed_part : r->token_text;
    if (dependencies != NULL &&
        gh_dependencies_of(r->route->policy.tenant, principal, content, dependencies) != GH_OK)
        return gh_request_refuse(r, GH_OUT_OF_MEMORY);
    r->verdict = gh_verdicts_add(r->gateway->verdicts, r->verdict_key, principal, dependencies, until);
    if (r->verdict == NULL)
        return gh_request_refuse(r, GH_OUT_OF_MEMORY);
    if (!gh_rate_find_cells(r, r->verdict)) {
        gh_verdicts_drop(r->gateway->verdicts, r->verdict); /* who comes again is to be counted */
        return gh_request_refuse(r, GH_OUT_OF_MEMORY);
    }
    r->verdict->owner = gh_stream_owner(r->gateway->with.streams, r->route->policy.tenant,
                                        principal->issuer_name, principal->subject);
    r->verdict->slot = r->issuer->slot;
    if (r->key != NULL) {
        r->verdict->has_thumbprint = true;
        memcpy(r->verdict->thumbprint, gh_key_thumbprint(r->key), sizeof(r->verdict->thumbprint));
        r->verdict->keys_seen = r->keys_seen;
    }
    return admit(r);
}

enum gh_next gh_authn_judge(struct gh_request *r)
{
    struct gh_principal principal;
    const struct gh_profile *profile = &r->issuer->conf.profile;
    int64_t now = gh_loop_wall_s(r->gateway->with.loop);
    enum gh_reason reason =
        gh_token_judge(r->x->arena, &r->token, profile, &r->route->policy.binding, now, &principal);
    if (reason == GH_OUT_OF_MEMORY)
        return gh_request_refuse(r, reason);
    if (reason != GH_OK)
        return gh_check_failed(r, reason);
    return remember(r, &principal, principal.expires + profile->leeway);
}

/* ---- opaque tokens (RFC 7662) ---- */

/* One issuer alone is asked: prefixes of several on a route are no beginnings of each other. */
static const struct gh_issuer *introspecting_issuer(const struct gh_request *r)
{
    for (size_t i = 0; i < r->route->issuer_count; i++) {
        const struct gh_issuer_conf *conf = &r->route->issuers[i]->conf;
        if (conf->introspection_url.len > 0 && gh_str_starts(r->token_text, conf->token_prefix))
            return r->route->issuers[i];
    }
    return NULL;
}

static enum gh_next introspect(struct gh_request *r)
{
    struct gh_gateway *gateway = r->gateway;
    if (!gh_request_take_ticket(r))
        return gh_request_refuse(r, GH_OUT_OF_MEMORY);
    const struct gh_gateway_ports *ports = gateway->with.ports;
    if (!ports->introspect(ports->ctx, r->issuer->slot, r->token_text, r->ticket, gh_check_is_broke(r)))
        return gh_request_refuse(r, GH_OVERLOADED);
    return gh_authn_wait(r, AUTHN_ASKED);
}

static enum gh_next introspected(struct gh_request *r)
{
    if (r->answer_reason != GH_OK)
        return gh_request_refuse(r, r->answer_reason);
    struct gh_principal principal;
    const struct gh_issuer_conf *conf = &r->issuer->conf;
    int64_t now = gh_loop_wall_s(r->gateway->with.loop);
    enum gh_reason reason = gh_introspection_judge(r->x->arena, r->answer, &conf->profile,
                                                   &r->route->policy.binding, now, &principal);
    if (reason == GH_OUT_OF_MEMORY || reason == GH_INTROSPECTION_DOWN)
        return gh_request_refuse(r, reason);
    if (reason != GH_OK)
        return gh_check_failed(r, reason);
    int64_t until = now + conf->introspection_max_age_s;
    return remember(r, &principal, until < principal.expires ? until : principal.expires);
}

/* ---- the key ---- */

static enum gh_next ask_for_key(struct gh_request *r)
{
    const struct gh_gateway_ports *ports = r->gateway->with.ports;
    if (!gh_request_take_ticket(r))
        return gh_request_refuse(r, GH_OUT_OF_MEMORY);
    if (!ports->want_key(ports->ctx, r->issuer->slot, r->token.kid, r->ticket))
        return gh_request_refuse(r, GH_OVERLOADED);
    return gh_authn_wait(r, AUTHN_KEY_ASKED);
}

static enum gh_next find_key(struct gh_request *r)
{
    struct gh_gateway *gateway = r->gateway;
    const struct gh_keys_view *view = &gateway->keys[r->issuer->slot].view;
    bool asked_before = r->authn == AUTHN_KEY_ASKED;
    if (view->status == GH_KEYS_WAITING && !asked_before) /* the first fetch is under way */
        return ask_for_key(r);
    if (view->status != GH_KEYS_READY)
        return gh_request_refuse(r, GH_KEYS_UNAVAILABLE);
    if (view->set == NULL) /* an issuer without keys is asked, whatever its tokens look like */
        return introspect(r);
    struct gh_key *key = NULL;
    enum gh_reason reason = gh_token_key(view->set, &r->token, &r->issuer->conf.profile, &key);
    if (reason == GH_OK) {
        r->key = gh_key_ref(key);
        r->keys_seen = gateway->keys[r->issuer->slot].published;
        return gh_check_signature(r);
    }
    if (reason != GH_TOKEN_KEY_UNKNOWN || r->token.kid.ptr == NULL ||
        gh_jwks_has_kid(view->set, r->token.kid))
        return gh_request_refuse(r, reason);
    /* The key may be new: one fetch for all who wait, then a rest (byoa.md section 5). */
    if (asked_before || gh_loop_now_ms(gateway->with.loop) < view->quiet_until_ms)
        return gh_request_refuse(r, GH_TOKEN_KEY_UNKNOWN);
    return ask_for_key(r);
}

static const struct gh_issuer *issuer_of(const struct gh_request *r)
{
    for (size_t i = 0; i < r->route->issuer_count; i++)
        if (gh_profile_matches(&r->route->issuers[i]->conf.profile, &r->token))
            return r->route->issuers[i];
    return NULL;
}

/* ---- from the start ---- */

static enum gh_next open_token(struct gh_request *r)
{
    GH_COUNT_ADD(r->gateway->stats->verdict_misses, 1);
    r->verify_started_ns = gh_clock_mono_ns();
    enum gh_reason reason = gh_token_open(r->x->arena, r->token_text, &r->token);
    if (reason == GH_TOKEN_OPAQUE) {
        r->issuer = introspecting_issuer(r);
        return r->issuer != NULL ? introspect(r) : gh_request_refuse(r, GH_TOKEN_OPAQUE);
    }
    if (reason != GH_OK)
        return gh_request_refuse(r, reason);
    r->issuer = issuer_of(r);
    if (r->issuer == NULL)
        return gh_request_refuse(r, GH_TOKEN_ISSUER);
    reason = gh_token_fits(&r->token, &r->issuer->conf.profile);
    return reason == GH_OK ? find_key(r) : gh_request_refuse(r, reason);
}

static enum gh_next begin(struct gh_request *r)
{
    enum gh_reason reason = read_credential(r);
    if (reason == GH_OK)
        reason = gh_verdict_key(r->gateway->verdicts, r->token_text, r->route->fingerprint, r->verdict_key);
    if (reason != GH_OK)
        return gh_request_refuse(r, reason);
    if (!is_known(r))
        return open_token(r);
    GH_COUNT_ADD(r->gateway->stats->verdict_hits, 1);
    return admit(r);
}

enum gh_next gh_stage_authn(struct gh_request *r)
{
    if (r->awaits) /* something else has woken the request, such as the end of its body */
        return GH_WAIT;
    switch (r->authn) {
    case AUTHN_READ:
        return begin(r);
    case AUTHN_KEY_ASKED:
        return find_key(r);
    case AUTHN_TURN:
        return gh_check_signature(r);
    case AUTHN_OFFLOADED:
        return gh_check_done(r, r->answer_reason);
    case AUTHN_ASKED:
        return introspected(r);
    }
    return gh_request_refuse(r, GH_INTERNAL);
}
