/* Runs tests/tables/authorization.cases: authorization requests of a client at an issuer, and what is
 * answered. */
#include <stdlib.h>

#include "base/str.h"
#include "gatehouse/grant.h"
#include "support/table.h"

static const gh_str redirects[] = { GH_STR_INIT("https://app.example/cb"),
                                    GH_STR_INIT("http://127.0.0.1/callback") };
static const gh_str scopes[] = { GH_STR_INIT("mcp:read"), GH_STR_INIT("mcp:write"),
                                 GH_STR_INIT("mcp:admin") };
static const gh_str notes[] = { GH_STR_INIT("https://gw.example/notes/mcp") };
static const struct gh_grant_resource resources[] = {
    { .canonical = GH_STR_INIT("https://gw.example/weather/mcp"),
      .scopes = { scopes, 3 },
      .default_scopes = { scopes, 1 } },
    { .canonical = GH_STR_INIT("https://gw.example/notes/mcp"),
      .scopes = { scopes, 2 },
      .default_scopes = { scopes, 2 } },
};

/* "one": the issuer has a single resource; "bound": the client may use notes alone; "readonly": it may only
 * read; "service": it has no code grant. */
static struct gh_client client_of(gh_str kind)
{
    struct gh_client client = { .id = GH_STR("c1"),
                                .grants = GH_GRANT_CODE | GH_GRANT_REFRESH,
                                .redirect_uris = { redirects, 2 } };
    if (gh_str_eq(kind, GH_STR("bound")))
        client.resources = (struct gh_strs){ notes, 1 };
    if (gh_str_eq(kind, GH_STR("readonly")))
        client.scopes = (struct gh_strs){ scopes, 1 };
    if (gh_str_eq(kind, GH_STR("service")))
        client.grants = GH_GRANT_CREDENTIALS;
    if (gh_str_eq(kind, GH_STR("single")))
        client.redirect_uris.count = 1;
    return client;
}

static bool describe(struct gh_arena *arena, const struct gh_authorization *request, struct gh_buf *out)
{
    struct gh_authorization again;
    gh_str stored = gh_authorization_write(arena, request);
    if (gh_authorization_load(arena, stored, &again) != GH_OK ||
        !gh_str_eq(gh_authorization_write(arena, &again), stored))
        abort(); /* what is stored is what was read */
    return gh_buf_printf(out, "%.*s [%s] to %.*s state=%.*s%s%s%s", GH_STR_FMT(request->resource),
                         gh_scope_write(arena, request->scopes).ptr, GH_STR_FMT(request->redirect_uri),
                         GH_STR_FMT(request->state), request->prompt_none ? " none" : "",
                         request->prompt_login ? " login" : "", request->prompt_consent ? " consent" : "");
}

static void answer(struct gh_arena *arena, gh_str line, struct gh_buf *out)
{
    gh_str kind = gh_table_word(&line), redirect_uri = GH_STR_NONE;
    const struct gh_client client = client_of(kind);
    const struct gh_grant_policy policy = { .issuer = GH_STR("https://gw.example"),
                                            .resources = resources,
                                            .resource_count = gh_str_eq(kind, GH_STR("one")) ? 1 : 2 };
    struct gh_form form = { 0 };
    struct gh_authorization request;
    /* A good challenge stands for itself, so that a case shows what it is about. */
    gh_str query = gh_arena_printf(arena, "%.*s", GH_STR_FMT(line));
    if (gh_str_ends(query, GH_STR("&PKCE")))
        query = gh_arena_printf(arena,
                                "%.*s&response_type=code&code_challenge_method=S256&code_challenge="
                                "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
                                (int)query.len - 5, query.ptr);
    enum gh_reason reason = gh_form_read(arena, query, &form);
    const char *where = "page";
    if (reason == GH_OK)
        reason = gh_authorization_redirect(&client, &form, &redirect_uri);
    if (reason == GH_OK) {
        where = "redirect";
        reason = gh_authorization_read(arena, &policy, &client, &form, redirect_uri, &request);
    }
    gh_str url = gh_authorization_answer(arena, &policy, redirect_uri, gh_form_get(&form, GH_STR("state")),
                                         GH_STR_NONE, reason);
    bool written = reason == GH_OK ? describe(arena, &request, out)
                   : gh_str_eq(gh_str_from(where), GH_STR("page"))
                       ? gh_buf_printf(out, "page, reason: %s", gh_reason_row(reason)->slug)
                       : gh_buf_printf(out, "%s, reason: %s", url.ptr, gh_reason_row(reason)->slug);
    if (!written)
        abort();
}

int main(void)
{
    return gh_table_run("authorization", answer);
}
