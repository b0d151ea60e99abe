/* app/documents.h: documents of clients fetched by the control thread for all workers: one fetch for all who
 * wait for one URL. */
#ifndef GH_APP_DOCUMENTS_H
#define GH_APP_DOCUMENTS_H

#include "app/worker.h"
#include "upstream/fetch.h"

struct gh_documents;
struct gh_documents *gh_documents_new(struct gh_loop *loop, struct gh_fetcher *fetcher);
/* After the fetcher: it has answered all who wait. */
void gh_documents_free(struct gh_documents *documents);
/* False: too many, or this host was asked too often of late. Else the worker gets a letter with the ticket.
 */
bool gh_documents_want(struct gh_documents *documents, struct gh_worker *worker, gh_str url, uint64_t ticket)
    GH_MUST_USE;

#endif
