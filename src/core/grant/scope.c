/* core/grant/scope.c: scopes as lists of words, and the resources they belong to. */
#include "base/arena.h"
#include "base/str.h"
#include "gatehouse/http.h"
#include "gatehouse/oauth.h"

/* RFC 6749 section 3.3: scope-token = 1*( %x21 / %x23-5B / %x5D-7E ) */
static bool word_is_legal(gh_str word)
{
    for (size_t i = 0; i < word.len; i++)
        if (word.ptr[i] < 0x21 || word.ptr[i] > 0x7e || word.ptr[i] == '"' || word.ptr[i] == '\\')
            return false;
    return true;
}

enum gh_reason gh_scope_read(struct gh_arena *arena, gh_str text, struct gh_strs *ret_scopes)
{
    gh_str *at = gh_arena_calloc(arena, GH_SCOPE_WORDS_MAX, sizeof(*at));
    if (at == NULL)
        return GH_OUT_OF_MEMORY;
    size_t count = 0;
    gh_str rest = text;
    while (rest.ptr != NULL) {
        gh_str word = gh_str_cut(&rest, ' ');
        if (word.len == 0 || gh_strs_has((struct gh_strs){ at, count }, word))
            continue;
        if (count == GH_SCOPE_WORDS_MAX || !word_is_legal(word))
            return GH_SCOPE_MALFORMED;
        at[count++] = word;
    }
    *ret_scopes = (struct gh_strs){ at, count };
    return GH_OK;
}

enum gh_reason gh_scope_common(struct gh_arena *arena, struct gh_strs asked, struct gh_strs allowed,
                               struct gh_strs *ret_scopes)
{
    gh_str *at = gh_arena_calloc(arena, allowed.count + 1, sizeof(*at));
    if (at == NULL)
        return GH_OUT_OF_MEMORY;
    size_t count = 0;
    for (size_t i = 0; i < allowed.count; i++)
        if (gh_strs_has(asked, allowed.at[i]) && !gh_strs_has((struct gh_strs){ at, count }, allowed.at[i]))
            at[count++] = allowed.at[i];
    *ret_scopes = (struct gh_strs){ at, count };
    return GH_OK;
}

bool gh_scope_within(struct gh_strs some, struct gh_strs all)
{
    for (size_t i = 0; i < some.count; i++)
        if (!gh_strs_has(all, some.at[i]))
            return false;
    return true;
}

gh_str gh_scope_write(struct gh_arena *arena, struct gh_strs scopes)
{
    return scopes.count > 0 ? gh_arena_join(arena, scopes, GH_STR(" ")) : GH_STR("");
}

/* ---- resources ---- */

static gh_str without_last_slash(gh_str path)
{
    return path.len > 0 && path.ptr[path.len - 1] == '/' ? gh_str_take(path, path.len - 1) : path;
}

enum gh_reason gh_resource_matches(struct gh_arena *arena, gh_str canonical, gh_str presented,
                                   bool *ret_matches)
{
    struct gh_url one, other;
    *ret_matches = gh_str_eq(canonical, presented);
    if (*ret_matches)
        return GH_OK;
    enum gh_reason first = gh_url_read(arena, canonical, &one),
                   second = gh_url_read(arena, presented, &other);
    if (first == GH_OUT_OF_MEMORY || second == GH_OUT_OF_MEMORY)
        return GH_OUT_OF_MEMORY;
    *ret_matches = first == GH_OK && second == GH_OK && gh_str_eq(one.scheme, other.scheme) &&
                   gh_str_eq(one.authority.host, other.authority.host) && one.port == other.port &&
                   gh_str_eq(without_last_slash(one.path), without_last_slash(other.path)) &&
                   gh_str_eq(one.query, other.query) && (one.query.ptr == NULL) == (other.query.ptr == NULL);
    return GH_OK;
}
