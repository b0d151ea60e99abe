/* store/sqlite_rate.c: what rate limits have left, counted in a table; a transaction of its own, which waits
 * for no disk. */
#include "base/clock.h"
#include "base/str.h"
#include "store/store_sqlite.h"

static enum gh_reason read_slots(struct gh_sqlite *self, const struct gh_store_call *call, int64_t from,
                                 struct gh_rate_slot slots[GH_RATE_SLOTS], size_t *ret_count)
{
    sqlite3_stmt *statement = self->statements[GH_SQL_READ_RATE];
    if (!gh_sqlite_bind(statement, 1, call->tenant) || !gh_sqlite_bind(statement, 2, call->key) ||
        !gh_sqlite_bind_number(statement, 3, from) || !gh_sqlite_bind_number(statement, 4, GH_RATE_SLOTS))
        return gh_sqlite_fail(self);
    size_t count = 0;
    bool found = true;
    enum gh_reason reason = GH_OK;
    while (reason == GH_OK && count < GH_RATE_SLOTS) {
        reason = gh_sqlite_step(self, GH_SQL_READ_RATE, &found);
        if (!found)
            break;
        slots[count++] = (struct gh_rate_slot){ .slot = sqlite3_column_int64(statement, 0),
                                                .taken = sqlite3_column_int64(statement, 1) };
    }
    (void)sqlite3_reset(statement);
    *ret_count = count;
    return reason;
}

static enum gh_reason count(struct gh_sqlite *self, const struct gh_store_call *call, int64_t slot,
                            int64_t taken, int64_t expires_s)
{
    sqlite3_stmt *statement = self->statements[GH_SQL_WRITE_RATE];
    bool bound = gh_sqlite_bind(statement, 1, call->tenant) && gh_sqlite_bind(statement, 2, call->key) &&
                 gh_sqlite_bind_number(statement, 3, slot) && gh_sqlite_bind_number(statement, 4, taken) &&
                 gh_sqlite_bind_number(statement, 5, expires_s);
    return bound ? gh_sqlite_run(self, GH_SQL_WRITE_RATE) : gh_sqlite_fail(self);
}

static enum gh_reason take(struct gh_sqlite *self, struct gh_store_call *call, int64_t now_ms)
{
    const struct gh_rate_window window = gh_rate_window(call->ask.window_s);
    struct gh_rate_slot slots[GH_RATE_SLOTS];
    size_t slot_count = 0;
    int64_t slot = now_ms / window.slot_ms;
    enum gh_reason reason = read_slots(self, call, slot - window.kept, slots, &slot_count);
    if (reason != GH_OK)
        return reason;
    call->answer.rate = gh_rate_grant(&call->ask, slots, slot_count, now_ms);
    if (call->answer.rate.granted == 0)
        return GH_OK;
    int64_t expires_s = (slot + window.kept + 1) * window.slot_ms / 1000 + 1;
    return count(self, call, slot, call->answer.rate.granted, expires_s);
}

/* All or none: what could not be counted was not granted. */
static enum gh_reason take_together(struct gh_sqlite *self, struct gh_store_call *first)
{
    int64_t now_ms = gh_clock_wall_us() / 1000;
    enum gh_reason reason = gh_sqlite_run(self, GH_SQL_BEGIN_WRITE);
    for (struct gh_store_call *call = first; reason == GH_OK && call != NULL; call = call->next) {
        if (call->kind == GH_STORE_TAKE)
            reason = take(self, call, now_ms);
    }
    return reason == GH_OK ? gh_sqlite_run(self, GH_SQL_COMMIT) : reason;
}

/* SQLite changes it when the statement is compiled, not when it is run: a prepared one would do nothing. */
enum gh_reason gh_sqlite_be_light(struct gh_sqlite *self, bool is_light)
{
    if (self->is_light == is_light)
        return GH_OK;
    const char *sql = is_light ? "PRAGMA synchronous = NORMAL" : "PRAGMA synchronous = FULL";
    if (sqlite3_exec(self->db, sql, NULL, NULL, NULL) != SQLITE_OK)
        return gh_sqlite_fail(self);
    self->is_light = is_light;
    return GH_OK;
}

static enum gh_reason take_lightly(struct gh_sqlite *self, struct gh_store_call *first)
{
    enum gh_reason reason = gh_sqlite_check_place(self);
    if (reason == GH_OK)
        reason = gh_sqlite_be_light(self, true);
    if (reason == GH_OK)
        reason = take_together(self, first);
    if (reason != GH_OK)
        gh_sqlite_roll_back(self);
    return reason;
}

void gh_sqlite_take_all(struct gh_sqlite *self, struct gh_store_call *first)
{
    bool any = false;
    for (const struct gh_store_call *call = first; call != NULL; call = call->next)
        any = any || call->kind == GH_STORE_TAKE;
    if (!any)
        return;
    enum gh_reason reason = take_lightly(self, first);
    for (struct gh_store_call *call = first; call != NULL; call = call->next) {
        if (call->kind != GH_STORE_TAKE)
            continue;
        call->answer.reason = reason;
        if (reason != GH_OK)
            call->answer.rate = (struct gh_rate_answer){ 0 };
    }
}
