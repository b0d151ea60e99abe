/* core/table_challenge.c: what a refused client is told, word for word. */
#include "gatehouse/policy.h"
#include "lines.h"
#include "support/table.h"

static void answer(struct gh_arena *arena, gh_str line, struct gh_buf *out)
{
    gh_str route = gh_table_word(&line);
    enum gh_reason reason = gh_reason_from_slug(gh_table_word(&line));
    struct gh_principal principal = { .scopes = list_of(arena, line) };
    struct gh_policy policy = {
        .metadata_url = GH_STR("https://gw.example/.well-known/oauth-protected-resource/mcp"),
        .scopes = list_of(arena, GH_STR("mcp:tools")),
    };
    if (gh_str_eq(route, GH_STR("admin")))
        policy.scopes = list_of(arena, GH_STR("mcp:tools,mcp:admin"));
    if (gh_str_eq(route, GH_STR("open")) || gh_str_eq(route, GH_STR("edge")))
        policy.scopes = (struct gh_strs){ 0 };
    if (gh_str_eq(route, GH_STR("edge")))
        policy.metadata_url = GH_STR("");
    gh_str challenge = gh_challenge_write(arena, &policy, reason, &principal, (struct gh_strs){ 0 });
    gh_str body = gh_reason_body(arena, reason, GH_STR_NONE);
    if (!gh_buf_add(out, challenge.ptr != NULL ? challenge : GH_STR("(none)")) ||
        !gh_buf_add(out, GH_STR("  ")) || !gh_buf_add(out, body.len != 0 ? body : GH_STR("(no body)")))
        return;
}

int main(void)
{
    return gh_table_run("challenge", answer);
}
