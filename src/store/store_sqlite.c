/* store/store_sqlite.c: the SQLite driver: its prepared statements, and the reading of rows. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "store/store_sqlite.h"

/* clang-format off */
static const char *const sql[GH_SQL_COUNT] = {
    [GH_SQL_BEGIN_READ] = "BEGIN",
    [GH_SQL_BEGIN_WRITE] = "BEGIN IMMEDIATE",
    [GH_SQL_COMMIT] = "COMMIT",
    [GH_SQL_ROLLBACK] = "ROLLBACK",
    [GH_SQL_READ_ROW] = "SELECT value, version, expires FROM gh_rows"
                        " WHERE tenant = ?1 AND key = ?2 AND (expires = 0 OR expires > ?3)",
    [GH_SQL_LIST_ROWS] = "SELECT value, version, expires, key FROM gh_rows"
                         " WHERE tenant = ?1 AND key >= ?2 AND key < ?6 AND key > ?4"
                         " AND (expires = 0 OR expires > ?3) ORDER BY key LIMIT ?5",
    [GH_SQL_WRITE_ROW] = "INSERT OR REPLACE INTO gh_rows (tenant, key, value, version, expires)"
                         " VALUES (?1, ?2, ?3, ?4, ?5)",
    [GH_SQL_DELETE_ROW] = "DELETE FROM gh_rows WHERE tenant = ?1 AND key = ?2",
    [GH_SQL_READ_SEQUENCE] = "SELECT value FROM gh_meta WHERE name = 'sequence'",
    [GH_SQL_WRITE_SEQUENCE] = "UPDATE gh_meta SET value = ?1 WHERE name = 'sequence'",
    [GH_SQL_APPEND] = "INSERT INTO gh_log (position, appended, until, entry) VALUES (?1, ?2, ?3, ?4)",
    [GH_SQL_TAIL] = "SELECT position, appended, until, entry FROM gh_log WHERE position > ?1"
                    " ORDER BY position LIMIT ?2",
    [GH_SQL_SWEEP_ROWS] = "DELETE FROM gh_rows WHERE (tenant, key) IN"
                          " (SELECT tenant, key FROM gh_rows WHERE expires > 0 AND expires <= ?1 LIMIT 500)",
    [GH_SQL_SWEEP_LOG] = "DELETE FROM gh_log WHERE position IN"
                         " (SELECT position FROM gh_log WHERE until <= ?1 LIMIT 500)",
    [GH_SQL_DATA_VERSION] = "PRAGMA data_version",
    [GH_SQL_READ_RATE] = "SELECT slot, taken FROM gh_rates WHERE tenant = ?1 AND key = ?2 AND slot >= ?3"
                         " ORDER BY slot LIMIT ?4",
    [GH_SQL_WRITE_RATE] = "INSERT INTO gh_rates (tenant, key, slot, taken, expires) VALUES (?1, ?2, ?3, ?4, ?5)"
                          " ON CONFLICT DO UPDATE SET taken = taken + ?4",
    [GH_SQL_SWEEP_RATES] = "DELETE FROM gh_rates WHERE (tenant, key, slot) IN"
                           " (SELECT tenant, key, slot FROM gh_rates WHERE expires <= ?1 LIMIT 500)",
};
/* clang-format on */

static void read_all(struct gh_sqlite *self, struct gh_store_call *first);

/* ---- life ---- */

static void close_all(void *ctx)
{
    struct gh_sqlite *self = ctx;
    for (size_t i = 0; i < GH_SQL_COUNT; i++)
        (void)sqlite3_finalize(self->statements[i]);
    (void)sqlite3_close(self->db);
    free(self);
}

static enum gh_reason prepare(struct gh_sqlite *self, char **ret_why)
{
    for (size_t i = 0; i < GH_SQL_COUNT; i++) {
        if (sqlite3_prepare_v3(self->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &self->statements[i], NULL) ==
            SQLITE_OK)
            continue;
        if (asprintf(ret_why, "the store has another schema: %s", sqlite3_errmsg(self->db)) < 0)
            *ret_why = NULL;
        return GH_STORE_DOWN;
    }
    return GH_OK;
}

static enum gh_reason open_all(const struct gh_store_conf *conf, void **ret_self, char **ret_why)
{
    struct gh_sqlite *self = gh_calloc(1, sizeof(*self));
    if (self == NULL)
        return GH_OUT_OF_MEMORY;
    enum gh_reason reason = gh_sqlite_open(conf, self, ret_why);
    if (reason == GH_OK)
        reason = prepare(self, ret_why);
    if (reason == GH_OK)
        *ret_self = self;
    else
        close_all(self);
    return reason;
}

static const char *why(void *ctx)
{
    return ((const struct gh_sqlite *)ctx)->why;
}

/* ---- statements ---- */

enum gh_reason gh_sqlite_fail(struct gh_sqlite *self)
{
    int code = sqlite3_extended_errcode(self->db);
    (void)snprintf(self->why, sizeof(self->why), "%s (%d)", sqlite3_errmsg(self->db), code);
    return (code & 0xff) == SQLITE_NOMEM ? GH_OUT_OF_MEMORY : GH_STORE_DOWN;
}

bool gh_sqlite_bind(sqlite3_stmt *statement, int at, gh_str bytes)
{
    return sqlite3_bind_blob64(statement, at, bytes.len > 0 ? bytes.ptr : "", bytes.len, SQLITE_STATIC) ==
           SQLITE_OK;
}

bool gh_sqlite_bind_number(sqlite3_stmt *statement, int at, int64_t value)
{
    return sqlite3_bind_int64(statement, at, value) == SQLITE_OK;
}

/* Runs to the next row; *ret_row: there is one. Reset by the caller when a row is left standing. */
enum gh_reason gh_sqlite_step(struct gh_sqlite *self, enum gh_statement which, bool *ret_row)
{
    int code = sqlite3_step(self->statements[which]);
    *ret_row = code == SQLITE_ROW;
    if (code == SQLITE_ROW)
        return GH_OK;
    enum gh_reason reason = code == SQLITE_DONE ? GH_OK : gh_sqlite_fail(self);
    (void)sqlite3_reset(self->statements[which]);
    return reason;
}

/* A statement without rows, bound beforehand. */
enum gh_reason gh_sqlite_run(struct gh_sqlite *self, enum gh_statement which)
{
    bool row;
    enum gh_reason reason = gh_sqlite_step(self, which, &row);
    if (row)
        (void)sqlite3_reset(self->statements[which]);
    return reason;
}

/* The first column of its one row. */
enum gh_reason gh_sqlite_ask(struct gh_sqlite *self, enum gh_statement which, int64_t *ret_value)
{
    bool row;
    enum gh_reason reason = gh_sqlite_step(self, which, &row);
    if (!row)
        return reason != GH_OK ? reason : GH_STORE_MALFORMED;
    *ret_value = sqlite3_column_int64(self->statements[which], 0);
    (void)sqlite3_reset(self->statements[which]);
    return GH_OK;
}

void gh_sqlite_roll_back(struct gh_sqlite *self)
{
    char before[sizeof(self->why)];
    memcpy(before, self->why, sizeof(before)); /* what failed first is what counts */
    if (sqlite3_get_autocommit(self->db) == 0)
        (void)!gh_sqlite_run(self, GH_SQL_ROLLBACK);
    memcpy(self->why, before, sizeof(before));
}

/* A file that was moved or deleted still takes writes, which nobody would find again. */
enum gh_reason gh_sqlite_check_place(struct gh_sqlite *self)
{
    int moved = 0;
    if (sqlite3_file_control(self->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved) != SQLITE_OK || moved == 0)
        return GH_OK;
    (void)snprintf(self->why, sizeof(self->why), "the file was moved or deleted");
    return GH_STORE_DOWN;
}

static void run_calls(void *ctx, struct gh_store_call *first)
{
    gh_sqlite_commit_all(ctx, first); /* first: who reads behind a commit sees it */
    read_all(ctx, first);
    gh_sqlite_take_all(ctx, first);
}

/* ---- reading ---- */

static enum gh_reason copy_column(struct gh_store_call *call, sqlite3_stmt *statement, int column,
                                  gh_str *ret_text)
{
    const void *bytes = sqlite3_column_blob(statement, column);
    *ret_text = gh_arena_dup(call->arena, gh_str_of(bytes, (size_t)sqlite3_column_bytes(statement, column)));
    return ret_text->ptr != NULL ? GH_OK : GH_OUT_OF_MEMORY;
}

static enum gh_reason copy_row(struct gh_store_call *call, sqlite3_stmt *statement, struct gh_stored_row *row)
{
    row->version = (uint64_t)sqlite3_column_int64(statement, 1);
    row->expires = sqlite3_column_int64(statement, 2);
    return copy_column(call, statement, 0, &row->value);
}

bool gh_sqlite_bind_row(struct gh_sqlite *self, enum gh_statement which, const struct gh_store_call *call,
                        gh_str key)
{
    sqlite3_stmt *statement = self->statements[which];
    return gh_sqlite_bind(statement, 1, call->tenant) && gh_sqlite_bind(statement, 2, key) &&
           gh_sqlite_bind_number(statement, 3, call->now);
}

static enum gh_reason read_row(struct gh_sqlite *self, struct gh_store_call *call, gh_str key,
                               struct gh_stored_row *row)
{
    sqlite3_stmt *statement = self->statements[GH_SQL_READ_ROW];
    bool found;
    row->key = key;
    if (!gh_sqlite_bind_row(self, GH_SQL_READ_ROW, call, key))
        return gh_sqlite_fail(self);
    enum gh_reason reason = gh_sqlite_step(self, GH_SQL_READ_ROW, &found);
    if (!found)
        return reason;
    reason = copy_row(call, statement, row);
    (void)sqlite3_reset(statement);
    return reason;
}

static enum gh_reason read_keys(struct gh_sqlite *self, struct gh_store_call *call)
{
    struct gh_stored_row *rows = gh_arena_calloc(call->arena, call->keys.count, sizeof(*rows));
    enum gh_reason reason = rows != NULL ? GH_OK : GH_OUT_OF_MEMORY;
    for (size_t i = 0; reason == GH_OK && i < call->keys.count; i++)
        reason = read_row(self, call, call->keys.at[i], &rows[i]);
    call->answer.rows = (struct gh_rows){ rows, call->keys.count };
    return reason;
}

static enum gh_reason list_rows(struct gh_sqlite *self, struct gh_store_call *call)
{
    sqlite3_stmt *statement = self->statements[GH_SQL_LIST_ROWS];
    struct gh_stored_row *rows = gh_arena_calloc(call->arena, call->limit, sizeof(*rows));
    /* Keys are ASCII: nothing with the prefix sorts behind it and 0xff. */
    gh_str behind = gh_arena_printf(call->arena, "%.*s\xff", GH_STR_FMT(call->prefix));
    size_t count = 0;
    if (rows == NULL || behind.ptr == NULL)
        return GH_OUT_OF_MEMORY;
    if (!gh_sqlite_bind_row(self, GH_SQL_LIST_ROWS, call, call->prefix) ||
        !gh_sqlite_bind(statement, 4, call->after) ||
        !gh_sqlite_bind_number(statement, 5, (int64_t)call->limit) || !gh_sqlite_bind(statement, 6, behind))
        return gh_sqlite_fail(self);
    bool found = true;
    enum gh_reason reason = GH_OK;
    while (reason == GH_OK && count < call->limit && found) {
        reason = gh_sqlite_step(self, GH_SQL_LIST_ROWS, &found);
        if (found && (reason = copy_row(call, statement, &rows[count])) == GH_OK)
            reason = copy_column(call, statement, 3, &rows[count++].key);
    }
    (void)sqlite3_reset(statement);
    call->answer.rows = (struct gh_rows){ rows, count };
    return reason;
}

static void read_one(struct gh_sqlite *self, struct gh_store_call *call)
{
    enum gh_reason reason = call->kind == GH_STORE_READ ? read_keys(self, call) : list_rows(self, call);
    call->answer.reason = reason;
    if (reason != GH_OK)
        call->answer.rows = (struct gh_rows){ NULL, 0 };
}

/* All in one transaction: the rows of one answer belong together. */
static void read_all(struct gh_sqlite *self, struct gh_store_call *first)
{
    bool begun = false;
    enum gh_reason reason = GH_OK;
    for (struct gh_store_call *call = first; call != NULL; call = call->next) {
        if (call->kind != GH_STORE_READ && call->kind != GH_STORE_LIST)
            continue;
        if (!begun)
            reason = gh_sqlite_run(self, GH_SQL_BEGIN_READ);
        begun = true;
        if (reason == GH_OK)
            read_one(self, call);
        else
            call->answer.reason = reason;
    }
    if (begun && sqlite3_get_autocommit(self->db) == 0 && gh_sqlite_run(self, GH_SQL_COMMIT) != GH_OK)
        gh_sqlite_roll_back(self);
}

const struct gh_store_driver gh_store_sqlite = {
    .open = open_all,
    .close = close_all,
    .run = run_calls,
    .look = gh_sqlite_look,
    .tail = gh_sqlite_tail,
    .sweep = gh_sqlite_sweep,
    .why = why,
};
