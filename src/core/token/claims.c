/* core/token/claims.c: reading single claims, with the JSON types they may have. */
#include "core/token/claims.h"

#include "base/str.h"

const struct gh_json *gh_claim(const struct gh_json *object, gh_str path)
{
    const struct gh_json *value = gh_json_get(object, path);
    for (size_t dot = path.len; value == NULL && dot-- > 0;) {
        if (path.ptr[dot] != '.')
            continue;
        const struct gh_json *inner = gh_json_get(object, gh_str_take(path, dot));
        if (inner != NULL && inner->type == GH_JSON_OBJECT)
            value = gh_claim(inner, gh_str_skip(path, dot + 1));
    }
    return value;
}

bool gh_claims_have_twin(const struct gh_json *object)
{
    static const gh_str registered[] = { GH_STR_INIT("iss"),   GH_STR_INIT("sub"), GH_STR_INIT("aud"),
                                         GH_STR_INIT("exp"),   GH_STR_INIT("nbf"), GH_STR_INIT("iat"),
                                         GH_STR_INIT("jti"),   GH_STR_INIT("cnf"), GH_STR_INIT("act"),
                                         GH_STR_INIT("active") };
    return gh_json_has_twin(object, (struct gh_strs){ registered, GH_ARRAY_LEN(registered) });
}

const struct gh_json *gh_claim_first(const struct gh_json *object, struct gh_strs paths)
{
    const struct gh_json *value = NULL;
    for (size_t i = 0; value == NULL && i < paths.count; i++)
        value = gh_claim(object, paths.at[i]);
    return value;
}

enum gh_reason gh_claim_text(const struct gh_json *object, struct gh_strs paths, gh_str *ret_text)
{
    const struct gh_json *value = gh_claim_first(object, paths);
    if (value != NULL && value->type != GH_JSON_STRING)
        return GH_TOKEN_CLAIMS;
    *ret_text = value != NULL ? value->string : GH_STR("");
    return GH_OK;
}

size_t gh_scopes_room(const struct gh_json *value)
{
    if (value->type == GH_JSON_ARRAY)
        return value->count;
    size_t room = 1;
    for (size_t i = 0; value->type == GH_JSON_STRING && i < value->string.len; i++)
        room += value->string.ptr[i] == ' ';
    return room;
}

static bool add_scope(gh_str scope, gh_str *at, size_t *count)
{
    if (scope.len == 0 || gh_strs_has((struct gh_strs){ at, *count }, scope))
        return true;
    if (*count == GH_SCOPES_MAX)
        return false;
    at[(*count)++] = scope;
    return true;
}

static enum gh_reason add_scope_array(const struct gh_json *value, gh_str *at, size_t *count)
{
    for (size_t i = 0; i < value->count; i++) {
        if (value->items[i].type != GH_JSON_STRING)
            return GH_TOKEN_CLAIMS;
        /* An entry with a space can match no scope. It is left out, so that whoever reads the scopes joined
         * by spaces, as in a header to the server behind, does not see two. */
        gh_str scope = value->items[i].string;
        if (gh_str_find(scope, ' ') == scope.len && !add_scope(scope, at, count))
            return GH_TOKEN_CLAIMS;
    }
    return GH_OK;
}

enum gh_reason gh_scopes_add(const struct gh_json *value, gh_str *at, size_t *count)
{
    if (value->type == GH_JSON_ARRAY)
        return add_scope_array(value, at, count);
    if (value->type != GH_JSON_STRING)
        return GH_TOKEN_CLAIMS;
    for (gh_str rest = value->string; rest.ptr != NULL;) {
        if (!add_scope(gh_str_cut(&rest, ' '), at, count))
            return GH_TOKEN_CLAIMS;
    }
    return GH_OK;
}

bool gh_words_have(gh_str words, gh_str word)
{
    for (gh_str rest = words; rest.ptr != NULL;) {
        if (gh_str_eq(gh_str_cut(&rest, ' '), word))
            return true;
    }
    return false;
}
