/* What every driver must keep: rows with versions, commits that happen whole or not at all, each judged by
 * itself, and answers that come once, from the loop, to whoever still waits. */
#include "unit/store/world.h"

/* ---- rows ---- */

static void what_is_written_is_read(void **state)
{
    (void)state;
    struct gh_stored_row row = row_of("code/1");
    assert_true(row.version == 0 && row.value.ptr == NULL);
    assert_int_equal(put("code/1", "{\"a\":1}", 0), GH_OK);
    row = row_of("code/1");
    assert_str_eq(row.key, "code/1");
    assert_str_eq(row.value, "{\"a\":1}");
    assert_int_equal(row.expires, 0);
    assert_int_not_equal(row.version, 0);
}

static void each_write_is_another_version(void **state)
{
    (void)state;
    uint64_t versions[4];
    for (size_t i = 0; i < 4; i++) {
        struct gh_effects effects = { 0 };
        assert_int_equal(put("code/1", "{}", UINT64_MAX), GH_OK);
        versions[i] = row_of("code/1").version;
        assert_int_equal(gh_effects_delete(&effects, GH_STR("code/1")), GH_OK);
        if (i % 2 == 0) /* a row that was deleted in between is another row */
            assert_int_equal(commit(&effects), GH_OK);
        for (size_t j = 0; j < i; j++)
            assert_int_not_equal(versions[j], versions[i]);
    }
}

static void rows_come_in_the_order_asked(void **state)
{
    (void)state;
    struct answer kept = { 0 };
    const gh_str keys[] = { GH_STR_INIT("b"), GH_STR_INIT("missing"), GH_STR_INIT("a"), GH_STR_INIT("b") };
    assert_int_equal(put("a", "A", 0), GH_OK);
    assert_int_equal(put("b", "B", 0), GH_OK);
    struct gh_store_answer answer =
        await(&kept, gh_store_read(world.client, GH_STR("acme"), (struct gh_strs){ keys, 4 }, NOW,
                                   keep_answer, &kept));
    assert_int_equal(answer.rows.count, 4);
    assert_str_eq(answer.rows.at[0].value, "B");
    assert_int_equal(answer.rows.at[1].version, 0);
    assert_str_eq(answer.rows.at[2].value, "A");
    assert_str_eq(answer.rows.at[3].value, "B");
}

static void tenants_do_not_see_each_other(void **state)
{
    (void)state;
    assert_int_equal(put("code/1", "{}", 0), GH_OK);
    assert_int_equal(read_at("evil", "code/1", NOW).rows.at[0].version, 0);
    assert_int_equal(read_at("acm", "ecode/1", NOW).rows.at[0].version, 0);
    struct gh_effects effects = { 0 };
    assert_int_equal(gh_effects_delete(&effects, GH_STR("code/1")), GH_OK);
    assert_int_equal(commit_as("evil", &effects, NOW).reason, GH_OK);
    assert_int_not_equal(row_of("code/1").version, 0);
}

/* threats.md X4: whatever stands in a key or value comes back, and touches nothing else. */
static void every_byte_is_safe(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 256; i++) {
        struct gh_effects effects = { 0 };
        const char bytes[] = { 'k', (char)i, '\'' };
        gh_str text = gh_str_of(bytes, sizeof(bytes));
        struct answer kept = { 0 };
        assert_int_equal(gh_effects_expect(&effects, text, 0), GH_OK);
        assert_int_equal(gh_effects_write(&effects, text, text, 0), GH_OK);
        assert_int_equal(commit(&effects), GH_OK);
        struct gh_store_answer answer =
            await(&kept, gh_store_read(world.client, GH_STR("acme"), (struct gh_strs){ &text, 1 }, NOW,
                                       keep_answer, &kept));
        assert_true(gh_str_eq(answer.rows.at[0].value, text));
    }
}

static void an_expired_row_is_absent(void **state)
{
    (void)state;
    struct gh_effects effects = { 0 };
    assert_int_equal(gh_effects_write(&effects, GH_STR("code/1"), GH_STR("{}"), NOW + 60), GH_OK);
    assert_int_equal(commit(&effects), GH_OK);
    uint64_t version = row_of("code/1").version;
    assert_int_not_equal(read_at("acme", "code/1", NOW + 59).rows.at[0].version, 0);
    assert_int_equal(read_at("acme", "code/1", NOW + 60).rows.at[0].version, 0);
    struct gh_effects consume = { 0 }, renew = { 0 };
    assert_int_equal(gh_effects_expect(&consume, GH_STR("code/1"), version), GH_OK);
    assert_int_equal(gh_effects_delete(&consume, GH_STR("code/1")), GH_OK);
    assert_int_equal(commit_as("acme", &consume, NOW + 60).reason,
                     GH_STORE_CONFLICT); /* reason: store_conflict */
    assert_int_equal(gh_effects_expect(&renew, GH_STR("code/1"), 0), GH_OK);
    assert_int_equal(gh_effects_write(&renew, GH_STR("code/1"), GH_STR("[]"), 0), GH_OK);
    assert_int_equal(commit_as("acme", &renew, NOW + 60).reason, GH_OK);
    assert_str_eq(row_of("code/1").value, "[]");
}

/* ---- lists ---- */

static struct gh_store_answer list(const char *prefix, const char *after, size_t limit, int64_t now)
{
    struct answer kept = { 0 };
    return await(&kept, gh_store_list(world.client, GH_STR("acme"), gh_str_from(prefix), gh_str_from(after),
                                      limit, now, keep_answer, &kept));
}

static void lists_are_in_order_and_go_on(void **state)
{
    (void)state;
    static const char *const keys[] = { "user/2", "user/1", "user/10", "uses/1", "use", "user", "user/3" };
    for (size_t i = 0; i < GH_ARRAY_LEN(keys); i++)
        assert_int_equal(put(keys[i], keys[i], 0), GH_OK);
    struct gh_store_answer page = list("user/", "", 3, NOW);
    assert_int_equal(page.rows.count, 3);
    assert_str_eq(page.rows.at[0].key, "user/1");
    assert_str_eq(page.rows.at[1].key, "user/10");
    assert_str_eq(page.rows.at[2].key, "user/2");
    assert_str_eq(page.rows.at[2].value, "user/2");
    page = list("user/", "user/2", 3, NOW);
    assert_int_equal(page.rows.count, 1);
    assert_str_eq(page.rows.at[0].key, "user/3");
    assert_int_equal(list("", "", 100, NOW).rows.count, GH_ARRAY_LEN(keys));
    assert_int_equal(list("nobody/", "", 100, NOW).rows.count, 0);
}

static void lists_leave_out_what_has_expired(void **state)
{
    (void)state;
    struct gh_effects effects = { 0 };
    assert_int_equal(gh_effects_write(&effects, GH_STR("user/1"), GH_STR("{}"), NOW + 1), GH_OK);
    assert_int_equal(gh_effects_write(&effects, GH_STR("user/2"), GH_STR("{}"), 0), GH_OK);
    assert_int_equal(commit(&effects), GH_OK);
    assert_int_equal(list("user/", "", 10, NOW).rows.count, 2);
    assert_int_equal(list("user/", "", 10, NOW + 1).rows.count, 1);
}

/* ---- commits ---- */

static void a_conflict_writes_nothing(void **state)
{
    (void)state;
    assert_int_equal(put("code/1", "{}", 0), GH_OK);
    uint64_t version = row_of("code/1").version;
    struct gh_effects effects = { 0 };
    struct gh_revocation revocation = revocation_of("grt_1");
    assert_int_equal(gh_effects_expect(&effects, GH_STR("code/1"), version), GH_OK);
    assert_int_equal(gh_effects_expect(&effects, GH_STR("code/2"), 7), GH_OK);
    assert_int_equal(gh_effects_delete(&effects, GH_STR("code/1")), GH_OK);
    assert_int_equal(gh_effects_write(&effects, GH_STR("code/3"), GH_STR("{}"), 0), GH_OK);
    assert_int_equal(gh_effects_revoke(&effects, &revocation), GH_OK);
    struct gh_store_answer answer = commit_as("acme", &effects, NOW);
    assert_int_equal(answer.reason, GH_STORE_CONFLICT);
    assert_int_equal(answer.position, 0);
    assert_int_equal(row_of("code/1").version, version);
    assert_int_equal(row_of("code/3").version, 0);
    assert_int_equal(put("code/1", "[]", version + 1), GH_STORE_CONFLICT);
    assert_int_equal(put("code/1", "[]", version), GH_OK);
}

static void an_empty_commit_is_no_fault(void **state)
{
    (void)state;
    struct gh_effects effects = { 0 };
    assert_int_equal(commit(&effects), GH_OK);
}

static void positions_grow(void **state)
{
    (void)state;
    uint64_t last = 0;
    for (unsigned i = 1; i <= 3; i++) {
        struct gh_effects effects = { 0 };
        struct gh_revocation revocation = revocation_of("grt_1");
        for (unsigned j = 0; j < i; j++)
            assert_int_equal(gh_effects_revoke(&effects, &revocation), GH_OK);
        struct gh_store_answer answer = commit_as("acme", &effects, NOW);
        assert_int_equal(answer.reason, GH_OK);
        assert_true(answer.position >= last + i);
        last = answer.position;
    }
}

/* threats.md A1: of many who want the same code, one gets it, whatever shares its durable step. */
#define RIVALS 200
static void one_of_many_rivals_wins(void **state)
{
    (void)state;
    struct answer kept[RIVALS] = { 0 };
    struct gh_effects effects = { 0 };
    assert_int_equal(put("code/1", "{}", 0), GH_OK);
    assert_int_equal(gh_effects_expect(&effects, GH_STR("code/1"), row_of("code/1").version), GH_OK);
    assert_int_equal(gh_effects_delete(&effects, GH_STR("code/1")), GH_OK);
    for (size_t i = 0; i < RIVALS; i++)
        assert_non_null(gh_store_commit(world.client, GH_STR("acme"), &effects, NOW, keep_answer, &kept[i]));
    unsigned won = 0;
    for (size_t i = 0; i < RIVALS; i++) {
        TURN_UNTIL(kept[i].came > 0);
        won += kept[i].answer.reason == GH_OK;
        assert_true(kept[i].answer.reason == GH_OK || kept[i].answer.reason == GH_STORE_CONFLICT);
    }
    assert_int_equal(won, 1);
}

/* Each of a chain expects what the one before wrote: in a group they see each other. */
static void a_conflict_in_a_group_is_its_own(void **state)
{
    (void)state;
    struct answer kept[90] = { 0 };
    for (size_t i = 0; i < 90; i++) {
        struct gh_effects effects = { 0 };
        gh_str key = gh_arena_printf(world.arena, "row/%zu", i / 3);
        if (i % 3 == 1) /* the second of three comes too late */
            assert_int_equal(gh_effects_expect(&effects, key, 0), GH_OK);
        assert_int_equal(gh_effects_write(&effects, key, gh_arena_printf(world.arena, "%zu", i % 3), 0),
                         GH_OK);
        assert_non_null(gh_store_commit(world.client, GH_STR("acme"), &effects, NOW, keep_answer, &kept[i]));
    }
    for (size_t i = 0; i < 90; i++) {
        TURN_UNTIL(kept[i].came > 0);
        assert_int_equal(kept[i].answer.reason, i % 3 == 1 ? GH_STORE_CONFLICT : GH_OK);
    }
    for (size_t i = 0; i < 30; i++)
        assert_str_eq(row_of(gh_arena_printf(world.arena, "row/%zu", i).ptr).value, "2");
}

/* ---- calls ---- */

static void never(void *ctx, const struct gh_store_answer *answer)
{
    (void)ctx;
    (void)answer;
    fail_msg("an answer to nobody");
}

static void a_cancelled_commit_happens_all_the_same(void **state)
{
    (void)state;
    struct gh_effects effects = { 0 };
    assert_int_equal(gh_effects_write(&effects, GH_STR("code/1"), GH_STR("{}"), 0), GH_OK);
    struct gh_store_call *call = gh_store_commit(world.client, GH_STR("acme"), &effects, NOW, never, NULL);
    assert_non_null(call);
    gh_store_cancel(call);
    assert_int_not_equal(row_of("code/1").version, 0);
}

/* Turns another loop until the store has answered all that was asked before: those answers lie in the first
 * loop's mailbox, unopened. */
static void let_answers_come(void)
{
    struct answer kept = { 0 };
    const gh_str key = GH_STR_INIT("x");
    struct gh_loop *loop = gh_loop_new();
    struct gh_mailbox *mailbox = gh_mailbox_new(loop, NULL);
    struct gh_store_client *client = gh_store_client_new(world.store, mailbox);
    assert_non_null(
        gh_store_read(client, GH_STR("acme"), (struct gh_strs){ &key, 1 }, NOW, keep_answer, &kept));
    while (kept.came == 0)
        gh_loop_turn(loop, 1000);
    gh_store_client_free(client);
    gh_mailbox_free(mailbox);
    gh_loop_free(loop);
}

static void a_client_that_goes_hears_nothing(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 30; i++) {
        struct gh_store_client *client = gh_store_client_new(world.store, world.mailbox);
        struct gh_effects effects = { 0 };
        gh_str key = gh_arena_printf(world.arena, "row/%u", i);
        assert_int_equal(gh_effects_write(&effects, key, GH_STR("{}"), 0), GH_OK);
        assert_non_null(gh_store_read(client, GH_STR("acme"), (struct gh_strs){ &key, 1 }, NOW, never, NULL));
        assert_non_null(gh_store_commit(client, GH_STR("acme"), &effects, NOW, never, NULL));
        if (i % 2 == 0)
            let_answers_come();
        gh_store_client_free(client);
    }
    for (unsigned i = 0; i < 30; i++)
        assert_int_not_equal(row_of(gh_arena_printf(world.arena, "row/%u", i).ptr).version, 0);
}

static void what_does_not_fit_is_answered_too(void **state)
{
    (void)state;
    close_store();
    world.conf.queue_max = 1;
    open_store();
    struct answer kept[300] = { 0 };
    const gh_str key = GH_STR_INIT("a");
    for (size_t i = 0; i < 300; i++)
        assert_non_null(gh_store_read(world.client, GH_STR("acme"), (struct gh_strs){ &key, 1 }, NOW,
                                      keep_answer, &kept[i]));
    unsigned overloaded = 0;
    for (size_t i = 0; i < 300; i++)
        assert_int_equal(kept[i].came, 0);
    for (size_t i = 0; i < 300; i++) {
        TURN_UNTIL(kept[i].came > 0);
        overloaded += kept[i].answer.reason == GH_OVERLOADED;
        assert_true(kept[i].answer.reason == GH_OK || kept[i].answer.reason == GH_OVERLOADED);
    }
    assert_true(overloaded < 300);
    assert_int_equal(put("a", "{}", 0), GH_OK);
}

/* A client ends with calls waiting, and the store right behind it. */
static void a_store_closes_with_calls_waiting(void **state)
{
    (void)state;
    struct gh_effects effects = { 0 };
    assert_int_equal(gh_effects_write(&effects, GH_STR("code/1"), GH_STR("{}"), 0), GH_OK);
    for (unsigned i = 0; i < 200; i++)
        assert_non_null(gh_store_commit(world.client, GH_STR("acme"), &effects, NOW, never, NULL));
    close_store();
    gh_loop_turn(world.loop, 0);
    open_store();
}

static void each_allocation_of_a_call_fails_once(void **state)
{
    (void)state;
    struct gh_effects effects = { 0 };
    struct gh_revocation revocation = revocation_of("grt_1");
    const gh_str keys[] = { GH_STR_INIT("a"), GH_STR_INIT("b") };
    assert_int_equal(gh_effects_expect(&effects, GH_STR("a"), 0), GH_OK);
    assert_int_equal(gh_effects_write(&effects, GH_STR("b"), GH_STR("{}"), 0), GH_OK);
    assert_int_equal(gh_effects_revoke(&effects, &revocation), GH_OK);
    for (unsigned long n = 1, done = 0; done < 3; n++) {
        struct answer kept[3] = { 0 };
        struct gh_store_call *calls[3];
        gh_alloc_fail_at(n);
        calls[0] = gh_store_commit(world.client, GH_STR("acme"), &effects, NOW, keep_answer, &kept[0]);
        gh_alloc_fail_at(n);
        calls[1] = gh_store_read(world.client, GH_STR("acme"), (struct gh_strs){ keys, 2 }, NOW, keep_answer,
                                 &kept[1]);
        gh_alloc_fail_at(n);
        calls[2] =
            gh_store_list(world.client, GH_STR("acme"), keys[0], keys[1], 2, NOW, keep_answer, &kept[2]);
        gh_alloc_fail_at(0);
        done = 0;
        for (size_t i = 0; i < 3; i++) {
            if (calls[i] == NULL)
                continue;
            TURN_UNTIL(kept[i].came > 0);
            done++;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(what_is_written_is_read),
        CASE(each_write_is_another_version),
        CASE(rows_come_in_the_order_asked),
        CASE(tenants_do_not_see_each_other),
        CASE(every_byte_is_safe),
        CASE(an_expired_row_is_absent),
        CASE(lists_are_in_order_and_go_on),
        CASE(lists_leave_out_what_has_expired),
        CASE(a_conflict_writes_nothing),
        CASE(an_empty_commit_is_no_fault),
        CASE(positions_grow),
        CASE(one_of_many_rivals_wins),
        CASE(a_conflict_in_a_group_is_its_own),
        CASE(a_cancelled_commit_happens_all_the_same),
        CASE(a_client_that_goes_hears_nothing),
        CASE(what_does_not_fit_is_answered_too),
        CASE(a_store_closes_with_calls_waiting),
        CASE(each_allocation_of_a_call_fails_once),
    };
    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
