/* core/grant/client_document.c: client metadata that a client publishes under its own id (CIMD). */
#include "base/arena.h"
#include "base/str.h"
#include "core/grant/client_words.h"
#include "core/grant/rows.h"
#include "core/http/chars.h"

#define ID_MAX        2048u
#define REDIRECTS_MAX 20u

/* issuer.md section 5.1: 5 KiB, which the fetch bounds too. */
static const struct gh_json_limits document_limits = { .bytes = 5 * 1024, .depth = 8, .values = 512 };

bool gh_client_id_is_url(gh_str client_id)
{
    return gh_str_starts(client_id, GH_STR("https://"));
}

/* "." and ".." in any spelling: a server would read another path than we compare. */
static bool segment_is_dots(gh_str segment)
{
    size_t dots = 0;
    for (size_t i = 0; i < segment.len; dots++) {
        bool escaped = gh_char_escaped(gh_str_skip(segment, i)) == '.';
        if (segment.ptr[i] != '.' && !escaped)
            return false;
        i += escaped ? 3 : 1;
    }
    return dots == 1 || dots == 2;
}

enum gh_reason gh_client_url_check(struct gh_arena *arena, gh_str client_id)
{
    struct gh_url url;
    if (client_id.len > ID_MAX || !gh_client_id_is_url(client_id))
        return GH_CLIENT_UNKNOWN;
    for (size_t i = 0; i < client_id.len; i++)
        if (client_id.ptr[i] <= 0x20 || client_id.ptr[i] >= 0x7f || client_id.ptr[i] == '\\')
            return GH_CLIENT_UNKNOWN;
    enum gh_reason reason = gh_url_read(arena, client_id, &url);
    if (reason == GH_OUT_OF_MEMORY)
        return reason;
    if (reason != GH_OK || url.query.ptr != NULL || url.path.len < 2)
        return GH_CLIENT_UNKNOWN;
    gh_str rest = gh_str_skip(url.path, 1);
    while (rest.ptr != NULL)
        if (segment_is_dots(gh_str_cut(&rest, '/')))
            return GH_CLIENT_UNKNOWN;
    return GH_OK;
}

/* A shared secret cannot be kept in a public document. */
static bool has_secret(const struct gh_json *document)
{
    for (size_t i = 0; i < document->count; i++)
        if (gh_str_starts(document->members[i].name, GH_STR("client_secret")))
            return true;
    return false;
}

static bool is_https(gh_str uri)
{
    return uri.len == 0 || gh_str_starts(uri, GH_STR("https://"));
}

/* Keys go with private_key_jwt and with nothing else, and stand in one place. */
static enum gh_reason read_keys(struct gh_arena *arena, const struct gh_json *document,
                                struct gh_client *client)
{
    bool ok = true;
    const struct gh_json *jwks = gh_json_get(document, GH_STR("jwks"));
    client->jwks_uri = gh_get_text(document, "jwks_uri", &ok);
    if (jwks != NULL) {
        ok = ok && jwks->type == GH_JSON_OBJECT;
        client->jwks = gh_json_write(arena, jwks);
        if (client->jwks.ptr == NULL)
            return GH_OUT_OF_MEMORY;
    }
    bool one = (jwks != NULL) != (client->jwks_uri.len > 0);
    bool none = jwks == NULL && client->jwks_uri.len == 0;
    ok = ok && is_https(client->jwks_uri) && (client->auth == GH_CLIENT_AUTH_KEY ? one : none);
    return ok ? GH_OK : GH_CLIENT_DOCUMENT_REFUSED;
}

static enum gh_reason read_words(struct gh_arena *arena, const struct gh_json *document,
                                 struct gh_client *client)
{
    static const gh_str code = GH_STR_INIT("code");
    bool ok = true;
    gh_str auth = gh_get_text(document, "token_endpoint_auth_method", &ok);
    struct gh_strs grants = gh_get_list(arena, document, "grant_types", &ok);
    struct gh_strs responses = gh_get_list(arena, document, "response_types", &ok);
    if (gh_list_failed(grants) || gh_list_failed(responses))
        return GH_OUT_OF_MEMORY;
    client->name = gh_client_name_cut(gh_get_text(document, "client_name", &ok));
    client->auth = GH_CLIENT_AUTH_NONE;
    client->grants = GH_GRANT_CODE | GH_GRANT_REFRESH;
    if (grants.count > 0)
        ok = ok && gh_client_grants_read(grants, &client->grants);
    client->grants &= ~GH_GRANT_CREDENTIALS; /* anybody can publish a document: it acts for users alone */
    if (auth.len > 0)
        ok = ok && gh_client_auth_read(auth, &client->auth);
    for (size_t i = 0; i < responses.count; i++)
        ok = ok && gh_str_eq(responses.at[i], code);
    bool shared = client->auth == GH_CLIENT_AUTH_BASIC || client->auth == GH_CLIENT_AUTH_POST;
    return ok && !shared && client->name.len > 0 ? GH_OK : GH_CLIENT_DOCUMENT_REFUSED;
}

static enum gh_reason read_redirects(struct gh_arena *arena, const struct gh_json *document,
                                     struct gh_strs schemes, struct gh_client *client)
{
    bool ok = true;
    client->redirect_uris = gh_get_list(arena, document, "redirect_uris", &ok);
    if (gh_list_failed(client->redirect_uris))
        return GH_OUT_OF_MEMORY;
    if (!ok || client->redirect_uris.count == 0 || client->redirect_uris.count > REDIRECTS_MAX)
        return GH_CLIENT_DOCUMENT_REFUSED;
    for (size_t i = 0; i < client->redirect_uris.count; i++) {
        enum gh_redirect_kind kind;
        enum gh_reason reason = gh_redirect_check(arena, client->redirect_uris.at[i], schemes, &kind);
        if (reason != GH_OK)
            return reason == GH_OUT_OF_MEMORY ? reason : GH_CLIENT_DOCUMENT_REFUSED;
    }
    return GH_OK;
}

enum gh_reason gh_client_document_read(struct gh_arena *arena, gh_str url, gh_str body,
                                       struct gh_strs schemes, int64_t now, struct gh_client *ret_client)
{
    struct gh_json document;
    enum gh_reason reason =
        gh_json_read(arena, body, &document_limits, GH_CLIENT_DOCUMENT_REFUSED, &document);
    if (reason != GH_OK)
        return reason;
    bool ok = true;
    struct gh_client client = { .id = url, .kind = GH_CLIENT_DOCUMENT, .created = now };
    bool same = gh_str_eq(gh_get_text(&document, "client_id", &ok), url);
    gh_str uris[] = { gh_get_text(&document, "client_uri", &ok), gh_get_text(&document, "logo_uri", &ok),
                      gh_get_text(&document, "tos_uri", &ok), gh_get_text(&document, "policy_uri", &ok) };
    for (size_t i = 0; i < GH_ARRAY_LEN(uris); i++)
        ok = ok && is_https(uris[i]);
    if (!ok || !same || has_secret(&document))
        return GH_CLIENT_DOCUMENT_REFUSED;
    reason = read_words(arena, &document, &client);
    if (reason == GH_OK)
        reason = read_keys(arena, &document, &client);
    if (reason == GH_OK)
        reason = read_redirects(arena, &document, schemes, &client);
    if (reason == GH_OK)
        *ret_client = client;
    return reason;
}

gh_str gh_client_document_mark(struct gh_arena *arena, const struct gh_client *client)
{
    if (client->kind != GH_CLIENT_DOCUMENT)
        return GH_STR("");
    gh_str *parts = gh_arena_calloc(arena, client->redirect_uris.count + 1, sizeof(*parts));
    if (parts == NULL)
        return GH_STR_NONE;
    parts[0] = client->jwks;
    for (size_t i = 0; i < client->redirect_uris.count; i++)
        parts[i + 1] = client->redirect_uris.at[i];
    return gh_row_key(arena, "mark", parts, client->redirect_uris.count + 1);
}
