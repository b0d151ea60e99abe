/* upstream/fetch_private.h: what the files of the fetcher share: its rules, one transfer, the bridge to
 * libevent. */
#ifndef GH_UPSTREAM_FETCH_PRIVATE_H
#define GH_UPSTREAM_FETCH_PRIVATE_H

#include <curl/curl.h>

#include "base/buf.h"
#include "upstream/fetch.h"

/* A copy of the settings; a running transfer keeps the rules it began under. */
struct fetch_rules {
    unsigned refs; /* of one thread */
    struct gh_arena *arena;
    struct gh_fetch_conf conf;
    char *proxy;                /* never NULL; empty: none */
    struct curl_blob authority; /* data NULL: the system's */
};
/* NULL when out of memory, or when the CA file cannot be read or holds no certificate (which is logged). */
struct fetch_rules *gh_fetch_rules_new(const struct gh_fetch_conf *conf);
struct fetch_rules *gh_fetch_rules_ref(struct fetch_rules *rules);
void gh_fetch_rules_unref(struct fetch_rules *rules);
/* May this URL be asked at all? NULL, or why not. *ret_plain: it is http, to loopback alone. */
const char *gh_fetch_rules_refuse_url(const struct fetch_rules *rules, gh_str url, bool *ret_plain);
/* May a socket be opened towards this resolved address? */
bool gh_fetch_rules_allow(const struct fetch_rules *rules, bool plain, const struct gh_address *address);

struct gh_watch;

struct gh_fetcher {
    struct gh_loop *loop;
    CURLM *multi;
    struct gh_watch *timer;
    struct fetch_rules *rules;
    struct gh_list running; /* of struct fetch */
};

#define FETCH_WHY 256

/* One transfer. */
struct fetch {
    struct gh_list link;
    struct gh_fetcher *fetcher;
    struct fetch_rules *rules; /* a reference */
    CURL *easy;
    struct curl_slist *headers; /* wiped when freed: the last may hold the credential */
    struct gh_secret url, form; /* libcurl reads the form where it lies */
    struct gh_turn_work refusal;
    void (*done)(void *ctx, const struct gh_fetch_answer *answer);
    void *ctx;
    bool plain, proxied, refused;
    bool head_ended;
    size_t head_len; /* of the present response's head */
    int64_t max_age_s, max_body, timeout_ms;
    struct gh_buf body;
    char error[CURL_ERROR_SIZE];
    char why[FETCH_WHY]; /* our own words; empty: libcurl's */
};

/* fetch_transfer.c: gives the handle every option. False when out of memory. */
bool gh_fetch_prepare(struct fetch *fetch, const struct gh_fetch_request *request) GH_MUST_USE;
/* fetch_transfer.c: what became of it. */
void gh_fetch_judge(struct fetch *fetch, CURLcode code, struct gh_fetch_answer *ret_answer);
/* fetch_answer.c: a media type that may hold a JSON document: application/json and any +json. */
bool gh_fetch_is_json(gh_str media_type);
/* fetch_answer.c: the max-age of a Cache-Control value; -1 when it has none, 0 with no-store or no-cache. */
int64_t gh_fetch_max_age(gh_str cache_control);
/* fetch_events.c */
bool gh_fetch_events_start(struct gh_fetcher *fetcher) GH_MUST_USE;
void gh_fetch_events_stop(struct gh_fetcher *fetcher);
/* fetch.c: after each step of libcurl: answers what has ended. */
void gh_fetch_collect(struct gh_fetcher *fetcher);

#endif
