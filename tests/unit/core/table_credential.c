/* core/table_credential.c: what a request's Authorization lines are worth, and tokens in the query. */
#include "lines.h"
#include "support/table.h"

static void answer(struct gh_arena *arena, gh_str line, struct gh_buf *out)
{
    bool done;
    if (gh_str_starts(line, GH_STR("query"))) {
        gh_str query = gh_str_skip(line, sizeof("query ") - 1);
        done = gh_buf_add(out, gh_query_has_token(query) ? GH_STR("in query") : GH_STR("not in query"));
    } else {
        struct gh_headers headers;
        struct gh_credential credential;
        lines_to_headers(arena, GH_STR("authorization"), line, &headers);
        enum gh_reason reason = gh_credential_read(&headers, 32, &credential);
        done = reason != GH_OK
                   ? gh_buf_printf(out, "%s", gh_reason_row(reason)->slug)
                   : gh_buf_printf(out, "%s %.*s", credential.scheme == GH_SCHEME_DPOP ? "dpop" : "bearer",
                                   GH_STR_FMT(credential.token));
    }
    (void)done;
}

int main(void)
{
    return gh_table_run("credential", answer);
}
