/* store/redis_sentinel.c: which server is the master, asked of the Sentinels whenever a connection is made. A
 * Sentinel that was cut off knows an old one: so all are asked, and the newest of their configurations
 * counts. Later one of them is asked each second: a master that is believed to be dead and is not may go on
 * for a while, and what it acknowledges then is lost when it hears of its successor. */
#include <stdio.h>

#include "base/clock.h"
#include "base/str.h"
#include "store/store_redis.h"

/* A configuration: which server, and its epoch, which only grows. */
struct found {
    bool is_known;
    int64_t epoch;
    char host[256];
    uint16_t port;
};

/* How often one of them is asked whether the server is still the master, and how long that may take: the
 * store waits meanwhile. */
#define WATCH_MS      1000
#define WATCH_WAIT_MS 100

static enum gh_reason ask_next(struct gh_redis *scout, int64_t wait_ms, struct found *found);
static enum gh_reason ask_sentinel(struct gh_redis *scout, size_t which, struct found *found);
static enum gh_reason ask_both(struct gh_redis *scout, const struct gh_reply **ret_facts,
                               const struct gh_reply **ret_address);
static enum gh_reason take(struct gh_redis *scout, const struct gh_reply *facts,
                           const struct gh_reply *address, struct found *found);

/* ---- finding it ---- */

/* Each has its share of the time. */
enum gh_reason gh_redis_find(struct gh_redis *self, struct gh_redis_peer *ret_server)
{
    struct found best = { 0 };
    size_t count = self->place.sentinel_count;
    for (size_t i = 0; i < count; i++)
        gh_redis_wire_look_up(&self->place.sentinels[i], &self->scout->looked_up[i]);
    for (size_t i = 0; i < count; i++)
        if (ask_next(self->scout, self->timeout_ms / (int64_t)count, &best) == GH_OUT_OF_MEMORY)
            return GH_OUT_OF_MEMORY;
    gh_redis_set_deadline(self, self->timeout_ms);
    if (!best.is_known)
        return gh_redis_fail(self, "no Sentinel says where %.*s is; the last one: %s",
                             GH_STR_FMT(self->place.master), self->scout->why);
    self->epoch = best.epoch;
    (void)snprintf(self->found, sizeof(self->found), "%s", best.host);
    self->found_port = best.port;
    *ret_server = (struct gh_redis_peer){ .host = gh_str_from(self->found), .port = best.port };
    return GH_OK;
}

/* Each of them was asked twice in vain: whoever took the server's place is noticed by its replicas alone. */
const char *gh_redis_warning(void *ctx)
{
    struct gh_redis *self = ctx;
    if (self->unwatched == 0 || self->unwatched != 2 * (int64_t)self->place.sentinel_count)
        return NULL;
    self->unwatched++; /* once */
    gh_redis_say(self,
                 "no Sentinel says any more whether the server is still the master; the last one: %.160s",
                 self->scout->why);
    return self->why;
}

/* One that does not answer says nothing: the next is asked the next time. No name is looked up for this: a
 * resolver that hangs must not hold up a store that is well. */
bool gh_redis_has_moved(struct gh_redis *self)
{
    struct found found = { 0 };
    int64_t now = gh_clock_mono_ms();
    if (self->place.sentinel_count == 0 || now < self->watch_at_ms)
        return false;
    self->watch_at_ms = now + WATCH_MS;
    enum gh_reason reason = ask_next(self->scout, WATCH_WAIT_MS, &found);
    self->unwatched = reason == GH_OK ? 0 : self->unwatched + 1;
    return reason == GH_OK && found.is_known && found.epoch >= self->epoch &&
           (strcmp(found.host, self->found) != 0 || found.port != self->found_port);
}

/* ---- asking ---- */

static enum gh_reason ask_next(struct gh_redis *scout, int64_t wait_ms, struct found *found)
{
    size_t which = scout->sentinel;
    scout->sentinel = (scout->sentinel + 1) % scout->place.sentinel_count;
    gh_arena_reset(scout->arena);
    gh_redis_set_deadline(scout, wait_ms);
    enum gh_reason reason = ask_sentinel(scout, which, found);
    gh_redis_drop(scout);
    return reason;
}

static enum gh_reason ask_sentinel(struct gh_redis *scout, size_t which, struct found *found)
{
    const struct gh_reply *facts, *address;
    enum gh_reason reason =
        gh_redis_connect(scout, &scout->looked_up[which], scout->place.sentinels[which].host);
    if (reason == GH_OK && scout->sentinel_password_file.len > 0)
        reason = gh_redis_authenticate(scout, GH_STR("default"), scout->sentinel_password_file);
    if (reason == GH_OK)
        reason = ask_both(scout, &facts, &address);
    if (reason != GH_OK)
        return reason;
    if (facts->kind == GH_REPLY_ERROR && gh_str_starts(facts->text, GH_STR("NOAUTH")))
        return gh_redis_fail(scout, "a Sentinel wants a password: store.sentinel_password_file");
    return take(scout, facts, address, found);
}

/* The epoch first, for it is not younger than the address then. That stands among the facts too, but there
 * the Sentinel that leads a failover names the old master with the new epoch, until all replicas follow. */
static enum gh_reason ask_both(struct gh_redis *scout, const struct gh_reply **ret_facts,
                               const struct gh_reply **ret_address)
{
    const gh_str facts[] = { GH_STR_INIT("SENTINEL"), GH_STR_INIT("MASTER"), scout->place.master };
    const gh_str address[] = { GH_STR_INIT("SENTINEL"), GH_STR_INIT("GET-MASTER-ADDR-BY-NAME"),
                               scout->place.master };
    enum gh_reason reason = gh_redis_ask(scout, (struct gh_strs){ facts, 3 });
    if (reason == GH_OK)
        reason = gh_redis_ask(scout, (struct gh_strs){ address, 3 });
    if (reason == GH_OK)
        reason = gh_redis_send(scout);
    if (reason == GH_OK)
        reason = gh_redis_answer(scout, ret_facts);
    return reason == GH_OK ? gh_redis_answer(scout, ret_address) : reason;
}

/* A name or an address, as resolvers take it. */
static bool is_host(gh_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] <= ' ' || text.ptr[i] >= 0x7f || text.ptr[i] == '/' || text.ptr[i] == '%')
            return false;
    return text.len > 0 && text.len < sizeof(((struct found *)NULL)->host);
}

/* Members as name and value in turn; -1: it is not there, or no number. */
static int64_t epoch_of(const struct gh_reply *facts)
{
    int64_t epoch;
    for (size_t i = 0; i + 1 < facts->count; i += 2)
        if (gh_reply_is_text(facts->at[i], GH_STR("config-epoch")))
            return gh_reply_number(facts->at[i + 1], &epoch) ? epoch : -1;
    return -1;
}

static enum gh_reason take(struct gh_redis *scout, const struct gh_reply *facts,
                           const struct gh_reply *address, struct found *found)
{
    int64_t port, epoch;
    if (facts->kind != GH_REPLY_ARRAY)
        return gh_redis_refuse(scout, facts);
    if (address->kind != GH_REPLY_ARRAY || address->count != 2)
        return gh_redis_refuse(scout, address);
    epoch = epoch_of(facts);
    if (epoch < 0)
        return gh_redis_fail(scout, "a Sentinel's answer has no config-epoch");
    gh_str host = address->at[0]->kind == GH_REPLY_TEXT ? address->at[0]->text : GH_STR_NONE;
    if (!is_host(host) || !gh_reply_number(address->at[1], &port) || port <= 0 || port > UINT16_MAX)
        return gh_redis_fail(scout, "a Sentinel's answer names no server");
    if (found->is_known && epoch <= found->epoch)
        return GH_OK;
    *found = (struct found){ .is_known = true, .epoch = epoch, .port = (uint16_t)port };
    memcpy(found->host, host.ptr, host.len);
    return GH_OK;
}
