/* core/table_decide.c: which granted scopes satisfy a route. */
#include "gatehouse/policy.h"
#include "lines.h"
#include "support/table.h"

static void answer(struct gh_arena *arena, gh_str line, struct gh_buf *out)
{
    gh_str needed = gh_str_trim(gh_str_cut(&line, '/')), granted = gh_str_trim(gh_str_cut(&line, '/'));
    struct gh_policy policy = { .scopes = list_of(arena, needed),
                                .scope_hierarchy = list_of(arena, gh_str_trim(line)) };
    struct gh_principal principal = { .scopes = list_of(arena, granted) };
    if (!gh_buf_printf(out, "%s", gh_reason_row(gh_policy_decide(&policy, &principal))->slug))
        return;
}

int main(void)
{
    return gh_table_run("decide", answer);
}
