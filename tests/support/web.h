/* support/web.h: a web server in the test's own loop that answers whatever the test says, also badly. */
#ifndef GH_TEST_WEB_H
#define GH_TEST_WEB_H

#include "io/loop.h"
#include "support/certs.h"

struct gh_web_request {
    gh_str method, path; /* with the query */
    gh_str head;         /* the whole head */
    gh_str body;
};
struct gh_web_answer {
    gh_str bytes;    /* the whole response as it goes out, lent until the next turn; empty: none */
    int64_t drip_ms; /* a byte at a time, so far apart; 0: at once */
    bool hold;       /* keep the connection open afterwards, and read the next request */
};

struct gh_web;
/* `identity` NULL: plain HTTP. */
struct gh_web *gh_web_new(struct gh_loop *loop, const struct gh_identity *identity,
                          void (*serve)(void *ctx, const struct gh_web_request *request,
                                        struct gh_web_answer *ret_answer),
                          void *ctx);
void gh_web_free(struct gh_web *web);
unsigned gh_web_port(const struct gh_web *web);
/* Connections accepted so far. */
unsigned gh_web_connections(const struct gh_web *web);

#endif
