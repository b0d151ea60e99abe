/* Disks that are full, fail or lose power (threats.md X7): the caller is told, what was acknowledged is
 * there, nothing is there half. */
#include <fcntl.h>
#include <sqlite3.h>
#include <string.h>

#include "unit/store/faulty.h"
#include "unit/store/world.h"

/* Two rows that one commit writes: they never differ. */
struct pair {
    uint64_t versions[2];
    unsigned value;
};

static struct pair read_pair(void)
{
    const struct gh_stored_row a = row_of("pair/a"), b = row_of("pair/b");
    struct pair pair = { .versions = { a.version, b.version } };
    assert_true(gh_str_eq(a.value, b.value));
    if (a.value.ptr != NULL)
        pair.value = (unsigned)atoi(a.value.ptr);
    return pair;
}

static void make_pair(struct gh_effects *effects, const struct pair *before, unsigned value)
{
    static const gh_str keys[] = { GH_STR_INIT("pair/a"), GH_STR_INIT("pair/b") };
    struct gh_revocation revocation = revocation_of("grt_1");
    gh_str text = gh_arena_printf(world.arena, "%u", value);
    *effects = (struct gh_effects){ 0 };
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(gh_effects_expect(effects, keys[i], before->versions[i]), GH_OK);
        assert_int_equal(gh_effects_write(effects, keys[i], text, 0), GH_OK);
    }
    assert_int_equal(gh_effects_revoke(effects, &revocation), GH_OK);
}

static enum gh_reason write_pair(const struct pair *before, unsigned value)
{
    struct gh_effects effects;
    make_pair(&effects, before, value);
    return commit(&effects);
}

/* ---- failing operations ---- */

/* A few commits with the n-th operation failing. What fails may have happened for whoever comes later, but
 * only whole; what was acknowledged has. Returns whether it came to a failure. */
static bool live_through(unsigned n, int code, bool stays)
{
    struct pair known = read_pair();
    unsigned acknowledged = known.value;
    faulty_fail_at(n, code, stays);
    for (unsigned i = 0; i < 3; i++) {
        enum gh_reason reason = write_pair(&known, known.value + 1);
        assert_true(reason == GH_OK || reason == GH_STORE_DOWN);
        assert_true(reason == GH_OK || faulty_has_failed());
        if (reason == GH_OK) {
            assert_true(faulty_log_is_synced());
            acknowledged = known.value + 1;
            struct gh_store_answer answer = read_at("acme", "pair/a", NOW);
            if (answer.reason != GH_OK)
                break;
            known = read_pair();
            assert_int_equal(known.value, acknowledged);
        }
    }
    bool failed = faulty_has_failed();
    faulty_fail_at(0, 0, false);
    known = read_pair();
    assert_int_equal(known.value, acknowledged);
    assert_int_equal(write_pair(&known, known.value + 1), GH_OK); /* and it goes on */
    close_store();
    open_store();
    assert_int_equal(read_pair().value, acknowledged + 1);
    return failed;
}

static void fail_each(int code, bool stays)
{
    bool failed = true;
    struct pair none = { 0 };
    assert_int_equal(write_pair(&none, 1), GH_OK);
    unsigned n = 1;
    for (; failed; n++)
        failed = live_through(n, code, stays);
    assert_true(n > 5);
}

static void a_full_disk(void **state)
{
    (void)state;
    fail_each(SQLITE_FULL, true);
}

static void a_write_that_fails_once(void **state)
{
    (void)state;
    fail_each(SQLITE_IOERR_WRITE, false);
}

static void a_disk_that_died(void **state)
{
    (void)state;
    fail_each(SQLITE_IOERR_WRITE, true);
}

static void reads_that_fail(void **state)
{
    (void)state;
    struct pair known = { 0 };
    assert_int_equal(write_pair(&known, 1), GH_OK);
    known = read_pair();
    close_store();
    open_store(); /* with nothing cached */
    faulty_fail_reads(true);
    assert_int_equal(read_at("acme", "pair/a", NOW).reason, GH_STORE_DOWN);
    assert_int_equal(write_pair(&known, 2), GH_STORE_DOWN);
    faulty_fail_reads(false);
    assert_int_equal(write_pair(&known, 2), GH_OK);
    assert_int_equal(read_pair().value, 2);
}

/* Of commits that share a durable step each has its own answer, also when that step fails. */
static void a_group_on_a_full_disk(void **state)
{
    (void)state;
    for (unsigned n = 1; n < 40; n++) {
        struct answer kept[20] = { 0 };
        faulty_fail_at(n, SQLITE_FULL, false);
        for (size_t i = 0; i < 20; i++) {
            struct gh_effects effects = { 0 };
            gh_str key = gh_arena_printf(world.arena, "row/%u/%zu", n, i);
            assert_int_equal(gh_effects_expect(&effects, key, 0), GH_OK);
            assert_int_equal(gh_effects_write(&effects, key, GH_STR("{}"), 0), GH_OK);
            assert_non_null(
                gh_store_commit(world.client, GH_STR("acme"), &effects, NOW, keep_answer, &kept[i]));
        }
        for (size_t i = 0; i < 20; i++)
            TURN_UNTIL(kept[i].came > 0);
        faulty_fail_at(0, 0, false);
        for (size_t i = 0; i < 20; i++) {
            bool there = row_of(gh_arena_printf(world.arena, "row/%u/%zu", n, i).ptr).version != 0;
            assert_int_equal(kept[i].answer.reason, there ? GH_OK : GH_STORE_DOWN);
        }
    }
}

/* ---- a log that is cut: what a power loss leaves of what was not synced ---- */

static gh_str read_file(const char *suffix)
{
    char name[112], *bytes = gh_arena_alloc(world.arena, 4 << 20);
    (void)snprintf(name, sizeof(name), "%s%s", world.path, suffix);
    int fd = open(name, O_RDONLY);
    assert_true(fd >= 0);
    ssize_t len = read(fd, bytes, 4 << 20);
    assert_true(len > 0 && len < 4 << 20);
    (void)close(fd);
    return gh_str_of(bytes, (size_t)len);
}

static void write_file(const char *suffix, gh_str bytes)
{
    char name[112];
    (void)snprintf(name, sizeof(name), "%s%s", world.path, suffix);
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes.ptr, bytes.len), (ssize_t)bytes.len);
    (void)close(fd);
}

static void a_cut_log_ends_between_two_commits(void **state)
{
    (void)state;
    size_t lengths[21];
    struct pair known = { 0 };
    for (unsigned i = 1; i <= 20; i++) {
        assert_int_equal(write_pair(&known, i), GH_OK);
        known = read_pair();
        lengths[i] = read_file("-wal").len;
    }
    gh_str file = read_file(""), log = read_file("-wal");
    close_store();
    for (size_t len = lengths[1]; len <= log.len; len += 1031) {
        write_file("", file);
        write_file("-wal", gh_str_take(log, len));
        open_store();
        unsigned value = read_pair().value;
        assert_true(lengths[value] <= len && (value == 20 || lengths[value + 1] > len));
        close_store();
    }
    open_store();
}

/* ---- damage ---- */

/* Garbage where a page was: an error, or another page than the one asked for; never a row that was
 * acknowledged and now is said not to be there. */
static void a_damaged_page_is_no_empty_one(void **state)
{
    (void)state;
    struct pair none = { 0 };
    assert_int_equal(write_pair(&none, 1), GH_OK);
    struct pair known = read_pair();
    close_store();
    gh_str file = read_file("");
    assert_int_equal(file.len % 4096, 0);
    unsigned refused = 0;
    for (size_t page = 1; page < file.len / 4096; page++) {
        char *damaged = gh_arena_alloc(world.arena, file.len);
        memcpy(damaged, file.ptr, file.len);
        memset(damaged + page * 4096, 0xff, 4096);
        write_file("", gh_str_of(damaged, file.len));
        open_store();
        struct gh_store_answer answer = read_at("acme", "pair/a", NOW);
        assert_true(answer.reason == GH_STORE_DOWN ||
                    (answer.reason == GH_OK && answer.rows.at[0].version != 0));
        refused += write_pair(&known, 2) == GH_STORE_DOWN;
        close_store();
    }
    assert_true(refused >= 4); /* all but the index of expiries, which these rows are not in */
    write_file("", file);
    open_store();
    assert_int_equal(read_pair().value, 1);
}

int main(void)
{
    faulty_install();
    const struct CMUnitTest tests[] = {
        CASE(a_full_disk),
        CASE(a_write_that_fails_once),
        CASE(a_disk_that_died),
        CASE(reads_that_fail),
        CASE(a_group_on_a_full_disk),
        CASE(a_cut_log_ends_between_two_commits),
        CASE(a_damaged_page_is_no_empty_one),
    };
    return cmocka_run_group_tests_name("faults", tests, NULL, NULL);
}
