/* issuer/test_person.c: accounts as rows: which names and ids there may be, what ends with a session, and
 * what a link does to its person. */
#include "base/arena.h"
#include "base/str.h"
#include "issuer/person.h"
#include "support/cm.h"

#define NOW 1800000000

static struct gh_person bob(struct gh_arena *arena)
{
    struct gh_person person = {
        .id = GH_STR("usr_1"), .name = GH_STR("Bob"), .password = GH_STR("$scrypt$"), .created = NOW
    };
    person.key = gh_person_key(arena, person.id);
    return person;
}

static void names_are_text_and_no_id(void **state)
{
    static const char *const good[] = { "a", "Bob B.", "\xc3\x84 da", "bob@example.com", "usr" };
    static const char *const bad[] = { "", "usr_1", "a\nb", "\x7f", "\xc3", "\xed\xa0\x80" };
    for (size_t i = 0; i < GH_ARRAY_LEN(good); i++)
        assert_true(gh_person_name_is_sound(gh_str_from(good[i])));
    for (size_t i = 0; i < GH_ARRAY_LEN(bad); i++)
        assert_false(gh_person_name_is_sound(gh_str_from(bad[i])));
    char longest[GH_PERSON_NAME_MAX + 1];
    memset(longest, 'x', sizeof(longest));
    assert_true(gh_person_name_is_sound(gh_str_of(longest, GH_PERSON_NAME_MAX)));
    assert_false(gh_person_name_is_sound(gh_str_of(longest, sizeof(longest))));
    assert_true(gh_id_is_sound(GH_STR("usr_aB3-_")));
    assert_false(gh_id_is_sound(GH_STR("usr/1")));
    assert_false(gh_id_is_sound(GH_STR("")));
}

static void a_row_is_read_as_it_was_written(void **state)
{
    GH_CLEANUP(gh_arena_free) struct gh_arena *arena = gh_arena_new(0);
    struct gh_person person = bob(arena), read;
    struct gh_effects effects = { 0 };
    person.disabled = true;
    person.since = NOW + 1;
    person.link = GH_STR("link/x");
    person.version = 7;
    assert_int_equal(gh_person_put(arena, &person, &effects), GH_OK);
    assert_int_equal(effects.preconditions[0].version, 7);
    const struct gh_stored_row row = { .key = person.key, .value = effects.writes[0].value, .version = 8 };
    assert_int_equal(gh_person_read(arena, &row, &read), GH_OK);
    assert_true(gh_str_eq(read.id, person.id) && gh_str_eq(read.name, person.name) &&
                gh_str_eq(read.password, person.password) && gh_str_eq(read.link, person.link));
    assert_true(read.disabled && read.since == NOW + 1 && read.created == NOW && read.version == 8);
    const struct gh_stored_row none = { .key = person.key,
                                        .value = GH_STR("{\"name\":\"x\"}"),
                                        .version = 8 };
    assert_int_equal(gh_person_read(arena, &none, &read), GH_STORE_MALFORMED);
}

/* Each end is behind every session that the one before let begin, in the same second too. */
static void sessions_end_one_after_the_other(void **state)
{
    struct gh_person person = { .since = 0 };
    int64_t begun = NOW + 1; /* behind an epoch of now */
    for (int i = 0; i < 5; i++) {
        int64_t epoch = gh_person_end_sessions(&person, NOW);
        assert_true(epoch >= begun && person.since == epoch);
        begun = person.since + 1;
    }
    assert_int_equal(gh_person_end_sessions(&person, NOW + 1000), NOW + 1001);
}

static void a_newer_link_ends_password_and_older_link(void **state)
{
    GH_CLEANUP(gh_arena_free) struct gh_arena *arena = gh_arena_new(0);
    struct gh_person person = bob(arena);
    struct gh_effects first = { 0 }, second = { 0 }, third = { 0 };
    assert_int_equal(gh_link_put(arena, &person, GH_STR("one"), NOW, &first), GH_OK);
    gh_str link = person.link;
    assert_int_equal(person.password.len, 0);
    assert_int_equal(first.write_count, 1);
    assert_int_equal(first.writes[0].expires, NOW + GH_LINK_S);
    assert_true(gh_str_eq(first.writes[0].key, link) &&
                !gh_str_contains(first.writes[0].value, GH_STR("one")));
    assert_int_equal(gh_link_put(arena, &person, GH_STR("two"), NOW, &second), GH_OK);
    assert_int_equal(second.write_count, 2);
    assert_true(gh_str_eq(second.writes[0].key, link) && second.writes[0].value.ptr == NULL);
    assert_true(gh_str_eq(second.writes[1].key, person.link) && !gh_str_eq(person.link, link));
    assert_int_equal(gh_link_end(&person, &third), GH_OK);
    assert_int_equal(gh_link_end(&person, &third), GH_OK);
    assert_int_equal(third.write_count, 1);
    assert_int_equal(person.link.len, 0);
}

static void a_new_one_needs_its_name_free(void **state)
{
    GH_CLEANUP(gh_arena_free) struct gh_arena *arena = gh_arena_new(0);
    struct gh_person person = bob(arena);
    struct gh_effects effects = { 0 };
    gh_str id;
    assert_int_equal(gh_person_add(arena, &person, &effects), GH_OK);
    assert_int_equal(effects.precondition_count, 2);
    assert_true(effects.preconditions[0].version == 0 && effects.preconditions[1].version == 0);
    assert_true(gh_str_eq(effects.writes[1].key, gh_person_name_key(arena, GH_STR("bOB"))));
    assert_int_equal(gh_person_id(arena, effects.writes[1].value, &id), GH_OK);
    assert_true(gh_str_eq(id, person.id));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_text_and_no_id),
        cmocka_unit_test(a_row_is_read_as_it_was_written),
        cmocka_unit_test(sessions_end_one_after_the_other),
        cmocka_unit_test(a_newer_link_ends_password_and_older_link),
        cmocka_unit_test(a_new_one_needs_its_name_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
