/* The database file: whose it is, who may read it, what survives, and what its neighbours may do to it. */
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "unit/store/world.h"

/* Another program's connection to the file. */
static sqlite3 *connect_raw(void)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(world.path, &db), SQLITE_OK);
    (void)sqlite3_busy_timeout(db, 10000);
    return db;
}

static void run_raw(const char *sql)
{
    sqlite3 *db = connect_raw();
    char *why = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
        fail_msg("%s: %s", sql, why);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static int64_t ask_raw(const char *sql)
{
    sqlite3 *db = connect_raw();
    sqlite3_stmt *statement = NULL;
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int64_t value = sqlite3_column_int64(statement, 0);
    (void)sqlite3_finalize(statement);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    return value;
}

/* The store does not open, for this reason, and says these words. */
static void assert_refused(const char *url, enum gh_reason reason, const char *words)
{
    struct gh_store *store = NULL;
    struct gh_store_conf conf = world.conf;
    char *why = NULL;
    conf.url = gh_str_from(url);
    assert_int_equal(gh_store_open(&conf, &store, &why), reason);
    assert_null(store);
    assert_non_null(why);
    if (strstr(why, words) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", why, words);
    free(why);
}

/* ---- the file ---- */

static unsigned mode_of(const char *suffix)
{
    struct stat facts;
    char name[112];
    (void)snprintf(name, sizeof(name), "%s%s", world.path, suffix);
    assert_int_equal(stat(name, &facts), 0);
    return facts.st_mode & 07777u;
}

static void nobody_else_may_read_it(void **state)
{
    (void)state;
    close_store();
    assert_int_equal(unlink(world.path), 0);
    mode_t before = umask(0);
    open_store();
    assert_int_equal(put("code/1", "{}", 0), GH_OK);
    umask(before);
    assert_int_equal(mode_of(""), 0600);
    assert_int_equal(mode_of("-wal"), 0600);
    assert_int_equal(mode_of("-shm"), 0600);
}

static void a_file_that_others_may_read_is_refused(void **state)
{
    (void)state;
    static const mode_t modes[] = { 0640, 0620, 0604, 0602, 0601, 0666 };
    close_store();
    for (size_t i = 0; i < GH_ARRAY_LEN(modes); i++) {
        assert_int_equal(chmod(world.path, modes[i]), 0);
        assert_refused(world.url, GH_SETTINGS_INVALID, "chmod 0600");
        assert_int_equal(chmod(world.path, 0600), 0);
        open_store();
        close_store();
    }
    char wal[112];
    (void)snprintf(wal, sizeof(wal), "%s-wal", world.path);
    int fd = open(wal, O_CREAT | O_WRONLY, 0644);
    assert_true(fd >= 0 && close(fd) == 0);
    assert_refused(world.url, GH_SETTINGS_INVALID, "-wal");
    assert_int_equal(unlink(wal), 0);
    open_store();
}

static void what_is_no_store_is_refused(void **state)
{
    (void)state;
    close_store();
    assert_refused("postgres://127.0.0.1", GH_SETTINGS_INVALID, "sqlite:PATH");
    assert_refused("sqlite:", GH_SETTINGS_INVALID, "path");
    assert_refused("sqlite:/nonexistent/folder/store.db", GH_STORE_DOWN, "No such file");
    assert_refused("sqlite:/dev/null", GH_SETTINGS_INVALID, "regular file");
    run_raw("PRAGMA user_version = 1000");
    assert_refused(world.url, GH_SETTINGS_INVALID, "newer version");
    run_raw("PRAGMA user_version = 1; PRAGMA application_id = 7");
    assert_refused(world.url, GH_SETTINGS_INVALID, "another program");
    assert_int_equal(unlink(world.path), 0);
    run_raw("CREATE TABLE theirs (x)");
    assert_int_equal(chmod(world.path, 0600), 0);
    assert_refused(world.url, GH_SETTINGS_INVALID, "another program");
    assert_int_equal(ask_raw("SELECT count(*) FROM sqlite_schema"), 1);
    assert_int_equal(ask_raw("SELECT count(*) FROM pragma_journal_mode WHERE journal_mode = 'wal'"), 0);
    FILE *file = fopen(world.path, "w");
    for (unsigned i = 0; i < 4096; i++)
        assert_int_equal(fputc('x', file), 'x');
    assert_int_equal(fclose(file), 0);
    assert_refused(world.url, GH_STORE_DOWN, "not a database");
    assert_int_equal(unlink(world.path), 0);
    open_store();
}

static void a_store_in_memory_ends_with_it(void **state)
{
    (void)state;
    close_store();
    world.conf.url = GH_STR("sqlite::memory:");
    open_store();
    assert_int_equal(put("code/1", "{}", 0), GH_OK);
    assert_str_eq(row_of("code/1").value, "{}");
    close_store();
    open_store();
    assert_int_equal(row_of("code/1").version, 0);
}

/* ---- what survives ---- */

static uint64_t append(const char *id)
{
    struct gh_effects effects = { 0 };
    struct gh_revocation revocation = revocation_of(id);
    assert_int_equal(gh_effects_revoke(&effects, &revocation), GH_OK);
    struct gh_store_answer answer = commit_as("acme", &effects, NOW);
    assert_int_equal(answer.reason, GH_OK);
    return answer.position;
}

static void versions_and_positions_go_on_after_a_restart(void **state)
{
    (void)state;
    assert_int_equal(put("code/1", "{}", 0), GH_OK);
    struct gh_stored_row before = row_of("code/1");
    uint64_t position = append("grt_1");
    close_store();
    open_store();
    struct gh_stored_row after = row_of("code/1");
    assert_true(after.version == before.version && gh_str_eq(after.value, before.value));
    run_raw("DELETE FROM gh_log");
    assert_true(append("grt_1") > position);
    assert_int_equal(put("code/1", "[]", before.version), GH_OK);
    assert_true(row_of("code/1").version > before.version);
}

/* ---- neighbours ---- */

static void two_stores_share_one_file(void **state)
{
    (void)state;
    struct gh_store *first = world.store;
    struct gh_store_client *first_client = world.client;
    open_store();
    assert_int_equal(put("code/1", "{}", 0), GH_OK);
    uint64_t version = row_of("code/1").version;
    struct gh_store *second = world.store;
    struct gh_store_client *second_client = world.client;
    world.store = first;
    world.client = first_client;
    assert_int_equal(put("code/1", "{}", 0), GH_STORE_CONFLICT);
    assert_int_equal(put("code/1", "[]", version), GH_OK);
    assert_true(row_of("code/1").version > version);
    gh_store_client_free(second_client);
    gh_store_close(second);
}

static void *open_and_close(void *ctx)
{
    struct gh_store *store = NULL;
    struct gh_store_conf conf = world.conf;
    char *why = NULL;
    if (gh_store_open(&conf, &store, &why) == GH_OK)
        gh_store_close(store);
    return why;
}

/* Two that start at one moment: whoever comes second finds a file that is half made, and none of its own. */
static void a_new_file_opened_by_two(void **state)
{
    for (int round = 0; round < 40; round++) {
        pthread_t other;
        void *theirs = NULL;
        char name[2][112];
        close_store();
        (void)snprintf(name[0], sizeof(name[0]), "%s-wal", world.path);
        (void)snprintf(name[1], sizeof(name[1]), "%s-shm", world.path);
        (void)unlink(world.path);
        (void)unlink(name[0]);
        (void)unlink(name[1]);
        assert_int_equal(pthread_create(&other, NULL, open_and_close, NULL), 0);
        open_store();
        assert_int_equal(pthread_join(other, &theirs), 0);
        if (theirs != NULL)
            fail_msg("the other did not open: %s", (const char *)theirs);
    }
}

static void a_lock_that_does_not_end_is_no_success(void **state)
{
    (void)state;
    close_store();
    world.conf.busy_ms = 200;
    open_store();
    assert_int_equal(put("code/1", "{}", 0), GH_OK);
    sqlite3 *db = connect_raw();
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(put("code/2", "{}", 0), GH_STORE_DOWN); /* reason: store_down */
    assert_int_not_equal(row_of("code/1").version, 0);
    assert_int_equal(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(put("code/2", "{}", 0), GH_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* Writes would go where nobody finds them. */
static void a_file_that_went_elsewhere_takes_no_commits(void **state)
{
    (void)state;
    char elsewhere[112];
    (void)snprintf(elsewhere, sizeof(elsewhere), "%s.moved", world.path);
    assert_int_equal(put("code/1", "{}", 0), GH_OK);
    assert_int_equal(rename(world.path, elsewhere), 0);
    assert_int_equal(put("code/2", "{}", 0), GH_STORE_DOWN);
    assert_int_equal(rename(elsewhere, world.path), 0);
    assert_int_equal(put("code/2", "{}", 0), GH_OK);
}

static void a_damaged_schema_is_noticed(void **state)
{
    (void)state;
    run_raw("DELETE FROM gh_meta");
    assert_int_equal(put("code/1", "{}", 0), GH_STORE_MALFORMED);
    run_raw("INSERT INTO gh_meta VALUES ('sequence', 1)");
    assert_int_equal(put("code/1", "{}", 0), GH_OK);
    close_store();
    run_raw("DROP TABLE gh_log");
    assert_refused(world.url, GH_STORE_DOWN, "another schema");
    assert_int_equal(unlink(world.path), 0);
    open_store();
}

/* ---- sweeping ---- */

static void what_has_expired_is_deleted(void **state)
{
    (void)state;
    int64_t now = (int64_t)time(NULL);
    close_store();
    char statement[512];
    (void)snprintf(statement, sizeof(statement),
                   "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 1200)"
                   " INSERT INTO gh_rows SELECT x'61', CAST(i AS BLOB), x'', i,"
                   " CASE i %% 3 WHEN 0 THEN 0 WHEN 1 THEN %lld ELSE 1000 END FROM n",
                   (long long)now + 100000);
    run_raw(statement);
    /* A clock that steps back must not bring a token back: entries stay a quarter of an hour longer. */
    (void)snprintf(statement, sizeof(statement),
                   "INSERT INTO gh_log VALUES (1, 0, %lld, x'31'), (2, 0, %lld, x'31'), (3, 0, 1000, x'31'),"
                   " (4, 0, 9223372036854775807, x'31')",
                   (long long)now - 700, (long long)now + 1000);
    run_raw(statement);
    open_store();
    for (bool swept = false; !swept;) /* each read goes through the store's thread, which sweeps beside it */
        swept = row_of("x").version == 0 && ask_raw("SELECT count(*) FROM gh_rows") == 800 &&
                ask_raw("SELECT count(*) FROM gh_log") == 3;
    assert_int_equal(ask_raw("SELECT min(expires > 1000 OR expires = 0) FROM gh_rows"), 1);
    assert_int_equal(ask_raw("SELECT sum(position) FROM gh_log"), 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(nobody_else_may_read_it),
        CASE(a_file_that_others_may_read_is_refused),
        CASE(what_is_no_store_is_refused),
        CASE(a_store_in_memory_ends_with_it),
        CASE(versions_and_positions_go_on_after_a_restart),
        CASE(two_stores_share_one_file),
        CASE(a_new_file_opened_by_two),
        CASE(a_lock_that_does_not_end_is_no_success),
        CASE(a_file_that_went_elsewhere_takes_no_commits),
        CASE(a_damaged_schema_is_noticed),
        CASE(what_has_expired_is_deleted),
    };
    return cmocka_run_group_tests_name("sqlite", tests, NULL, NULL);
}
