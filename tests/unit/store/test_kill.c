/* kill -9 at any moment: every commit that was acknowledged is there afterwards, and none is there half. */
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "unit/store/world.h"

/* Chains of commits side by side, so that they share durable steps. */
#define CHAINS 6
#define ROUNDS 100

struct chain {
    unsigned number, value;
    uint64_t versions[2];
    int acks;
};

static gh_str key_of(const struct chain *chain, char half)
{
    return gh_arena_printf(world.arena, "chain/%u/%c", chain->number, half);
}

static void read_chain(struct chain *chain)
{
    for (size_t i = 0; i < 2; i++) {
        const struct gh_stored_row row = row_of(key_of(chain, (char)('a' + (int)i)).ptr);
        unsigned value = row.value.ptr != NULL ? (unsigned)atoi(row.value.ptr) : 0;
        assert_true(i == 0 || value == chain->value);
        chain->value = value;
        chain->versions[i] = row.version;
    }
}

/* ---- the process that is killed ---- */

static void go_on(void *ctx, const struct gh_store_answer *answer);

static void commit_next(struct chain *chain)
{
    struct gh_effects effects = { 0 };
    gh_str value = gh_arena_printf(world.arena, "%u", chain->value + 1);
    for (size_t i = 0; i < 2; i++) {
        gh_str key = key_of(chain, (char)('a' + (int)i));
        if (gh_effects_expect(&effects, key, chain->versions[i]) != GH_OK ||
            gh_effects_write(&effects, key, value, 0) != GH_OK)
            _exit(3);
    }
    if (gh_store_commit(world.client, GH_STR("acme"), &effects, NOW, go_on, chain) == NULL)
        _exit(4);
}

static void took_versions(void *ctx, const struct gh_store_answer *answer)
{
    struct chain *chain = ctx;
    if (answer->reason != GH_OK)
        _exit(5);
    for (size_t i = 0; i < 2; i++)
        chain->versions[i] = answer->rows.at[i].version;
    commit_next(chain);
}

/* Acknowledged: said to the parent before anything else. */
static void go_on(void *ctx, const struct gh_store_answer *answer)
{
    struct chain *chain = ctx;
    if (answer->reason != GH_OK)
        _exit(6);
    chain->value++;
    const unsigned ack[2] = { chain->number, chain->value };
    if (write(chain->acks, ack, sizeof(ack)) != (ssize_t)sizeof(ack))
        _exit(7);
    const gh_str keys[] = { key_of(chain, 'a'), key_of(chain, 'b') };
    if (gh_store_read(world.client, GH_STR("acme"), (struct gh_strs){ keys, 2 }, NOW, took_versions, chain) ==
        NULL)
        _exit(8);
}

static void run_victim(int acks)
{
    static struct chain chains[CHAINS];
    open_store();
    for (unsigned i = 0; i < CHAINS; i++) {
        chains[i] = (struct chain){ .number = i, .acks = acks };
        read_chain(&chains[i]);
    }
    for (unsigned i = 0; i < CHAINS; i++)
        commit_next(&chains[i]);
    for (;;)
        gh_loop_turn(world.loop, 1000);
}

/* ---- the one who kills it, and looks ---- */

/* Reads acknowledgements, kills after so many, reads the rest; `acknowledged` holds the last of each chain.
 */
static void kill_after(unsigned wanted, unsigned acknowledged[CHAINS])
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    pid_t victim = fork();
    if (victim == 0)
        run_victim(fds[1]);
    assert_true(victim > 0);
    (void)close(fds[1]);
    unsigned ack[2];
    for (unsigned seen = 0; read(fds[0], ack, sizeof(ack)) == (ssize_t)sizeof(ack);) {
        assert_true(ack[0] < CHAINS && ack[1] == acknowledged[ack[0]] + 1);
        acknowledged[ack[0]] = ack[1];
        if (++seen == wanted)
            assert_int_equal(kill(victim, SIGKILL), 0);
    }
    int status;
    assert_int_equal(waitpid(victim, &status, 0), victim);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    (void)close(fds[0]);
}

static void acknowledged_commits_survive_kill_9(void **state)
{
    (void)state;
    unsigned acknowledged[CHAINS] = { 0 };
    close_store(); /* the child makes the file and its own threads */
    assert_int_equal(unlink(world.path), 0);
    for (unsigned round = 0; round < ROUNDS; round++) {
        kill_after(1 + round * 7 % 23, acknowledged);
        open_store();
        for (unsigned i = 0; i < CHAINS; i++) {
            struct chain chain = { .number = i };
            read_chain(&chain); /* both halves agree */
            assert_true(chain.value == acknowledged[i] || chain.value == acknowledged[i] + 1);
            acknowledged[i] = chain.value;
        }
        close_store();
    }
    open_store();
}

int main(void)
{
    const struct CMUnitTest tests[] = { CASE(acknowledged_commits_survive_kill_9) };
    return cmocka_run_group_tests_name("kill", tests, NULL, NULL);
}
