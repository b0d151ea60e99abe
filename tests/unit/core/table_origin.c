/* core/table_origin.c: which pages may talk to a route. */
#include "gatehouse/policy.h"
#include "lines.h"
#include "support/table.h"

static void answer(struct gh_arena *arena, gh_str line, struct gh_buf *out)
{
    struct gh_policy policy = { .origins = list_of(
                                    arena, GH_STR("https://app.acme.example,https://localhost:6274")) };
    struct gh_headers headers;
    enum gh_reason reason =
        gh_url_read(arena, GH_STR("https://mcp.acme.example/weather/mcp"), &policy.resource);
    lines_to_headers(arena, GH_STR("origin"), line, &headers);
    if (reason == GH_OK)
        reason = gh_policy_origin(&policy, &headers);
    if (!gh_buf_printf(out, "%s", gh_reason_row(reason)->slug))
        return;
}

int main(void)
{
    return gh_table_run("origin", answer);
}
