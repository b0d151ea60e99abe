/* fuzz/fuzz_client_document.c: what a client publishes about itself, asks to register, or had stored about
 * it. */
/* covers: src/core/grant/client_document.c without gh_client_id_is_url segment_is_dots gh_client_url_check */
/* covers: src/core/grant/client.c without gh_client_key gh_secret_hash */
/* covers: src/core/grant/client_words.c src/core/grant/register.c src/core/grant/rows.c */
#include "fuzz/fuzz.h"
#include "gatehouse/client.h"

static const gh_str scheme = GH_STR_INIT("cursor");
static const struct gh_strs schemes = { &scheme, 1 };

/* A client that anybody could make is public or has keys, and its row reads as it was written. */
static void check_client(struct gh_arena *arena, const struct gh_client *client)
{
    struct gh_client again;
    enum gh_redirect_kind kind;
    gh_str row = gh_client_write(arena, client);
    GH_HOLDS(gh_client_read(arena, row, &again) == GH_OK && gh_str_eq(gh_client_write(arena, &again), row));
    bool own = client->kind == GH_CLIENT_SETTINGS;
    GH_HOLDS(own || client->auth == GH_CLIENT_AUTH_NONE || client->auth == GH_CLIENT_AUTH_KEY);
    GH_HOLDS(own || (client->redirect_uris.count >= 1 && client->redirect_uris.count <= 20));
    for (size_t i = 0; !own && i < client->redirect_uris.count; i++)
        GH_HOLDS(gh_redirect_check(arena, client->redirect_uris.at[i], schemes, &kind) == GH_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const unsigned char chance[16];
    struct gh_arena *arena = gh_arena_new(0);
    gh_str body = gh_str_of(data, size), url = GH_STR("https://c/d"), answer;
    struct gh_client client;
    if (gh_client_read(arena, body, &client) == GH_OK && client.kind == GH_CLIENT_SETTINGS)
        check_client(arena, &client);
    if (gh_client_document_read(arena, url, body, schemes, 1, &client) == GH_OK)
        check_client(arena, &client);
    if (gh_client_register(arena, body, schemes, chance, 1, &client, &answer) == GH_OK)
        check_client(arena, &client);
    gh_arena_free(arena);
    return 0;
}
