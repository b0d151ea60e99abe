/* fuzz/fuzz_query_token.c: is there an access_token in a query, however its name is written? */
/* covers: src/core/http/credential.c without gh_credential_read is_b64token beyond least */
#include "core/http/chars.h"
#include "fuzz/fuzz.h"
#include "gatehouse/http.h"

/* RFC 6750 section 2.3, read the slow way: is the name, once decoded, access_token? */
static bool is_wanted(struct gh_arena *arena, gh_str name)
{
    char *start = gh_arena_alloc(arena, name.len + 1), *to = start;
    for (; name.len != 0; name = gh_str_skip(name, gh_char_escaped(name) >= 0 ? 3 : 1))
        *to++ = gh_char_escaped(name) >= 0 ? (char)gh_char_escaped(name) : name.ptr[0];
    return gh_str_eq(gh_str_of(start, (size_t)(to - start)), GH_STR("access_token"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gh_arena *arena = gh_arena_new(0);
    gh_str query = gh_str_of(data, size), rest = query;
    bool wanted = false;
    while (rest.ptr != NULL) {
        gh_str pair = gh_str_cut(&rest, '&');
        wanted = is_wanted(arena, gh_str_cut(&pair, '=')) || wanted;
    }
    GH_HOLDS(gh_query_has_token(query) == wanted);
    gh_arena_free(arena);
    return 0;
}
