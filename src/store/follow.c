/* store/follow.c: tells the follower what the log holds: the past, what this process appends, what others do.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/str.h"
#include "store/store_private.h"

/* Letters on their way to a follower that is slower than the store; then it waits, not the memory. */
#define UNOPENED_MAX 4u
/* As often is a quiet follower told that nothing has happened. */
#define QUIET_MS 200
/* That long without a failure is health. */
#define WELL_MS 10000
/* A failure for another reason is told too, no more often. */
#define WORDS_MS 1000

struct news {
    struct gh_letter letter; /* first */
    struct gh_store *store;
    struct gh_arena *arena; /* of the lines; NULL: none */
    struct gh_store_log_entry *entries;
    size_t count;
    bool caught_up;
    int64_t as_of_ms;
    bool trouble, warning;
    enum gh_reason reason;
    gh_str why; /* in the arena */
};

static enum gh_reason tell_new(struct gh_store *store, int64_t as_of_ms);
static void tell_caught_up(struct gh_store *store, int64_t as_of_ms);
static void tell_warning(struct gh_store *store);

void gh_store_follow(struct gh_store *store, struct gh_mailbox *mailbox,
                     const struct gh_store_follower *follower)
{
    pthread_mutex_lock(&store->lock);
    store->follow.mailbox = mailbox;
    store->follow.follower = *follower;
    store->follow.wanted = true;
    pthread_cond_signal(&store->more);
    pthread_mutex_unlock(&store->lock);
}

int64_t gh_follow_due_ms(const struct gh_store *store)
{
    const struct gh_follow *follow = &store->follow;
    if (!follow->on)
        return follow->wanted ? 0 : INT64_MAX;
    return follow->starved && follow->unopened < UNOPENED_MAX ? 0 : follow->look_at_ms;
}

/* ---- letters ---- */

static void news_free(struct news *news)
{
    gh_arena_free(news->arena);
    free(news);
}

/* On the follower's thread. The store's thread may be waiting for room. */
static void open_news(struct gh_letter *letter, void *owner)
{
    struct news *news = (struct news *)letter;
    struct gh_store *store = news->store;
    const struct gh_store_follower *follower = &store->follow.follower;
    for (size_t i = 0; i < news->count; i++)
        follower->entry(follower->ctx, &news->entries[i]);
    if (news->caught_up)
        follower->caught_up(follower->ctx, news->as_of_ms);
    if (news->trouble)
        follower->trouble(follower->ctx, news->reason, news->why);
    if (news->warning)
        follower->warning(follower->ctx, news->why);
    news_free(news);
    pthread_mutex_lock(&store->lock);
    if (store->follow.unopened-- == UNOPENED_MAX)
        pthread_cond_signal(&store->more);
    pthread_mutex_unlock(&store->lock);
}

/* The store is closed by now. */
static void discard_news(struct gh_letter *letter)
{
    news_free((struct news *)letter);
}

static struct news *new_news(struct gh_store *store)
{
    struct news *news = gh_calloc(1, sizeof(*news));
    if (news == NULL)
        return NULL;
    news->letter = (struct gh_letter){ .open = open_news, .discard = discard_news };
    news->store = store;
    news->arena = gh_arena_new(0);
    if (news->arena != NULL)
        return news;
    free(news);
    return NULL;
}

static void post(struct gh_store *store, struct news *news)
{
    pthread_mutex_lock(&store->lock);
    store->follow.unopened++;
    pthread_mutex_unlock(&store->lock);
    gh_mailbox_post(store->follow.mailbox, &news->letter);
}

static bool is_full(struct gh_store *store)
{
    pthread_mutex_lock(&store->lock);
    bool full = store->follow.unopened >= UNOPENED_MAX;
    pthread_mutex_unlock(&store->lock);
    return full;
}

/* ---- looking ---- */

static void begin(struct gh_store *store)
{
    pthread_mutex_lock(&store->lock);
    store->follow.on = store->follow.wanted;
    pthread_mutex_unlock(&store->lock);
    store->follow.behind = true; /* the past */
}

void gh_follow_turn(struct gh_store *store, int64_t now_ms)
{
    struct gh_follow *follow = &store->follow;
    if (!follow->on)
        begin(store);
    if (!follow->on || (now_ms < follow->look_at_ms && !follow->starved))
        return;
    bool changed = false;
    enum gh_reason reason = store->driver->look(store->self, &changed);
    gh_follow_outcome(store, reason, now_ms);
    follow->behind = follow->behind || changed;
    follow->look_at_ms = now_ms + store->conf.log_poll_ms;
    if (reason != GH_OK)
        return;
    tell_warning(store);
    if (follow->behind)
        (void)tell_new(store, now_ms);
    else if (now_ms >= follow->told_at_ms + QUIET_MS)
        tell_caught_up(store, now_ms);
}

bool gh_follow_appended(struct gh_store *store, int64_t now_ms)
{
    if (!store->follow.on)
        return true;
    store->follow.behind = true;
    return tell_new(store, now_ms) == GH_OK;
}

/* An entry that cannot be read stays unread, and with it all behind it: who follows then knows less and less
 * for certain, and fails closed. */
static enum gh_reason read_entries(struct news *news, const struct gh_log_batch *batch)
{
    enum gh_reason reason = GH_OK;
    news->entries = gh_arena_calloc(news->arena, batch->count, sizeof(*news->entries));
    if (news->entries == NULL)
        return GH_OUT_OF_MEMORY;
    for (size_t i = 0; i < batch->count; i++) {
        struct gh_store_log_entry *entry = &news->entries[i];
        reason = gh_revocation_read(batch->at[i].line, &entry->revocation);
        if (reason != GH_OK)
            return reason;
        entry->position = batch->at[i].position;
        entry->appended_ms = batch->at[i].appended_ms;
        news->count++;
    }
    return GH_OK;
}

/* One letter; *ret_whole: it tells of the end of the log. */
static enum gh_reason tell_batch(struct gh_store *store, int64_t as_of_ms, bool *ret_whole)
{
    struct gh_log_batch batch;
    struct news *news = new_news(store);
    if (news == NULL)
        return GH_OUT_OF_MEMORY;
    enum gh_reason reason = store->driver->tail(store->self, store->follow.position, news->arena, &batch);
    if (reason == GH_OK)
        reason = read_entries(news, &batch);
    *ret_whole = reason == GH_OK && batch.count < GH_LOG_BATCH;
    news->caught_up = *ret_whole;
    news->as_of_ms = as_of_ms;
    if (news->count == 0 && !news->caught_up) {
        news_free(news);
        return reason;
    }
    if (news->count > 0)
        store->follow.position = news->entries[news->count - 1].position;
    post(store, news);
    return reason;
}

/* Until the follower knows all that had been appended at `as_of_ms`, or has enough to open for now. */
static enum gh_reason tell_new(struct gh_store *store, int64_t as_of_ms)
{
    struct gh_follow *follow = &store->follow;
    enum gh_reason reason = GH_OK;
    while (follow->behind && reason == GH_OK && !is_full(store)) {
        bool whole = false;
        reason = tell_batch(store, as_of_ms, &whole);
        follow->behind = !whole;
    }
    gh_follow_outcome(store, reason, as_of_ms);
    follow->starved = follow->behind && reason == GH_OK;
    if (!follow->behind)
        follow->told_at_ms = as_of_ms;
    return reason;
}

static void tell_caught_up(struct gh_store *store, int64_t as_of_ms)
{
    struct news *news = is_full(store) ? NULL : new_news(store);
    if (news == NULL)
        return;
    news->caught_up = true;
    news->as_of_ms = as_of_ms;
    store->follow.told_at_ms = as_of_ms;
    post(store, news);
}

/* ---- trouble ---- */

static void tell_warning(struct gh_store *store)
{
    const char *why = store->driver->warning != NULL ? store->driver->warning(store->self) : NULL;
    struct news *news = why != NULL ? new_news(store) : NULL;
    if (news == NULL)
        return;
    news->warning = true;
    news->why = gh_arena_dup(news->arena, gh_str_from(why));
    post(store, news);
}

static gh_str words_of(const struct gh_store *store, enum gh_reason reason)
{
    if (reason == GH_STORE_DOWN)
        return gh_str_from(store->driver->why(store->self));
    return gh_str_from(reason == GH_OK ? "" : gh_reason_row(reason)->slug);
}

static void tell_trouble(struct gh_store *store, enum gh_reason reason, int64_t now_ms)
{
    struct news *news = new_news(store);
    if (news == NULL)
        return;
    gh_str why = words_of(store, reason);
    news->trouble = true;
    news->reason = reason;
    news->why = gh_arena_dup(news->arena, why);
    store->follow.failing = reason != GH_OK;
    (void)snprintf(store->follow.words, sizeof(store->follow.words), "%.*s", GH_STR_FMT(why));
    store->follow.words_at_ms = now_ms;
    post(store, news);
}

/* What is wrong may change: "the connection was closed", then "it lacks what was acknowledged". */
static bool is_news(const struct gh_store *store, enum gh_reason reason, int64_t now_ms)
{
    const struct gh_follow *follow = &store->follow;
    return !follow->failing || (now_ms >= follow->words_at_ms + WORDS_MS &&
                                !gh_str_starts(words_of(store, reason), gh_str_from(follow->words)));
}

void gh_follow_outcome(struct gh_store *store, enum gh_reason reason, int64_t now_ms)
{
    struct gh_follow *follow = &store->follow;
    bool failed = reason == GH_STORE_DOWN || reason == GH_STORE_MALFORMED || reason == GH_OUT_OF_MEMORY;
    if (failed)
        follow->failed_at_ms = now_ms;
    if (!follow->on)
        return;
    if (failed && is_news(store, reason, now_ms))
        tell_trouble(store, reason, now_ms);
    else if (!failed && follow->failing && now_ms >= follow->failed_at_ms + WELL_MS)
        tell_trouble(store, GH_OK, now_ms);
}
