/* core/table_rpc.c: what a body calls. */
#include "base/str.h"
#include "gatehouse/rpc.h"
#include "support/table.h"

static const char *const kinds[] = { "request", "notification", "response" };
static const char *const named[] = { "", " tool ", " prompt ", " resource ", " unknown" };

static void answer(struct gh_arena *arena, gh_str line, struct gh_buf *out)
{
    static const struct gh_rpc_limits limits = { .depth = 8, .members = 20, .string = 64 };
    static const uint64_t seed[2] = { 1, 2 };
    struct gh_rpc_scanner *scanner = gh_rpc_scanner_new(&limits, seed);
    struct gh_rpc_message found;
    enum gh_reason reason = gh_rpc_scan(scanner, NULL, line, &found);
    /* A scan leaves nothing behind that the next one would meet. */
    bool ok = reason == gh_rpc_scan(scanner, NULL, line, &found);
    if (ok && reason != GH_OK)
        ok = gh_buf_printf(out, "%s", gh_reason_row(reason)->slug);
    else if (ok)
        ok = gh_buf_printf(out, "%s%s%.*s%s%.*s%s%.*s", kinds[found.kind], found.id.len > 0 ? " " : "",
                           GH_STR_FMT(found.id), found.method.ptr != NULL ? " " : "",
                           GH_STR_FMT(found.method), named[found.names], GH_STR_FMT(found.name));
    if (!ok)
        (void)!gh_buf_printf(out, "a second scan says otherwise");
    gh_rpc_scanner_free(scanner);
}

int main(void)
{
    return gh_table_run("rpc", answer);
}
