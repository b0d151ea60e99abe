/* signals/server.c: a request of an issuer's back channel from its first byte to its answer; it waits for the
 * control thread in between. */
#include <stdlib.h>

#include "base/buf.h"
#include "base/list.h"
#include "base/secret.h"
#include "base/str.h"
#include "core/text.h"
#include "gatehouse/oauth.h"
#include "io/address.h"
#include "signals/signals.h"

/* The longest token that is read at all, as a form writes it. */
#define BODY_MAX (36 * 1024)

struct gh_signals {
    struct gh_signals_new with;
    const struct gh_signal_site *site;
    struct gh_list requests;
    uint64_t last_ticket;
};

/* In the exchange's arena. */
struct request {
    struct gh_list link;
    struct gh_exchange *x;
    struct gh_signals *signals;
    struct gh_signal signal;
    struct gh_buf body;
    uint64_t ticket; /* 0: nobody was asked yet */
    struct gh_principal about;
    struct gh_audit_act act;
};

static void ask(struct request *r);
static void refuse(struct request *r, enum gh_reason why);

/* ---- life ---- */

struct gh_signals *gh_signals_new(const struct gh_signals_new *with)
{
    struct gh_signals *signals = gh_calloc(1, sizeof(*signals));
    if (signals == NULL)
        return NULL;
    signals->with = *with;
    gh_list_init(&signals->requests);
    return signals;
}

void gh_signals_free(struct gh_signals *signals)
{
    free(signals);
}

void gh_signals_set_site(struct gh_signals *signals, const struct gh_signal_site *site)
{
    signals->site = site;
}

bool gh_signals_own(const struct gh_signals *signals, const struct gh_exchange *x)
{
    return signals->site != NULL && gh_signal_find(signals->site, &x->authority, x->target.path) != NULL;
}

static void let_go(struct request *r)
{
    r->x->handler_state = NULL;
    if (r->body.base != NULL)
        gh_wipe(r->body.base, r->body.cap);
    gh_buf_done(&r->body);
    gh_list_remove(&r->link);
}

/* ---- the exchange ---- */

/* Back-Channel Logout section 2.5, RFC 8935 section 2.1. */
static enum gh_reason check_head(struct request *r)
{
    const struct gh_exchange *x = r->x;
    const struct gh_header *type = gh_headers_find(&x->headers, GH_STR("content-type"));
    gh_str value = type != NULL ? type->value : GH_STR(""), media = gh_str_trim(gh_str_cut(&value, ';'));
    bool is_set = gh_str_eq_nocase(media, GH_STR("application/secevent+jwt"));
    r->signal.form = is_set ? GH_EVENT_FORM_SET : GH_EVENT_FORM_LOGOUT;
    if (x->method != GH_METHOD_POST)
        return GH_HTTP_METHOD_REFUSED;
    if (gh_headers_count(&x->headers, GH_STR("content-type")) != 1 ||
        (!is_set && !gh_str_eq_nocase(media, GH_STR("application/x-www-form-urlencoded"))))
        return GH_HTTP_MEDIA_TYPE;
    if (gh_headers_find(&x->headers, GH_STR("content-encoding")) != NULL)
        return GH_HTTP_ENCODING;
    return x->content_length > BODY_MAX ? GH_HTTP_BODY_LARGE : GH_OK;
}

static bool fill_in(struct request *r, const struct gh_signal_place *place)
{
    char text[GH_ADDRESS_TEXT];
    gh_str address = gh_str_of(text, gh_address_bound_text(r->x->client_ip, text));
    r->signal.issuer = gh_arena_dup(r->x->arena, place->issuer);
    r->signal.source = r->x->shared_source ? GH_STR("") : gh_arena_dup(r->x->arena, address);
    return r->signal.issuer.ptr != NULL && r->signal.source.ptr != NULL;
}

static void start(struct gh_exchange *x)
{
    struct gh_signals *signals = x->handler_ctx;
    const struct gh_signal_place *place = gh_signal_find(signals->site, &x->authority, x->target.path);
    struct request *r = place != NULL ? GH_ARENA_NEW(x->arena, struct request) : NULL;
    x->stage = "signal";
    if (r == NULL) {
        gh_exchange_refuse(x, place != NULL ? GH_OUT_OF_MEMORY : GH_ROUTE_UNKNOWN, NULL);
        return;
    }
    r->x = x;
    r->signals = signals;
    x->handler_state = r;
    gh_list_append(&signals->requests, &r->link);
    enum gh_reason reason = fill_in(r, place) ? check_head(r) : GH_OUT_OF_MEMORY;
    if (reason != GH_OK)
        refuse(r, reason);
    else if (!x->has_body)
        ask(r);
}

static void body(struct gh_exchange *x, gh_str bytes, bool end)
{
    struct request *r = x->handler_state;
    if (r == NULL)
        return;
    x->sink->taken(x, bytes.len);
    if (gh_buf_len(&r->body) + bytes.len > BODY_MAX)
        refuse(r, GH_HTTP_BODY_LARGE);
    else if (!gh_buf_add(&r->body, bytes))
        refuse(r, GH_OUT_OF_MEMORY);
    else if (end)
        ask(r);
}

static void room(struct gh_exchange *x)
{
}

static void gone(struct gh_exchange *x, enum gh_reason why)
{
    struct request *r = x->handler_state;
    if (r != NULL)
        let_go(r); /* what was asked goes on: the issuer need not wait for what it says to be true */
}

const struct gh_handler gh_signals_handler = { .start = start, .body = body, .room = room, .gone = gone };

/* ---- asking ---- */

static enum gh_reason find_token(struct request *r)
{
    struct gh_form form;
    r->signal.token = gh_buf_peek(&r->body);
    if (r->signal.form == GH_EVENT_FORM_SET)
        return GH_OK;
    enum gh_reason reason = gh_form_read(r->x->arena, r->signal.token, &form);
    if (reason == GH_OK)
        r->signal.token = gh_form_get(&form, GH_STR("logout_token"));
    return reason == GH_OK && r->signal.token.ptr == NULL ? GH_PARAMETER_MISSING : reason;
}

static void ask(struct request *r)
{
    const struct gh_signals_new *with = &r->signals->with;
    enum gh_reason reason = find_token(r);
    gh_str text = reason == GH_OK ? gh_signal_write(r->x->arena, &r->signal) : GH_STR_NONE;
    if (reason == GH_OK && text.ptr == NULL)
        reason = GH_OUT_OF_MEMORY;
    r->ticket = ++r->signals->last_ticket;
    if (reason == GH_OK && !with->ask(with->ctx, text, r->ticket))
        reason = GH_OUT_OF_MEMORY;
    if (reason != GH_OK)
        refuse(r, reason);
}

/* ---- answering ---- */

static bool add_headers(const struct gh_exchange *x, struct gh_headers *headers)
{
    gh_str id = gh_str_of(x->request_id, sizeof(x->request_id) - 1);
    return gh_headers_init(headers, x->arena, 3) == GH_OK &&
           gh_headers_add(headers, GH_STR("cache-control"), GH_STR("no-store")) == GH_OK &&
           gh_headers_add(headers, GH_STR("x-request-id"), id) == GH_OK;
}

/* RFC 8935 section 2.4: "err" and "description"; Back-Channel Logout section 2.8: an OAuth error. */
static void refuse(struct request *r, enum gh_reason why)
{
    struct gh_exchange *x = r->x;
    const struct gh_reason_row *row = gh_reason_row(why);
    struct gh_text text = { .arena = x->arena };
    struct gh_headers headers;
    let_go(r);
    if (r->signal.form == GH_EVENT_FORM_LOGOUT || row->status != 400) {
        gh_exchange_refuse(x, why, why == GH_HTTP_METHOD_REFUSED ? "POST" : NULL);
        return;
    }
    gh_put_text(&text, "err", gh_str_from(row->error));
    gh_put_text(&text, "description", gh_str_from(row->text));
    gh_str body = gh_put_end(&text);
    if (body.ptr == NULL || !add_headers(x, &headers) ||
        gh_headers_add(&headers, GH_STR("content-type"), GH_STR("application/json")) != GH_OK) {
        gh_exchange_refuse(x, why, NULL);
        return;
    }
    x->reason = why;
    gh_exchange_answer(x, row->status, &headers, body);
}

/* Whose tokens were ended, for the audit line: the token that says so has been verified. */
static void tell(struct request *r, const struct gh_signal_outcome *outcome)
{
    gh_str id = gh_arena_dup(r->x->arena, outcome->id);
    r->about.issuer_name = r->signal.issuer;
    r->about.subject = outcome->level == GH_REVOKED_USER && id.ptr != NULL ? id : GH_STR("");
    r->about.grant = outcome->level == GH_REVOKED_GRANT && id.ptr != NULL ? id : GH_STR("");
    r->act.events = GH_EVENT_BIT(GH_EVENT_SIGNAL);
    if (outcome->level != GH_REVOKED_COUNT) {
        r->act.events |= GH_EVENT_BIT(GH_EVENT_REVOKE);
        r->act.revoked = gh_revoked_name(outcome->level);
        r->act.revoked_count = outcome->count;
    }
    r->x->principal = &r->about;
    r->x->act = &r->act;
}

/* Back-Channel Logout section 2.8: 200; RFC 8935 section 2.2: 202. */
static void accept_it(struct request *r, const struct gh_signal_outcome *outcome)
{
    struct gh_exchange *x = r->x;
    struct gh_headers headers;
    bool is_set = r->signal.form == GH_EVENT_FORM_SET;
    tell(r, outcome);
    let_go(r);
    if (!add_headers(x, &headers))
        gh_exchange_refuse(x, GH_OUT_OF_MEMORY, NULL);
    else
        gh_exchange_answer(x, is_set ? 202 : 200, &headers, GH_STR(""));
}

void gh_signals_heard(struct gh_signals *signals, uint64_t ticket, const struct gh_signal_outcome *outcome)
{
    GH_LIST_EACH (node, &signals->requests) {
        struct request *r = GH_LIST_ENTRY(node, struct request, link);
        if (r->ticket != ticket)
            continue;
        if (outcome->reason == GH_OK)
            accept_it(r, outcome);
        else
            refuse(r, outcome->reason);
        return;
    }
}
