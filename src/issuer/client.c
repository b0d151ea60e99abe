/* issuer/client.c: the steps that read a form, find its client, and see that it is who it says. */
#include "base/str.h"
#include "issuer/document.h"
#include "issuer/flow.h"

enum gh_step_end gh_step_form(struct gh_issuer_request *r)
{
    enum gh_reason reason = gh_form_read(r->x->arena, gh_buf_peek(&r->body), &r->form);
    return reason == GH_OK ? GH_STEP_NEXT : gh_issuer_refuse(r, reason);
}

/* Those of the settings come first: nobody can register over them. */
enum gh_step_end gh_step_credential(struct gh_issuer_request *r)
{
    enum gh_reason reason = gh_client_credential_read(r->x->arena, &r->x->headers, &r->form, &r->credential);
    if (reason != GH_OK)
        return gh_issuer_refuse(r, reason);
    const struct gh_client *own = gh_issuer_own_client(r->managed, r->credential.client_id);
    if (own != NULL) {
        r->client = *own;
        return GH_STEP_NEXT;
    }
    gh_str id = r->credential.client_id;
    gh_str key = gh_client_id_is_url(id) ? gh_document_key(r->x->arena, id) : gh_client_key(r->x->arena, id);
    r->again = r->step - 1; /* what waited for a document begins here again */
    reason = gh_issuer_client_epoch(r, id, &r->client_epoch);
    return reason != GH_OK ? gh_issuer_refuse(r, reason) : gh_issuer_read(r, &key, 1);
}

/* One that somebody here has agreed to: its host may be asked again, by whoever comes. While it does not
 * answer, tokens are refused for the moment, never for good (issuer.md section 4). */
static enum gh_step_end take_document(struct gh_issuer_request *r)
{
    struct gh_document document;
    int64_t now = gh_issuer_now(r);
    enum gh_reason reason = gh_document_read(r->x->arena, &r->rows.at[0], &document);
    if (reason == GH_OK && !document.has_client)
        reason = GH_CLIENT_UNKNOWN;
    bool is_old = reason == GH_OK && document.good + GH_DOCUMENT_STALE_S <= now;
    if (is_old && document.failed != GH_OK && document.fresh > now)
        reason = GH_FETCH_FAILED;
    if (reason != GH_OK)
        return gh_issuer_refuse(r, reason);
    r->client_row = r->rows.at[0];
    if (is_old)
        r->wanted = r->credential.client_id;
    else
        r->client = document.client;
    return GH_STEP_NEXT;
}

/* One that nobody knows may push a request, as it may send a browser with one: its address pays for the fetch
 * (in app/documents.c), and the row that comes of it counts with those of all. */
static enum gh_step_end take_first_document(struct gh_issuer_request *r)
{
    const struct gh_rate all = { .tries = r->managed->limits.pending_all, .span_s = 600 };
    const struct gh_stored_row *row = &r->rows.at[0];
    enum gh_reason reason = gh_document_take(r, r->credential.client_id, row, true);
    if (reason == GH_OK && r->wanted.len > 0 && row->version == 0 && r->looks == 0)
        reason = gh_throttle_all(r, "documents", &all);
    if (row->version != 0)
        r->client_row = *row;
    return reason == GH_OK ? GH_STEP_NEXT : gh_issuer_refuse(r, reason);
}

enum gh_step_end gh_step_client(struct gh_issuer_request *r)
{
    bool is_url = gh_client_id_is_url(r->credential.client_id);
    if (r->client.id.len > 0)
        return GH_STEP_NEXT;
    if (is_url && r->endpoint->is_push)
        return take_first_document(r);
    if (r->rows.at[0].version == 0)
        return gh_issuer_refuse(r, GH_CLIENT_UNKNOWN);
    if (is_url)
        return take_document(r);
    enum gh_reason reason = gh_client_read(r->x->arena, r->rows.at[0].value, &r->client);
    return reason == GH_OK ? GH_STEP_NEXT : gh_issuer_refuse(r, reason);
}

/* The effects begin here: what an assertion spends is committed with what it was spent for. */
enum gh_reason gh_issuer_authenticate(struct gh_issuer_request *r)
{
    struct gh_jwks *set = NULL;
    enum gh_reason reason = GH_OK;
    r->effects = (struct gh_effects){ 0 };
    if (r->client.jwks.len > 0)
        reason = gh_jwks_read(r->client.jwks, (1u << GH_ALG_COUNT) - 1u, NULL, &set);
    if (reason == GH_OK || reason == GH_KEYS_MALFORMED)
        reason = gh_client_verify(r->x->arena, r->managed->policy.issuer, &r->client, &r->credential, set,
                                  gh_issuer_now(r), &r->effects);
    gh_jwks_unref(set);
    r->is_proven = reason == GH_OK;
    return reason;
}

/* A conflict of two who spend the same assertion begins here again, and finds it spent. */
enum gh_step_end gh_step_authenticate(struct gh_issuer_request *r)
{
    r->again = r->step - 1;
    r->rows = (struct gh_rows){ 0 };
    enum gh_reason reason = gh_issuer_authenticate(r);
    if (reason != GH_OK)
        return gh_issuer_refuse(r, reason);
    return r->effects.write_count > 0 ? gh_issuer_read(r, &r->effects.writes[0].key, 1) : GH_STEP_NEXT;
}

enum gh_step_end gh_step_unspent(struct gh_issuer_request *r)
{
    bool spent = r->rows.count > 0 && r->rows.at[0].version != 0;
    r->rows = (struct gh_rows){ 0 };
    return spent ? gh_issuer_refuse(r, GH_CLIENT_UNAUTHENTICATED) : GH_STEP_NEXT;
}
