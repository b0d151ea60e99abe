/* Signing keys: which one signs at what time, and the folder that holds them over restarts. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/cm.h"

#include "base/arena.h"
#include "keys/signing.h"

#define DAY 86400

static char folder[64], kek_file[72];
static struct gh_arena *arena;
static struct gh_signing_conf conf;

static int begin(void **state)
{
    (void)snprintf(folder, sizeof(folder), "/tmp/gh-signing-XXXXXX");
    assert_non_null(mkdtemp(folder));
    (void)snprintf(kek_file, sizeof(kek_file), "%s.kek", folder);
    conf = (struct gh_signing_conf){ .folder = gh_str_from(folder),
                                     .alg = GH_ALG_ES256,
                                     .next_s = DAY,
                                     .active_s = 30 * DAY,
                                     .retired_s = 3600 };
    arena = gh_arena_new(0);
    return 0;
}

static unsigned for_each_file(void (*run)(const char *path))
{
    unsigned count = 0;
    DIR *open_folder = opendir(folder);
    for (const struct dirent *entry = readdir(open_folder); entry != NULL; entry = readdir(open_folder)) {
        char path[512];
        (void)snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        if (entry->d_name[0] == '.')
            continue;
        count++;
        if (run != NULL)
            run(path);
    }
    (void)closedir(open_folder);
    return count;
}

static void delete_file(const char *path)
{
    assert_int_equal(unlink(path), 0);
}

static int end(void **state)
{
    (void)for_each_file(delete_file);
    (void)rmdir(folder);
    (void)unlink(kek_file);
    gh_arena_free(arena);
    return 0;
}

static const char *states_at(int64_t now, const int64_t *created, size_t count)
{
    static char text[32];
    enum gh_signing_state states[8];
    bool due = gh_signing_states(&conf, created, count, now, states);
    for (size_t i = 0; i < count; i++)
        text[i] = "narg"[states[i]];
    (void)snprintf(text + count, sizeof(text) - count, "%s", due ? "+" : "");
    return text;
}

/* next, active, retired, gone; +: a new one is due */
static void by_time(void **state)
{
    const int64_t one[] = { 1000 }, two[] = { 1000, 1000 + 29 * DAY }, three[] = { 0, 29 * DAY, 58 * DAY };
    assert_string_equal(states_at(1000, NULL, 0), "+");
    assert_string_equal(states_at(1000, one, 1), "a"); /* the first signs at once */
    assert_string_equal(states_at(1000 + 29 * DAY - 1, one, 1), "a");
    assert_string_equal(states_at(1000 + 29 * DAY, one, 1), "a+");
    assert_string_equal(states_at(1000 + 29 * DAY, two, 2), "an");
    assert_string_equal(states_at(1000 + 30 * DAY - 1, two, 2), "an");
    assert_string_equal(states_at(1000 + 30 * DAY, two, 2), "ra");
    assert_string_equal(states_at(1000 + 30 * DAY + 3599, two, 2), "ra");
    assert_string_equal(states_at(1000 + 30 * DAY + 3600, two, 2), "ga");
    assert_string_equal(states_at(1000 + 59 * DAY, two, 2), "ga+");
    assert_string_equal(states_at(59 * DAY, three, 3), "gra");
    assert_string_equal(states_at(-5, two, 2), "an"); /* a clock that went back signs on */
}

static gh_str open_and_active(int64_t now, unsigned *ret_keys)
{
    struct gh_signing_ring *ring = NULL;
    char *why = NULL;
    enum gh_reason reason = gh_signing_ring_open(&conf, now, &ring, &why);
    if (reason != GH_OK)
        fail_msg("%s", why != NULL ? why : "out of memory");
    gh_str kid = gh_arena_dup(arena, gh_signing_key_kid(gh_signing_ring_active(ring))), other;
    enum gh_signing_state state;
    int64_t created;
    *ret_keys = 0;
    while (gh_signing_ring_at(ring, *ret_keys, &other, &state, &created))
        (*ret_keys)++;
    assert_true(gh_str_contains(gh_signing_ring_jwks(arena, ring), kid));
    assert_false(gh_str_contains(gh_signing_ring_jwks(arena, ring), GH_STR("\"d\"")));
    gh_signing_ring_free(ring);
    return kid;
}

static void over_restarts(void **state)
{
    unsigned keys;
    gh_str first = open_and_active(DAY, &keys);
    assert_int_equal(keys, 1);
    assert_true(gh_str_eq(open_and_active(2 * DAY, &keys), first));
    assert_int_equal(keys, 1);
    assert_true(gh_str_eq(open_and_active(30 * DAY, &keys), first)); /* the next one is made */
    assert_int_equal(keys, 2);
    gh_str second = open_and_active(31 * DAY, &keys);
    assert_false(gh_str_eq(second, first));
    assert_int_equal(keys, 2);
    assert_true(gh_str_eq(open_and_active(31 * DAY + 3600, &keys), second));
    assert_int_equal(keys, 1);
    assert_int_equal(for_each_file(NULL), 1);
}

static void is_private(const char *path)
{
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
}

static void make_public(const char *path)
{
    assert_int_equal(chmod(path, 0644), 0);
}

static void refused(const char *part)
{
    struct gh_signing_ring *ring = NULL;
    char *why = NULL;
    assert_int_equal(gh_signing_ring_open(&conf, DAY, &ring, &why), GH_SETTINGS_INVALID);
    assert_non_null(why);
    assert_non_null(strstr(why, part));
    free(why);
}

static void modes(void **state)
{
    unsigned keys;
    (void)open_and_active(DAY, &keys);
    assert_int_equal(for_each_file(is_private), 1);
    (void)for_each_file(make_public);
    refused("others");
    (void)for_each_file(delete_file);
    assert_int_equal(chmod(folder, 0755), 0);
    refused("others");
    assert_int_equal(chmod(folder, 0700), 0);
    (void)open_and_active(DAY, &keys);
}

static void write_kek(const char *text)
{
    FILE *file = fopen(kek_file, "w");
    assert_non_null(file);
    (void)fputs(text, file);
    (void)fclose(file);
    assert_int_equal(chmod(kek_file, 0600), 0);
}

static void no_plain_key(const char *path)
{
    char text[64] = "";
    FILE *file = fopen(path, "r");
    assert_non_null(fgets(text, sizeof(text), file));
    (void)fclose(file);
    assert_string_equal(text, "-----BEGIN ENCRYPTED PRIVATE KEY-----\n");
}

static void encrypted(void **state)
{
    unsigned keys;
    conf.kek_file = gh_str_from(kek_file);
    write_kek("too short");
    refused("shorter than 16");
    write_kek("0123456789abcdef0123456789abcdef");
    gh_str kid = open_and_active(DAY, &keys);
    assert_int_equal(for_each_file(no_plain_key), 1);
    assert_true(gh_str_eq(open_and_active(DAY, &keys), kid));
    write_kek("another key of thirty-two bytes.");
    refused("another key-encryption key");
    conf.kek_file = GH_STR_NONE;
    refused("another key-encryption key");
    write_kek("0123456789abcdef0123456789abcdef");
    conf.kek_file = gh_str_from(kek_file);
    assert_true(gh_str_eq(open_and_active(DAY, &keys), kid));
}

static bool tick(struct gh_signing_ring *ring, int64_t now)
{
    bool busy = false, changed = gh_signing_ring_tick(ring, now, &busy);
    assert_false(busy);
    return changed;
}

/* Another process is at the folder: it is to be looked at again soon. */
static bool tick_while_held(struct gh_signing_ring *ring, int64_t now)
{
    bool busy = false, changed = gh_signing_ring_tick(ring, now, &busy);
    assert_true(busy);
    return changed;
}

static void by_hand(void **state)
{
    struct gh_signing_ring *ring = NULL;
    char *why = NULL;
    assert_int_equal(gh_signing_ring_open(&conf, 10 * DAY, &ring, &why), GH_OK);
    gh_str first = gh_arena_dup(arena, gh_signing_key_kid(gh_signing_ring_active(ring)));
    assert_true(gh_signing_ring_rotate(ring, 10 * DAY, false));
    assert_true(gh_str_eq(gh_signing_key_kid(gh_signing_ring_active(ring)), first));
    assert_true(tick(ring, 11 * DAY + 1)); /* the next one has been known for a day */
    gh_str second = gh_arena_dup(arena, gh_signing_key_kid(gh_signing_ring_active(ring)));
    assert_false(gh_str_eq(first, second));
    assert_false(tick(ring, 11 * DAY + 1));
    assert_true(gh_signing_ring_rotate(ring, 12 * DAY, true));
    gh_str third = gh_arena_dup(arena, gh_signing_key_kid(gh_signing_ring_active(ring)));
    assert_false(gh_str_eq(second, third));
    assert_false(gh_signing_ring_drop(ring, GH_STR("unknown"), 12 * DAY));
    assert_true(gh_signing_ring_drop(ring, third, 12 * DAY)); /* it leaked */
    assert_true(gh_str_eq(gh_signing_key_kid(gh_signing_ring_active(ring)), second));
    assert_false(gh_str_contains(gh_signing_ring_jwks(arena, ring), third));
    assert_true(gh_signing_ring_drop(ring, second, 12 * DAY));
    assert_non_null(gh_signing_ring_active(ring)); /* never without one */
    gh_signing_ring_free(ring);
}

static enum gh_signing_state state_at(const struct gh_signing_ring *ring, size_t i)
{
    enum gh_signing_state state = GH_SIGNING_GONE;
    gh_str kid;
    int64_t created;
    (void)gh_signing_ring_at(ring, i, &kid, &state, &created);
    return state;
}

/* A key that begins at once retires younger ones too: those that wait, and one whose issuer is a minute old.
 */
static void at_once(void **state)
{
    struct gh_signing_ring *ring = NULL;
    char *why = NULL;
    assert_int_equal(gh_signing_ring_open(&conf, 10 * DAY, &ring, &why), GH_OK);
    assert_true(gh_signing_ring_rotate(ring, 10 * DAY + 60, false));
    assert_true(gh_signing_ring_rotate(ring, 10 * DAY + 120, true));
    gh_str kid = gh_arena_dup(arena, gh_signing_key_kid(gh_signing_ring_active(ring)));
    for (int again = 0; again < 2; again++) {
        assert_int_equal(state_at(ring, 0), GH_SIGNING_RETIRED);
        assert_int_equal(state_at(ring, 1), GH_SIGNING_RETIRED);
        assert_int_equal(state_at(ring, 2), GH_SIGNING_ACTIVE);
        assert_true(gh_str_eq(gh_signing_key_kid(gh_signing_ring_active(ring)), kid));
        gh_signing_ring_free(ring);
        assert_int_equal(gh_signing_ring_open(&conf, 10 * DAY + 180, &ring, &why), GH_OK);
    }
    gh_signing_ring_free(ring);
}

static gh_str set_of(struct gh_signing_ring *ring)
{
    gh_str set = gh_signing_ring_jwks(arena, ring);
    assert_non_null(set.ptr);
    return set;
}

/* issuer.md section 9: one process makes what is due, the others find it; and what one drops is gone for all.
 */
static void several_processes(void **state)
{
    struct gh_signing_ring *one = NULL, *other = NULL;
    char *why = NULL;
    assert_int_equal(gh_signing_ring_open(&conf, DAY, &one, &why), GH_OK);
    assert_int_equal(gh_signing_ring_open(&conf, DAY, &other, &why), GH_OK);
    assert_int_equal(for_each_file(NULL), 1);
    assert_true(tick(other, 30 * DAY));
    assert_true(tick(one, 30 * DAY)); /* known before it signs */
    assert_false(tick(one, 30 * DAY));
    assert_int_equal(for_each_file(NULL), 2);
    assert_true(gh_str_eq(set_of(one), set_of(other)));
    assert_true(tick(one, 31 * DAY));
    assert_true(tick(other, 31 * DAY));
    gh_str kid = gh_arena_dup(arena, gh_signing_key_kid(gh_signing_ring_active(one)));
    assert_true(gh_str_eq(gh_signing_key_kid(gh_signing_ring_active(other)), kid));
    assert_true(gh_signing_ring_drop(one, kid, 31 * DAY)); /* it leaked */
    assert_true(tick(other, 31 * DAY));
    assert_false(gh_str_contains(set_of(other), kid));
    gh_signing_ring_free(one);
    gh_signing_ring_free(other);
}

/* While another process is at it, nothing is made; and a folder that somebody has emptied ends nothing. */
static void a_folder_that_is_held(void **state)
{
    struct gh_signing_ring *ring = NULL;
    char *why = NULL;
    assert_int_equal(gh_signing_ring_open(&conf, DAY, &ring, &why), GH_OK);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    assert_false(tick_while_held(ring, 30 * DAY));
    assert_int_equal(for_each_file(NULL), 1);
    assert_int_equal(close(fd), 0);
    (void)for_each_file(delete_file);
    assert_false(tick(ring, 2 * DAY));
    assert_non_null(gh_signing_ring_active(ring));
    assert_true(tick(ring, 30 * DAY));
    gh_signing_ring_free(ring);
}

/* Nor is a key replaced or dropped there: a file that is renamed meanwhile could be missed. */
static void nothing_is_replaced_while_it_is_held(void **state)
{
    struct gh_signing_ring *ring = NULL;
    char *why = NULL;
    assert_int_equal(gh_signing_ring_open(&conf, DAY, &ring, &why), GH_OK);
    assert_true(gh_signing_ring_rotate(ring, DAY + 1, false));
    gh_str kid = gh_arena_dup(arena, gh_signing_key_kid(gh_signing_ring_active(ring))), before = set_of(ring);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    assert_false(gh_signing_ring_rotate(ring, DAY + 2, true));
    assert_false(gh_signing_ring_drop(ring, kid, DAY + 2));
    assert_true(gh_str_eq(set_of(ring), before));
    assert_int_equal(for_each_file(NULL), 2);
    (void)for_each_file(delete_file); /* as if all were on their way to another name */
    struct gh_signing_ring *other = NULL;
    conf.alg = GH_ALG_EDDSA;
    assert_int_equal(close(fd), 0);
    assert_int_equal(gh_signing_ring_open(&conf, DAY + 2, &other, &why), GH_OK);
    fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    assert_false(tick_while_held(ring, DAY + 2));
    assert_true(gh_str_eq(set_of(ring), before));
    assert_int_equal(close(fd), 0);
    assert_true(tick(ring, DAY + 2));
    assert_true(gh_str_eq(set_of(ring), set_of(other)));
    assert_true(gh_signing_ring_rotate(ring, DAY + 3, true));
    assert_true(gh_signing_ring_rotate(other, DAY + 4, true)); /* it has found what the first one made */
    assert_int_equal(for_each_file(NULL), 3);
    assert_true(tick(ring, DAY + 4));
    assert_true(gh_str_eq(set_of(ring), set_of(other)));
    gh_signing_ring_free(ring);
    gh_signing_ring_free(other);
}

/* Where there is no room for one more, no key that waits begins to sign instead. */
static void a_rotation_that_fails_changes_nothing(void **state)
{
    struct gh_signing_ring *ring = NULL;
    char *why = NULL;
    assert_int_equal(gh_signing_ring_open(&conf, 10 * DAY, &ring, &why), GH_OK);
    gh_str kid = gh_arena_dup(arena, gh_signing_key_kid(gh_signing_ring_active(ring)));
    for (int i = 1; i < (int)GH_SIGNING_KEYS_MAX; i++)
        assert_true(gh_signing_ring_rotate(ring, 10 * DAY + i, false));
    gh_str before = set_of(ring);
    for (int again = 0; again < 2; again++) {
        assert_false(gh_signing_ring_rotate(ring, 10 * DAY + 60, true));
        assert_true(gh_str_eq(gh_signing_key_kid(gh_signing_ring_active(ring)), kid));
        assert_true(gh_str_eq(set_of(ring), before));
        gh_signing_ring_free(ring);
        assert_int_equal(gh_signing_ring_open(&conf, 10 * DAY + 60, &ring, &why), GH_OK);
    }
    assert_true(gh_signing_ring_drop(ring, kid, 10 * DAY + 60));
    assert_true(gh_signing_ring_rotate(ring, 10 * DAY + 60, true));
    for (size_t i = 0; i + 1 < GH_SIGNING_KEYS_MAX; i++)
        assert_int_equal(state_at(ring, i), GH_SIGNING_RETIRED);
    assert_int_equal(state_at(ring, GH_SIGNING_KEYS_MAX - 1), GH_SIGNING_ACTIVE);
    gh_signing_ring_free(ring);
}

/* A ring that was put aside, as by other settings, does not bring back what was dropped meanwhile. */
static void taken_up_again(void **state)
{
    struct gh_signing_ring *aside = NULL, *ring = NULL;
    char *why = NULL;
    assert_int_equal(gh_signing_ring_open(&conf, DAY, &aside, &why), GH_OK);
    assert_int_equal(gh_signing_ring_open(&conf, DAY, &ring, &why), GH_OK);
    gh_str kid = gh_arena_dup(arena, gh_signing_key_kid(gh_signing_ring_active(ring)));
    assert_true(gh_signing_ring_drop(ring, kid, DAY + 1));
    assert_true(gh_str_contains(set_of(aside), kid));
    assert_int_equal(gh_signing_ring_again(aside, DAY + 1, &why), GH_OK);
    assert_true(gh_str_eq(set_of(aside), set_of(ring)));
    assert_ptr_not_equal(gh_signing_ring_active(aside), NULL);
    assert_int_equal(chmod(folder, 0755), 0); /* what cannot be read is not known either */
    assert_int_equal(gh_signing_ring_again(aside, DAY + 2, &why), GH_SETTINGS_INVALID);
    assert_non_null(why);
    free(why);
    assert_int_equal(chmod(folder, 0700), 0);
    gh_signing_ring_free(aside);
    gh_signing_ring_free(ring);
}

static void algorithms(void **state)
{
    static const enum gh_alg algs[] = { GH_ALG_ES256, GH_ALG_EDDSA, GH_ALG_RS256 };
    for (size_t i = 0; i < GH_ARRAY_LEN(algs); i++) {
        struct gh_signing_ring *ring = NULL;
        char *why = NULL;
        conf.alg = algs[i];
        assert_int_equal(gh_signing_ring_open(&conf, DAY, &ring, &why), GH_OK);
        assert_int_equal(gh_signing_key_alg(gh_signing_ring_active(ring)), algs[i]);
        gh_signing_ring_free(ring);
        (void)for_each_file(delete_file);
    }
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
    const struct CMUnitTest tests[] = { TEST(by_time),
                                        TEST(over_restarts),
                                        TEST(modes),
                                        TEST(encrypted),
                                        TEST(by_hand),
                                        TEST(at_once),
                                        TEST(several_processes),
                                        TEST(a_folder_that_is_held),
                                        TEST(nothing_is_replaced_while_it_is_held),
                                        TEST(a_rotation_that_fails_changes_nothing),
                                        TEST(taken_up_again),
                                        TEST(algorithms) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
