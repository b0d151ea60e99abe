/* core/table_target.c: which request targets are in their one canonical form. */
#include "gatehouse/http.h"
#include "support/table.h"

static void answer(struct gh_arena *arena, gh_str line, struct gh_buf *out)
{
    struct gh_target target;
    enum gh_reason reason = gh_target_read(line, &target);
    bool done = reason != GH_OK ? gh_buf_printf(out, "%s", gh_reason_row(reason)->slug)
                                : gh_buf_printf(out, "path=%.*s", GH_STR_FMT(target.path));
    if (done && reason == GH_OK && target.query.ptr != NULL)
        done = gh_buf_printf(out, " query=%.*s", GH_STR_FMT(target.query));
    (void)done;
}

int main(void)
{
    return gh_table_run("target", answer);
}
