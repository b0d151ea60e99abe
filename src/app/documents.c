/* app/documents.c: who waits for which document, and how often a host may be asked. */
#include "app/documents.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/map.h"
#include "base/str.h"
#include "gatehouse/http.h"

/* threats.md A13. Documents are small, and a person waits for each. */
#define BODY_MAX       5120
#define TIMEOUT_MS     2500
#define FETCHES_MAX    64
#define WAITERS_MAX    256
#define HOSTS          256 /* two that share a place share its budget */
#define HOST_FETCHES   10
#define SOURCE_FETCHES 10
#define HOST_SPAN_MS   60000

struct waiter {
    struct waiter *next;
    struct gh_worker *worker;
    uint64_t ticket;
};

struct document {
    struct gh_list link;
    struct gh_documents *documents;
    gh_str url; /* behind this struct */
    struct waiter *waiters;
};

struct gh_documents {
    struct gh_loop *loop;
    struct gh_fetcher *fetcher;
    struct gh_limits *limits; /* lent */
    struct gh_list fetches;   /* of struct document */
    unsigned fetch_count, waiter_count;
    uint64_t seed[2];
    struct {
        int64_t since_ms;
        unsigned count;
    } hosts[HOSTS];
};

struct gh_documents *gh_documents_new(struct gh_loop *loop, struct gh_fetcher *fetcher,
                                      struct gh_limits *limits)
{
    struct gh_documents *documents = gh_calloc(1, sizeof(*documents));
    if (documents == NULL)
        return NULL;
    documents->loop = loop;
    documents->fetcher = fetcher;
    documents->limits = limits;
    gh_list_init(&documents->fetches);
    gh_random_fill(documents->seed, sizeof(documents->seed));
    return documents;
}

void gh_documents_free(struct gh_documents *documents)
{
    free(documents);
}

static void tell_waiters(void *ctx, const struct gh_fetch_answer *answer)
{
    struct document *document = ctx;
    struct gh_documents *documents = document->documents;
    const struct gh_issuer_fetched fetched = { .reason = answer->reason,
                                               .body = answer->body,
                                               .max_age_s = answer->max_age_s };
    gh_list_remove(&document->link);
    documents->fetch_count--;
    if (answer->reason != GH_OK)
        gh_log(GH_LOG_WARN, "a document of a client could not be fetched", GH_FIELD("url", document->url),
               GH_FIELD("why", gh_str_from(answer->why != NULL ? answer->why : "")));
    for (struct waiter *waiter = document->waiters; waiter != NULL;) {
        struct waiter *next = waiter->next;
        if (!gh_worker_fetched(waiter->worker, waiter->ticket, &fetched))
            gh_log(GH_LOG_ERROR, "an answer to a worker could not be sent: out of memory");
        free(waiter);
        documents->waiter_count--;
        waiter = next;
    }
    free(document);
}

/* False: asked too often of late. */
static bool spend(struct gh_documents *documents, gh_str url)
{
    gh_str rest = gh_str_skip(url, gh_str_find(url, ':'));
    gh_str host = gh_str_take(gh_str_skip(rest, 3), gh_str_find(gh_str_skip(rest, 3), '/'));
    size_t at = gh_hash(documents->seed, host) % HOSTS;
    int64_t now_ms = gh_loop_now_ms(documents->loop);
    if (documents->hosts[at].count == 0 || now_ms - documents->hosts[at].since_ms >= HOST_SPAN_MS) {
        documents->hosts[at].since_ms = now_ms;
        documents->hosts[at].count = 0;
    }
    return documents->hosts[at].count++ < HOST_FETCHES;
}

static struct document *find(const struct gh_documents *documents, gh_str url)
{
    GH_LIST_EACH (node, &documents->fetches) {
        struct document *document = GH_LIST_ENTRY(node, struct document, link);
        if (gh_str_eq(document->url, url))
            return document;
    }
    return NULL;
}

/* threats.md section 8: "10 fetches/min per IP and per host". */
static enum gh_reason may_begin(struct gh_documents *documents, const struct gh_document_wish *wish)
{
    const gh_str parts[] = { GH_STR("fetches"), wish->source };
    const struct gh_limit limit = { .tries = SOURCE_FETCHES, .span_s = HOST_SPAN_MS / 1000 };
    struct gh_refusal refusal;
    if (documents->fetch_count == FETCHES_MAX)
        return GH_OVERLOADED;
    if (wish->source.len > 0 &&
        !gh_limits_take(documents->limits, (struct gh_strs){ parts, GH_ARRAY_LEN(parts) }, &limit,
                        gh_loop_wall_s(documents->loop), &refusal))
        return GH_REQUESTS_THROTTLED;
    return spend(documents, wish->url) ? GH_OK : GH_OVERLOADED;
}

static struct document *begin(struct gh_documents *documents, gh_str url)
{
    struct document *document = gh_calloc(1, sizeof(*document) + url.len);
    if (document == NULL)
        return NULL;
    memcpy(document + 1, url.ptr, url.len);
    document->documents = documents;
    document->url = gh_str_of(document + 1, url.len);
    const struct gh_fetch_request request = { .url = document->url,
                                              .max_body = BODY_MAX,
                                              .timeout_ms = TIMEOUT_MS };
    if (!gh_fetch(documents->fetcher, &request, tell_waiters, document)) {
        free(document);
        return NULL;
    }
    documents->fetch_count++;
    gh_list_append(&documents->fetches, &document->link);
    return document;
}

enum gh_reason gh_documents_want(struct gh_documents *documents, struct gh_worker *worker,
                                 const struct gh_document_wish *wish)
{
    struct waiter *waiter = documents->waiter_count < WAITERS_MAX ? gh_calloc(1, sizeof(*waiter)) : NULL;
    struct document *document = waiter != NULL ? find(documents, wish->url) : NULL;
    enum gh_reason reason = waiter == NULL ? GH_OVERLOADED : GH_OK;
    if (reason == GH_OK && document == NULL)
        reason = may_begin(documents, wish);
    if (reason == GH_OK && document == NULL)
        document = begin(documents, wish->url);
    if (document == NULL) {
        free(waiter);
        return reason != GH_OK ? reason : GH_OVERLOADED;
    }
    *waiter = (struct waiter){ .next = document->waiters, .worker = worker, .ticket = wish->ticket };
    document->waiters = waiter;
    documents->waiter_count++;
    return GH_OK;
}
