/* core/table_lists.c: what passes of a server's lists. */
#include "base/str.h"
#include "gatehouse/list.h"
#include "lines.h"
#include "support/table.h"

static bool shows(void *ctx, enum gh_rpc_names names, bool is_template, gh_str name)
{
    const struct gh_strs *shown = ctx;
    bool has_brace = gh_str_find(name, '{') < name.len, has_colon = gh_str_find(name, ':') < name.len;
    bool is_uri = names == GH_RPC_NAMES_RESOURCE;
    return is_template == has_brace && is_uri == has_colon && gh_strs_has(*shown, name);
}

static void answer(struct gh_arena *arena, gh_str line, struct gh_buf *out)
{
    gh_str words = gh_str_trim(gh_str_cut(&line, '|')), rest = words;
    bool is_event = gh_str_eq(gh_table_word(&rest), GH_STR("event"));
    struct gh_strs shown = list_of(arena, is_event ? gh_str_trim(rest) : words);
    gh_str text = gh_str_skip(line, 1);
    struct gh_buf passed = { 0 };
    bool changed, ok;
    enum gh_reason reason = is_event ? gh_list_filter_event(text, shows, &shown, &passed, &changed)
                                     : gh_list_filter(text, shows, &shown, &passed, &changed);
    if (reason != GH_OK)
        ok = gh_buf_printf(out, "%s", gh_reason_row(reason)->slug);
    else if (changed)
        ok = gh_buf_add(out, gh_buf_peek(&passed));
    else
        ok = gh_buf_printf(out, "- ") && gh_buf_add(out, text);
    if (!ok)
        (void)!gh_buf_printf(out, "out of memory");
    gh_buf_done(&passed);
}

int main(void)
{
    return gh_table_run("lists", answer);
}
