/* issuer/transaction.c: authorization requests kept while a person signs in and reads. */
#include <openssl/crypto.h>

#include "base/str.h"
#include "core/grant/rows.h"
#include "issuer/flow.h"

#define LIFE_S         600 /* issuer.md section 14 */
#define AGREEMENTS_MAX 5   /* browsers that one person may try, one after the other */

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
    transaction->agreed = gh_get_text(&value, "agreed", &ok);
    transaction->agreements = gh_get_number(&value, "agreements", &ok);
    transaction->is_changed = false;
    return ok && transaction->query.len > 0 ? GH_OK : GH_STORE_MALFORMED;
}

static enum gh_reason name_it(struct gh_issuer_request *r)
{
    struct gh_transaction *transaction = &r->transaction;
    if (transaction->handle.len > 0)
        return GH_OK;
    gh_str handle = gh_browser_secret(r->x->arena);
    gh_str key = handle.ptr != NULL ? gh_row_key(r->x->arena, "txn", &handle, 1) : GH_STR_NONE;
    if (key.ptr == NULL)
        return GH_OUT_OF_MEMORY;
    transaction->handle = handle;
    transaction->key = key;
    return GH_OK;
}

enum gh_reason gh_transaction_put(struct gh_issuer_request *r)
{
    struct gh_transaction *transaction = &r->transaction;
    struct gh_text text = { .arena = r->x->arena };
    gh_put_text(&text, "query", transaction->query);
    gh_put_text(&text, "target", transaction->target);
    gh_put_text(&text, "signed_in", transaction->signed_in);
    gh_put_text(&text, "agreed", transaction->agreed);
    gh_put_number(&text, "agreements", transaction->agreements);
    gh_str value = gh_put_end(&text);
    enum gh_reason reason = value.ptr != NULL ? name_it(r) : GH_OUT_OF_MEMORY;
    if (reason != GH_OK)
        return reason;
    if (transaction->version == 0)
        transaction->expires = gh_issuer_now(r) + LIFE_S;
    reason = gh_effects_expect(&r->effects, transaction->key, transaction->version);
    return reason == GH_OK ? gh_effects_write(&r->effects, transaction->key, value, transaction->expires)
                           : reason;
}

/* ---- agreed before anybody was signed in ---- */

/* Each of these is a write that nobody has paid for but whoever began the transaction. */
enum gh_reason gh_transaction_agree(struct gh_issuer_request *r)
{
    gh_str cookie = gh_browser_cookie(r, GH_COOKIE_AGREED);
    if (gh_transaction_has_agreed(r))
        return GH_OK;
    if (r->transaction.agreements >= AGREEMENTS_MAX)
        return GH_REQUESTS_THROTTLED;
    enum gh_reason reason = name_it(r);
    if (reason == GH_OK && cookie.len == 0) {
        cookie = gh_browser_secret(r->x->arena);
        reason = cookie.ptr != NULL ? gh_browser_set(r, GH_COOKIE_AGREED, cookie) : GH_OUT_OF_MEMORY;
    }
    if (reason != GH_OK)
        return reason;
    r->transaction.agreed = gh_browser_token(r->x->arena, cookie, "agreed", r->transaction.handle);
    r->transaction.agreements++;
    r->transaction.is_changed = true;
    return r->transaction.agreed.ptr != NULL ? GH_OK : GH_OUT_OF_MEMORY;
}

bool gh_transaction_has_agreed(const struct gh_issuer_request *r)
{
    gh_str cookie = gh_browser_cookie(r, GH_COOKIE_AGREED), agreed = r->transaction.agreed;
    if (cookie.len == 0 || agreed.len == 0)
        return false;
    gh_str token = gh_browser_token(r->x->arena, cookie, "agreed", r->transaction.handle);
    return token.ptr != NULL && token.len == agreed.len &&
           CRYPTO_memcmp(token.ptr, agreed.ptr, token.len) == 0;
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
