/* core/grant/client_words.c: authentication methods and grant types by their registered names. */
#include "core/grant/client_words.h"

#include "base/arena.h"
#include "base/str.h"
#include "core/grant/rows.h"
#include "core/json/string.h"

#define NAME_MAX_CHARACTERS 100u

static const gh_str auths[] = { [GH_CLIENT_AUTH_NONE] = GH_STR_INIT("none"),
                                [GH_CLIENT_AUTH_BASIC] = GH_STR_INIT("client_secret_basic"),
                                [GH_CLIENT_AUTH_POST] = GH_STR_INIT("client_secret_post"),
                                [GH_CLIENT_AUTH_KEY] = GH_STR_INIT("private_key_jwt") };

static const struct {
    gh_str text;
    unsigned bit;
} grant_types[] = { { GH_STR_INIT("authorization_code"), GH_GRANT_CODE },
                    { GH_STR_INIT("refresh_token"), GH_GRANT_REFRESH },
                    { GH_STR_INIT("client_credentials"), GH_GRANT_CREDENTIALS } };

gh_str gh_client_auth_text(enum gh_client_auth auth)
{
    return auths[auth];
}

bool gh_client_auth_read(gh_str text, enum gh_client_auth *ret_auth)
{
    for (size_t i = 0; i < GH_ARRAY_LEN(auths); i++) {
        if (!gh_str_eq(auths[i], text))
            continue;
        *ret_auth = (enum gh_client_auth)i;
        return true;
    }
    return false;
}

struct gh_strs gh_client_grants_list(struct gh_arena *arena, unsigned grants)
{
    gh_str *at = gh_arena_calloc(arena, GH_ARRAY_LEN(grant_types), sizeof(*at));
    size_t count = 0;
    if (at == NULL)
        return GH_LIST_FAILED;
    for (size_t i = 0; i < GH_ARRAY_LEN(grant_types); i++)
        if ((grants & grant_types[i].bit) != 0)
            at[count++] = grant_types[i].text;
    return (struct gh_strs){ at, count };
}

bool gh_client_grants_read(struct gh_strs list, unsigned *ret_grants)
{
    unsigned grants = 0;
    for (size_t i = 0; i < list.count; i++) {
        unsigned bit = 0;
        for (size_t k = 0; k < GH_ARRAY_LEN(grant_types); k++)
            if (gh_str_eq(list.at[i], grant_types[k].text))
                bit = grant_types[k].bit;
        if (bit == 0)
            return false;
        grants |= bit;
    }
    *ret_grants = grants;
    return true;
}

gh_str gh_client_name_cut(gh_str name)
{
    size_t at = 0, characters = 0;
    while (at < name.len && characters < NAME_MAX_CHARACTERS) {
        size_t width = gh_utf8_width(name.ptr + at, name.ptr + name.len);
        if (width == 0) /* a control character, which JSON may hold by escape */
            break;
        at += width;
        characters++;
    }
    return gh_str_take(name, at);
}
