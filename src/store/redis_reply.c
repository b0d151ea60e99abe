/* store/redis_reply.c: replies of a Redis server: read by hiredis into an arena of ours, within bounds, and
 * what they must look like (threats.md X5). */
#include <hiredis/read.h>
#include <stdlib.h>

#include "base/str.h"
#include "store/store_redis.h"

struct gh_reply_reader {
    redisReader *reader;
    struct gh_arena *arena;
    size_t bytes; /* of this batch */
};

/* ---- what hiredis calls: each returns NULL when the reply is to be given up ---- */

static void *make(const redisReadTask *task, enum gh_reply_kind kind, size_t extra,
                  struct gh_reply **ret_reply)
{
    const struct gh_reply_reader *self = task->privdata;
    struct gh_reply *reply = NULL;
    if (gh_arena_used(self->arena) + extra <= GH_REPLY_MEMORY)
        reply = GH_ARENA_NEW(self->arena, struct gh_reply);
    if (reply == NULL)
        return NULL;
    reply->kind = kind;
    if (task->parent != NULL) {
        struct gh_reply *parent = task->parent->obj;
        ((struct gh_reply **)(uintptr_t)parent->at)[task->idx] = reply;
    }
    *ret_reply = reply;
    return reply;
}

static void *make_text(const redisReadTask *task, char *text, size_t len)
{
    const struct gh_reply_reader *self = task->privdata;
    struct gh_reply *reply;
    enum gh_reply_kind kind = task->type == REDIS_REPLY_ERROR ? GH_REPLY_ERROR : GH_REPLY_TEXT;
    if (make(task, kind, len, &reply) == NULL)
        return NULL;
    reply->text = gh_arena_dup(self->arena, gh_str_of(text, len));
    return reply->text.ptr != NULL ? reply : NULL;
}

static void *make_array(const redisReadTask *task, int count)
{
    const struct gh_reply_reader *self = task->privdata;
    struct gh_reply *reply;
    if (count < 0 || count > GH_REPLY_ELEMENTS ||
        make(task, GH_REPLY_ARRAY, (size_t)count * sizeof(reply), &reply) == NULL)
        return NULL;
    reply->at = gh_arena_calloc(self->arena, (size_t)count, sizeof(reply));
    reply->count = (size_t)count;
    return reply->at != NULL ? reply : NULL;
}

static void *make_number(const redisReadTask *task, long long number)
{
    struct gh_reply *reply;
    if (make(task, GH_REPLY_NUMBER, 0, &reply) == NULL)
        return NULL;
    reply->number = number;
    return reply;
}

static void *make_nil(const redisReadTask *task)
{
    struct gh_reply *reply;
    return make(task, GH_REPLY_NIL, 0, &reply);
}

static void leave(void *reply)
{
    (void)reply; /* the arena's */
}

/* ---- reading ---- */

struct gh_reply_reader *gh_reply_reader_new(struct gh_arena *arena)
{
    static redisReplyObjectFunctions functions = { .createString = make_text,
                                                   .createArray = make_array,
                                                   .createInteger = make_number,
                                                   .createNil = make_nil,
                                                   .freeObject = leave };
    struct gh_reply_reader *self = gh_calloc(1, sizeof(*self));
    if (self == NULL)
        return NULL;
    self->arena = arena;
    self->reader = redisReaderCreateWithFunctions(&functions);
    if (self->reader != NULL) {
        self->reader->privdata = self;
        return self;
    }
    free(self);
    return NULL;
}

void gh_reply_reader_free(struct gh_reply_reader *self)
{
    if (self == NULL)
        return;
    redisReaderFree(self->reader);
    free(self);
}

void gh_reply_reader_begin(struct gh_reply_reader *self)
{
    self->bytes = 0;
}

bool gh_reply_reader_feed(struct gh_reply_reader *self, gh_str bytes)
{
    self->bytes += bytes.len;
    return self->bytes <= GH_REPLY_BYTES && redisReaderFeed(self->reader, bytes.ptr, bytes.len) == REDIS_OK;
}

bool gh_reply_reader_take(struct gh_reply_reader *self, const struct gh_reply **ret_reply)
{
    void *reply = NULL;
    if (redisReaderGetReply(self->reader, &reply) != REDIS_OK)
        return false;
    *ret_reply = reply;
    return true;
}

/* ---- shapes ---- */

bool gh_reply_is_text(const struct gh_reply *reply, gh_str text)
{
    return reply->kind == GH_REPLY_TEXT && gh_str_eq(reply->text, text);
}

static bool read_number(gh_str text, int64_t *ret_number)
{
    bool negative = text.len > 0 && text.ptr[0] == '-';
    uint64_t value;
    if (!gh_str_to_u64(gh_str_skip(text, negative), &value) || value > INT64_MAX)
        return false;
    *ret_number = negative ? -(int64_t)value : (int64_t)value;
    return true;
}

bool gh_reply_number(const struct gh_reply *reply, int64_t *ret_number)
{
    if (reply->kind == GH_REPLY_NUMBER)
        *ret_number = reply->number;
    return reply->kind == GH_REPLY_NUMBER ||
           (reply->kind == GH_REPLY_TEXT && read_number(reply->text, ret_number));
}

bool gh_reply_row(const struct gh_reply *reply, struct gh_stored_row *row)
{
    gh_str rest = reply->text;
    uint64_t version;
    int64_t expires;
    if (reply->kind != GH_REPLY_TEXT || !gh_str_to_u64(gh_str_cut(&rest, ':'), &version) || version == 0 ||
        rest.ptr == NULL || !read_number(gh_str_cut(&rest, ':'), &expires) || rest.ptr == NULL)
        return false;
    row->version = version;
    row->expires = expires;
    row->value = rest;
    return true;
}

/* The members of an entry come as name and value in turn, in the order they were given. */
static bool read_members(const struct gh_reply *members, struct gh_log_line *line)
{
    if (members->kind != GH_REPLY_ARRAY || members->count != 6 ||
        !gh_reply_is_text(members->at[0], GH_STR("a")) || !gh_reply_is_text(members->at[2], GH_STR("u")) ||
        !gh_reply_is_text(members->at[4], GH_STR("l")) || members->at[5]->kind != GH_REPLY_TEXT ||
        !gh_reply_number(members->at[1], &line->appended_ms) ||
        !gh_reply_number(members->at[3], &line->until))
        return false;
    line->line = members->at[5]->text;
    return true;
}

bool gh_reply_line(const struct gh_reply *reply, struct gh_log_line *line)
{
    if (reply->kind != GH_REPLY_ARRAY || reply->count != 2 || reply->at[0]->kind != GH_REPLY_TEXT)
        return false;
    gh_str rest = reply->at[0]->text;
    return gh_str_to_u64(gh_str_cut(&rest, '-'), &line->position) && line->position != 0 &&
           gh_str_eq(rest, GH_STR("0")) && read_members(reply->at[1], line);
}
