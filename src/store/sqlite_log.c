/* store/sqlite_log.c: the log as a table: is there something new, what is it, and what may be forgotten. */
#include "base/str.h"
#include "store/store_sqlite.h"

enum gh_reason gh_sqlite_look(void *ctx, bool *ret_changed)
{
    struct gh_sqlite *self = ctx;
    int64_t version = 0;
    enum gh_reason reason = gh_sqlite_check_place(self);
    if (reason == GH_OK)
        reason = gh_sqlite_ask(self, GH_SQL_DATA_VERSION, &version);
    if (reason != GH_OK)
        return reason;
    *ret_changed = !self->seen_version || version != self->data_version;
    self->data_version = version;
    self->seen_version = true;
    return GH_OK;
}

static enum gh_reason copy_line(sqlite3_stmt *statement, struct gh_arena *arena, struct gh_log_line *line)
{
    *line = (struct gh_log_line){ .position = (uint64_t)sqlite3_column_int64(statement, 0),
                                  .appended_ms = sqlite3_column_int64(statement, 1),
                                  .until = sqlite3_column_int64(statement, 2) };
    gh_str bytes = gh_str_of(sqlite3_column_blob(statement, 3), (size_t)sqlite3_column_bytes(statement, 3));
    line->line = gh_arena_dup(arena, bytes);
    return line->line.ptr != NULL ? GH_OK : GH_OUT_OF_MEMORY;
}

enum gh_reason gh_sqlite_tail(void *ctx, uint64_t after, struct gh_arena *arena,
                              struct gh_log_batch *ret_batch)
{
    struct gh_sqlite *self = ctx;
    sqlite3_stmt *statement = self->statements[GH_SQL_TAIL];
    ret_batch->count = 0;
    if (!gh_sqlite_bind_number(statement, 1, (int64_t)after) ||
        !gh_sqlite_bind_number(statement, 2, GH_LOG_BATCH))
        return gh_sqlite_fail(self);
    bool found = true;
    enum gh_reason reason = GH_OK;
    while (reason == GH_OK && found && ret_batch->count < GH_LOG_BATCH) {
        reason = gh_sqlite_step(self, GH_SQL_TAIL, &found);
        if (found)
            reason = copy_line(statement, arena, &ret_batch->at[ret_batch->count++]);
    }
    (void)sqlite3_reset(statement);
    return reason;
}

/* ---- sweeping ---- */

static enum gh_reason sweep_by(struct gh_sqlite *self, enum gh_statement which, int64_t until, bool *ret_more)
{
    if (!gh_sqlite_bind_number(self->statements[which], 1, until))
        return gh_sqlite_fail(self);
    enum gh_reason reason = gh_sqlite_run(self, which);
    *ret_more = *ret_more || sqlite3_changes(self->db) == 500;
    return reason;
}

enum gh_reason gh_sqlite_sweep(void *ctx, int64_t now_s, bool *ret_more)
{
    struct gh_sqlite *self = ctx;
    enum gh_reason reason = gh_sqlite_check_place(self);
    if (reason == GH_OK)
        reason = sweep_by(self, GH_SQL_SWEEP_ROWS, now_s, ret_more);
    if (reason == GH_OK)
        reason = sweep_by(self, GH_SQL_SWEEP_LOG, now_s - GH_REVOKED_SLACK_S, ret_more);
    if (reason == GH_OK)
        reason = sweep_by(self, GH_SQL_SWEEP_RATES, now_s, ret_more);
    return reason;
}
