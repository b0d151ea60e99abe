/* front/client.h: one client connection: from accept to the protocol it speaks. Private to this folder. */
#ifndef GH_FRONT_CLIENT_H
#define GH_FRONT_CLIENT_H

#include "base/budget.h"
#include "front/front.h"
#include "io/conn.h"
#include "wire/h1.h"

struct gh_listening; /* one listening socket of this worker */

struct gh_front {
    struct gh_front_new with;
    struct gh_front_conf conf;
    struct gh_list clients; /* of struct client */
    struct gh_list listening;
    size_t client_count;
    uint64_t last_id;
    bool draining;
    struct gh_deadline drain_deadline;
    void (*drained)(void *ctx);
    void *drained_ctx;
    struct gh_turn_work drained_work;
};

struct gh_client;

/* What differs between HTTP/1.1 and HTTP/2 once a connection speaks. */
struct gh_protocol {
    const struct gh_conn_events *events;
    /* Input ended or the connection broke: exchanges of it are gone. Frees the protocol's state. */
    void (*cut)(struct gh_client *client, enum gh_reason why);
    /* No new requests: GOAWAY, or Connection: close on the next answer. May close at once when idle. */
    void (*drain)(struct gh_client *client);
};

struct gh_client {
    struct gh_front *front;
    struct gh_list link; /* in front->clients */
    struct gh_conn *conn;
    const struct gh_listening *from;
    struct gh_address peer;
    char ip[GH_ADDRESS_TEXT]; /* of the client: the peer's, or what a trusted proxy says by PROXY protocol */
    bool counted;             /* stands in the table of sources */
    bool shared;              /* an address that many users share */
    bool trusted;             /* the peer is one of trusted_proxies */
    bool trusted_peer;        /* trusted, or on this machine; decided before a PROXY header is read */
    bool secure;
    bool handshaking;
    int64_t peer_uid; /* of a unix socket; -1: not known */
    uint64_t id;
    struct gh_budget verify_budget;     /* full at first: its last refill was long ago */
    struct gh_deadline deadline;        /* handshake, head, body or idle, one at a time */
    const struct gh_protocol *protocol; /* NULL until known */
    void *state;                        /* of the protocol */
};

extern const struct gh_protocol gh_protocol_h1, gh_protocol_h2;

/* The conn is taken over by the protocol; `first` are bytes that came already. */
bool gh_h1_begin(struct gh_client *client) GH_MUST_USE;
bool gh_h2_begin(struct gh_client *client) GH_MUST_USE;

/* The connection is over: exchanges go, counts are given back, memory dies at the end of the turn. With
 * `linger` what is queued is still sent. */
void gh_client_close(struct gh_client *client, enum gh_reason why, bool linger);
/* Sets what happens when `deadline` fires. */
void gh_client_deadline(struct gh_client *client, void (*fire)(struct gh_deadline *deadline), int64_t ms);

/* ---- facts.c: what a request head says, checked, put into the exchange ---- */
struct gh_facts {
    gh_str method, target, authority; /* as received; authority empty for h1: Host decides */
    gh_str scheme;                    /* h2 only */
    const struct gh_headers *headers;
    int64_t content_length;
    bool has_body;
    enum gh_http_version version;
};
/* GH_OK, or the reason to answer with: GH_HTTP_METHOD_UNKNOWN, GH_HTTP_MALFORMED, GH_HTTP_PATH, GH_HTTP_HOST,
 * GH_HTTP_UPGRADE, GH_HTTP_EXPECT, GH_OUT_OF_MEMORY. What could be read stands in the exchange in any case.
 */
GH_MUST_USE enum gh_reason gh_facts_fill(struct gh_exchange *x, struct gh_client *client,
                                         const struct gh_facts *facts);

/* ---- sources.c ---- */
/* False: there are `max` connections already. */
bool gh_sources_take(struct gh_sources *sources, int64_t max) GH_MUST_USE;
void gh_sources_give(struct gh_sources *sources);
/* False: that address has `max` connections already. */
bool gh_sources_enter(struct gh_sources *sources, gh_str ip, int64_t max) GH_MUST_USE;
void gh_sources_leave(struct gh_sources *sources, gh_str ip);

/* ---- proxy_header.c: PROXY protocol v1 and v2 ---- */
enum gh_proxy_read { GH_PROXY_MORE, GH_PROXY_DONE, GH_PROXY_BAD };
/* Looks at what has come; DONE: ret_used bytes were the header, and ret_peer is the client's address
 * (unchanged for LOCAL and UNKNOWN). At most 536 bytes. */
enum gh_proxy_read gh_proxy_header_read(gh_str bytes, size_t *ret_used, struct gh_address *ret_peer);

#endif
