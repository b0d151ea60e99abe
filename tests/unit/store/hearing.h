/* unit/store/hearing.h: a follower that keeps what it hears, and a log to hear. */
#ifndef GH_TEST_STORE_HEARING_H
#define GH_TEST_STORE_HEARING_H

#include "unit/store/world.h"

#define HEARD_MAX 6000

struct heard {
    uint64_t positions[HEARD_MAX];
    char ids[HEARD_MAX][16];
    int64_t appended_ms;
    size_t count;
    unsigned caught_up, troubles;
    int64_t as_of_ms;
    enum gh_reason reason;
    char why[128];
};
static struct heard heard;

static inline void hear_entry(void *ctx, const struct gh_store_log_entry *entry)
{
    struct heard *to = ctx;
    assert_true(to->count < HEARD_MAX);
    assert_true(to->count == 0 || entry->position > to->positions[to->count - 1]);
    assert_int_equal(entry->revocation.level, GH_REVOKED_GRANT);
    (void)snprintf(to->ids[to->count], sizeof(to->ids[0]), "%.*s", GH_STR_FMT(entry->revocation.id));
    to->positions[to->count++] = entry->position;
    to->appended_ms = entry->appended_ms;
}

static inline void hear_all(void *ctx, int64_t as_of_ms)
{
    struct heard *to = ctx;
    assert_true(as_of_ms >= to->as_of_ms);
    to->as_of_ms = as_of_ms;
    to->caught_up++;
}

static inline void hear_trouble(void *ctx, enum gh_reason reason, gh_str why)
{
    struct heard *to = ctx;
    to->troubles++;
    to->reason = reason;
    (void)snprintf(to->why, sizeof(to->why), "%.*s", GH_STR_FMT(why));
}

static inline void follow(void)
{
    heard = (struct heard){ 0 };
    gh_store_follow(world.store, world.mailbox,
                    &(struct gh_store_follower){
                        .entry = hear_entry, .caught_up = hear_all, .trouble = hear_trouble, .ctx = &heard });
}

static inline struct gh_store_answer ask_to_append(const char *id)
{
    struct gh_effects effects = { 0 };
    struct gh_revocation revocation = revocation_of(id);
    assert_int_equal(gh_effects_revoke(&effects, &revocation), GH_OK);
    return commit_as("acme", &effects, NOW);
}

static inline uint64_t append(const char *id)
{
    struct gh_store_answer answer = ask_to_append(id);
    assert_int_equal(answer.reason, GH_OK);
    return answer.position;
}

#endif
