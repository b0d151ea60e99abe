/* app/documents.h: documents of clients fetched by the control thread for all workers: one fetch for all who
 * wait for one URL. */
#ifndef GH_APP_DOCUMENTS_H
#define GH_APP_DOCUMENTS_H

#include "app/worker.h"
#include "upstream/fetch.h"

struct gh_documents;
struct gh_documents *gh_documents_new(struct gh_loop *loop, struct gh_fetcher *fetcher,
                                      struct gh_limits *limits);
/* After the fetcher: it has answered all who wait. */
void gh_documents_free(struct gh_documents *documents);

struct gh_document_wish {
    gh_str url;
    gh_str source; /* the address that a fetch is counted against; empty: none. Who waits with others pays
                      nothing */
    uint64_t ticket;
};
/* GH_OVERLOADED: too many, or this host was asked too often of late; GH_REQUESTS_THROTTLED: by this address.
 * Else the worker gets a letter with the ticket. */
GH_MUST_USE enum gh_reason gh_documents_want(struct gh_documents *documents, struct gh_worker *worker,
                                             const struct gh_document_wish *wish);

#endif
