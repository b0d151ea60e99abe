/* store/redis_hello.c: who we are to a server that was just connected to, whether it may hold a store, and
 * which store it holds. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/str.h"
#include "io/file.h"
#include "store/store_redis.h"

#define VERSION_LEAST 7
#define PASSWORD_MAX  4096

static enum gh_reason log_in(struct gh_redis *self);
static enum gh_reason check_server(struct gh_redis *self, gh_str *ret_history);
static enum gh_reason check_durability(struct gh_redis *self);
static enum gh_reason set_up(struct gh_redis *self, gh_str history);

enum gh_reason gh_redis_hello(struct gh_redis *self)
{
    gh_str history = GH_STR_NONE;
    enum gh_reason reason = log_in(self);
    if (reason == GH_OK)
        reason = check_server(self, &history);
    if (reason == GH_OK)
        reason = check_durability(self);
    if (reason == GH_OK)
        reason = gh_redis_load(self);
    return reason == GH_OK ? set_up(self, history) : reason;
}

/* ---- who we are ---- */

/* Read each time, so that a password may change while we run. */
static enum gh_reason read_password(struct gh_redis *self, gh_str file, struct gh_secret *ret_password)
{
    char *why = NULL;
    enum gh_reason reason = gh_small_file_read(file, PASSWORD_MAX, true, ret_password, &why);
    if (reason != GH_OK)
        gh_redis_say(self, "%s", why != NULL ? why : "out of memory");
    free(why);
    if (reason != GH_OK)
        return reason;
    while (ret_password->len > 0 && (ret_password->bytes[ret_password->len - 1] == '\n' ||
                                     ret_password->bytes[ret_password->len - 1] == '\r'))
        ret_password->len--;
    return GH_OK;
}

static enum gh_reason present(struct gh_redis *self, gh_str user, const struct gh_secret *password)
{
    const struct gh_reply *reply;
    const gh_str words[] = { GH_STR_INIT("AUTH"), user, gh_str_of(password->bytes, password->len) };
    enum gh_reason reason = gh_redis_ask_one(self, (struct gh_strs){ words, 3 }, &reply);
    if (reason != GH_OK || gh_reply_is_text(reply, GH_STR("OK")))
        return reason;
    if (reply->kind == GH_REPLY_ERROR)
        return gh_redis_fail(self, "the server takes neither this user nor this password: %.*s",
                             GH_STR_FMT(reply->text));
    return gh_redis_refuse(self, reply);
}

enum gh_reason gh_redis_authenticate(struct gh_redis *self, gh_str user, gh_str file)
{
    struct gh_secret password = { 0 };
    enum gh_reason reason = read_password(self, file, &password);
    if (reason == GH_OK)
        reason = present(self, user, &password);
    gh_secret_done(&password);
    return reason;
}

static enum gh_reason log_in(struct gh_redis *self)
{
    const struct gh_reply *reply;
    enum gh_reason reason = GH_OK;
    if (self->password_file.len > 0)
        reason = gh_redis_authenticate(self, self->place.user.len > 0 ? self->place.user : GH_STR("default"),
                                       self->password_file);
    if (reason != GH_OK || self->place.database == 0)
        return reason;
    gh_str number = gh_redis_digits(self->arena, self->place.database);
    const gh_str words[] = { GH_STR_INIT("SELECT"), number };
    if (number.ptr == NULL)
        return GH_OUT_OF_MEMORY;
    reason = gh_redis_ask_one(self, (struct gh_strs){ words, 2 }, &reply);
    return reason != GH_OK || gh_reply_is_text(reply, GH_STR("OK")) ? reason : gh_redis_refuse(self, reply);
}

/* ---- what the server is ---- */

gh_str gh_redis_info(gh_str info, const char *name)
{
    gh_str wanted = gh_str_from(name);
    while (info.ptr != NULL) {
        gh_str line = gh_str_cut(&info, '\n');
        if (line.len > wanted.len && gh_str_starts(line, wanted) && line.ptr[wanted.len] == ':') {
            gh_str value = gh_str_skip(line, wanted.len + 1);
            return gh_str_ends(value, GH_STR("\r")) ? gh_str_take(value, value.len - 1) : value;
        }
    }
    return GH_STR_NONE;
}

/* What must be said of the server, word for word, and what is wrong with another one. */
static const struct {
    const char *name, *value, *wrong;
} demands[] = {
    { "redis_mode", "standalone",
      "the server is a Sentinel or a node of a Redis Cluster: the store needs one "
      "server, with replicas if you like" },
    { "cluster_enabled", "0",
      "the server is a node of a Redis Cluster: the store needs one server, with "
      "replicas if you like" },
    { "loading", "0", "the server is still loading its data" },
    { "role", "master", "the server is a replica, which takes no writes" },
    { "maxmemory_policy", "noeviction",
      "the server throws away what it likes when memory is short: set maxmemory-policy noeviction" },
    { "aof_enabled", "1", "the server forgets at its end: set appendonly yes and appendfsync always" },
};

/* These pass by themselves: none of them is the settings' fault. */
static bool may_pass(const char *name)
{
    return strcmp(name, "loading") == 0 || strcmp(name, "role") == 0;
}

static enum gh_reason refuse_server(struct gh_redis *self, const char *name, const char *wrong)
{
    gh_redis_say(self, "%s", wrong);
    return may_pass(name) ? GH_STORE_DOWN : GH_SETTINGS_INVALID;
}

static enum gh_reason check_info(struct gh_redis *self, gh_str info)
{
    gh_str version = gh_redis_info(info, "redis_version");
    uint64_t major;
    if (!gh_str_to_u64(gh_str_take(version, gh_str_find(version, '.')), &major) || major < VERSION_LEAST) {
        gh_redis_say(self, "the server is Redis %.*s: at least %d is needed",
                     GH_STR_FMT(gh_str_take(version, 32)), VERSION_LEAST);
        return GH_SETTINGS_INVALID;
    }
    for (size_t i = 0; i < GH_ARRAY_LEN(demands); i++)
        if (!gh_str_eq(gh_redis_info(info, demands[i].name), gh_str_from(demands[i].value)))
            return refuse_server(self, demands[i].name, demands[i].wrong);
    return GH_OK;
}

/* Scripts take it for a pattern. */
static bool is_history(gh_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (memchr("0123456789abcdef", text.ptr[i], 16) == NULL)
            return false;
    return text.len == GH_REDIS_SHA;
}

static enum gh_reason check_server(struct gh_redis *self, gh_str *ret_history)
{
    const struct gh_reply *reply;
    const gh_str words[] = { GH_STR_INIT("INFO") };
    enum gh_reason reason = gh_redis_ask_one(self, (struct gh_strs){ words, 1 }, &reply);
    if (reason != GH_OK)
        return reason;
    if (reply->kind == GH_REPLY_ERROR && gh_str_starts(reply->text, GH_STR("NOAUTH")))
        return gh_redis_fail(self, "the server wants a password: store.password_file");
    if (reply->kind != GH_REPLY_TEXT)
        return gh_redis_refuse(self, reply);
    *ret_history = gh_redis_info(reply->text, "master_replid");
    reason = check_info(self, reply->text);
    if (reason == GH_OK && !is_history(*ret_history))
        return gh_redis_fail(self, "the server does not say which history it has");
    return reason == GH_OK && gh_redis_is_contested(self, *ret_history)
               ? gh_redis_check_replicas(self, reply->text)
               : reason;
}

/* Only a server that lets us ask: the user that operations.md makes has no right to CONFIG. */
static enum gh_reason check_durability(struct gh_redis *self)
{
    const struct gh_reply *reply;
    const gh_str words[] = { GH_STR_INIT("CONFIG"), GH_STR_INIT("GET"), GH_STR_INIT("appendfsync") };
    enum gh_reason reason = gh_redis_ask_one(self, (struct gh_strs){ words, 3 }, &reply);
    if (reason != GH_OK || reply->kind != GH_REPLY_ARRAY || reply->count != 2 ||
        reply->at[1]->kind != GH_REPLY_TEXT || gh_reply_is_text(reply->at[1], GH_STR("always")))
        return reason;
    gh_redis_say(self, "the server acknowledges what a power loss can take: set appendfsync always");
    return GH_SETTINGS_INVALID;
}

/* ---- which store it holds ---- */

static void make_id(char id[GH_REDIS_ID_LEN + 1])
{
    unsigned char bytes[GH_REDIS_ID_LEN / 2];
    gh_random_fill(bytes, sizeof(bytes));
    for (size_t i = 0; i < sizeof(bytes); i++)
        (void)snprintf(id + 2 * i, 3, "%02x", bytes[i]);
}

/* Its id, its sequence, and up to where it has what we saw before. */
static enum gh_reason take_store(struct gh_redis *self, const struct gh_reply *reply, gh_str history)
{
    int64_t sequence, base;
    if (gh_reply_is_text(reply, GH_STR("other")))
        return gh_redis_other(self);
    if (gh_reply_is_text(reply, GH_STR("moved")))
        return gh_redis_moved(self);
    if (gh_reply_is_text(reply, GH_STR("back")))
        return gh_redis_lacks(self);
    if (reply->kind != GH_REPLY_ARRAY || reply->count != 3 || reply->at[0]->kind != GH_REPLY_TEXT ||
        reply->at[0]->text.len != GH_REDIS_ID_LEN || !gh_reply_number(reply->at[1], &sequence) ||
        !gh_reply_number(reply->at[2], &base) || sequence <= 0 || base <= 0)
        return gh_redis_refuse(self, reply);
    memcpy(self->id, reply->at[0]->text.ptr, GH_REDIS_ID_LEN);
    (void)snprintf(self->called, sizeof(self->called), "%s%.*s", self->id, GH_STR_FMT(history));
    return gh_redis_go_over(self, history, (uint64_t)base, (uint64_t)sequence);
}

static enum gh_reason set_up(struct gh_redis *self, gh_str history)
{
    char fresh[GH_REDIS_ID_LEN + 1];
    const struct gh_reply *reply;
    gh_str words[GH_REDIS_CALL + 3];
    make_id(fresh);
    gh_redis_call(self, GH_REDIS_SET_UP, GH_STR("{gh}"), words);
    words[4] = gh_str_from(fresh);
    words[5] = gh_str_from(self->id);
    words[6] = history;
    words[7] = gh_str_from(self->history);
    enum gh_reason reason = gh_redis_ask_one(self, (struct gh_strs){ words, 8 }, &reply);
    return reason == GH_OK ? take_store(self, reply, history) : reason;
}
