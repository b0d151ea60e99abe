/* upstream/link.c: a connection's life whatever it speaks: connecting, TLS, the move to its protocol, the
 * end.
 */
#include "upstream/pool.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/str.h"

static void link_opened(void *ctx);
static size_t link_read_early(void *ctx, gh_str bytes);
static void link_closed(void *ctx, enum gh_reason why);
static void link_timer(struct gh_deadline *deadline);
static void link_free(void *ptr);

static const struct gh_conn_events connecting_events = {
    .opened = link_opened,
    .read = link_read_early,
    .closed = link_closed,
};

bool gh_link_connect(struct gh_endpoint *endpoint)
{
    struct gh_upstream *upstream = endpoint->upstream;
    struct gh_link *link = gh_calloc(1, sizeof(*link));
    if (link == NULL)
        return false;
    link->endpoint = endpoint;
    link->address = endpoint->address_at;
    gh_list_init(&link->place);
    gh_list_init(&link->idle_place);
    gh_list_init(&link->calls);
    gh_deadline_init(&link->timer, link_timer);
    const struct gh_address *address = &endpoint->target->addresses[link->address];
    link->conn = gh_conn_connect(upstream->loop, (const struct sockaddr *)&address->storage, address->len,
                                 &connecting_events, link);
    struct gh_tls *tls = NULL;
    if (link->conn != NULL && endpoint->target->secure)
        tls = gh_tls_connect(upstream->target->tls, endpoint->target->host);
    if (link->conn == NULL || (endpoint->target->secure && tls == NULL)) {
        gh_conn_free(link->conn);
        free(link);
        return false;
    }
    if (tls != NULL)
        gh_conn_start_tls(link->conn, tls, GH_STR_NONE);
    gh_conn_set_stall(link->conn, upstream->conf->stall_ms);
    gh_deadline_set(upstream->loop, &link->timer, upstream->conf->connect_ms);
    gh_list_append(&endpoint->links, &link->place);
    endpoint->link_count++;
    endpoint->connecting++;
    upstream->refs++;
    GH_COUNT_ADD(upstream->stats->upstream_connects, 1);
    return true;
}

/* The one place where the state changes; the counts of the endpoint and the idle list follow it. */
void gh_link_set_state(struct gh_link *link, enum gh_link_state state)
{
    static const unsigned char legal[] = {
        [GH_LINK_CONNECTING] = 1 << GH_LINK_IDLE | 1 << GH_LINK_SHARED | 1 << GH_LINK_DEAD,
        [GH_LINK_IDLE] = 1 << GH_LINK_BUSY | 1 << GH_LINK_DEAD,
        [GH_LINK_BUSY] = 1 << GH_LINK_IDLE | 1 << GH_LINK_DEAD,
        [GH_LINK_SHARED] = 1 << GH_LINK_DEAD,
        [GH_LINK_DEAD] = 0,
    };
    struct gh_endpoint *endpoint = link->endpoint;
    if ((legal[link->state] >> state & 1) == 0)
        abort();
    if (link->state == GH_LINK_CONNECTING)
        endpoint->connecting--;
    if (link->state == GH_LINK_IDLE) {
        gh_list_remove(&link->idle_place);
        endpoint->idle_count--;
    }
    link->state = state;
    gh_deadline_clear(&link->timer);
    if (state == GH_LINK_IDLE) {
        link->idle_since_ms = gh_loop_now_ms(endpoint->upstream->loop);
        gh_list_prepend(&endpoint->idle, &link->idle_place);
        endpoint->idle_count++;
        gh_deadline_set(endpoint->upstream->loop, &link->timer, link->idle_ms);
    }
    if (state == GH_LINK_DEAD) {
        gh_list_remove(&link->place);
        endpoint->link_count--;
    }
}

static void link_opened(void *ctx)
{
    struct gh_link *link = ctx;
    struct gh_endpoint *endpoint = link->endpoint;
    const struct gh_tls *tls = gh_conn_peek_tls(link->conn);
    bool h2 = endpoint->protocol == GH_PROTOCOL_H2; /* by prior knowledge */
    if (tls != NULL) {
        h2 = gh_str_eq(gh_tls_alpn(tls), GH_STR("h2"));
        if (!h2 && endpoint->upstream->conf->http == GH_UPSTREAM_HTTP2) {
            link_closed(link, GH_UPSTREAM_TLS);
            return;
        }
    }
    endpoint->protocol = h2 ? GH_PROTOCOL_H2 : GH_PROTOCOL_H1;
    endpoint->address_at = link->address;
    if (!(h2 ? gh_link_h2_open(link) : gh_link_h1_open(link)))
        gh_link_drop(link);
    gh_endpoint_serve(endpoint);
    if (endpoint->upstream->closing && gh_link_is_spare(link))
        gh_link_drop(link);
}

/* Nothing is read before the link has its protocol: a conn gives nothing before `opened`. */
static size_t link_read_early(void *ctx, gh_str bytes)
{
    return bytes.len;
}

static void link_closed(void *ctx, enum gh_reason why)
{
    struct gh_link *link = ctx;
    struct gh_endpoint *endpoint = link->endpoint;
    size_t address = link->address;
    gh_link_drop(link);
    gh_endpoint_connect_failed(endpoint, address, gh_link_reason(why));
}

/* Connecting took too long, or nobody wanted the idle link. */
static void link_timer(struct gh_deadline *deadline)
{
    struct gh_link *link = GH_LIST_ENTRY(deadline, struct gh_link, timer);
    if (link->state == GH_LINK_CONNECTING)
        link_closed(link, GH_UPSTREAM_TIMEOUT);
    else if (link->state == GH_LINK_SHARED && gh_link_is_spare(link))
        gh_link_h2_bye(link);
    else if (gh_link_is_spare(link))
        gh_link_drop(link);
}

bool gh_link_is_spare(const struct gh_link *link)
{
    switch (link->state) {
    case GH_LINK_IDLE:
        return true;
    case GH_LINK_CONNECTING:
        return link->endpoint->waiting_count == 0;
    case GH_LINK_SHARED:
        return gh_list_is_empty(&link->calls);
    case GH_LINK_BUSY:
    case GH_LINK_DEAD:
        return false;
    }
    return false;
}

void gh_link_drop(struct gh_link *link)
{
    if (link->state == GH_LINK_DEAD)
        return;
    gh_link_set_state(link, GH_LINK_DEAD);
    gh_conn_free(link->conn);
    gh_loop_free_later(link->endpoint->upstream->loop, link_free, link);
}

void gh_link_finish(struct gh_link *link)
{
    if (link->state == GH_LINK_DEAD)
        return;
    gh_link_set_state(link, GH_LINK_DEAD);
    gh_conn_finish(link->conn);
    gh_loop_free_later(link->endpoint->upstream->loop, link_free, link);
}

static void link_free(void *ptr)
{
    struct gh_link *link = ptr;
    gh_link_h1_done(link);
    gh_link_h2_done(link);
    gh_upstream_unref(link->endpoint->upstream);
    free(link);
}

/* Of a conn's reasons, those of the front become the upstream's. */
enum gh_reason gh_link_reason(enum gh_reason why)
{
    if (why == GH_HTTP_TIMEOUT_TAKE)
        return GH_UPSTREAM_TIMEOUT;
    if (why == GH_UPSTREAM_UNREACHABLE || why == GH_UPSTREAM_TLS || why == GH_UPSTREAM_TIMEOUT ||
        why == GH_UPSTREAM_MALFORMED || why == GH_OUT_OF_MEMORY)
        return why;
    return GH_UPSTREAM_ABORTED;
}
