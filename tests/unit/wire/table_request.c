/* wire/table_request.c: requests as bytes, and what the gateway makes of them under every cut. */
#include "support/table.h"
#include "verdict.h"

static void answer(struct gh_arena *arena, gh_str line, struct gh_buf *out)
{
    const char *verdict = verdict_of(line);
    if (!gh_buf_printf(out, "%s", verdict != NULL ? verdict : "differs by cut"))
        return;
}

int main(void)
{
    return gh_table_run("request", answer);
}
