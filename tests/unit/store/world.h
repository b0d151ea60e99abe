/* unit/store/world.h: a store in a folder of its own, a loop that its answers come to, and calls that wait.
 */
#ifndef GH_TEST_STORE_WORLD_H
#define GH_TEST_STORE_WORLD_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "support/cm.h"

#include "base/arena.h"
#include "store/store.h"
#include "unit/store/server.h"

/* Far from the real time, by which the store sweeps. */
#define NOW 4000000000

struct world {
    char folder[64], path[96], url[160];
    struct gh_loop *loop;
    struct gh_mailbox *mailbox;
    struct gh_arena *arena; /* of answers */
    struct gh_store *store;
    struct gh_store_client *client;
    struct gh_store_conf conf;
    struct server server; /* where STORE=redis asks for it; pid 0: SQLite */
};

static struct world world;

static inline struct gh_store *open_another(void)
{
    struct gh_store *store = NULL;
    char *why = NULL;
    enum gh_reason reason = gh_store_open(&world.conf, &store, &why);
    if (reason != GH_OK)
        fail_msg("the store did not open: %s", why != NULL ? why : gh_reason_row(reason)->slug);
    assert_true(gh_store_start(store));
    return store;
}

static inline void open_store(void)
{
    world.store = open_another();
    world.client = gh_store_client_new(world.store, world.mailbox);
    assert_non_null(world.client);
}

static inline void close_store(void)
{
    gh_store_client_free(world.client);
    gh_store_close(world.store);
    world.client = NULL;
    world.store = NULL;
}

static inline int make_world(void)
{
    world = (struct world){ .folder = "/tmp/gatehouse-store-XXXXXX" };
    assert_non_null(mkdtemp(world.folder));
    (void)snprintf(world.path, sizeof(world.path), "%s/store.db", world.folder);
    (void)snprintf(world.url, sizeof(world.url), "sqlite:%s", world.path);
    if (uses_redis()) {
        start_server(&world.server, world.folder);
        (void)snprintf(world.url, sizeof(world.url), "redis+unix://%s", world.server.socket);
    }
    world.conf = (struct gh_store_conf){ .url = gh_str_from(world.url),
                                         .queue_max = 1024,
                                         .busy_ms = 10000, /* a disk may take its time */
                                         .sweep_s = 3600,
                                         .log_poll_ms = 5,
                                         .timeout_ms = 10000,
                                         .replica_wait_ms = 100 };
    world.loop = gh_loop_new();
    world.mailbox = gh_mailbox_new(world.loop, &world);
    world.arena = gh_arena_new(0);
    return 0;
}

static inline int set_up(void **state)
{
    (void)state;
    (void)make_world();
    open_store();
    return 0;
}

static inline int tear_down(void **state)
{
    static const char *const suffixes[] = { "", "-wal", "-shm" };
    (void)state;
    close_store();
    gh_mailbox_free(world.mailbox);
    gh_loop_free(world.loop);
    gh_arena_free(world.arena);
    end_server(&world.server);
    for (size_t i = 0; i < 3; i++) {
        char name[112];
        (void)snprintf(name, sizeof(name), "%s%s", world.path, suffixes[i]);
        (void)unlink(name);
    }
    return rmdir(world.folder);
}

/* Turns until the condition holds; a hanging store ends the test by its own time limit. */
#define TURN_UNTIL(condition)                                                                                \
    while (!(condition))                                                                                     \
    gh_loop_turn(world.loop, 1000)

/* ---- calls that wait; rows of the answer are copied to world.arena ---- */

struct answer {
    unsigned came;
    struct gh_store_answer answer;
};

static inline void keep_answer(void *ctx, const struct gh_store_answer *answer)
{
    struct answer *kept = ctx;
    struct gh_stored_row *rows = gh_arena_calloc(world.arena, answer->rows.count, sizeof(*rows));
    for (size_t i = 0; i < answer->rows.count; i++) {
        rows[i] = answer->rows.at[i];
        rows[i].key = gh_arena_dup(world.arena, rows[i].key);
        if (rows[i].value.ptr != NULL)
            rows[i].value = gh_arena_dup(world.arena, rows[i].value);
    }
    kept->answer = *answer;
    kept->answer.rows.at = rows;
    kept->came++;
}

static inline struct gh_store_answer await(struct answer *kept, struct gh_store_call *call)
{
    assert_non_null(call);
    assert_int_equal(kept->came, 0); /* never inside the call */
    TURN_UNTIL(kept->came > 0);
    assert_int_equal(kept->came, 1);
    return kept->answer;
}

static inline struct gh_store_answer read_at(const char *tenant, const char *key, int64_t now)
{
    struct answer kept = { 0 };
    const gh_str keys[] = { gh_str_from(key) };
    return await(&kept, gh_store_read(world.client, gh_str_from(tenant), (struct gh_strs){ keys, 1 }, now,
                                      keep_answer, &kept));
}

static inline struct gh_stored_row row_of(const char *key)
{
    struct gh_store_answer answer = read_at("acme", key, NOW);
    assert_int_equal(answer.reason, GH_OK);
    assert_int_equal(answer.rows.count, 1);
    return answer.rows.at[0];
}

static inline struct gh_store_answer commit_as(const char *tenant, const struct gh_effects *effects,
                                               int64_t now)
{
    struct answer kept = { 0 };
    return await(&kept, gh_store_commit(world.client, gh_str_from(tenant), effects, now, keep_answer, &kept));
}

static inline enum gh_reason commit(const struct gh_effects *effects)
{
    return commit_as("acme", effects, NOW).reason;
}

/* One row, expected at a version; UINT64_MAX: at any. */
static inline enum gh_reason put(const char *key, const char *value, uint64_t version)
{
    struct gh_effects effects = { 0 };
    if (version != UINT64_MAX)
        assert_int_equal(gh_effects_expect(&effects, gh_str_from(key), version), GH_OK);
    assert_int_equal(gh_effects_write(&effects, gh_str_from(key), gh_str_from(value), 0), GH_OK);
    return commit(&effects);
}

static inline struct gh_revocation revocation_of(const char *id)
{
    return (struct gh_revocation){ .level = GH_REVOKED_GRANT,
                                   .tenant = GH_STR("acme"),
                                   .issuer_name = GH_STR("house"),
                                   .id = gh_str_from(id),
                                   .epoch = GH_REVOKED_ALWAYS,
                                   .until = GH_REVOKED_ALWAYS };
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
