/* Runs tests/tables/client.cases: metadata of clients, as documents of their own and as registrations. */
#include <stdlib.h>

#include "base/str.h"
#include "gatehouse/client.h"
#include "support/table.h"

static gh_str list_text(struct gh_arena *arena, struct gh_strs list)
{
    return list.count > 0 ? gh_arena_join(arena, list, GH_STR(",")) : GH_STR("-");
}

static bool describe(struct gh_arena *arena, const struct gh_client *client, struct gh_buf *out)
{
    static const char *const auths[] = { "none", "basic", "post", "key" };
    gh_str name = client->name.len > 0 ? client->name : GH_STR("(no name)");
    struct gh_client again;
    gh_str stored = gh_client_write(arena, client);
    if (gh_client_read(arena, stored, &again) != GH_OK || !gh_str_eq(gh_client_write(arena, &again), stored))
        abort(); /* what is stored is what was read */
    return gh_buf_printf(out, "%.*s %s grants=%u %s", GH_STR_FMT(name), auths[client->auth], client->grants,
                         list_text(arena, client->redirect_uris).ptr);
}

static void answer(struct gh_arena *arena, gh_str line, struct gh_buf *out)
{
    static const gh_str scheme = GH_STR_INIT("cursor");
    static const unsigned char random[16] = { 0 };
    const struct gh_strs schemes = { &scheme, 1 };
    gh_str what = gh_table_word(&line), written;
    struct gh_client client;
    enum gh_reason reason = GH_INTERNAL;
    if (gh_str_eq(what, GH_STR("document")))
        reason = gh_client_document_read(arena, GH_STR("https://app.example/c.json"), line, schemes, 1000,
                                         &client);
    else if (gh_str_eq(what, GH_STR("register")))
        reason = gh_client_register(arena, line, schemes, random, 1000, &client, &written);
    bool ok = reason == GH_OK ? describe(arena, &client, out)
                              : gh_buf_printf(out, "reason: %s", gh_reason_row(reason)->slug);
    if (reason == GH_OK && gh_str_eq(what, GH_STR("register")))
        ok = ok && gh_buf_printf(out, " %s", written.ptr);
    if (!ok)
        abort();
}

int main(void)
{
    return gh_table_run("client", answer);
}
