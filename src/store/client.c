/* store/client.c: one thread's side of the store: calls are copied, queued, answered by letter. */
#include <stdlib.h>

#include "base/str.h"
#include "store/store_private.h"

struct gh_store_client {
    struct gh_store *store;
    struct gh_mailbox *mailbox;
    struct gh_list calls; /* under way */
};

static void submit(struct gh_store_client *client, struct gh_store_call *call);

/* ---- clients ---- */

struct gh_store_client *gh_store_client_new(struct gh_store *store, struct gh_mailbox *mailbox)
{
    struct gh_store_client *client = gh_calloc(1, sizeof(*client));
    if (client == NULL)
        return NULL;
    client->store = store;
    client->mailbox = mailbox;
    gh_list_init(&client->calls);
    return client;
}

void gh_store_client_free(struct gh_store_client *client)
{
    if (client == NULL)
        return;
    pthread_mutex_lock(&client->store->lock);
    GH_LIST_EACH_SAFE (node, &client->calls) {
        struct gh_store_call *call = GH_LIST_ENTRY(node, struct gh_store_call, link);
        gh_list_remove(&call->link);
        call->done = NULL;
        call->orphaned = true;
    }
    pthread_mutex_unlock(&client->store->lock);
    free(client);
}

/* ---- the life of a call ---- */

void gh_store_call_free(struct gh_store_call *call)
{
    gh_arena_free(call->arena);
    free(call);
}

static void open_answer(struct gh_letter *letter, void *owner)
{
    struct gh_store_call *call = (struct gh_store_call *)letter;
    gh_list_remove(&call->link);
    if (call->done != NULL)
        call->done(call->ctx, &call->answer);
    gh_store_call_free(call);
}

static void discard_answer(struct gh_letter *letter)
{
    struct gh_store_call *call = (struct gh_store_call *)letter;
    gh_list_remove(&call->link);
    gh_store_call_free(call);
}

void gh_store_cancel(struct gh_store_call *call)
{
    call->done = NULL;
}

static struct gh_store_call *new_call(struct gh_store_client *client, enum gh_store_kind kind, gh_str tenant,
                                      int64_t now)
{
    struct gh_store_call *call = gh_calloc(1, sizeof(*call));
    if (call == NULL)
        return NULL;
    call->letter = (struct gh_letter){ .open = open_answer, .discard = discard_answer };
    gh_list_init(&call->link);
    call->mailbox = client->mailbox;
    call->kind = kind;
    call->now = now;
    call->arena = gh_arena_new(0);
    if (call->arena != NULL)
        call->tenant = gh_arena_dup(call->arena, tenant);
    if (call->tenant.ptr != NULL)
        return call;
    gh_store_call_free(call);
    return NULL;
}

static void submit(struct gh_store_client *client, struct gh_store_call *call)
{
    struct gh_store *store = client->store;
    gh_list_append(&client->calls, &call->link);
    pthread_mutex_lock(&store->lock);
    bool room = (int64_t)store->queued < store->conf.queue_max;
    if (room) {
        *store->last = call;
        store->last = &call->next;
        store->queued++;
        pthread_cond_signal(&store->more);
    }
    pthread_mutex_unlock(&store->lock);
    if (room)
        return;
    call->answer.reason = GH_OVERLOADED;
    gh_mailbox_post(call->mailbox, &call->letter);
}

/* What could not be copied is given back; the rest goes on its way. */
static struct gh_store_call *send(struct gh_store_client *client, struct gh_store_call *call, bool copied,
                                  gh_store_done done, void *ctx)
{
    if (!copied) {
        gh_store_call_free(call);
        return NULL;
    }
    call->done = done;
    call->ctx = ctx;
    submit(client, call);
    return call;
}

/* ---- reads and lists ---- */

static bool copy_keys(struct gh_store_call *call, struct gh_strs keys)
{
    gh_str *at = gh_arena_calloc(call->arena, keys.count, sizeof(*at));
    bool ok = at != NULL;
    for (size_t i = 0; ok && i < keys.count; i++) {
        at[i] = gh_arena_dup(call->arena, keys.at[i]);
        ok = at[i].ptr != NULL;
    }
    call->keys = (struct gh_strs){ at, keys.count };
    return ok;
}

struct gh_store_call *gh_store_read(struct gh_store_client *client, gh_str tenant, struct gh_strs keys,
                                    int64_t now, gh_store_done done, void *ctx)
{
    struct gh_store_call *call = new_call(client, GH_STORE_READ, tenant, now);
    return call != NULL ? send(client, call, copy_keys(call, keys), done, ctx) : NULL;
}

struct gh_store_call *gh_store_list(struct gh_store_client *client, gh_str tenant, gh_str prefix,
                                    gh_str after, size_t limit, int64_t now, gh_store_done done, void *ctx)
{
    struct gh_store_call *call = new_call(client, GH_STORE_LIST, tenant, now);
    if (call == NULL)
        return NULL;
    call->prefix = gh_arena_dup(call->arena, prefix);
    call->after = gh_arena_dup(call->arena, after);
    call->limit = limit;
    return send(client, call, call->prefix.ptr != NULL && call->after.ptr != NULL, done, ctx);
}

/* ---- takes ---- */

struct gh_store_call *gh_store_take(struct gh_store_client *client, gh_str tenant, gh_str key,
                                    const struct gh_rate_ask *ask, gh_store_done done, void *ctx)
{
    struct gh_store_call *call = new_call(client, GH_STORE_TAKE, tenant, 0);
    if (call == NULL)
        return NULL;
    call->key = gh_arena_dup(call->arena, key);
    call->ask = *ask;
    return send(client, call, call->key.ptr != NULL, done, ctx);
}

/* ---- commits ---- */

static bool copy_preconditions(struct gh_store_call *call, const struct gh_effects *effects)
{
    struct gh_precondition *at = gh_arena_calloc(call->arena, effects->precondition_count, sizeof(*at));
    bool ok = at != NULL;
    for (size_t i = 0; ok && i < effects->precondition_count; i++) {
        at[i] = effects->preconditions[i];
        at[i].key = gh_arena_dup(call->arena, at[i].key);
        ok = at[i].key.ptr != NULL;
    }
    call->preconditions = at;
    call->precondition_count = effects->precondition_count;
    return ok;
}

static bool copy_writes(struct gh_store_call *call, const struct gh_effects *effects)
{
    struct gh_write *at = gh_arena_calloc(call->arena, effects->write_count, sizeof(*at));
    bool ok = at != NULL;
    for (size_t i = 0; ok && i < effects->write_count; i++) {
        bool deletes = effects->writes[i].value.ptr == NULL;
        at[i] = effects->writes[i];
        at[i].key = gh_arena_dup(call->arena, at[i].key);
        at[i].value = deletes ? GH_STR_NONE : gh_arena_dup(call->arena, at[i].value);
        ok = at[i].key.ptr != NULL && (deletes || at[i].value.ptr != NULL);
    }
    call->writes = at;
    call->write_count = effects->write_count;
    return ok;
}

static bool copy_revocations(struct gh_store_call *call, const struct gh_effects *effects)
{
    struct gh_log_line *at = gh_arena_calloc(call->arena, effects->revocation_count, sizeof(*at));
    bool ok = at != NULL;
    for (size_t i = 0; ok && i < effects->revocation_count; i++) {
        at[i].until = effects->revocations[i].until;
        at[i].line = gh_revocation_write(call->arena, &effects->revocations[i]);
        ok = at[i].line.ptr != NULL;
    }
    call->lines = at;
    call->line_count = effects->revocation_count;
    return ok;
}

struct gh_store_call *gh_store_commit(struct gh_store_client *client, gh_str tenant,
                                      const struct gh_effects *effects, int64_t now, gh_store_done done,
                                      void *ctx)
{
    struct gh_store_call *call = new_call(client, GH_STORE_COMMIT, tenant, now);
    if (call == NULL)
        return NULL;
    bool copied =
        copy_preconditions(call, effects) && copy_writes(call, effects) && copy_revocations(call, effects);
    return send(client, call, copied, done, ctx);
}
