/* store/store_redis.c: the Redis driver: opened, closed, and its table. */
#include <stdlib.h>

#include "base/str.h"
#include "store/store_redis.h"

static void close_all(void *ctx)
{
    struct gh_redis *self = ctx;
    if (self->scout != NULL)
        close_all(self->scout);
    gh_redis_drop(self);
    gh_redis_forget_kept(self);
    gh_tls_context_unref(self->tls);
    gh_arena_free(self->arena);
    gh_arena_free(self->kept);
    free(self);
}

static gh_str keep(struct gh_redis *self, gh_str text)
{
    return text.len > 0 ? gh_arena_dup(self->kept, text) : GH_STR("");
}

static enum gh_reason keep_settings(struct gh_redis *self, const struct gh_store_conf *conf)
{
    const char *allowed;
    gh_str url = gh_arena_dup(self->kept, conf->url);
    self->password_file = keep(self, conf->password_file);
    self->sentinel_password_file = keep(self, conf->sentinel_password_file);
    self->timeout_ms = conf->timeout_ms;
    self->replicas = conf->replicas;
    self->replica_wait_ms = conf->replica_wait_ms;
    if (url.ptr == NULL || self->password_file.ptr == NULL || self->sentinel_password_file.ptr == NULL)
        return GH_OUT_OF_MEMORY;
    enum gh_reason reason = gh_redis_place_read(self->kept, url, &self->place, &allowed);
    if (reason == GH_SETTINGS_INVALID)
        gh_redis_say(self, "no address of a Redis server; allowed: %s", allowed);
    return reason;
}

/* Read once: the files may be out of reach later. */
static enum gh_reason read_tls(struct gh_redis *self, const struct gh_store_conf *conf)
{
    char *why = NULL;
    if (!self->place.tls)
        return GH_OK;
    enum gh_reason reason = gh_store_tls(conf, &self->tls, &why);
    if (reason != GH_OK)
        gh_redis_say(self, "%s", why != NULL ? why : "out of memory");
    free(why);
    return reason;
}

/* With a connection of its own, and nothing else. */
static enum gh_reason make_scout(struct gh_redis *self)
{
    struct gh_redis *scout = self->scout = gh_calloc(1, sizeof(*scout));
    if (scout == NULL)
        return GH_OUT_OF_MEMORY;
    scout->wire.fd = -1;
    scout->arena = gh_arena_new(0);
    scout->place = self->place;
    scout->sentinel_password_file = self->sentinel_password_file;
    scout->tls = self->tls != NULL ? gh_tls_context_ref(self->tls) : NULL;
    return scout->arena != NULL ? GH_OK : GH_OUT_OF_MEMORY;
}

static enum gh_reason open_first(struct gh_redis *self, const struct gh_store_conf *conf)
{
    self->wire.fd = -1;
    self->arena = gh_arena_new(0);
    self->kept = gh_arena_new(0);
    if (self->arena == NULL || self->kept == NULL)
        return GH_OUT_OF_MEMORY;
    enum gh_reason reason = keep_settings(self, conf);
    if (reason == GH_OK)
        reason = read_tls(self, conf);
    if (reason == GH_OK && self->place.sentinel_count > 0)
        reason = make_scout(self);
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
    .warning = gh_redis_warning,
};
