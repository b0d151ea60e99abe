/* store/sqlite_open.c: the database file: whose it is, how durable it writes, and which schema it has. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "store/crash.h"
#include "store/store_sqlite.h"

/* "GTHS": what the file is, for file(1) and for us. */
#define APPLICATION_ID 0x47544853

/* One entry takes the schema from its index to the next user_version. Rows are small and found by their key
 * alone, so the table is its index. Versions and positions come from one sequence: neither is ever used
 * again. */
static const char *const migrations[] = {
    "CREATE TABLE gh_meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "INSERT INTO gh_meta VALUES ('sequence', 0);"
    "CREATE TABLE gh_rows (tenant BLOB NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL,"
    " version INTEGER NOT NULL, expires INTEGER NOT NULL, PRIMARY KEY (tenant, key)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX gh_rows_by_expiry ON gh_rows (expires) WHERE expires > 0;"
    "CREATE TABLE gh_log (position INTEGER PRIMARY KEY, appended INTEGER NOT NULL, until INTEGER NOT NULL,"
    " entry BLOB NOT NULL) STRICT;"
    "CREATE INDEX gh_log_by_until ON gh_log (until);"
    "PRAGMA application_id = 0x47544853",
    /* What rate limits have given, slot by slot. */
    "CREATE TABLE gh_rates (tenant BLOB NOT NULL, key BLOB NOT NULL, slot INTEGER NOT NULL,"
    " taken INTEGER NOT NULL, expires INTEGER NOT NULL, PRIMARY KEY (tenant, key, slot)) STRICT, WITHOUT "
    "ROWID;"
    "CREATE INDEX gh_rates_by_expiry ON gh_rates (expires)",
};

static enum gh_reason open_file(const char *path, char **ret_why);
static enum gh_reason connect_to(struct gh_sqlite *self, const char *path, int64_t busy_ms, char **ret_why);
static enum gh_reason set_up(struct gh_sqlite *self, int64_t busy_ms, char **ret_why);
static enum gh_reason migrate(struct gh_sqlite *self, char **ret_why);

static enum gh_reason refuse(enum gh_reason reason, char **ret_why, const char *what, const char *why)
{
    if (asprintf(ret_why, "%s: %s", what, why) < 0)
        *ret_why = NULL;
    return reason;
}

enum gh_reason gh_sqlite_open(const struct gh_store_conf *conf, struct gh_sqlite *self, char **ret_why)
{
    gh_str path = gh_str_skip(conf->url, strlen("sqlite:"));
    bool in_memory = gh_str_eq(path, GH_STR(":memory:"));
    if (path.len == 0)
        return refuse(GH_SETTINGS_INVALID, ret_why, "sqlite:", "a path is needed behind it");
    char *name = gh_str_to_heap(path);
    if (name == NULL)
        return GH_OUT_OF_MEMORY;
    enum gh_reason reason = in_memory ? GH_OK : open_file(name, ret_why);
    if (reason == GH_OK)
        reason = connect_to(self, name, conf->busy_ms, ret_why);
    free(name);
    if (reason == GH_OK)
        reason = set_up(self, conf->busy_ms, ret_why);
    if (reason == GH_OK)
        reason = migrate(self, ret_why);
    return reason;
}

/* ---- the file ---- */

/* Its name must survive a power loss as its content does. */
static bool sync_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash == NULL   ? strdup(".")
                   : slash == path ? strdup("/")
                                   : gh_str_to_heap(gh_str_of(path, (size_t)(slash - path)));
    int fd = folder != NULL ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    bool ok = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        (void)close(fd);
    free(folder);
    return ok;
}

/* The log and the index that SQLite keeps beside it hold the same secrets. */
static enum gh_reason check_mode(const char *path, const char *suffix, char **ret_why)
{
    char *name = NULL;
    struct stat facts;
    enum gh_reason reason = GH_OK;
    if (asprintf(&name, "%s%s", path, suffix) < 0)
        return GH_OUT_OF_MEMORY;
    if (stat(name, &facts) != 0)
        reason = errno == ENOENT && suffix[0] != '\0' ? GH_OK
                                                      : refuse(GH_STORE_DOWN, ret_why, name, strerror(errno));
    else if (!S_ISREG(facts.st_mode))
        reason = refuse(GH_SETTINGS_INVALID, ret_why, name, "is no regular file");
    else if ((facts.st_mode & 077) != 0)
        reason = refuse(GH_SETTINGS_INVALID, ret_why, name, "others may read or write it: chmod 0600");
    free(name);
    return reason;
}

/* SQLite would make it as readable as the umask says. */
static enum gh_reason open_file(const char *path, char **ret_why)
{
    static const char *const suffixes[] = { "", "-wal", "-shm" };
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool made = fd >= 0;
    if (!made && errno != EEXIST)
        return refuse(GH_STORE_DOWN, ret_why, path, strerror(errno));
    if (made)
        (void)close(fd);
    if (made && !sync_folder(path))
        return refuse(GH_STORE_DOWN, ret_why, path, "its folder could not be synced");
    enum gh_reason reason = GH_OK;
    for (size_t i = 0; reason == GH_OK && i < GH_ARRAY_LEN(suffixes); i++)
        reason = check_mode(path, suffixes[i], ret_why);
    return reason;
}

/* ---- the connection ---- */

static enum gh_reason refuse_sqlite(const struct gh_sqlite *self, const char *what, char **ret_why)
{
    enum gh_reason reason = sqlite3_errcode(self->db) == SQLITE_NOMEM ? GH_OUT_OF_MEMORY : GH_STORE_DOWN;
    return refuse(reason, ret_why, what, sqlite3_errmsg(self->db));
}

static enum gh_reason connect_to(struct gh_sqlite *self, const char *path, int64_t busy_ms, char **ret_why)
{
    /* The connection is used by one thread at a time. A name is never read as a URI. */
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    if (sqlite3_open_v2(path, &self->db, flags, gh_crash_functions()) != SQLITE_OK)
        return self->db != NULL ? refuse_sqlite(self, path, ret_why) : GH_OUT_OF_MEMORY;
    (void)sqlite3_busy_timeout(self->db, (int)busy_ms);
    (void)sqlite3_db_config(self->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    (void)sqlite3_db_config(self->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    return GH_OK;
}

static bool run(struct gh_sqlite *self, const char *sql)
{
    return sqlite3_exec(self->db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

/* The one value of the one row; -1 when there is none, or on failure. */
static int64_t ask(struct gh_sqlite *self, const char *sql, char *ret_text, size_t cap)
{
    sqlite3_stmt *statement = NULL;
    int64_t value = -1;
    if (sqlite3_prepare_v2(self->db, sql, -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW) {
        value = sqlite3_column_int64(statement, 0);
        const unsigned char *text = sqlite3_column_text(statement, 0);
        if (ret_text != NULL)
            (void)snprintf(ret_text, cap, "%s", text != NULL ? (const char *)text : "");
    }
    (void)sqlite3_finalize(statement);
    return value;
}

/* Changing to WAL needs the file for a moment alone, and no busy handler waits for that. */
static bool use_wal(struct gh_sqlite *self, int64_t busy_ms)
{
    char mode[16] = "";
    int64_t until = gh_clock_mono_ms() + busy_ms;
    do {
        (void)ask(self, "PRAGMA journal_mode = WAL", mode, sizeof(mode));
        if (strcmp(mode, "wal") == 0 || strcmp(mode, "memory") == 0)
            return true;
        (void)usleep(10000);
    } while (gh_clock_mono_ms() < until);
    return false;
}

/* Before anything is written: is it ours, or new? Both are asked of one moment: another process may be making
 * it ours. */
static enum gh_reason recognise(struct gh_sqlite *self, char **ret_why)
{
    bool begun = run(self, "BEGIN");
    int64_t tables = begun ? ask(self, "SELECT count(*) FROM sqlite_schema", NULL, 0) : -1;
    int64_t id = tables >= 0 ? ask(self, "PRAGMA application_id", NULL, 0) : -1;
    if (id < 0 || !run(self, "COMMIT"))
        return refuse_sqlite(self, "the store cannot be read", ret_why);
    if (id != APPLICATION_ID && (id != 0 || tables != 0))
        return refuse(GH_SETTINGS_INVALID, ret_why, "the store", "is another program's database");
    return GH_OK;
}

static enum gh_reason set_up(struct gh_sqlite *self, int64_t busy_ms, char **ret_why)
{
    enum gh_reason reason = recognise(self, ret_why);
    if (reason != GH_OK)
        return reason;
    if (!use_wal(self, busy_ms))
        return refuse_sqlite(self, "the store cannot write ahead (a network file system?)", ret_why);
    /* FULL: what was acknowledged is on the disk, also after a power loss (threats.md X7). No mmap: a disk
     * error is then an error and no SIGBUS. */
    bool ok = run(self, "PRAGMA synchronous = FULL; PRAGMA mmap_size = 0; PRAGMA foreign_keys = ON;"
                        "PRAGMA cell_size_check = ON; PRAGMA temp_store = MEMORY;"
                        "PRAGMA journal_size_limit = 16777216") &&
              ask(self, "PRAGMA synchronous", NULL, 0) == 2;
    if (!ok)
        return refuse_sqlite(self, "the store cannot be set up", ret_why);
    gh_crash_set_up(self->db);
    return GH_OK;
}

/* ---- the schema ---- */

static enum gh_reason migrate_from(struct gh_sqlite *self, int64_t version, char **ret_why)
{
    char sql[64];
    for (size_t i = (size_t)version; i < GH_ARRAY_LEN(migrations); i++) {
        if (!run(self, migrations[i]))
            return refuse_sqlite(self, "the store cannot be migrated", ret_why);
    }
    (void)snprintf(sql, sizeof(sql), "PRAGMA user_version = %zu", GH_ARRAY_LEN(migrations));
    return run(self, sql) ? GH_OK : refuse_sqlite(self, "the store cannot be migrated", ret_why);
}

/* In one transaction, whoever of several processes comes first; the others find it done. */
static enum gh_reason migrate(struct gh_sqlite *self, char **ret_why)
{
    if (!run(self, "BEGIN IMMEDIATE"))
        return refuse_sqlite(self, "the store is locked", ret_why);
    int64_t version = ask(self, "PRAGMA user_version", NULL, 0);
    enum gh_reason reason = GH_OK;
    if (version < 0)
        reason = refuse_sqlite(self, "the store cannot be read", ret_why);
    else if ((size_t)version > GH_ARRAY_LEN(migrations))
        reason = refuse(GH_SETTINGS_INVALID, ret_why, "the store", "was written by a newer version");
    else if ((size_t)version < GH_ARRAY_LEN(migrations))
        reason = migrate_from(self, version, ret_why);
    if (reason == GH_OK && !run(self, "COMMIT"))
        reason = refuse_sqlite(self, "the store cannot be migrated", ret_why);
    if (reason != GH_OK)
        (void)run(self, "ROLLBACK");
    return reason;
}
