/* core/grant/register.c: dynamic client registration (RFC 7591): what is allowed of a request is kept and
 * echoed. */
#include "base/arena.h"
#include "base/base64.h"
#include "base/str.h"
#include "core/grant/client_words.h"
#include "core/grant/rows.h"

#define REDIRECTS_MAX 20u

/* issuer.md section 5.2: 8 KiB. */
static const struct gh_json_limits request_limits = { .bytes = 8 * 1024, .depth = 8, .values = 512 };

/* One odd redirect URI must not cost a client all others (mcp.md section 8, row 16). */
static enum gh_reason keep_redirects(struct gh_arena *arena, struct gh_strs asked, struct gh_strs schemes,
                                     struct gh_client *client)
{
    gh_str *at = gh_arena_calloc(arena, asked.count + 1, sizeof(*at));
    if (at == NULL)
        return GH_OUT_OF_MEMORY;
    size_t count = 0;
    for (size_t i = 0; i < asked.count && i < REDIRECTS_MAX; i++) {
        enum gh_redirect_kind kind;
        enum gh_reason reason = gh_redirect_check(arena, asked.at[i], schemes, &kind);
        if (reason == GH_OUT_OF_MEMORY)
            return reason;
        if (reason == GH_OK && !gh_strs_has((struct gh_strs){ at, count }, asked.at[i]))
            at[count++] = asked.at[i];
    }
    client->redirect_uris = (struct gh_strs){ at, count };
    return count > 0 ? GH_OK : GH_REDIRECT_REFUSED;
}

/* Never client_credentials or a secret: a client that anybody can register is public. */
static void keep_grants(struct gh_strs asked, struct gh_client *client)
{
    bool any = asked.count == 0;
    client->auth = GH_CLIENT_AUTH_NONE;
    client->grants = GH_GRANT_CODE | GH_GRANT_REFRESH;
    if (!any && !gh_strs_has(asked, GH_STR("refresh_token")))
        client->grants = GH_GRANT_CODE;
}

static gh_str write_answer(struct gh_arena *arena, const struct gh_client *client, gh_str type)
{
    static const gh_str code = GH_STR_INIT("code");
    struct gh_text text = { .arena = arena };
    gh_put_text(&text, "client_id", client->id);
    gh_put_number(&text, "client_id_issued_at", client->created);
    gh_put_text(&text, "client_name", client->name);
    gh_put_list(&text, "redirect_uris", client->redirect_uris);
    gh_put_text(&text, "token_endpoint_auth_method", gh_client_auth_text(client->auth));
    gh_put_list(&text, "grant_types", gh_client_grants_list(arena, client->grants));
    gh_put_list(&text, "response_types", (struct gh_strs){ &code, 1 });
    gh_put_text(&text, "application_type", type);
    return gh_put_end(&text);
}

static gh_str make_id(struct gh_arena *arena, const unsigned char random[16])
{
    static const gh_str prefix = GH_STR_INIT("dcr_");
    size_t len = gh_base64url_encoded_len(16);
    char *text = gh_arena_alloc(arena, prefix.len + len);
    if (text == NULL)
        return GH_STR_NONE;
    memcpy(text, prefix.ptr, prefix.len);
    gh_base64url_encode(gh_str_of(random, 16), text + prefix.len);
    return gh_str_of(text, prefix.len + len);
}

enum gh_reason gh_client_register(struct gh_arena *arena, gh_str body, struct gh_strs schemes,
                                  const unsigned char random[16], int64_t now, struct gh_client *ret_client,
                                  gh_str *ret_answer)
{
    struct gh_json request;
    enum gh_reason reason = gh_json_read(arena, body, &request_limits, GH_REGISTRATION_REFUSED, &request);
    if (reason != GH_OK)
        return reason;
    bool ok = true;
    struct gh_strs redirects = gh_get_list(arena, &request, "redirect_uris", &ok);
    struct gh_strs grants = gh_get_list(arena, &request, "grant_types", &ok);
    gh_str name = gh_client_name_cut(gh_get_text(&request, "client_name", &ok));
    if (!ok)
        return gh_list_failed(redirects) || gh_list_failed(grants) ? GH_OUT_OF_MEMORY
                                                                   : GH_REGISTRATION_REFUSED;
    struct gh_client client = {
        .id = make_id(arena, random), .name = name, .kind = GH_CLIENT_REGISTERED, .created = now
    };
    keep_grants(grants, &client);
    reason = keep_redirects(arena, redirects, schemes, &client);
    if (reason != GH_OK)
        return reason;
    /* The asked-for application_type is not believed: Cursor says web of a private-use scheme. */
    bool web = gh_str_starts(client.redirect_uris.at[0], GH_STR("https://"));
    gh_str answer = write_answer(arena, &client, web ? GH_STR("web") : GH_STR("native"));
    if (client.id.ptr == NULL || answer.ptr == NULL)
        return GH_OUT_OF_MEMORY;
    *ret_client = client;
    *ret_answer = answer;
    return GH_OK;
}
