/* store/redis_rows.c: reads, lists and takes: each is one call of a script, and so of one moment. */
#include "base/str.h"
#include "store/store_redis.h"

/* Answers ask for so many calls at a time, so that one bound holds for all of them. */
#define GROUP_MAX 16u

/* ---- asking ---- */

/* The range as ZRANGEBYLEX takes it. Keys are ASCII: nothing with the prefix sorts behind it and 0xff. */
static bool add_range(struct gh_redis *self, const struct gh_store_call *call, gh_str *words)
{
    bool goes_on = gh_str_cmp(call->after, call->prefix) >= 0 && call->after.len > 0;
    const gh_str from[] = { goes_on ? GH_STR("(") : GH_STR("["), goes_on ? call->after : call->prefix };
    const gh_str to[] = { GH_STR_INIT("("), call->prefix, GH_STR_INIT("\xff") };
    words[0] = gh_arena_join(self->arena, (struct gh_strs){ from, 2 }, GH_STR(""));
    words[1] = gh_arena_join(self->arena, (struct gh_strs){ to, 3 }, GH_STR(""));
    words[2] = gh_redis_digits(self->arena, (int64_t)call->limit);
    return words[0].ptr != NULL && words[1].ptr != NULL && words[2].ptr != NULL;
}

static enum gh_reason ask(struct gh_redis *self, const struct gh_store_call *call)
{
    if (call->kind == GH_STORE_TAKE)
        return gh_redis_rate_ask(self, call);
    bool lists = call->kind == GH_STORE_LIST;
    size_t count = GH_REDIS_CALL + 2 + (lists ? 3 : call->keys.count);
    gh_str *words = gh_arena_calloc(self->arena, count, sizeof(*words));
    gh_str tenant = gh_redis_tenant(self->arena, call->tenant);
    if (words == NULL || tenant.ptr == NULL)
        return GH_OUT_OF_MEMORY;
    gh_redis_call(self, lists ? GH_REDIS_LIST : GH_REDIS_READ, tenant, words);
    gh_str *at = words + GH_REDIS_CALL;
    at[0] = gh_redis_digits(self->arena, (int64_t)self->seen);
    at[1] = gh_redis_digits(self->arena, call->now);
    if (at[0].ptr == NULL || at[1].ptr == NULL || (lists && !add_range(self, call, at + 2)))
        return GH_OUT_OF_MEMORY;
    if (!lists)
        memcpy(at + 2, call->keys.at, call->keys.count * sizeof(*at));
    return gh_redis_ask(self, (struct gh_strs){ words, count });
}

/* ---- answers ---- */

static enum gh_reason copy_row(const struct gh_store_call *call, const struct gh_reply *reply,
                               struct gh_stored_row *row)
{
    if (!gh_reply_row(reply, row))
        return GH_STORE_MALFORMED;
    row->value = gh_arena_dup(call->arena, row->value);
    return row->value.ptr != NULL ? GH_OK : GH_OUT_OF_MEMORY;
}

/* One for each key, nil where there is none. */
static enum gh_reason take_rows(struct gh_redis *self, struct gh_store_call *call,
                                const struct gh_reply *reply)
{
    if (reply->kind != GH_REPLY_ARRAY || reply->count != call->keys.count)
        return gh_redis_refuse(self, reply);
    struct gh_stored_row *rows = gh_arena_calloc(call->arena, call->keys.count, sizeof(*rows));
    enum gh_reason reason = rows != NULL ? GH_OK : GH_OUT_OF_MEMORY;
    for (size_t i = 0; reason == GH_OK && i < reply->count; i++) {
        rows[i].key = call->keys.at[i];
        if (reply->at[i]->kind != GH_REPLY_NIL)
            reason = copy_row(call, reply->at[i], &rows[i]);
    }
    call->answer.rows = (struct gh_rows){ rows, call->keys.count };
    return reason;
}

/* Key and row in turn. */
static enum gh_reason take_list(struct gh_redis *self, struct gh_store_call *call,
                                const struct gh_reply *reply)
{
    if (reply->kind != GH_REPLY_ARRAY || reply->count % 2 != 0 || reply->count / 2 > call->limit)
        return gh_redis_refuse(self, reply);
    struct gh_stored_row *rows = gh_arena_calloc(call->arena, reply->count / 2, sizeof(*rows));
    enum gh_reason reason = rows != NULL ? GH_OK : GH_OUT_OF_MEMORY;
    for (size_t i = 0; reason == GH_OK && i < reply->count / 2; i++) {
        const struct gh_reply *key = reply->at[2 * i];
        if (key->kind != GH_REPLY_TEXT)
            return GH_STORE_MALFORMED;
        rows[i].key = gh_arena_dup(call->arena, key->text);
        reason = rows[i].key.ptr != NULL ? copy_row(call, reply->at[2 * i + 1], &rows[i]) : GH_OUT_OF_MEMORY;
    }
    call->answer.rows = (struct gh_rows){ rows, reply->count / 2 };
    return reason;
}

static enum gh_reason judge_kind(struct gh_redis *self, struct gh_store_call *call,
                                 const struct gh_reply *reply)
{
    switch (call->kind) {
    case GH_STORE_READ:
        return take_rows(self, call, reply);
    case GH_STORE_LIST:
        return take_list(self, call, reply);
    case GH_STORE_TAKE:
        return gh_redis_rate_judge(self, call, reply);
    case GH_STORE_COMMIT:
        break;
    }
    return GH_INTERNAL;
}

static void judge(struct gh_redis *self, struct gh_store_call *call, const struct gh_reply *reply)
{
    enum gh_reason reason;
    if (gh_reply_is_text(reply, GH_STR("other")))
        reason = gh_redis_other(self);
    else if (gh_reply_is_text(reply, GH_STR("moved")))
        reason = gh_redis_moved(self);
    else if (gh_reply_is_text(reply, GH_STR("back")))
        reason = gh_redis_went_back(self);
    else
        reason = judge_kind(self, call, reply);
    if (reason != GH_OK)
        call->answer = (struct gh_store_answer){ .reason = reason };
}

/* ---- groups ---- */

/* All replies are there before one is judged: a connection that goes on has none left on it. */
static enum gh_reason exchange(struct gh_redis *self, struct gh_store_call *const *group, size_t count,
                               const struct gh_reply **replies)
{
    enum gh_reason reason = gh_redis_begin(self);
    for (size_t i = 0; reason == GH_OK && i < count; i++)
        reason = ask(self, group[i]);
    if (reason == GH_OK)
        reason = gh_redis_send(self);
    for (size_t i = 0; reason == GH_OK && i < count; i++)
        reason = gh_redis_answer(self, &replies[i]);
    return reason;
}

static void read_group(struct gh_redis *self, struct gh_store_call *const *group, size_t count)
{
    const struct gh_reply *replies[GROUP_MAX];
    enum gh_reason reason = exchange(self, group, count, replies);
    bool unloaded = false;
    for (size_t i = 0; reason == GH_OK && i < count; i++)
        unloaded = unloaded || gh_redis_is_unloaded(replies[i]);
    if (unloaded) {
        reason = gh_redis_load(self);
        if (reason == GH_OK)
            reason = exchange(self, group, count, replies);
    }
    for (size_t i = 0; i < count; i++) {
        group[i]->answer = (struct gh_store_answer){ .reason = reason };
        if (reason == GH_OK)
            judge(self, group[i], replies[i]);
    }
}

void gh_redis_read_all(struct gh_redis *self, struct gh_store_call *first)
{
    struct gh_store_call *group[GROUP_MAX];
    size_t count = 0;
    for (struct gh_store_call *call = first; call != NULL; call = call->next) {
        if (call->kind != GH_STORE_COMMIT)
            group[count++] = call;
        if (count == GROUP_MAX || (count > 0 && call->next == NULL)) {
            read_group(self, group, count);
            count = 0;
        }
    }
}
