/* upstream/fetch.c: the control plane's HTTP client: starts transfers, ends them, answers whoever asked. */
#include "upstream/fetch.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/str.h"
#include "upstream/fetch_private.h"

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static bool curl_is_up;

static void start_curl(void);
static struct fetch *fetch_new(struct gh_fetcher *fetcher, const struct gh_fetch_request *request);
static void fetch_free(void *ptr);
static void answer_refusal(struct gh_turn_work *work);
static void end_fetch(struct fetch *fetch, const struct gh_fetch_answer *answer);

struct gh_fetcher *gh_fetcher_new(struct gh_loop *loop, const struct gh_fetch_conf *conf)
{
    if (pthread_once(&curl_once, start_curl) != 0 || !curl_is_up)
        return NULL;
    struct gh_fetcher *fetcher = gh_calloc(1, sizeof(*fetcher));
    if (fetcher == NULL)
        return NULL;
    fetcher->loop = loop;
    gh_list_init(&fetcher->running);
    fetcher->rules = gh_fetch_rules_new(conf);
    fetcher->multi = curl_multi_init();
    if (fetcher->rules == NULL || fetcher->multi == NULL || !gh_fetch_events_start(fetcher))
        goto fail;
    return fetcher;
fail:
    gh_fetcher_free(fetcher);
    return NULL;
}

/* Once a process, from its first thread: libcurl starts OpenSSL, which is here already. Never undone: another
 * fetcher may be there. */
static void start_curl(void)
{
    curl_is_up = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
}

bool gh_fetcher_configure(struct gh_fetcher *fetcher, const struct gh_fetch_conf *conf)
{
    struct fetch_rules *rules = gh_fetch_rules_new(conf);
    if (rules == NULL)
        return false;
    gh_fetch_rules_unref(fetcher->rules);
    fetcher->rules = rules;
    return true;
}

void gh_fetcher_free(struct gh_fetcher *fetcher)
{
    if (fetcher == NULL)
        return;
    const struct gh_fetch_answer answer = { .reason = GH_SHUTTING_DOWN,
                                            .max_age_s = -1,
                                            .why = "shutting down" };
    struct gh_list *node;
    while ((node = gh_list_first(&fetcher->running)) != NULL)
        end_fetch(GH_LIST_ENTRY(node, struct fetch, link), &answer);
    if (fetcher->multi != NULL)
        (void)curl_multi_cleanup(fetcher->multi);
    gh_fetch_events_stop(fetcher);
    gh_fetch_rules_unref(fetcher->rules);
    free(fetcher);
}

/* ---- one fetch ---- */

bool gh_fetch(struct gh_fetcher *fetcher, const struct gh_fetch_request *request,
              void (*done)(void *ctx, const struct gh_fetch_answer *answer), void *ctx)
{
    struct fetch *fetch = fetch_new(fetcher, request);
    if (fetch == NULL)
        return false;
    fetch->done = done;
    fetch->ctx = ctx;
    const char *refusal = gh_fetch_rules_refuse_url(fetch->rules, request->url, &fetch->plain);
    if (refusal != NULL) {
        fetch->refused = true;
        (void)snprintf(fetch->why, sizeof(fetch->why), "%s", refusal);
        gh_loop_at_end(fetcher->loop, &fetch->refusal);
    } else if (!gh_fetch_prepare(fetch, request) ||
               curl_multi_add_handle(fetcher->multi, fetch->easy) != CURLM_OK) {
        fetch_free(fetch);
        return false;
    }
    gh_list_append(&fetcher->running, &fetch->link);
    return true;
}

static int64_t least(int64_t wanted, int64_t allowed)
{
    return wanted > 0 && wanted < allowed ? wanted : allowed;
}

static struct fetch *fetch_new(struct gh_fetcher *fetcher, const struct gh_fetch_request *request)
{
    struct fetch *fetch = gh_calloc(1, sizeof(*fetch));
    if (fetch == NULL)
        return NULL;
    fetch->fetcher = fetcher;
    fetch->rules = gh_fetch_rules_ref(fetcher->rules);
    fetch->max_age_s = -1;
    fetch->max_body = least(request->max_body, fetch->rules->conf.max_body);
    fetch->timeout_ms = least(request->timeout_ms, fetch->rules->conf.timeout_ms);
    gh_list_init(&fetch->link);
    gh_turn_work_init(&fetch->refusal, answer_refusal);
    fetch->easy = curl_easy_init();
    if (fetch->easy == NULL || !gh_secret_set(&fetch->url, request->url) ||
        !gh_secret_set(&fetch->form, request->form))
        goto fail;
    return fetch;
fail:
    fetch_free(fetch);
    return NULL;
}

static void fetch_free(void *ptr)
{
    struct fetch *fetch = ptr;
    curl_easy_cleanup(fetch->easy);
    for (struct curl_slist *one = fetch->headers; one != NULL; one = one->next)
        gh_wipe(one->data, strlen(one->data));
    curl_slist_free_all(fetch->headers);
    gh_secret_done(&fetch->url);
    gh_secret_done(&fetch->form);
    gh_str body = gh_buf_peek(&fetch->body);
    if (body.len != 0) /* an introspection answer says whose token it was */
        gh_wipe(fetch->body.base, fetch->body.cap);
    gh_buf_done(&fetch->body);
    gh_fetch_rules_unref(fetch->rules);
    free(fetch);
}

static void answer_refusal(struct gh_turn_work *work)
{
    struct fetch *fetch = GH_LIST_ENTRY(work, struct fetch, refusal);
    const struct gh_fetch_answer answer = { .reason = GH_FETCH_REFUSED, .max_age_s = -1, .why = fetch->why };
    end_fetch(fetch, &answer);
}

/* Whoever is answered may start new fetches at once. */
static void end_fetch(struct fetch *fetch, const struct gh_fetch_answer *answer)
{
    gh_turn_work_cancel(&fetch->refusal);
    gh_list_remove(&fetch->link);
    (void)curl_multi_remove_handle(fetch->fetcher->multi, fetch->easy); /* harmless for one never added */
    fetch->done(fetch->ctx, answer);
    fetch_free(fetch);
}

void gh_fetch_collect(struct gh_fetcher *fetcher)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(fetcher->multi, &left)) != NULL) {
        struct fetch *fetch = NULL;
        struct gh_fetch_answer answer;
        if (message->msg != CURLMSG_DONE ||
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &fetch) != CURLE_OK || fetch == NULL)
            continue;
        gh_fetch_judge(fetch, message->data.result, &answer);
        end_fetch(fetch, &answer);
    }
}
