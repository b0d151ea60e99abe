/* issuer/document.c: client metadata documents fetched by the control thread, judged here, and kept as rows
 * that every node reads (issuer.md section 5.1). */
#include "issuer/document.h"

#include "base/str.h"
#include "core/grant/rows.h"

/* max-age is believed between these. */
#define FRESH_MIN_S 60
#define FRESH_MAX_S 86400
#define FAILED_S    60
/* How often one request looks again: the second time its own row is there. */
#define LOOKS_MAX 3

gh_str gh_document_key(struct gh_arena *arena, gh_str url)
{
    return gh_row_key(arena, "document", &url, 1);
}

/* ---- rows ---- */

enum gh_reason gh_document_read(struct gh_arena *arena, const struct gh_stored_row *row,
                                struct gh_document *ret_document)
{
    struct gh_json value;
    bool ok = true;
    *ret_document = (struct gh_document){ 0 };
    if (row == NULL || row->version == 0)
        return GH_OK;
    enum gh_reason reason =
        gh_json_read(arena, row->value, &gh_json_control_limits, GH_STORE_MALFORMED, &value);
    if (reason != GH_OK)
        return reason;
    gh_str failed = gh_get_text(&value, "failed", &ok), client = gh_get_text(&value, "client", &ok);
    ret_document->fresh = gh_get_number(&value, "fresh", &ok);
    ret_document->good = gh_get_number(&value, "good", &ok);
    ret_document->has_client = client.len > 0;
    ret_document->failed = failed.len > 0 ? gh_reason_from_slug(failed) : GH_OK;
    if (!ok || ret_document->failed == GH_REASON_COUNT)
        return GH_STORE_MALFORMED;
    return ret_document->has_client ? gh_client_read(arena, client, &ret_document->client) : GH_OK;
}

static enum gh_reason write_document(struct gh_issuer_request *r, const struct gh_document *document,
                                     int64_t expires)
{
    struct gh_text text = { .arena = r->x->arena };
    gh_put_number(&text, "fresh", document->fresh);
    gh_put_number(&text, "good", document->good);
    if (document->failed != GH_OK)
        gh_put_text(&text, "failed", gh_str_from(gh_reason_row(document->failed)->slug));
    if (document->has_client)
        gh_put_made(&text, "client", gh_client_write(r->x->arena, &document->client));
    gh_str value = gh_put_end(&text), key = gh_document_key(r->x->arena, r->wanted);
    return value.ptr != NULL && key.ptr != NULL ? gh_effects_write(&r->effects, key, value, expires)
                                                : GH_OUT_OF_MEMORY;
}

/* Other redirects or keys than before: audited, and no consent of before counts (issuer.md section 5.1). */
static enum gh_reason find_change(struct gh_issuer_request *r, const struct gh_client *before)
{
    gh_str old = gh_client_document_mark(r->x->arena, before);
    gh_str now = gh_client_document_mark(r->x->arena, &r->fetched.client);
    r->fetched.is_changed = !gh_str_eq(old, now);
    return old.ptr != NULL && now.ptr != NULL ? GH_OK : GH_OUT_OF_MEMORY;
}

/* A failure is remembered for a minute, and takes nothing from those who have tokens: the last good document
 * stays beside it. Behind its freshness that serves token requests for a day; once it led to a code its row
 * lives longer, and is asked for anew. */
static enum gh_reason put_row(struct gh_issuer_request *r, enum gh_reason failed)
{
    int64_t now = gh_issuer_now(r), life = r->fetched.max_age_s;
    struct gh_document document;
    enum gh_reason reason = gh_document_read(r->x->arena, &r->client_row, &document);
    if (reason != GH_OK)
        return reason;
    life = life < FRESH_MIN_S ? FRESH_MIN_S : life > FRESH_MAX_S ? FRESH_MAX_S : life;
    if (failed == GH_OK && document.has_client)
        reason = find_change(r, &document.client);
    if (reason != GH_OK)
        return reason;
    document.failed = failed;
    document.fresh = now + (failed == GH_OK ? life : FAILED_S);
    if (failed == GH_OK) {
        document.has_client = true;
        document.client = r->fetched.client;
        document.good = document.fresh;
    }
    int64_t expires = document.fresh + (document.has_client ? GH_DOCUMENT_STALE_S : 0);
    return write_document(r, &document, expires > r->client_row.expires ? expires : r->client_row.expires);
}

enum gh_reason gh_document_take(struct gh_issuer_request *r, gh_str url, const struct gh_stored_row *row,
                                bool may_fetch)
{
    struct gh_document document;
    enum gh_reason reason = gh_client_url_check(r->x->arena, url);
    if (reason == GH_OK)
        reason = gh_document_read(r->x->arena, row, &document);
    if (reason != GH_OK)
        return reason;
    if (document.fresh <= gh_issuer_now(r)) {
        r->wanted = may_fetch ? url : GH_STR("");
        return GH_OK;
    }
    if (document.failed == GH_OK)
        r->client = document.client;
    return document.failed;
}

/* ---- steps ---- */

static enum gh_step_end ask(struct gh_issuer_request *r, gh_str url, gh_str source)
{
    const struct gh_issuer_ports *ports = r->server->with.ports;
    r->fetched.reason = GH_OVERLOADED;
    r->ticket = ++r->server->last_ticket;
    if (ports != NULL && ports->fetch(ports->ctx, url, source, r->ticket))
        return GH_STEP_WAIT;
    r->ticket = 0;
    return gh_issuer_refuse(r, GH_OVERLOADED);
}

void gh_issuer_server_fetched(struct gh_issuer_server *server, uint64_t ticket,
                              const struct gh_issuer_fetched *fetched)
{
    struct gh_issuer_request *r = gh_issuer_by_ticket(server, ticket);
    if (r == NULL)
        return;
    r->ticket = 0;
    r->fetched.reason = fetched->reason;
    r->fetched.body = gh_arena_dup(r->x->arena, fetched->body);
    if (r->fetched.body.ptr == NULL)
        r->fetched.reason = GH_OUT_OF_MEMORY;
    /* the document's own life counts, not that of its keys */
    if (r->fetched.client.id.len == 0)
        r->fetched.max_age_s = fetched->max_age_s;
    gh_issuer_run(r);
}

enum gh_step_end gh_step_fetch(struct gh_issuer_request *r)
{
    if (r->wanted.len == 0)
        return GH_STEP_NEXT;
    if (r->looks++ == LOOKS_MAX)
        return gh_issuer_refuse(r, GH_OVERLOADED);
    r->fetched.client = (struct gh_client){ 0 };
    return ask(r, r->wanted, r->x->shared_source ? GH_STR("") : r->address);
}

enum gh_step_end gh_step_fetch_keys(struct gh_issuer_request *r)
{
    if (r->wanted.len == 0 || r->fetched.reason != GH_OK)
        return GH_STEP_NEXT;
    r->fetched.reason =
        gh_client_document_read(r->x->arena, r->wanted, r->fetched.body, r->managed->policy.redirect_schemes,
                                gh_issuer_now(r), &r->fetched.client);
    gh_str keys = r->fetched.reason == GH_OK ? r->fetched.client.jwks_uri : GH_STR("");
    return keys.len > 0 ? ask(r, keys, GH_STR("")) : GH_STEP_NEXT; /* its document was counted */
}

/* Where authorization requests come in, whatever host they name is asked, and a failure is remembered; at
 * other endpoints only documents count that somebody has agreed to. */
static bool looks_first(const struct gh_issuer_request *r)
{
    return r->endpoint->is_page || r->endpoint->is_push;
}

/* Ours to remember: what the document says, or that it is no good. What is only our own trouble is not. */
static bool is_theirs(enum gh_reason reason)
{
    return reason == GH_CLIENT_DOCUMENT_REFUSED || reason == GH_FETCH_FAILED || reason == GH_FETCH_REFUSED;
}

static void tell_rejected(struct gh_issuer_request *r)
{
    gh_issuer_tell(r, GH_EVENT_CLIENT_REJECTED);
    r->act.about = r->wanted;
}

enum gh_step_end gh_step_keep_document(struct gh_issuer_request *r)
{
    struct gh_jwks *set = NULL;
    enum gh_reason reason = r->fetched.reason;
    if (r->wanted.len == 0)
        return GH_STEP_NEXT;
    if (reason == GH_OK && r->fetched.client.jwks_uri.len > 0) {
        reason = gh_jwks_read(r->fetched.body, (1u << GH_ALG_COUNT) - 1u, NULL, &set);
        gh_jwks_unref(set);
        reason = reason == GH_KEYS_MALFORMED ? GH_CLIENT_DOCUMENT_REFUSED : reason;
        r->fetched.client.jwks = r->fetched.body;
    }
    r->fetched.reason = reason;
    if (is_theirs(reason))
        tell_rejected(r);
    /* A client that has been let in keeps its row through an outage of its host; tokens are asked for again.
     */
    if (reason != GH_OK && (!is_theirs(reason) || !looks_first(r)))
        return gh_issuer_refuse(r, is_theirs(reason) ? GH_FETCH_FAILED : reason);
    r->effects = (struct gh_effects){ 0 };
    reason = put_row(r, reason);
    return reason == GH_OK ? gh_issuer_commit(r) : gh_issuer_refuse(r, reason);
}

enum gh_step_end gh_step_look_again(struct gh_issuer_request *r)
{
    if (r->wanted.len > 0) {
        r->step = r->again;
        if (r->fetched.reason == GH_OK) {
            gh_issuer_tell(r, r->fetched.is_changed ? GH_EVENT_CLIENT_CHANGED : GH_EVENT_CLIENT_FETCHED);
            r->act.about = r->wanted;
        }
    }
    r->wanted = GH_STR("");
    return GH_STEP_NEXT;
}
