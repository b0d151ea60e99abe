/* core/grant/client.c: a client as a stored row. */
#include "gatehouse/client.h"

#include <openssl/sha.h>

#include "base/arena.h"
#include "base/base64.h"
#include "base/str.h"
#include "core/grant/client_words.h"
#include "core/grant/rows.h"

static const gh_str kinds[] = { [GH_CLIENT_SETTINGS] = GH_STR_INIT("settings"),
                                [GH_CLIENT_DOCUMENT] = GH_STR_INIT("document"),
                                [GH_CLIENT_REGISTERED] = GH_STR_INIT("registered") };

gh_str gh_client_write(struct gh_arena *arena, const struct gh_client *client)
{
    struct gh_text text = { .arena = arena };
    gh_put_text(&text, "client_id", client->id);
    gh_put_text(&text, "kind", kinds[client->kind]);
    gh_put_text(&text, "client_name", client->name);
    gh_put_text(&text, "token_endpoint_auth_method", gh_client_auth_text(client->auth));
    gh_put_list(&text, "grant_types", gh_client_grants_list(arena, client->grants));
    gh_put_list(&text, "redirect_uris", client->redirect_uris);
    gh_put_list(&text, "scopes", client->scopes);
    gh_put_list(&text, "resources", client->resources);
    gh_put_list(&text, "secrets", client->secrets);
    gh_put_text(&text, "jwks", client->jwks);
    gh_put_text(&text, "jwks_uri", client->jwks_uri);
    gh_put_true(&text, "no_consent", client->no_consent);
    gh_put_number(&text, "created", client->created);
    return gh_put_end(&text);
}

static bool read_words(const struct gh_json *row, struct gh_client *client, struct gh_strs grants, bool ok)
{
    gh_str kind = gh_get_text(row, "kind", &ok);
    size_t k = 0;
    while (k < GH_ARRAY_LEN(kinds) && !gh_str_eq(kinds[k], kind))
        k++;
    client->kind = (enum gh_client_kind)k;
    return ok && k < GH_ARRAY_LEN(kinds) && gh_client_grants_read(grants, &client->grants) &&
           gh_client_auth_read(gh_get_text(row, "token_endpoint_auth_method", &ok), &client->auth);
}

enum gh_reason gh_client_read(struct gh_arena *arena, gh_str value, struct gh_client *ret_client)
{
    struct gh_json row;
    enum gh_reason reason = gh_json_read(arena, value, &gh_json_control_limits, GH_STORE_MALFORMED, &row);
    if (reason != GH_OK)
        return reason;
    bool ok = true;
    struct gh_client client = {
        .id = gh_get_text(&row, "client_id", &ok),
        .name = gh_get_text(&row, "client_name", &ok),
        .redirect_uris = gh_get_list(arena, &row, "redirect_uris", &ok),
        .scopes = gh_get_list(arena, &row, "scopes", &ok),
        .resources = gh_get_list(arena, &row, "resources", &ok),
        .secrets = gh_get_list(arena, &row, "secrets", &ok),
        .jwks = gh_get_text(&row, "jwks", &ok),
        .jwks_uri = gh_get_text(&row, "jwks_uri", &ok),
        .no_consent = gh_get_true(&row, "no_consent", &ok),
        .created = gh_get_number(&row, "created", &ok),
    };
    struct gh_strs grants = gh_get_list(arena, &row, "grant_types", &ok);
    if (!read_words(&row, &client, grants, ok) || client.id.len == 0)
        return GH_STORE_MALFORMED;
    *ret_client = client;
    return GH_OK;
}

gh_str gh_client_key(struct gh_arena *arena, gh_str client_id)
{
    return gh_row_key(arena, "client", &client_id, 1);
}

gh_str gh_secret_hash(struct gh_arena *arena, gh_str secret)
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    size_t len = gh_base64url_encoded_len(sizeof(digest));
    char *text = gh_arena_alloc(arena, len);
    if (text == NULL || SHA256((const unsigned char *)secret.ptr, secret.len, digest) == NULL)
        return GH_STR_NONE;
    gh_base64url_encode(gh_str_of(digest, sizeof(digest)), text);
    return gh_str_of(text, len);
}
