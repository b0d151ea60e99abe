/* front/front.c: listening sockets and the set of client connections of one worker; accept, configure, drain.
 */
#include "front/front.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/str.h"
#include "front/listening.h"

#define LINGER_LOOK_MS 100

struct gh_front *gh_front_new(const struct gh_front_new *with)
{
    struct gh_front *front = gh_calloc(1, sizeof(*front));
    if (front == NULL)
        return NULL;
    front->with = *with;
    gh_list_init(&front->clients);
    gh_list_init(&front->listening);
    gh_deadline_init(&front->drain_deadline, NULL);
    gh_turn_work_init(&front->drained_work, NULL);
    return front;
}

/* Clients that came by it may still ask for its certificates. */
static void stop_listening(struct gh_listening *listening, bool close_socket)
{
    gh_listener_free(listening->listener, close_socket);
    listening->listener = NULL;
}

void gh_front_free(struct gh_front *front)
{
    if (front == NULL)
        return;
    gh_deadline_clear(&front->drain_deadline);
    front->drained = NULL;
    GH_LIST_EACH_SAFE (node, &front->clients)
        gh_client_close(GH_LIST_ENTRY(node, struct gh_client, link), GH_SHUTTING_DOWN, false);
    GH_LIST_EACH_SAFE (node, &front->listening) {
        struct gh_listening *listening = GH_LIST_ENTRY(node, struct gh_listening, link);
        stop_listening(listening, true);
        gh_tls_context_unref(listening->tls);
        gh_list_remove(&listening->link);
        free(listening);
    }
    gh_turn_work_cancel(&front->drained_work); /* the last client of a draining front has asked for it */
    free(front);
}

void gh_front_configure(struct gh_front *front, const struct gh_front_conf *conf)
{
    front->conf = *conf;
}

static void accepted(void *ctx, int fd, const struct gh_address *peer)
{
    struct gh_listening *listening = ctx;
    gh_client_accept(listening, fd, peer);
}

bool gh_front_listen(struct gh_front *front, size_t index, int fd, struct gh_tls_context *tls)
{
    struct gh_listening *listening = gh_calloc(1, sizeof(*listening));
    if (listening == NULL)
        return false;
    listening->front = front;
    listening->index = index;
    listening->tls = tls;
    gh_list_append(&front->listening, &listening->link);
    listening->listener = gh_listener_new(front->with.loop, fd, accepted, listening);
    if (listening->listener != NULL)
        return true;
    listening->tls = NULL;
    gh_list_remove(&listening->link);
    free(listening);
    return false;
}

void gh_front_set_tls(struct gh_front *front, size_t index, struct gh_tls_context *tls)
{
    GH_LIST_EACH (node, &front->listening) {
        struct gh_listening *listening = GH_LIST_ENTRY(node, struct gh_listening, link);
        if (listening->index != index)
            continue;
        gh_tls_context_unref(listening->tls);
        listening->tls = tls != NULL ? gh_tls_context_ref(tls) : NULL;
    }
    gh_tls_context_unref(tls);
}

size_t gh_front_connections(const struct gh_front *front)
{
    return front->client_count;
}

/* ---- draining ---- */

static void look_again(struct gh_deadline *deadline)
{
    struct gh_front *front = GH_LIST_ENTRY(deadline, struct gh_front, drain_deadline);
    gh_loop_at_end(front->with.loop, &front->drained_work);
}

/* Connections that are no client's any more still flush their last answers; none of them takes longer than 2
 * s. */
static void say_drained(struct gh_turn_work *work)
{
    struct gh_front *front = GH_LIST_ENTRY(work, struct gh_front, drained_work);
    if (front->drained == NULL || front->client_count > 0)
        return;
    if (gh_loop_lingers(front->with.loop)) {
        gh_deadline_clear(&front->drain_deadline);
        front->drain_deadline.fire = look_again;
        gh_deadline_set(front->with.loop, &front->drain_deadline, LINGER_LOOK_MS);
        return;
    }
    void (*drained)(void *) = front->drained;
    front->drained = NULL;
    gh_deadline_clear(&front->drain_deadline);
    drained(front->drained_ctx);
}

void gh_front_one_less(struct gh_front *front)
{
    front->client_count--;
    GH_COUNT_SUB(front->with.observer->stats->connections_open, 1);
    if (front->draining && front->client_count == 0)
        gh_loop_at_end(front->with.loop, &front->drained_work);
}

static void cut_the_rest(struct gh_deadline *deadline)
{
    struct gh_front *front = GH_LIST_ENTRY(deadline, struct gh_front, drain_deadline);
    GH_LIST_EACH_SAFE (node, &front->clients)
        gh_client_close(GH_LIST_ENTRY(node, struct gh_client, link), GH_SHUTTING_DOWN, false);
}

static void drain_client(struct gh_client *client)
{
    if (client->protocol != NULL) /* one that still shakes hands is served first, within its time */
        client->protocol->drain(client);
}

void gh_front_drain(struct gh_front *front, bool close_sockets, void (*drained)(void *ctx), void *ctx)
{
    front->draining = true;
    front->drained = drained;
    front->drained_ctx = ctx;
    gh_deadline_init(&front->drain_deadline, cut_the_rest);
    gh_turn_work_init(&front->drained_work, say_drained);
    GH_LIST_EACH (node, &front->listening)
        stop_listening(GH_LIST_ENTRY(node, struct gh_listening, link), close_sockets);
    gh_deadline_set(front->with.loop, &front->drain_deadline, front->conf.limits.drain_ms);
    GH_LIST_EACH_SAFE (node, &front->clients)
        drain_client(GH_LIST_ENTRY(node, struct gh_client, link));
    if (front->client_count == 0)
        gh_loop_at_end(front->with.loop, &front->drained_work);
}
