/* store/redis_commit.c: commits: each one call of a script, which judges and writes; many in one batch, which
 * the server writes to its disk in one step and its replicas acknowledge together. */
#include "base/clock.h"
#include "base/str.h"
#include "store/store_redis.h"

/* Commits of one durable step. */
#define GROUP_MAX 64u
/* The server drops a row that long after its time, so that it need not be swept: a clock that is behind finds
 * it until then. */
#define KEPT_S 900
/* In the year 5138; what ends later has no time to live. */
#define TIME_MAX 100000000000

/* ---- asking ---- */

static bool add_number(struct gh_redis *self, gh_str **at, int64_t number)
{
    **at = gh_redis_digits(self->arena, number);
    return (*at)++->ptr != NULL;
}

static void add_text(gh_str **at, gh_str text)
{
    *(*at)++ = text;
}

static bool add_write(struct gh_redis *self, gh_str **at, const struct gh_write *write)
{
    bool deletes = write->value.ptr == NULL, stays = write->expires == 0 || write->expires > TIME_MAX;
    int64_t kept = write->expires > -KEPT_S ? write->expires + KEPT_S : 1;
    add_text(at, write->key);
    if (!add_number(self, at, write->expires))
        return false;
    if (stays || deletes)
        add_text(at, GH_STR(""));
    else if (!add_number(self, at, kept))
        return false;
    const gh_str value[] = { GH_STR_INIT("="), write->value };
    gh_str marked =
        deletes ? GH_STR("") : gh_arena_join(self->arena, (struct gh_strs){ value, 2 }, GH_STR(""));
    add_text(at, marked);
    return marked.ptr != NULL;
}

static bool add_line(struct gh_redis *self, gh_str **at, const struct gh_log_line *line)
{
    bool ok = add_number(self, at, gh_clock_wall_us() / 1000) && add_number(self, at, line->until);
    if (line->until == GH_REVOKED_ALWAYS)
        add_text(at, GH_STR(""));
    else
        ok = ok && add_number(self, at, line->until);
    add_text(at, line->line);
    return ok;
}

static bool add_all(struct gh_redis *self, const struct gh_store_call *call, gh_str *at)
{
    bool ok = add_number(self, &at, (int64_t)self->seen) && add_number(self, &at, call->now) &&
              add_number(self, &at, (int64_t)call->precondition_count) &&
              add_number(self, &at, (int64_t)call->write_count) &&
              add_number(self, &at, (int64_t)call->line_count);
    for (size_t i = 0; ok && i < call->precondition_count; i++) {
        add_text(&at, call->preconditions[i].key);
        ok = add_number(self, &at, (int64_t)call->preconditions[i].version);
    }
    for (size_t i = 0; ok && i < call->write_count; i++)
        ok = add_write(self, &at, &call->writes[i]);
    for (size_t i = 0; ok && i < call->line_count; i++)
        ok = add_line(self, &at, &call->lines[i]);
    return ok;
}

static enum gh_reason ask(struct gh_redis *self, const struct gh_store_call *call)
{
    size_t count =
        GH_REDIS_CALL + 5 + 2 * call->precondition_count + 4 * call->write_count + 4 * call->line_count;
    gh_str *words = gh_arena_calloc(self->arena, count, sizeof(*words));
    gh_str tenant = gh_redis_tenant(self->arena, call->tenant);
    if (words == NULL || tenant.ptr == NULL)
        return GH_OUT_OF_MEMORY;
    gh_redis_call(self, GH_REDIS_COMMIT, tenant, words);
    return add_all(self, call, words + GH_REDIS_CALL) ? gh_redis_ask(self, (struct gh_strs){ words, count })
                                                      : GH_OUT_OF_MEMORY;
}

/* Behind the commits: how many replicas have them all? */
static enum gh_reason ask_replicas(struct gh_redis *self)
{
    const gh_str words[] = { GH_STR_INIT("WAIT"), gh_redis_digits(self->arena, self->replicas),
                             gh_redis_digits(self->arena, self->replica_wait_ms) };
    if (words[1].ptr == NULL || words[2].ptr == NULL)
        return GH_OUT_OF_MEMORY;
    gh_redis_set_deadline(self, self->timeout_ms + self->replica_wait_ms);
    return gh_redis_ask(self, (struct gh_strs){ words, 3 });
}

/* ---- answers ---- */

/* GH_OK with the sequence behind the commit; GH_STORE_CONFLICT and others when nothing was written. */
static enum gh_reason judge(struct gh_redis *self, const struct gh_reply *reply, uint64_t *ret_sequence)
{
    int64_t sequence;
    if (gh_reply_is_text(reply, GH_STR("conflict")))
        return GH_STORE_CONFLICT;
    if (gh_reply_is_text(reply, GH_STR("malformed")))
        return GH_STORE_MALFORMED;
    if (gh_reply_is_text(reply, GH_STR("other")))
        return gh_redis_other(self);
    if (gh_reply_is_text(reply, GH_STR("moved")))
        return gh_redis_moved(self);
    if (gh_reply_is_text(reply, GH_STR("back")))
        return gh_redis_went_back(self);
    if (!gh_reply_number(reply, &sequence) || sequence <= 0)
        return gh_redis_refuse(self, reply);
    *ret_sequence = (uint64_t)sequence;
    return gh_redis_see(self, (uint64_t)sequence);
}

static enum gh_reason judge_replicas(struct gh_redis *self, const struct gh_reply *reply)
{
    if (reply->kind != GH_REPLY_NUMBER)
        return gh_redis_refuse(self, reply);
    if (reply->number >= self->replicas)
        return GH_OK;
    gh_redis_say(self, "%lld of %lld replicas had it within %lld ms: not acknowledged",
                 (long long)reply->number, (long long)self->replicas, (long long)self->replica_wait_ms);
    return GH_STORE_DOWN;
}

/* ---- groups ---- */

static enum gh_reason exchange(struct gh_redis *self, struct gh_store_call *const *group, size_t count,
                               const struct gh_reply **replies)
{
    size_t expected = count + (self->replicas > 0);
    enum gh_reason reason = gh_redis_begin(self);
    for (size_t i = 0; reason == GH_OK && i < count; i++)
        reason = ask(self, group[i]);
    if (reason == GH_OK && self->replicas > 0)
        reason = ask_replicas(self);
    if (reason == GH_OK)
        reason = gh_redis_send(self);
    for (size_t i = 0; reason == GH_OK && i < expected; i++)
        reason = gh_redis_answer(self, &replies[i]);
    return reason;
}

/* A commit whose script the server had forgotten did nothing, and comes again by itself; `again` keeps those.
 */
static size_t answer_group(struct gh_redis *self, struct gh_store_call *const *group, size_t count,
                           const struct gh_reply *const *replies, struct gh_store_call **again)
{
    size_t unloaded = 0;
    enum gh_reason durable = self->replicas > 0 ? judge_replicas(self, replies[count]) : GH_OK;
    for (size_t i = 0; i < count; i++) {
        uint64_t sequence = 0;
        if (gh_redis_is_unloaded(replies[i])) {
            again[unloaded++] = group[i];
            continue;
        }
        enum gh_reason reason = judge(self, replies[i], &sequence);
        if (reason == GH_OK)
            reason = durable;
        if (reason == GH_OK)
            gh_redis_be_sure(self, sequence);
        group[i]->answer = (struct gh_store_answer){
            .reason = reason, .position = reason == GH_OK && group[i]->line_count > 0 ? sequence : 0
        };
    }
    return unloaded;
}

static void fail_group(struct gh_store_call *const *group, size_t count, enum gh_reason reason)
{
    for (size_t i = 0; i < count; i++)
        group[i]->answer = (struct gh_store_answer){ .reason = reason };
}

static void commit_group(struct gh_redis *self, struct gh_store_call **group, size_t count)
{
    const struct gh_reply *replies[GROUP_MAX + 1];
    struct gh_store_call *again[GROUP_MAX];
    for (unsigned tries = 0; count > 0; tries++) {
        enum gh_reason reason = exchange(self, group, count, replies);
        if (reason != GH_OK) {
            fail_group(group, count, reason);
            return;
        }
        count = answer_group(self, group, count, replies, again);
        memcpy(group, again, count * sizeof(*group));
        if (count > 0 && (self->wire.fd < 0 || tries > 0 || gh_redis_load(self) != GH_OK)) {
            fail_group(group, count, GH_STORE_DOWN);
            return;
        }
    }
}

void gh_redis_commit_all(struct gh_redis *self, struct gh_store_call *first)
{
    struct gh_store_call *group[GROUP_MAX];
    size_t count = 0;
    for (struct gh_store_call *call = first; call != NULL; call = call->next) {
        if (call->kind == GH_STORE_COMMIT)
            group[count++] = call;
        if (count == GROUP_MAX || (count > 0 && call->next == NULL)) {
            commit_group(self, group, count);
            count = 0;
        }
    }
}

/* ---- without calls: while a connection is made ---- */

enum gh_reason gh_redis_confirm(struct gh_redis *self)
{
    const struct gh_reply *reply;
    enum gh_reason reason = ask_replicas(self);
    if (reason == GH_OK)
        reason = gh_redis_send(self);
    if (reason == GH_OK)
        reason = gh_redis_answer(self, &reply);
    return reason == GH_OK ? judge_replicas(self, reply) : reason;
}

enum gh_reason gh_redis_append(struct gh_redis *self, const struct gh_log_line *lines, size_t count)
{
    const struct gh_store_call call = { .kind = GH_STORE_COMMIT, .lines = lines, .line_count = count };
    const struct gh_reply *reply;
    uint64_t sequence = 0;
    enum gh_reason reason = ask(self, &call);
    if (reason == GH_OK)
        reason = gh_redis_send(self);
    if (reason == GH_OK)
        reason = gh_redis_answer(self, &reply);
    return reason == GH_OK ? judge(self, reply, &sequence) : reason;
}
