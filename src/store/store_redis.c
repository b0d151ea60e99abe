/* store/store_redis.c: the Redis driver: opened, closed, and its table. */
#include <stdlib.h>

#include "base/str.h"
#include "store/store_redis.h"

static void close_all(void *ctx)
{
    struct gh_redis *self = ctx;
    gh_redis_drop(self);
    gh_arena_free(self->arena);
    gh_arena_free(self->kept);
    free(self);
}

static enum gh_reason keep_settings(struct gh_redis *self, const struct gh_store_conf *conf)
{
    const char *allowed;
    gh_str url = gh_arena_dup(self->kept, conf->url);
    self->password_file =
        conf->password_file.len > 0 ? gh_arena_dup(self->kept, conf->password_file) : GH_STR("");
    self->timeout_ms = conf->timeout_ms;
    self->replicas = conf->replicas;
    self->replica_wait_ms = conf->replica_wait_ms;
    if (url.ptr == NULL || self->password_file.ptr == NULL)
        return GH_OUT_OF_MEMORY;
    enum gh_reason reason = gh_redis_place_read(self->kept, url, &self->place, &allowed);
    if (reason == GH_SETTINGS_INVALID)
        gh_redis_say(self, "no address of a Redis server; allowed: %s", allowed);
    return reason;
}

static enum gh_reason open_first(struct gh_redis *self, const struct gh_store_conf *conf)
{
    self->wire.fd = -1;
    self->arena = gh_arena_new(0);
    self->kept = gh_arena_new(0);
    if (self->arena == NULL || self->kept == NULL)
        return GH_OUT_OF_MEMORY;
    enum gh_reason reason = keep_settings(self, conf);
    return reason == GH_OK ? gh_redis_open(self) : reason;
}

static enum gh_reason open_all(const struct gh_store_conf *conf, void **ret_self, char **ret_why)
{
    struct gh_redis *self = gh_calloc(1, sizeof(*self));
    if (self == NULL)
        return GH_OUT_OF_MEMORY;
    enum gh_reason reason = open_first(self, conf);
    if (reason == GH_OK) {
        *ret_self = self;
        return GH_OK;
    }
    if (reason != GH_OUT_OF_MEMORY)
        *ret_why = strdup(self->why);
    close_all(self);
    return reason;
}

static void run_calls(void *ctx, struct gh_store_call *first)
{
    gh_redis_commit_all(ctx, first); /* first: who reads behind a commit sees it */
    gh_redis_read_all(ctx, first);
}

static const char *why(void *ctx)
{
    return ((const struct gh_redis *)ctx)->why;
}

const struct gh_store_driver gh_store_redis = {
    .open = open_all,
    .close = close_all,
    .run = run_calls,
    .look = gh_redis_look,
    .tail = gh_redis_tail,
    .sweep = gh_redis_sweep,
    .why = why,
};
