/* Runs tests/tables/oauth.cases: forms, redirect URIs, PKCE, resources and scopes. */
#include <stdlib.h>

#include "base/str.h"
#include "gatehouse/client.h"
#include "gatehouse/grant.h"
#include "support/table.h"

static bool say(struct gh_buf *out, enum gh_reason reason)
{
    return gh_buf_printf(out, "reason: %s", gh_reason_row(reason)->slug);
}

static bool form(struct gh_arena *arena, gh_str line, struct gh_buf *out)
{
    struct gh_form form;
    enum gh_reason reason = gh_form_read(arena, line, &form);
    if (reason != GH_OK)
        return say(out, reason);
    bool ok = gh_buf_printf(out, "%zu:", form.count);
    for (size_t i = 0; i < form.count; i++)
        ok = ok &&
             gh_buf_printf(out, " %.*s=[%.*s]", GH_STR_FMT(form.at[i].name), GH_STR_FMT(form.at[i].value));
    return ok;
}

static bool redirect(struct gh_arena *arena, gh_str line, struct gh_buf *out)
{
    static const char *const kinds[] = { "web", "loopback", "private" };
    gh_str uri = gh_table_word(&line);
    struct gh_strs schemes = { &line, line.len > 0 ? 1 : 0 };
    enum gh_redirect_kind kind;
    enum gh_reason reason = gh_redirect_check(arena, uri, schemes, &kind);
    gh_str host = gh_redirect_host(uri);
    return reason == GH_OK ? gh_buf_printf(out, "%s %.*s", kinds[kind], GH_STR_FMT(host)) : say(out, reason);
}

static bool match(struct gh_arena *arena, gh_str line, struct gh_buf *out)
{
    gh_str registered = gh_table_word(&line);
    return gh_buf_printf(out, "%s", gh_redirect_matches(registered, line) ? "matches" : "no");
}

static bool resource(struct gh_arena *arena, gh_str line, struct gh_buf *out)
{
    gh_str canonical = gh_table_word(&line);
    bool matches = false;
    enum gh_reason reason = gh_resource_matches(arena, canonical, line, &matches);
    return reason == GH_OK ? gh_buf_printf(out, "%s", matches ? "matches" : "no") : say(out, reason);
}

static bool pkce(struct gh_arena *arena, gh_str line, struct gh_buf *out)
{
    gh_str challenge = gh_table_word(&line);
    return gh_pkce_challenge_is_legal(challenge) ? say(out, gh_pkce_verify(challenge, line))
                                                 : gh_buf_printf(out, "no challenge");
}

static bool scope(struct gh_arena *arena, gh_str line, struct gh_buf *out)
{
    struct gh_strs scopes;
    enum gh_reason reason = gh_scope_read(arena, line, &scopes);
    return reason == GH_OK ? gh_buf_printf(out, "%zu [%s]", scopes.count, gh_scope_write(arena, scopes).ptr)
                           : say(out, reason);
}

static bool url(struct gh_arena *arena, gh_str line, struct gh_buf *out)
{
    gh_str base = gh_table_word(&line), name = gh_table_word(&line);
    const struct gh_parameter parameters[] = { { name, line }, { GH_STR("left"), GH_STR_NONE } };
    return gh_buf_add(out, gh_url_with(arena, base, parameters, 2));
}

static bool client_url(struct gh_arena *arena, gh_str line, struct gh_buf *out)
{
    return say(out, gh_client_url_check(arena, line));
}

static void answer(struct gh_arena *arena, gh_str line, struct gh_buf *out)
{
    static const struct {
        const char *word;
        bool (*run)(struct gh_arena *arena, gh_str line, struct gh_buf *out);
    } kinds[] = {
        { "form", form }, { "redirect", redirect }, { "match", match }, { "resource", resource },
        { "pkce", pkce }, { "scope", scope },       { "url", url },     { "client-url", client_url }
    };
    gh_str what = gh_table_word(&line);
    for (size_t i = 0; i < GH_ARRAY_LEN(kinds); i++) {
        if (!gh_str_eq(what, gh_str_from(kinds[i].word)))
            continue;
        if (!kinds[i].run(arena, line, out))
            abort();
        return;
    }
    abort();
}

int main(void)
{
    return gh_table_run("oauth", answer);
}
