/* What grants want done: bounded, each row written once, keys that no client chooses. */
#include <string.h>

#include "support/cm.h"

#include "base/arena.h"
#include "gatehouse/effects.h"

static struct gh_arena *arena;
static struct gh_effects effects;

static int set_up(void **state)
{
    (void)state;
    arena = gh_arena_new(0);
    effects = (struct gh_effects){ 0 };
    return arena == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    gh_arena_free(arena);
    return 0;
}

static gh_str key_number(unsigned i)
{
    return gh_arena_printf(arena, "code/%u", i);
}

static void each_kind_has_its_room(void **state)
{
    (void)state;
    struct gh_revocation revocation = { .level = GH_REVOKED_GRANT,
                                        .tenant = GH_STR("acme"),
                                        .issuer_name = GH_STR("house"),
                                        .id = GH_STR("grt_1"),
                                        .epoch = GH_REVOKED_ALWAYS,
                                        .until = 1 };
    for (unsigned i = 0; i < GH_EFFECTS_MAX; i++) {
        assert_int_equal(gh_effects_expect(&effects, key_number(i), i), GH_OK);
        assert_int_equal(i % 2 == 0 ? gh_effects_delete(&effects, key_number(i))
                                    : gh_effects_write(&effects, key_number(i), GH_STR("{}"), i),
                         GH_OK);
        assert_int_equal(gh_effects_revoke(&effects, &revocation), GH_OK);
    }
    assert_int_equal(gh_effects_expect(&effects, GH_STR("code/x"), 0), GH_INTERNAL);
    assert_int_equal(gh_effects_delete(&effects, GH_STR("code/x")), GH_INTERNAL);
    assert_int_equal(gh_effects_write(&effects, GH_STR("code/x"), GH_STR("{}"), 0), GH_INTERNAL);
    assert_int_equal(gh_effects_revoke(&effects, &revocation), GH_INTERNAL);
    assert_int_equal(effects.write_count, GH_EFFECTS_MAX);
    assert_null(effects.writes[0].value.ptr);
    assert_str_eq(effects.writes[1].value, "{}");
    assert_int_equal(effects.writes[23].expires, 23);
    assert_int_equal(effects.preconditions[23].version, 23);
}

static void faults_of_the_caller_are_refused(void **state)
{
    (void)state;
    struct gh_revocation unsound = { .level = GH_REVOKED_USER, .tenant = GH_STR("acme") };
    assert_int_equal(gh_effects_write(&effects, GH_STR("code/1"), GH_STR("{}"), 5), GH_OK);
    assert_int_equal(gh_effects_write(&effects, GH_STR("code/1"), GH_STR("[]"), 5), GH_INTERNAL);
    assert_int_equal(gh_effects_delete(&effects, GH_STR("code/1")), GH_INTERNAL);
    assert_int_equal(gh_effects_write(&effects, GH_STR("code/2"), GH_STR_NONE, 5), GH_INTERNAL);
    assert_int_equal(gh_effects_write(&effects, GH_STR("code/2"), GH_STR("{}"), -1), GH_INTERNAL);
    assert_int_equal(gh_effects_write(&effects, GH_STR(""), GH_STR("{}"), 5), GH_INTERNAL);
    assert_int_equal(gh_effects_expect(&effects, GH_STR(""), 0), GH_INTERNAL);
    assert_int_equal(gh_effects_expect(&effects, GH_STR("code/1"), 3), GH_OK);
    assert_int_equal(gh_effects_expect(&effects, GH_STR("code/1"), 3), GH_OK);
    assert_int_equal(gh_effects_expect(&effects, GH_STR("code/1"), 4), GH_INTERNAL);
    assert_int_equal(gh_effects_revoke(&effects, &unsound), GH_INTERNAL);
    assert_int_equal(effects.write_count + effects.precondition_count + effects.revocation_count, 2);
}

/* Every byte value, and every way to part the same bytes: all different, none with a byte of the client's. */
static void keys_are_not_chosen_by_clients(void **state)
{
    (void)state;
    char bytes[256];
    gh_str before[256 + 4];
    size_t count = 0;
    for (unsigned i = 0; i < 256; i++) {
        bytes[i] = (char)i;
        before[count++] = gh_row_key(arena, "client", &(gh_str){ bytes + i, 1 }, 1);
    }
    const gh_str ab[] = { GH_STR_INIT("a"), GH_STR_INIT("b") }, joined[] = { GH_STR_INIT("ab") },
                 padded[] = { GH_STR_INIT("ab"), GH_STR_INIT("") };
    before[count++] = gh_row_key(arena, "client", ab, 2);
    before[count++] = gh_row_key(arena, "client", joined, 1);
    before[count++] = gh_row_key(arena, "client", padded, 2);
    before[count++] = gh_row_key(arena, "client", padded, 0);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(before[i].len, strlen("client/") + 43);
        assert_true(gh_str_starts(before[i], GH_STR("client/")));
        assert_int_equal(
            strspn(before[i].ptr + 7, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
            43);
        for (size_t j = 0; j < i; j++)
            assert_false(gh_str_eq(before[i], before[j]));
    }
}

static void rows_are_found_by_key(void **state)
{
    (void)state;
    const struct gh_stored_row at[] = { { .key = GH_STR_INIT("code/1") },
                                        { .key = GH_STR_INIT("code/2"), .version = 7 } };
    struct gh_rows rows = { at, 2 };
    assert_ptr_equal(gh_rows_find(rows, GH_STR("code/2")), &at[1]);
    assert_int_equal(gh_rows_find(rows, GH_STR("code/1"))->version, 0);
    assert_null(gh_rows_find(rows, GH_STR("code/3")));
    assert_null(gh_rows_find((struct gh_rows){ 0 }, GH_STR("code/1")));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(each_kind_has_its_room),
        CASE(faults_of_the_caller_are_refused),
        CASE(keys_are_not_chosen_by_clients),
        CASE(rows_are_found_by_key),
    };
    return cmocka_run_group_tests_name("effects", tests, NULL, NULL);
}
