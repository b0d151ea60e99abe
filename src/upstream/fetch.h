/* upstream/fetch.h: control-plane HTTP by libcurl on the control thread: metadata, key sets, introspection.
 */
#ifndef GH_UPSTREAM_FETCH_H
#define GH_UPSTREAM_FETCH_H

#include "base/secret.h"
#include "io/address.h"
#include "io/loop.h"

struct gh_fetch_conf {
    gh_str proxy;   /* egress proxy URL; empty: none (the environment is not read). Its own address is
                       exempt from the rules below, and what a name means to it cannot be checked: then
                       the proxy decides where names may lead; http to loopback never goes through it */
    gh_str ca_file; /* these CAs only; read once, here. Empty: the system's, read by libcurl while it
                       runs, so that bundle must stay readable */
    bool allow_http_loopback; /* http:// to loopback: for tests and demonstrations */
    struct gh_cidrs allow;    /* special-use ranges that may be connected to all the same */
    int64_t timeout_ms;       /* 3,000 in all */
    int64_t max_body;         /* 256 KiB */
};

struct gh_fetcher;
/* Copies the conf. NULL when libcurl or memory fails, or the CA file cannot be used (which is logged). */
struct gh_fetcher *gh_fetcher_new(struct gh_loop *loop, const struct gh_fetch_conf *conf);
/* New settings for fetches that start from now on; false as above, and nothing has changed. */
bool gh_fetcher_configure(struct gh_fetcher *fetcher, const struct gh_fetch_conf *conf) GH_MUST_USE;
/* Running fetches end with GH_SHUTTING_DOWN, told from here. Never from within `done`. */
void gh_fetcher_free(struct gh_fetcher *fetcher);

struct gh_fetch_request {
    gh_str url;
    gh_str form; /* application/x-www-form-urlencoded body: makes it a POST; empty: GET */
    gh_str user; /* HTTP Basic, form-encoded as RFC 6749 section 2.3.1 says; empty: none */
    const struct gh_secret *password;
    gh_str accept;                /* empty: application/json */
    int64_t max_body, timeout_ms; /* less than the settings allow; 0: as they say */
};
struct gh_fetch_answer {
    enum gh_reason reason; /* GH_OK: status 200 and a JSON media type; GH_FETCH_FAILED; GH_FETCH_REFUSED:
                              scheme or address not allowed */
    int status;            /* 0: none came */
    gh_str body;           /* lent */
    int64_t max_age_s;     /* of Cache-Control; -1: none */
    const char *why;       /* for the log; lent */
};
/* Bytes of the request are copied. `done` runs from the loop, exactly once, never inside this call. Https
 * only (http to loopback where allowed), certificate verified, no redirects, cookies, content coding; every
 * resolved address is checked in CURLOPT_OPENSOCKETFUNCTION. False when out of memory. */
bool gh_fetch(struct gh_fetcher *fetcher, const struct gh_fetch_request *request,
              void (*done)(void *ctx, const struct gh_fetch_answer *answer), void *ctx) GH_MUST_USE;

#endif
