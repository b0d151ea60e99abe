/* core/table_authority.c: which Host values name a host, and how it is spelled then. */
#include "gatehouse/http.h"
#include "support/table.h"

static void answer(struct gh_arena *arena, gh_str line, struct gh_buf *out)
{
    struct gh_authority authority;
    enum gh_reason reason = gh_authority_read(arena, line, &authority);
    bool done = reason != GH_OK
                    ? gh_buf_printf(out, "%s", gh_reason_row(reason)->slug)
                    : gh_buf_printf(out, "%.*s %u", GH_STR_FMT(authority.host), (unsigned)authority.port);
    (void)done;
}

int main(void)
{
    return gh_table_run("authority", answer);
}
