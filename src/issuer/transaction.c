/* issuer/transaction.c: authorization requests kept while a person signs in and reads. */
#include "base/str.h"
#include "core/grant/rows.h"
#include "issuer/flow.h"

#define LIFE_S 600 /* issuer.md section 14 */

enum gh_reason gh_transaction_begin(struct gh_issuer_request *r, gh_str handle)
{
    r->transaction = (struct gh_transaction){ .handle = handle.len > 0 ? handle : GH_STR("") };
    if (handle.len == 0)
        return GH_OK;
    r->transaction.key = gh_row_key(r->x->arena, "txn", &handle, 1);
    return r->transaction.key.ptr != NULL ? GH_OK : GH_OUT_OF_MEMORY;
}

enum gh_reason gh_transaction_take(struct gh_issuer_request *r)
{
    struct gh_transaction *transaction = &r->transaction;
    const struct gh_stored_row *row = gh_rows_find(r->rows, transaction->key);
    struct gh_json value;
    bool ok = true;
    if (row == NULL || row->version == 0)
        return GH_TRANSACTION_UNKNOWN;
    enum gh_reason reason =
        gh_json_read(r->x->arena, row->value, &gh_json_control_limits, GH_STORE_MALFORMED, &value);
    if (reason != GH_OK)
        return reason;
    transaction->version = row->version;
    transaction->expires = row->expires;
    transaction->query = gh_get_text(&value, "query", &ok);
    transaction->target = gh_get_text(&value, "target", &ok);
    transaction->signed_in = gh_get_text(&value, "signed_in", &ok);
    return ok && transaction->query.len > 0 ? GH_OK : GH_STORE_MALFORMED;
}

enum gh_reason gh_transaction_put(struct gh_issuer_request *r)
{
    struct gh_transaction *transaction = &r->transaction;
    struct gh_text text = { .arena = r->x->arena };
    gh_put_text(&text, "query", transaction->query);
    gh_put_text(&text, "target", transaction->target);
    gh_put_text(&text, "signed_in", transaction->signed_in);
    gh_str value = gh_put_end(&text);
    if (transaction->version == 0) {
        transaction->handle = gh_browser_secret(r->x->arena);
        transaction->key = transaction->handle.ptr != NULL
                               ? gh_row_key(r->x->arena, "txn", &transaction->handle, 1)
                               : GH_STR_NONE;
        transaction->expires = gh_issuer_now(r) + LIFE_S;
    }
    if (value.ptr == NULL || transaction->key.ptr == NULL)
        return GH_OUT_OF_MEMORY;
    enum gh_reason reason = gh_effects_expect(&r->effects, transaction->key, transaction->version);
    return reason == GH_OK ? gh_effects_write(&r->effects, transaction->key, value, transaction->expires)
                           : reason;
}

enum gh_reason gh_transaction_end(struct gh_issuer_request *r)
{
    const struct gh_transaction *transaction = &r->transaction;
    if (transaction->version == 0)
        return GH_OK;
    enum gh_reason reason = gh_effects_expect(&r->effects, transaction->key, transaction->version);
    return reason == GH_OK ? gh_effects_delete(&r->effects, transaction->key) : reason;
}

/* CSP level 3 section 2.3.1: a host-source holds no IPv6 literal; its scheme is the nearest that is one. */
gh_str gh_transaction_target(struct gh_arena *arena, gh_str redirect_uri)
{
    struct gh_url url;
    gh_str scheme = gh_str_take(redirect_uri, gh_str_find(redirect_uri, ':'));
    enum gh_reason reason = gh_url_read(arena, redirect_uri, &url);
    if (reason == GH_OUT_OF_MEMORY)
        return GH_STR_NONE;
    if (reason != GH_OK || gh_str_find(url.authority.host, ':') < url.authority.host.len)
        return gh_arena_printf(arena, "%.*s:", GH_STR_FMT(scheme));
    return gh_arena_printf(arena, "%.*s://%.*s", GH_STR_FMT(url.scheme), GH_STR_FMT(url.authority_text));
}
