/* upstream/upstream.h: the MCP server behind a route: its endpoints, their health, pooled connections, and
 * calls to it. */
#ifndef GH_UPSTREAM_UPSTREAM_H
#define GH_UPSTREAM_UPSTREAM_H

#include "gatehouse/http.h"
#include "io/address.h"
#include "io/conn.h"
#include "observe/metrics.h"

enum gh_upstream_http {
    GH_UPSTREAM_HTTP1,
    GH_UPSTREAM_HTTP2,
    GH_UPSTREAM_AUTO /* ALPN over TLS, HTTP/1.1 without */
};

/* Settings of one upstream; owned by the snapshot. */
struct gh_upstream_conf {
    struct gh_url *endpoints; /* same path for all; scheme http or https each */
    size_t endpoint_count;
    enum gh_upstream_http http;
    gh_str ca_file, certificate_file, key_file; /* TLS; empty: system's CA, no certificate */
    gh_str credential_header,
        credential_file; /* static credential: header name and file with its value; empty: none */
    int64_t connect_ms, first_byte_ms, idle_ms, stall_ms;
    int64_t keep_idle;            /* idle connections kept per endpoint and worker */
    int64_t max_connections;      /* per endpoint and worker */
    int64_t head_max, fields_max; /* 64 KiB, 100 */
    int64_t interim_max;          /* 8: 1xx answers before a final one */
    gh_str health_path;           /* active probe by GET; empty: none */
    int64_t health_interval_ms;
    int64_t eject_after, eject_ms; /* passive: consecutive failures, then out for that long */
};

/* Built by the control thread, immutable, shared by workers: conf plus resolved addresses, TLS context,
 * credential. */
struct gh_upstream_target;
struct gh_upstream_target *gh_upstream_target_ref(struct gh_upstream_target *target);
void gh_upstream_target_unref(struct gh_upstream_target *target);
/* Resolves (blocking: control thread) and reads files. A name that does not resolve is no error: the endpoint
 * is down until a refresh, which is a new target of the same settings in a new snapshot: pools of the old one
 * let their calls end. GH_SETTINGS_INVALID with a strdup'd text for unreadable files. */
GH_MUST_USE enum gh_reason gh_upstream_target_new(const struct gh_upstream_conf *conf,
                                                  struct gh_upstream_target **ret_target, char **ret_why);
/* The same without resolving: what is wrong with the files, for `gatehouse check`. */
GH_MUST_USE enum gh_reason gh_upstream_target_read(const struct gh_upstream_conf *conf,
                                                   struct gh_upstream_target **ret_target, char **ret_why);

/* One worker's pool towards one target. */
struct gh_upstream;
struct gh_upstream *gh_upstream_new(struct gh_loop *loop, struct gh_upstream_target *target,
                                    struct gh_worker_stats *stats);
/* Idle connections close, running calls go on and let go of it when they end. */
void gh_upstream_free(struct gh_upstream *upstream);
/* How many endpoints are thought to be up. */
size_t gh_upstream_up(const struct gh_upstream *upstream);

/* ---- a call ---- */

/* The path and the fields' bytes and array are lent as long as the call lives: it may begin only once a
 * connection is there, and a second time on another one. */
struct gh_call_request {
    enum gh_method method;
    gh_str path_and_query;            /* behind the endpoint's authority */
    const struct gh_headers *headers; /* allow-listed, lower case, final; no host, no framing */
    bool has_body;
    int64_t content_length; /* -1: chunked */
    int endpoint;           /* an endpoint's index that must be used (sealed sessions), or -1: balance */
    int64_t first_byte_ms;  /* 0: the conf's */
};

struct gh_call_response {
    int status;                       /* final: 1xx were dropped */
    const struct gh_headers *headers; /* lower case, as received, without those of the connection and of
                                         framing (content-length too); lent until the call is dead */
    int64_t content_length;           /* -1: not known; with HEAD and 304 what a GET would have had */
    int endpoint;
};

/* Run from the loop, never inside gh_call_*. After `end` or `fail` nothing more comes and the call is dead.
 */
struct gh_call_events {
    void (*head)(void *ctx, const struct gh_call_response *response);
    void (*data)(void *ctx, gh_str bytes);
    /* Clean and whole. Comes also while the call is paused, and before the request's body is over where the
     * server answered early: the rest of it is not wanted. */
    void (*end)(void *ctx);
    /* GH_UPSTREAM_*: before `head` the caller may still answer with it; after it the response must be
     * aborted. */
    void (*fail)(void *ctx, enum gh_reason why);
    /* n bytes of the request body left for the upstream's socket: open the client's window by as many. */
    void (*taken)(void *ctx, size_t n);
};

struct gh_call;
/* Always answers later. NULL when out of memory. An idempotent call (GET, HEAD, DELETE without body) that
 * fails on a reused connection before any response byte is tried once more on a fresh one; a POST only if no
 * byte of it can have been seen. */
struct gh_call *gh_call_start(struct gh_upstream *upstream, const struct gh_call_request *request,
                              const struct gh_call_events *events, void *ctx);
/* Copies; the caller bounds itself by `taken`. `end` with the last (maybe empty) piece. */
void gh_call_body(struct gh_call *call, gh_str bytes, bool end);
/* No more `data` until resumed; the connection is paused. */
void gh_call_pause(struct gh_call *call);
void gh_call_resume(struct gh_call *call);
/* The caller lost interest: the connection is closed (h1) or the stream reset (h2) at once. No event comes
 * any more. */
void gh_call_cancel(struct gh_call *call);

#endif
