/* store/store_sqlite.h: one connection to the database file: opened (sqlite_open.c), read (store_sqlite.c),
 * written (sqlite_commit.c), its log followed and swept (sqlite_log.c), its rates counted (sqlite_rate.c). */
#ifndef GH_STORE_STORE_SQLITE_H
#define GH_STORE_STORE_SQLITE_H

#include <sqlite3.h>

#include "store/driver.h"

enum gh_statement {
    GH_SQL_BEGIN_READ,
    GH_SQL_BEGIN_WRITE,
    GH_SQL_COMMIT,
    GH_SQL_ROLLBACK,
    GH_SQL_READ_ROW,
    GH_SQL_LIST_ROWS,
    GH_SQL_WRITE_ROW,
    GH_SQL_DELETE_ROW,
    GH_SQL_READ_SEQUENCE,
    GH_SQL_WRITE_SEQUENCE,
    GH_SQL_APPEND,
    GH_SQL_TAIL,
    GH_SQL_SWEEP_ROWS,
    GH_SQL_SWEEP_LOG,
    GH_SQL_DATA_VERSION,
    GH_SQL_READ_RATE,
    GH_SQL_WRITE_RATE,
    GH_SQL_SWEEP_RATES,
    GH_SQL_COUNT
};

struct gh_sqlite {
    sqlite3 *db;
    sqlite3_stmt *statements[GH_SQL_COUNT];
    int64_t sequence; /* of the transaction that is open: the last version or position given */
    int64_t data_version;
    bool seen_version;
    bool is_light; /* a commit would not wait for the disk */
    char why[256]; /* the last failure */
};

/* sqlite_open.c: GH_OK with a connection whose schema is ours and whose commits are durable, or as
 * gh_store_open. */
GH_MUST_USE enum gh_reason gh_sqlite_open(const struct gh_store_conf *conf, struct gh_sqlite *self,
                                          char **ret_why);

/* ---- statements: store_sqlite.c ---- */
/* Lent until the statement is reset. */
bool gh_sqlite_bind(sqlite3_stmt *statement, int at, gh_str bytes) GH_MUST_USE;
bool gh_sqlite_bind_number(sqlite3_stmt *statement, int at, int64_t value) GH_MUST_USE;
/* The first three parameters of what finds rows: tenant, key, now. */
bool gh_sqlite_bind_row(struct gh_sqlite *self, enum gh_statement which, const struct gh_store_call *call,
                        gh_str key) GH_MUST_USE;
/* What SQLite's last error means; its words are kept in `why`. */
GH_MUST_USE enum gh_reason gh_sqlite_fail(struct gh_sqlite *self);
/* To the next row; *ret_row: there is one, and the caller resets the statement after it. */
GH_MUST_USE enum gh_reason gh_sqlite_step(struct gh_sqlite *self, enum gh_statement which, bool *ret_row);
/* A statement without rows. */
GH_MUST_USE enum gh_reason gh_sqlite_run(struct gh_sqlite *self, enum gh_statement which);
/* The first column of its one row. */
GH_MUST_USE enum gh_reason gh_sqlite_ask(struct gh_sqlite *self, enum gh_statement which, int64_t *ret_value);
/* If a transaction is open. */
void gh_sqlite_roll_back(struct gh_sqlite *self);
/* GH_STORE_DOWN when the file is no longer where it was. */
GH_MUST_USE enum gh_reason gh_sqlite_check_place(struct gh_sqlite *self);

/* sqlite_commit.c */
void gh_sqlite_commit_all(struct gh_sqlite *self, struct gh_store_call *first);
/* sqlite_rate.c */
/* Commits wait for the disk, or do not; outside of transactions. */
GH_MUST_USE enum gh_reason gh_sqlite_be_light(struct gh_sqlite *self, bool is_light);
void gh_sqlite_take_all(struct gh_sqlite *self, struct gh_store_call *first);
/* sqlite_log.c: of the driver's table */
enum gh_reason gh_sqlite_look(void *ctx, bool *ret_changed);
enum gh_reason gh_sqlite_tail(void *ctx, uint64_t after, struct gh_arena *arena,
                              struct gh_log_batch *ret_batch);
enum gh_reason gh_sqlite_sweep(void *ctx, int64_t now_s, bool *ret_more);

#endif
