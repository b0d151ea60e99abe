/* support/web.c: connections of the io floor behind a callback of the test. */
#include "support/web.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "io/conn.h"
#include "io/listen.h"
#include "io/watch.h"

struct gh_web {
    struct gh_loop *loop;
    struct gh_listener *listener;
    struct gh_ticket_keys *tickets;
    struct gh_tls_context *tls;
    struct gh_list visits;
    unsigned port, connections;
    void (*serve)(void *ctx, const struct gh_web_request *request, struct gh_web_answer *ret_answer);
    void *ctx;
};

/* One connection. */
struct visit {
    struct gh_list link;
    struct gh_web *web;
    struct gh_conn *conn;
    struct gh_watch *drip;
    struct gh_buf in, out;
    struct gh_web_answer answer;
};

static void accepted(void *ctx, int fd, const struct gh_address *peer);
static void on_opened(void *ctx);
static size_t on_read(void *ctx, gh_str bytes);
static void on_closed(void *ctx, enum gh_reason why);
static void on_drip(void *ctx, int fd, unsigned ready);

static void must(bool ok, const char *what)
{
    if (!ok) {
        (void)fprintf(stderr, "cannot %s\n", what);
        abort();
    }
}

struct gh_web *gh_web_new(struct gh_loop *loop, const struct gh_identity *identity,
                          void (*serve)(void *ctx, const struct gh_web_request *request,
                                        struct gh_web_answer *ret_answer),
                          void *ctx)
{
    struct gh_web *web = calloc(1, sizeof(*web));
    struct gh_address address;
    must(web != NULL && gh_address_read(GH_STR("127.0.0.1:0"), &address) == GH_OK, "make a web server");
    web->loop = loop;
    web->serve = serve;
    web->ctx = ctx;
    gh_list_init(&web->visits);
    int fd = gh_listen_open(&address, false);
    struct sockaddr_in in;
    socklen_t len = sizeof(in);
    must(fd >= 0 && getsockname(fd, (struct sockaddr *)&in, &len) == 0, "listen");
    web->port = ntohs(in.sin_port);
    web->listener = gh_listener_new(loop, fd, accepted, web);
    must(web->listener != NULL, "listen");
    if (identity != NULL) {
        const struct gh_tls_pair pair = { .certificate_file = gh_str_from(identity->cert_file),
                                          .key_file = gh_str_from(identity->key_file) };
        const struct gh_tls_server_conf conf = { .pairs = &pair, .pair_count = 1 };
        char *why = NULL;
        web->tickets = gh_ticket_keys_new();
        must(gh_tls_server_context(&conf, web->tickets, &web->tls, &why) == GH_OK, "use a certificate");
    }
    return web;
}

static void visit_free(struct visit *visit)
{
    gh_list_remove(&visit->link);
    gh_watch_free(visit->drip);
    gh_conn_free(visit->conn);
    gh_buf_done(&visit->in);
    gh_buf_done(&visit->out);
    gh_loop_free_later(visit->web->loop, free, visit);
}

void gh_web_free(struct gh_web *web)
{
    if (web == NULL)
        return;
    while (!gh_list_is_empty(&web->visits))
        visit_free(GH_LIST_ENTRY(web->visits.next, struct visit, link));
    gh_listener_free(web->listener, true);
    gh_loop_turn(web->loop, 0);
    gh_tls_context_unref(web->tls);
    gh_ticket_keys_free(web->tickets);
    free(web);
}

unsigned gh_web_port(const struct gh_web *web)
{
    return web->port;
}

unsigned gh_web_connections(const struct gh_web *web)
{
    return web->connections;
}

static void accepted(void *ctx, int fd, const struct gh_address *peer)
{
    static const struct gh_conn_events events = { .opened = on_opened, .read = on_read, .closed = on_closed };
    struct gh_web *web = ctx;
    struct visit *visit = calloc(1, sizeof(*visit));
    must(visit != NULL, "allocate");
    visit->web = web;
    web->connections++;
    gh_list_init(&visit->link);
    gh_list_append(&web->visits, &visit->link);
    visit->conn = gh_conn_accepted(web->loop, fd, &events, visit);
    visit->drip = gh_watch_new(web->loop, -1, on_drip, visit);
    must(visit->conn != NULL && visit->drip != NULL, "take a connection");
    if (web->tls != NULL)
        gh_conn_start_tls(visit->conn, gh_tls_accept(web->tls), GH_STR_NONE);
}

static void on_opened(void *ctx)
{
}

/* The length of the request that stands at the front, or 0. */
static size_t read_request(gh_str in, struct gh_web_request *ret_request)
{
    const char *end = in.len != 0 ? memmem(in.ptr, in.len, "\r\n\r\n", 4) : NULL;
    if (end == NULL)
        return 0;
    size_t head_len = (size_t)(end - in.ptr) + 4;
    gh_str rest = gh_str_take(in, head_len), line;
    uint64_t length = 0;
    *ret_request = (struct gh_web_request){ .head = rest };
    line = gh_str_cut(&rest, '\n');
    ret_request->method = gh_str_cut(&line, ' ');
    ret_request->path = gh_str_cut(&line, ' ');
    while (rest.ptr != NULL) {
        gh_str value = gh_str_cut(&rest, '\n');
        gh_str name = gh_str_cut(&value, ':');
        if (gh_str_eq_nocase(name, GH_STR("content-length"))) {
            if (value.len > 0)
                value.len--; /* CR */
            must(gh_str_to_u64(gh_str_trim(value), &length), "read a length");
        }
    }
    if (in.len < head_len + length)
        return 0;
    ret_request->body = gh_str_take(gh_str_skip(in, head_len), (size_t)length);
    return head_len + (size_t)length;
}

static void finish(struct visit *visit)
{
    if (visit->answer.hold)
        return;
    gh_conn_finish(visit->conn);
    visit->conn = NULL;
    visit_free(visit);
}

static size_t on_read(void *ctx, gh_str bytes)
{
    struct visit *visit = ctx;
    struct gh_web_request request;
    must(gh_buf_add(&visit->in, bytes), "keep a request");
    size_t len = read_request(gh_buf_peek(&visit->in), &request);
    if (len == 0)
        return bytes.len;
    visit->answer = (struct gh_web_answer){ 0 };
    visit->web->serve(visit->web->ctx, &request, &visit->answer);
    gh_buf_consume(&visit->in, len);
    if (visit->answer.drip_ms > 0) {
        must(gh_buf_add(&visit->out, visit->answer.bytes) && gh_watch_set(visit->drip, 0, 0), "drip");
        return bytes.len;
    }
    must(gh_conn_write(visit->conn, visit->answer.bytes), "answer");
    finish(visit);
    return bytes.len;
}

static void on_drip(void *ctx, int fd, unsigned ready)
{
    struct visit *visit = ctx;
    gh_str out = gh_buf_peek(&visit->out);
    if (visit->conn == NULL)
        return;
    if (out.len == 0) {
        finish(visit);
        return;
    }
    must(gh_conn_write(visit->conn, gh_str_take(out, 1)), "drip");
    gh_buf_consume(&visit->out, 1);
    must(gh_watch_set(visit->drip, 0, visit->answer.drip_ms), "drip");
}

static void on_closed(void *ctx, enum gh_reason why)
{
    visit_free(ctx);
}
