/* store/redis_log.c: the log as a stream: is there something new, what is it, and what may be forgotten. */
#include "base/clock.h"
#include "base/str.h"
#include "store/store_redis.h"

#define SWEEP_MAX 500

/* ---- looking ---- */

/* Asked behind what it is to vouch for. */
static enum gh_reason ask_state(struct gh_redis *self)
{
    static const gh_str store[] = { GH_STR_INIT("MGET"), GH_STR_INIT(GH_REDIS_ID),
                                    GH_STR_INIT(GH_REDIS_SEQUENCE) };
    static const gh_str log[] = { GH_STR_INIT("EXISTS"), GH_STR_INIT(GH_REDIS_LOG) };
    static const gh_str server[] = { GH_STR_INIT("INFO"), GH_STR_INIT("replication") };
    enum gh_reason reason = gh_redis_ask(self, (struct gh_strs){ store, 3 });
    if (reason == GH_OK)
        reason = gh_redis_ask(self, (struct gh_strs){ log, 2 });
    return reason == GH_OK ? gh_redis_ask(self, (struct gh_strs){ server, 2 }) : reason;
}

static enum gh_reason judge_store(struct gh_redis *self, const struct gh_reply *reply,
                                  const struct gh_reply *log)
{
    int64_t sequence;
    if (reply->kind != GH_REPLY_ARRAY || reply->count != 2)
        return gh_redis_refuse(self, reply);
    if (log->kind != GH_REPLY_NUMBER)
        return gh_redis_refuse(self, log);
    if (!gh_reply_is_text(reply->at[0], gh_str_from(self->id)) || reply->at[1]->kind == GH_REPLY_NIL ||
        log->number != 1)
        return gh_redis_other(self);
    if (!gh_reply_number(reply->at[1], &sequence) || sequence <= 0)
        return gh_redis_fail(self, "the server's sequence is no number");
    return gh_redis_see(self, (uint64_t)sequence);
}

/* On a connection that lives: whoever becomes a replica takes another's data over without closing it. */
static enum gh_reason judge_server(struct gh_redis *self, const struct gh_reply *reply)
{
    if (reply->kind != GH_REPLY_TEXT)
        return gh_redis_refuse(self, reply);
    if (!gh_str_eq(gh_redis_info(reply->text, "role"), GH_STR("master")))
        return gh_redis_fail(self, "the server has become a replica, which takes no writes");
    if (!gh_str_eq(gh_redis_info(reply->text, "master_replid"), gh_str_from(self->history)))
        return gh_redis_moved(self);
    return self->place.sentinel_count > 0 ? gh_redis_check_replicas(self, reply->text) : GH_OK;
}

static enum gh_reason judge_state(struct gh_redis *self)
{
    const struct gh_reply *store, *log, *server;
    enum gh_reason reason = gh_redis_answer(self, &store);
    if (reason == GH_OK)
        reason = gh_redis_answer(self, &log);
    if (reason == GH_OK)
        reason = gh_redis_answer(self, &server);
    /* First: what another history has counted is not measured by this one. */
    if (reason == GH_OK)
        reason = judge_server(self, server);
    return reason == GH_OK ? judge_store(self, store, log) : reason;
}

enum gh_reason gh_redis_look(void *ctx, bool *ret_changed)
{
    struct gh_redis *self = ctx;
    enum gh_reason reason = gh_redis_begin(self);
    if (reason == GH_OK)
        reason = ask_state(self);
    if (reason == GH_OK)
        reason = gh_redis_send(self);
    if (reason == GH_OK)
        reason = judge_state(self);
    if (reason == GH_OK && gh_redis_has_moved(self))
        reason = gh_redis_fail(self, "the Sentinels have chosen another server");
    if (reason != GH_OK)
        return reason;
    *ret_changed = self->seen != self->looked;
    self->looked = self->seen;
    return GH_OK;
}

/* ---- the entries ---- */

static enum gh_reason copy_lines(struct gh_redis *self, const struct gh_reply *reply, uint64_t after,
                                 struct gh_arena *arena, struct gh_log_batch *batch)
{
    if (reply->kind != GH_REPLY_ARRAY || reply->count > GH_LOG_BATCH)
        return gh_redis_refuse(self, reply);
    for (size_t i = 0; i < reply->count; i++) {
        struct gh_log_line *line = &batch->at[i];
        *line = (struct gh_log_line){ 0 };
        if (!gh_reply_line(reply->at[i], line) || line->position <= after)
            return GH_STORE_MALFORMED;
        after = line->position;
        line->line = gh_arena_dup(arena, line->line);
        if (line->line.ptr == NULL || gh_redis_keep(self, line) != GH_OK)
            return GH_OUT_OF_MEMORY;
        batch->count++;
    }
    return GH_OK;
}

/* The state is asked behind the entries: had the store been emptied before, that would tell. */
enum gh_reason gh_redis_tail(void *ctx, uint64_t after, struct gh_arena *arena,
                             struct gh_log_batch *ret_batch)
{
    struct gh_redis *self = ctx;
    const struct gh_reply *reply;
    ret_batch->count = 0;
    enum gh_reason reason = gh_redis_begin(self);
    if (reason != GH_OK)
        return reason;
    gh_str from = gh_arena_printf(self->arena, "(%llu-0", (unsigned long long)after);
    gh_str count = gh_redis_digits(self->arena, GH_LOG_BATCH);
    const gh_str words[] = { GH_STR_INIT("XRANGE"), GH_STR_INIT(GH_REDIS_LOG), from,
                             GH_STR_INIT("+"),      GH_STR_INIT("COUNT"),      count };
    if (from.ptr == NULL || count.ptr == NULL)
        return GH_OUT_OF_MEMORY;
    reason = gh_redis_ask(self, (struct gh_strs){ words, 6 });
    if (reason == GH_OK)
        reason = ask_state(self);
    if (reason == GH_OK)
        reason = gh_redis_send(self);
    if (reason == GH_OK)
        reason = gh_redis_answer(self, &reply);
    if (reason == GH_OK)
        reason = judge_state(self);
    return reason == GH_OK ? copy_lines(self, reply, after, arena, ret_batch) : reason;
}

/* ---- sweeping ---- */

enum gh_reason gh_redis_sweep(void *ctx, int64_t now_s, bool *ret_more)
{
    struct gh_redis *self = ctx;
    const struct gh_reply *reply;
    int64_t count;
    enum gh_reason reason = gh_redis_begin(self);
    if (reason != GH_OK)
        return reason;
    gh_str tenant = gh_redis_tenant(self->arena, GH_STR_NONE);
    gh_str words[GH_REDIS_CALL + 5];
    gh_redis_call(self, GH_REDIS_SWEEP, GH_STR("{gh}"), words);
    words[5] = gh_redis_digits(self->arena, (int64_t)self->seen);
    words[6] = gh_redis_digits(self->arena, now_s);
    words[7] = gh_redis_digits(self->arena, now_s - GH_REVOKED_SLACK_S);
    words[8] = gh_redis_digits(self->arena, SWEEP_MAX);
    words[9] = gh_redis_digits(self->arena, (int64_t)tenant.len);
    reason = gh_redis_ask(self, (struct gh_strs){ words, GH_ARRAY_LEN(words) });
    if (reason == GH_OK)
        reason = gh_redis_send(self);
    if (reason == GH_OK)
        reason = gh_redis_answer(self, &reply);
    if (reason != GH_OK)
        return reason;
    if (gh_redis_is_unloaded(reply)) {
        *ret_more = true; /* it comes again in a moment */
        return gh_redis_load(self);
    }
    if (gh_reply_is_text(reply, GH_STR("other")))
        return gh_redis_other(self);
    if (gh_reply_is_text(reply, GH_STR("moved")))
        return gh_redis_moved(self);
    if (gh_reply_is_text(reply, GH_STR("back")))
        return gh_redis_went_back(self);
    if (!gh_reply_number(reply, &count))
        return gh_redis_refuse(self, reply);
    *ret_more = count >= SWEEP_MAX;
    return GH_OK;
}
