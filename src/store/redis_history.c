/* store/redis_history.c: what the server must still have, whoever took its place (threats.md X3, X6).
 *
 * A server's history (its replication id) is another one after a restart, and after another server took over.
 * The store keeps all that it had, and with each the sequence that it began at; with the first script of a
 * new one the sequence leaps, so that nothing is counted twice. Who knew the history before learns from that
 * list up to where the new one goes on with it:
 *
 *      history 1        |<- base        history 2
 *   ... 100 ... 105 106 |           1048682 1048683 ...
 *          sure   told  seen
 *
 * What is `sure` was acknowledged, and must be there: where it is not, the server has forgotten, and the
 * store is down until one comes that has it. What was told behind the base was acknowledged to nobody, but is
 * known here to be revoked: it is appended again, for those who were not told. Another id (emptied, another
 * database), or a sequence that falls while a history goes on, is no store that we know. */
#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"
#include "store/store_redis.h"

/* So many revocations may be in the air when a server is lost: fifteen a second for five minutes. */
#define KEPT_MAX 4096

struct gh_redis_kept {
    struct gh_log_line at[KEPT_MAX]; /* a ring; lines are of the heap */
    size_t first, count;
};

/* ---- what is known of the server ---- */

enum gh_reason gh_redis_other(struct gh_redis *self)
{
    return gh_redis_fail(self,
                         self->id[0] != '\0'
                             ? "the server does not hold the store that was opened: emptied, or another "
                               "database; what was revoked there is gone with it: restore it, or restart "
                               "every gateway to begin anew"
                             : "the database holds a part of a store: restore it, or empty it");
}

/* Others may append in between, so that the sequence alone would not tell later. */
enum gh_reason gh_redis_went_back(struct gh_redis *self)
{
    self->lost = true;
    return gh_redis_fail(self, "the server has forgotten what it had acknowledged, under our eyes: restore "
                               "it, then restart every gateway");
}

enum gh_reason gh_redis_moved(struct gh_redis *self)
{
    return gh_redis_fail(self, "the server has begun another history");
}

enum gh_reason gh_redis_lacks(struct gh_redis *self)
{
    return gh_redis_fail(self, "the server lacks what had been acknowledged (an old replica, a cut journal): "
                               "bring back what has it, or restart every gateway to go on without");
}

enum gh_reason gh_redis_see(struct gh_redis *self, uint64_t sequence)
{
    if (sequence < self->seen)
        return gh_redis_went_back(self);
    self->seen = sequence;
    if (self->replicas == 0) /* what is read is on its disk, and nobody takes over */
        gh_redis_be_sure(self, sequence);
    return GH_OK;
}

void gh_redis_be_sure(struct gh_redis *self, uint64_t sequence)
{
    if (sequence > self->sure)
        self->sure = sequence;
}

/* ---- what was told of late ---- */

/* Before an entry that cannot be read the same lines come again and again. */
enum gh_reason gh_redis_keep(struct gh_redis *self, const struct gh_log_line *line)
{
    if (self->kept_lines == NULL)
        self->kept_lines = gh_calloc(1, sizeof(*self->kept_lines));
    struct gh_redis_kept *kept = self->kept_lines;
    if (kept != NULL && kept->count > 0 &&
        line->position <= kept->at[(kept->first + kept->count - 1) % KEPT_MAX].position)
        return GH_OK;
    char *text = kept != NULL ? gh_str_to_heap(line->line) : NULL;
    if (text == NULL)
        return GH_OUT_OF_MEMORY;
    if (kept->count == KEPT_MAX) {
        free((char *)(uintptr_t)kept->at[kept->first].line.ptr);
        kept->first = (kept->first + 1) % KEPT_MAX;
        kept->count--;
    }
    struct gh_log_line *copy = &kept->at[(kept->first + kept->count++) % KEPT_MAX];
    *copy = *line;
    copy->line = gh_str_of(text, line->line.len);
    return GH_OK;
}

void gh_redis_forget_kept(struct gh_redis *self)
{
    struct gh_redis_kept *kept = self->kept_lines;
    for (size_t i = 0; kept != NULL && i < kept->count; i++)
        free((char *)(uintptr_t)kept->at[(kept->first + i) % KEPT_MAX].line.ptr);
    free(kept);
    self->kept_lines = NULL;
}

/* ---- another history ---- */

/* Those behind the base, in batches. */
static enum gh_reason append_again(struct gh_redis *self, uint64_t base)
{
    const struct gh_redis_kept *kept = self->kept_lines;
    struct gh_log_line lines[GH_LOG_BATCH];
    size_t count = 0;
    enum gh_reason reason = GH_OK;
    if (kept != NULL && kept->count == KEPT_MAX && kept->at[kept->first].position > base)
        return gh_redis_lacks(self); /* more than is known */
    for (size_t i = 0; reason == GH_OK && kept != NULL && i < kept->count; i++) {
        const struct gh_log_line *line = &kept->at[(kept->first + i) % KEPT_MAX];
        if (line->position > base)
            lines[count++] = *line;
        if (count == GH_LOG_BATCH) {
            reason = gh_redis_append(self, lines, count);
            count = 0;
        }
    }
    return reason == GH_OK && count > 0 ? gh_redis_append(self, lines, count) : reason;
}

bool gh_redis_is_contested(const struct gh_redis *self, gh_str history)
{
    bool goes_over = self->history[0] != '\0' && !gh_str_eq(history, gh_str_from(self->history));
    return self->replicas > 0 && (goes_over || self->place.sentinel_count > 0);
}

/* A history that no replica has dies with the server, and the next one would not know it. */
enum gh_reason gh_redis_go_over(struct gh_redis *self, gh_str history, uint64_t base, uint64_t sequence)
{
    bool is_other = self->history[0] != '\0' && !gh_str_eq(history, gh_str_from(self->history));
    if (is_other && base < self->sure)
        return gh_redis_lacks(self);
    enum gh_reason reason = gh_redis_see(self, sequence);
    if (reason == GH_OK && is_other)
        reason = append_again(self, base);
    if (reason == GH_OK && gh_redis_is_contested(self, history))
        reason = gh_redis_confirm(self);
    if (reason == GH_OK)
        memcpy(self->history, history.ptr, history.len);
    return reason;
}

/* ---- a master that was left behind ---- */

/* Replicas report each second. A master whose replicas have been silent for longer may be cut off, and
 * another may have taken its place: what is revoked there does not come here. */
#define SILENT_S 2

static bool is_heard(gh_str replica)
{
    bool is_online = false, is_prompt = false;
    while (replica.ptr != NULL) {
        gh_str part = gh_str_cut(&replica, ',');
        uint64_t lag;
        is_online = is_online || gh_str_eq(part, GH_STR("state=online"));
        is_prompt = is_prompt || (gh_str_starts(part, GH_STR("lag=")) &&
                                  gh_str_to_u64(gh_str_skip(part, 4), &lag) && lag <= SILENT_S);
    }
    return is_online && is_prompt;
}

enum gh_reason gh_redis_check_replicas(struct gh_redis *self, gh_str info)
{
    int64_t heard = 0;
    char name[16];
    for (int i = 0; i < 100; i++) {
        (void)snprintf(name, sizeof(name), "slave%d", i);
        gh_str replica = gh_redis_info(info, name);
        if (replica.ptr == NULL)
            break;
        heard += is_heard(replica);
    }
    if (heard >= self->replicas)
        return GH_OK;
    return gh_redis_fail(self,
                         "the server hears %lld of its replicas, not the %lld of store.replicas: another may "
                         "have taken its place",
                         (long long)heard, (long long)self->replicas);
}
