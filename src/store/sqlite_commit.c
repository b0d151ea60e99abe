/* store/sqlite_commit.c: commits in groups: one durable step for several, each judged by itself. */
#include "base/clock.h"
#include "store/store_sqlite.h"

/* Commits of one durable step. */
#define GROUP_MAX 64u

static enum gh_reason begin_write(struct gh_sqlite *self)
{
    enum gh_reason reason = gh_sqlite_check_place(self);
    if (reason == GH_OK)
        reason = gh_sqlite_be_light(self, false);
    if (reason == GH_OK)
        reason = gh_sqlite_run(self, GH_SQL_BEGIN_WRITE);
    return reason == GH_OK ? gh_sqlite_ask(self, GH_SQL_READ_SEQUENCE, &self->sequence) : reason;
}

static enum gh_reason version_of(struct gh_sqlite *self, const struct gh_store_call *call, gh_str key,
                                 uint64_t *ret_version)
{
    sqlite3_stmt *statement = self->statements[GH_SQL_READ_ROW];
    bool found;
    if (!gh_sqlite_bind_row(self, GH_SQL_READ_ROW, call, key))
        return gh_sqlite_fail(self);
    enum gh_reason reason = gh_sqlite_step(self, GH_SQL_READ_ROW, &found);
    *ret_version = found ? (uint64_t)sqlite3_column_int64(statement, 1) : 0;
    if (found)
        (void)sqlite3_reset(statement);
    return reason;
}

/* GH_OK, GH_STORE_CONFLICT, or why it cannot be known. */
static enum gh_reason judge(struct gh_sqlite *self, const struct gh_store_call *call)
{
    for (size_t i = 0; i < call->precondition_count; i++) {
        uint64_t version = 0;
        enum gh_reason reason = version_of(self, call, call->preconditions[i].key, &version);
        if (reason != GH_OK)
            return reason;
        if (version != call->preconditions[i].version)
            return GH_STORE_CONFLICT;
    }
    return GH_OK;
}

static enum gh_reason write_row(struct gh_sqlite *self, const struct gh_store_call *call,
                                const struct gh_write *write)
{
    bool deletes = write->value.ptr == NULL;
    enum gh_statement which = deletes ? GH_SQL_DELETE_ROW : GH_SQL_WRITE_ROW;
    sqlite3_stmt *statement = self->statements[which];
    bool bound = gh_sqlite_bind(statement, 1, call->tenant) && gh_sqlite_bind(statement, 2, write->key);
    if (!deletes)
        bound = bound && gh_sqlite_bind(statement, 3, write->value) &&
                gh_sqlite_bind_number(statement, 4, ++self->sequence) &&
                gh_sqlite_bind_number(statement, 5, write->expires);
    return bound ? gh_sqlite_run(self, which) : gh_sqlite_fail(self);
}

static enum gh_reason append(struct gh_sqlite *self, const struct gh_log_line *line)
{
    sqlite3_stmt *statement = self->statements[GH_SQL_APPEND];
    bool bound = gh_sqlite_bind_number(statement, 1, ++self->sequence) &&
                 gh_sqlite_bind_number(statement, 2, gh_clock_wall_us() / 1000) &&
                 gh_sqlite_bind_number(statement, 3, line->until) && gh_sqlite_bind(statement, 4, line->line);
    return bound ? gh_sqlite_run(self, GH_SQL_APPEND) : gh_sqlite_fail(self);
}

static enum gh_reason apply(struct gh_sqlite *self, struct gh_store_call *call)
{
    enum gh_reason reason = GH_OK;
    for (size_t i = 0; reason == GH_OK && i < call->write_count; i++)
        reason = write_row(self, call, &call->writes[i]);
    for (size_t i = 0; reason == GH_OK && i < call->line_count; i++)
        reason = append(self, &call->lines[i]);
    call->answer.position = call->line_count > 0 ? (uint64_t)self->sequence : 0;
    return reason;
}

static enum gh_reason end_write(struct gh_sqlite *self, int64_t began_at)
{
    sqlite3_stmt *statement = self->statements[GH_SQL_WRITE_SEQUENCE];
    if (self->sequence != began_at) {
        if (!gh_sqlite_bind_number(statement, 1, self->sequence))
            return gh_sqlite_fail(self);
        enum gh_reason reason = gh_sqlite_run(self, GH_SQL_WRITE_SEQUENCE);
        if (reason != GH_OK)
            return reason;
    }
    return gh_sqlite_run(self, GH_SQL_COMMIT);
}

/* Each is judged after those before it were applied. GH_OK: durable, and each has its own answer. Else
 * nothing happened, and no answer given on the way counts. */
static enum gh_reason commit_together(struct gh_sqlite *self, struct gh_store_call *const *group,
                                      size_t count)
{
    int64_t began_at = self->sequence;
    enum gh_reason reason = GH_OK;
    for (size_t i = 0; reason == GH_OK && i < count; i++) {
        enum gh_reason verdict = judge(self, group[i]);
        group[i]->answer = (struct gh_store_answer){ .reason = verdict };
        if (verdict == GH_OK)
            reason = apply(self, group[i]);
        else if (verdict != GH_STORE_CONFLICT)
            reason = verdict;
    }
    return reason == GH_OK ? end_write(self, began_at) : reason;
}

static void commit_group(struct gh_sqlite *self, struct gh_store_call *const *group, size_t count)
{
    enum gh_reason reason = begin_write(self);
    bool begun = reason == GH_OK;
    if (begun)
        reason = commit_together(self, group, count);
    if (reason == GH_OK)
        return;
    gh_sqlite_roll_back(self);
    for (size_t i = 0; i < count; i++) {
        group[i]->answer = (struct gh_store_answer){ .reason = reason };
        if (begun && count > 1) /* perhaps the fault of one of them: each for itself */
            commit_group(self, &group[i], 1);
    }
}

void gh_sqlite_commit_all(struct gh_sqlite *self, struct gh_store_call *first)
{
    struct gh_store_call *group[GROUP_MAX];
    size_t count = 0;
    for (struct gh_store_call *call = first; call != NULL; call = call->next) {
        if (call->kind == GH_STORE_COMMIT)
            group[count++] = call;
        if (count == GROUP_MAX || (count > 0 && call->next == NULL)) {
            commit_group(self, group, count);
            count = 0;
        }
    }
}
