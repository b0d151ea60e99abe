/* front/client.c: a connection from accept until it speaks a protocol: limits, PROXY header, TLS, ALPN. */
#include "front/client.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/str.h"
#include "front/listening.h"

static const struct gh_conn_events greeting_events;

/* ---- the end ---- */

static void free_client(void *ptr)
{
    free(ptr);
}

/* Words of OpenSSL for a client that spoke HTTP where TLS was due. */
static enum gh_reason why_no_tls(const struct gh_client *client, enum gh_reason why)
{
    const struct gh_tls *tls = gh_conn_peek_tls(client->conn);
    bool spoke_http =
        why == GH_TLS_FAILED && tls != NULL && gh_str_contains(gh_tls_why(tls), GH_STR("http request"));
    return spoke_http ? GH_PLAINTEXT_REFUSED : why;
}

/* A client that just went away in the middle of it is no event worth a line. */
static void note_failed_handshake(const struct gh_client *client, enum gh_reason why)
{
    const struct gh_tls *tls = gh_conn_peek_tls(client->conn);
    const struct gh_observer *observer = client->front->with.observer;
    gh_str ip = gh_str_from(client->ip);
    GH_COUNT_ADD(observer->stats->handshakes_failed, 1);
    if (why != GH_TLS_FAILED && why != GH_TLS_TIMEOUT)
        return;
    why = why_no_tls(client, why);
    gh_exchange_connection_ended(observer, why, ip);
    gh_log(GH_LOG_INFO, "no TLS connection came about", GH_FIELD("client", ip),
           GH_FIELD("reason", gh_str_from(gh_reason_row(why)->slug)),
           GH_FIELD("why", tls != NULL ? gh_tls_why(tls) : GH_STR_NONE));
}

void gh_client_close(struct gh_client *client, enum gh_reason why, bool linger)
{
    if (client->conn == NULL)
        return;
    struct gh_front *front = client->front;
    if (client->handshaking)
        note_failed_handshake(client, why);
    if (client->protocol != NULL)
        client->protocol->cut(client, why);
    gh_deadline_clear(&client->deadline);
    if (linger)
        gh_conn_finish(client->conn);
    else
        gh_conn_free(client->conn);
    client->conn = NULL;
    if (client->counted)
        gh_sources_leave(front->with.sources, gh_str_from(client->ip));
    gh_sources_give(front->with.sources);
    gh_list_remove(&client->link);
    gh_loop_free_later(front->with.loop, free_client, client);
    gh_front_one_less(front);
}

void gh_client_deadline(struct gh_client *client, void (*fire)(struct gh_deadline *deadline), int64_t ms)
{
    gh_deadline_clear(&client->deadline);
    client->deadline.fire = fire;
    gh_deadline_set(client->front->with.loop, &client->deadline, ms);
}

/* ---- who is there ---- */

/* Addresses that many users share are not counted one against the other (DESIGN decision 14). */
static bool enter(struct gh_client *client)
{
    struct gh_front *front = client->front;
    gh_str ip = gh_str_from(client->ip);
    client->shared = gh_cidrs_have(front->conf.shared_sources, &client->peer);
    if (client->shared || client->peer.storage.ss_family == AF_UNIX)
        return true;
    client->counted = gh_sources_enter(front->with.sources, ip, front->conf.limits.connections_per_ip);
    return client->counted;
}

/* Plain HTTP is for the same machine and for a proxy that is named in the settings. */
static bool may_be_plain(const struct gh_client *client)
{
    return client->trusted || client->peer.storage.ss_family == AF_UNIX ||
           gh_address_is_loopback(&client->peer);
}

static void refuse_connection(struct gh_client *client, enum gh_reason why)
{
    GH_COUNT_ADD(client->front->with.observer->stats->connections_refused, 1);
    gh_exchange_connection_ended(client->front->with.observer, why, gh_str_from(client->ip));
    gh_log(GH_LOG_WARN, "connection refused", GH_FIELD("client", gh_str_from(client->ip)),
           GH_FIELD("reason", gh_str_from(gh_reason_row(why)->slug)));
    client->handshaking = false;
    gh_client_close(client, why, false);
}

/* ---- speaking ---- */

static void begin_protocol(struct gh_client *client)
{
    const struct gh_tls *tls = gh_conn_peek_tls(client->conn);
    client->handshaking = false;
    gh_deadline_clear(&client->deadline);
    gh_conn_set_stall(client->conn, client->front->conf.limits.stall_ms);
    bool h2 = tls != NULL && gh_str_eq(gh_tls_alpn(tls), GH_STR("h2"));
    if (!(h2 ? gh_h2_begin(client) : gh_h1_begin(client)))
        gh_client_close(client, GH_OUT_OF_MEMORY, false);
    else if (client->front->draining)
        client->protocol->drain(client);
}

static void handshake_late(struct gh_deadline *deadline)
{
    struct gh_client *client = GH_LIST_ENTRY(deadline, struct gh_client, deadline);
    if (client->handshaking)
        gh_client_close(client, GH_TLS_TIMEOUT, false);
    else
        refuse_connection(client, GH_PROXY_HEADER);
}

static void start_tls(struct gh_client *client, gh_str first)
{
    struct gh_tls *tls = gh_tls_accept(client->from->tls);
    if (tls == NULL) {
        gh_client_close(client, GH_OUT_OF_MEMORY, false);
        return;
    }
    client->secure = client->handshaking = true;
    gh_conn_start_tls(client->conn, tls, first);
}

/* Whatever the mode of the socket: somebody else may have made it, or changed it. */
static bool is_stranger(const struct gh_client *client)
{
    const struct gh_front_conf *conf = &client->front->conf;
    size_t index = client->from->index;
    return index < conf->listener_count && conf->listeners[index].own_user &&
           conf->listeners[index].address.storage.ss_family == AF_UNIX && !gh_uid_is_ours(client->peer_uid);
}

/* Behind the PROXY header, or at once where there is none. */
static void greet(struct gh_client *client, gh_str first)
{
    if (is_stranger(client)) {
        refuse_connection(client, GH_ADMIN_STRANGER);
        return;
    }
    if (!enter(client)) {
        refuse_connection(client, GH_CONNECTIONS_MANY);
        return;
    }
    if (client->from->tls != NULL)
        start_tls(client, first);
    else if (may_be_plain(client))
        begin_protocol(client);
    else
        refuse_connection(client, GH_PLAINTEXT_REFUSED);
}

static void opened(void *ctx)
{
    struct gh_client *client = ctx;
    struct gh_worker_stats *stats = client->front->with.observer->stats;
    if (gh_tls_was_resumed(gh_conn_peek_tls(client->conn)))
        GH_COUNT_ADD(stats->handshakes_resumed, 1);
    else
        GH_COUNT_ADD(stats->handshakes_full, 1);
    begin_protocol(client);
}

static void closed(void *ctx, enum gh_reason why)
{
    gh_client_close(ctx, why, false);
}

static bool wants_proxy_header(const struct gh_client *client)
{
    const struct gh_front_conf *conf = &client->front->conf;
    return client->from->index < conf->listener_count && conf->listeners[client->from->index].proxy_protocol;
}

/* The first bytes of a plain connection: a PROXY header; then TLS or HTTP. */
static size_t read_first(void *ctx, gh_str bytes)
{
    struct gh_client *client = ctx;
    size_t used = 0;
    switch (gh_proxy_header_read(bytes, &used, &client->peer)) {
    case GH_PROXY_MORE:
        return 0; /* what came is given again with more behind it */
    case GH_PROXY_BAD:
        refuse_connection(client, GH_PROXY_HEADER);
        return bytes.len;
    case GH_PROXY_DONE:
        break;
    }
    (void)gh_address_ip_text(&client->peer, client->ip);
    gh_str rest = gh_str_skip(bytes, used);
    bool tls = client->from->tls != NULL;
    greet(client, rest);
    if (tls || client->conn == NULL)
        return bytes.len;
    return used + client->protocol->events->read(client, rest);
}

static const struct gh_conn_events greeting_events = { .opened = opened,
                                                       .read = read_first,
                                                       .closed = closed };

/* Before anything is made for it. */
static void turn_away(struct gh_front *front, int fd, const struct gh_address *peer, enum gh_reason why)
{
    char ip[GH_ADDRESS_TEXT];
    (void)gh_address_ip_text(peer, ip);
    (void)close(fd);
    GH_COUNT_ADD(front->with.observer->stats->connections_refused, 1);
    gh_exchange_connection_ended(front->with.observer, why, gh_str_from(ip));
}

void gh_client_accept(struct gh_listening *listening, int fd, const struct gh_address *peer)
{
    struct gh_front *front = listening->front;
    struct gh_worker_stats *stats = front->with.observer->stats;
    if (!gh_sources_take(front->with.sources, front->conf.limits.connections)) {
        turn_away(front, fd, peer, GH_CONNECTIONS_MANY);
        return;
    }
    struct gh_client *client = gh_calloc(1, sizeof(*client));
    struct gh_conn *conn =
        client != NULL ? gh_conn_accepted(front->with.loop, fd, &greeting_events, client) : NULL;
    if (conn == NULL) {
        gh_sources_give(front->with.sources);
        turn_away(front, fd, peer, GH_OUT_OF_MEMORY);
        free(client);
        return;
    }
    GH_COUNT_ADD(stats->connections_accepted, 1);
    GH_COUNT_ADD(stats->connections_open, 1);
    front->client_count++;
    gh_list_append(&front->clients, &client->link);
    client->front = front;
    client->from = listening;
    client->conn = conn;
    client->peer = *peer;
    client->id = ++front->last_id;
    client->trusted = gh_cidrs_have(front->conf.trusted_proxies, peer);
    client->trusted_peer = client->trusted || gh_address_is_loopback(peer); /* unix sockets count */
    client->peer_uid = gh_peer_uid(fd, peer);
    (void)gh_address_ip_text(peer, client->ip);
    gh_deadline_init(&client->deadline, handshake_late);
    gh_deadline_set(front->with.loop, &client->deadline, front->conf.limits.handshake_ms);
    if (!wants_proxy_header(client))
        greet(client, GH_STR_NONE);
    else if (!client->trusted)
        refuse_connection(client, GH_PROXY_HEADER);
}
