/* issuer/document.h: clients whose id is the URL of a document (CIMD), as rows that say how fresh they are.
 * Private to this folder. */
#ifndef GH_ISSUER_DOCUMENT_H
#define GH_ISSUER_DOCUMENT_H

#include "issuer/request.h"

/* The row key of such a client. ptr NULL when out of memory. */
gh_str gh_document_key(struct gh_arena *arena, gh_str url);

/* What its row says now. */
struct gh_document {
    bool has_client;
    struct gh_client client; /* as it was told last */
    int64_t good;            /* until then it is as fresh as its host wants it */
    int64_t fresh;           /* until then nobody asks again */
    enum gh_reason failed;   /* GH_OK, or how asking went the last time */
};
GH_MUST_USE enum gh_reason gh_document_read(struct gh_arena *arena, const struct gh_stored_row *row,
                                            struct gh_document *ret_document);

/* The client of that URL, for an authorization request: r->client while its document is fresh; else
 * r->wanted, when its host may be asked now. GH_CLIENT_UNKNOWN: no URL of a document; or how asking went less
 * than a minute ago. */
GH_MUST_USE enum gh_reason gh_document_take(struct gh_issuer_request *r, gh_str url,
                                            const struct gh_stored_row *row, bool may_fetch);

/* ---- steps, one behind the other: the document, its keys where they lie elsewhere, the row; then the step
 * r->again. Nothing happens unless r->wanted names a URL. ---- */
enum gh_step_end gh_step_fetch(struct gh_issuer_request *r);
enum gh_step_end gh_step_fetch_keys(struct gh_issuer_request *r);
enum gh_step_end gh_step_keep_document(struct gh_issuer_request *r);
enum gh_step_end gh_step_look_again(struct gh_issuer_request *r);

#endif
