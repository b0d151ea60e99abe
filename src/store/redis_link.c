/* store/redis_link.c: one connection to the Redis server, made anew when it was lost, and batches of commands
 * over it. After a failure nothing is tried for a while that doubles: until then calls fail at once. */
#include <hiredis/hiredis.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/str.h"
#include "gatehouse/effects.h"
#include "store/store_redis.h"

/* threats.md Z5, Z6: at most ten tries a second, and well again within two of the server's return. */
#define PAUSE_FIRST_MS 100
#define PAUSE_MAX_MS   1000

static enum gh_reason connect_anew(struct gh_redis *self);

/* ---- failing ---- */

/* The server's own words may stand in it: the log escapes them. */
static void GH_PRINTF(2, 0) keep_words(struct gh_redis *self, const char *format, va_list args)
{
    (void)vsnprintf(self->why, sizeof(self->why), format, args);
}

void gh_redis_say(struct gh_redis *self, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    keep_words(self, format, args);
    va_end(args);
}

enum gh_reason gh_redis_fail(struct gh_redis *self, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    keep_words(self, format, args);
    va_end(args);
    gh_redis_drop(self);
    return GH_STORE_DOWN;
}

void gh_redis_drop(struct gh_redis *self)
{
    gh_redis_wire_close(&self->wire);
    gh_reply_reader_free(self->reader);
    self->reader = NULL;
    gh_buf_done(&self->out);
    self->retry_at_ms = gh_clock_mono_ms() + self->pause_ms;
}

void gh_redis_set_deadline(struct gh_redis *self, int64_t ms)
{
    self->deadline_ms = gh_clock_mono_ms() + ms;
    self->given_ms = ms;
}

static enum gh_reason fail_by_wire(struct gh_redis *self, const char *what)
{
    if (self->wire.late)
        return gh_redis_fail(self, "the server did not %s within %lld ms", what, (long long)self->given_ms);
    return gh_redis_fail(self, "the server did not %s: %s", what, self->wire.why);
}

/* ---- batches ---- */

enum gh_reason gh_redis_begin(struct gh_redis *self)
{
    int64_t now = gh_clock_mono_ms();
    gh_arena_reset(self->arena);
    gh_buf_done(&self->out); /* of a batch that ended in its making */
    if (self->lost || (self->wire.fd < 0 && now < self->retry_at_ms))
        return GH_STORE_DOWN;
    gh_redis_set_deadline(self, self->timeout_ms);
    if (self->wire.fd < 0) {
        enum gh_reason reason = connect_anew(self);
        if (reason != GH_OK)
            return reason == GH_SETTINGS_INVALID ? GH_STORE_DOWN : reason;
        gh_redis_set_deadline(self, self->timeout_ms);
        gh_arena_reset(self->arena);
    }
    gh_reply_reader_begin(self->reader);
    return GH_OK;
}

enum gh_reason gh_redis_open(struct gh_redis *self)
{
    gh_redis_set_deadline(self, self->timeout_ms);
    return connect_anew(self);
}

static enum gh_reason connect_anew(struct gh_redis *self)
{
    struct gh_redis_peer server = self->place.server;
    struct gh_redis_addresses addresses;
    int64_t pause = self->pause_ms;
    self->pause_ms = pause == 0 ? PAUSE_FIRST_MS : pause * 2 < PAUSE_MAX_MS ? pause * 2 : PAUSE_MAX_MS;
    enum gh_reason reason = self->place.sentinel_count > 0 ? gh_redis_find(self, &server) : GH_OK;
    if (reason == GH_OK) {
        gh_redis_wire_look_up(&server, &addresses);
        reason = gh_redis_connect(self, &addresses, server.host);
    }
    if (reason == GH_OK)
        reason = gh_redis_hello(self);
    if (reason == GH_OK)
        self->pause_ms = PAUSE_FIRST_MS;
    else
        gh_redis_drop(self);
    return reason;
}

enum gh_reason gh_redis_connect(struct gh_redis *self, const struct gh_redis_addresses *addresses,
                                gh_str name)
{
    if (!gh_redis_wire_open(&self->wire, addresses, name, self->tls, self->deadline_ms))
        return fail_by_wire(self, "let us connect");
    self->reader = gh_reply_reader_new(self->arena);
    if (self->reader == NULL)
        return GH_OUT_OF_MEMORY;
    gh_reply_reader_begin(self->reader);
    return GH_OK;
}

/* A copy of the password may be among the words: no memory that was used is left as it is. */
enum gh_reason gh_redis_ask(struct gh_redis *self, struct gh_strs words)
{
    const char **at = gh_arena_calloc(self->arena, words.count, sizeof(*at));
    size_t *lengths = gh_arena_calloc(self->arena, words.count, sizeof(*lengths));
    char *command = NULL;
    if (at == NULL || lengths == NULL)
        return GH_OUT_OF_MEMORY;
    for (size_t i = 0; i < words.count; i++) {
        at[i] = words.at[i].len > 0 ? words.at[i].ptr : "";
        lengths[i] = words.at[i].len;
    }
    int len = redisFormatCommandArgv(&command, (int)words.count, at, lengths);
    if (len < 0)
        return GH_OUT_OF_MEMORY;
    bool added = gh_buf_add(&self->out, gh_str_of(command, (size_t)len));
    gh_wipe(command, (size_t)len);
    redisFreeCommand(command);
    return added ? GH_OK : GH_OUT_OF_MEMORY;
}

enum gh_reason gh_redis_send(struct gh_redis *self)
{
    gh_str bytes = gh_buf_peek(&self->out);
    bool sent = gh_redis_wire_write(&self->wire, bytes, self->deadline_ms);
    gh_wipe(self->out.base, self->out.cap);
    gh_buf_done(&self->out);
    return sent ? GH_OK : fail_by_wire(self, "take a command");
}

enum gh_reason gh_redis_answer(struct gh_redis *self, const struct gh_reply **ret_reply)
{
    char bytes[16384];
    for (;;) {
        const struct gh_reply *reply = NULL;
        if (!gh_reply_reader_take(self->reader, &reply))
            return gh_redis_fail(self, "the server answered what is no reply, or a larger one than we take");
        if (reply != NULL) {
            *ret_reply = reply;
            return GH_OK;
        }
        ssize_t count = gh_redis_wire_read(&self->wire, bytes, sizeof(bytes), self->deadline_ms);
        if (count < 0)
            return fail_by_wire(self, "answer");
        if (!gh_reply_reader_feed(self->reader, gh_str_of(bytes, (size_t)count)))
            return gh_redis_fail(self, "the server answered more than %u MiB", GH_REPLY_BYTES >> 20);
    }
}

enum gh_reason gh_redis_ask_one(struct gh_redis *self, struct gh_strs words,
                                const struct gh_reply **ret_reply)
{
    enum gh_reason reason = gh_redis_ask(self, words);
    if (reason == GH_OK)
        reason = gh_redis_send(self);
    return reason == GH_OK ? gh_redis_answer(self, ret_reply) : reason;
}

/* ---- what replies mean ---- */

/* The server works, and cannot do this now: others on the connection may go well. */
static bool is_passing(gh_str error)
{
    return gh_str_starts(error, GH_STR("OOM ")) || gh_str_starts(error, GH_STR("MISCONF ")) ||
           gh_str_starts(error, GH_STR("NOREPLICAS "));
}

enum gh_reason gh_redis_refuse(struct gh_redis *self, const struct gh_reply *reply)
{
    if (reply->kind != GH_REPLY_ERROR)
        return gh_redis_fail(self, "the server answered another thing than was asked");
    if (!is_passing(reply->text))
        return gh_redis_fail(self, "the server refused: %.*s", GH_STR_FMT(reply->text));
    gh_redis_say(self, "the server refused: %.*s", GH_STR_FMT(reply->text));
    return GH_STORE_DOWN;
}

/* ---- scripts ---- */

gh_str gh_redis_digits(struct gh_arena *arena, int64_t number)
{
    return gh_arena_printf(arena, "%lld", (long long)number);
}

/* As gh_row_key makes it of a kind and parts, but for the frame. */
gh_str gh_redis_tenant(struct gh_arena *arena, gh_str tenant)
{
    gh_str key = gh_row_key(arena, "t", &tenant, 1);
    return key.ptr != NULL ? gh_arena_printf(arena, "{gh:%.*s}", GH_STR_FMT(gh_str_skip(key, 2)))
                           : GH_STR_NONE;
}

void gh_redis_call(struct gh_redis *self, enum gh_redis_script which, gh_str tenant, gh_str *words)
{
    words[0] = GH_STR("EVALSHA");
    words[1] = gh_str_from(self->shas[which]);
    words[2] = GH_STR("1");
    words[3] = tenant;
    words[4] = gh_str_from(self->called);
}

bool gh_redis_is_unloaded(const struct gh_reply *reply)
{
    return reply->kind == GH_REPLY_ERROR && gh_str_starts(reply->text, GH_STR("NOSCRIPT"));
}

enum gh_reason gh_redis_load(struct gh_redis *self)
{
    enum gh_reason reason = GH_OK;
    for (unsigned i = 0; reason == GH_OK && i < GH_REDIS_SCRIPTS; i++) {
        const gh_str words[] = { GH_STR_INIT("SCRIPT"), GH_STR_INIT("LOAD"), gh_redis_script(i) };
        reason = gh_redis_ask(self, (struct gh_strs){ words, 3 });
    }
    if (reason == GH_OK)
        reason = gh_redis_send(self);
    for (unsigned i = 0; reason == GH_OK && i < GH_REDIS_SCRIPTS; i++) {
        const struct gh_reply *reply;
        reason = gh_redis_answer(self, &reply);
        if (reason == GH_OK && (reply->kind != GH_REPLY_TEXT || reply->text.len != GH_REDIS_SHA))
            reason = gh_redis_fail(self, "the server does not take our scripts");
        if (reason == GH_OK)
            memcpy(self->shas[i], reply->text.ptr, GH_REDIS_SHA);
    }
    return reason;
}
