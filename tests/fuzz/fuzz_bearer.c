/* fuzz/fuzz_bearer.c: lines of Authorization and a query; an accepted token is one run of b64token
 * characters. */
#include <stdint.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/str.h"
#include "gatehouse/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gh_arena *arena = gh_arena_new(0);
    struct gh_headers headers;
    struct gh_credential credential;
    gh_str rest = gh_str_of(data, size);
    size_t lines = 0;
    if (gh_headers_init(&headers, arena, 4) != GH_OK)
        abort();
    (void)gh_query_has_token(rest);
    while (rest.ptr != NULL && lines < 4)
        lines += gh_headers_add(&headers, GH_STR("authorization"), gh_str_cut(&rest, '\n')) == GH_OK;
    if (gh_credential_read(&headers, 64, &credential) == GH_OK) {
        gh_str token = credential.token;
        if (lines != 1 || token.len == 0 || token.len > 64 || gh_str_find(token, ' ') < token.len ||
            gh_str_find(token, ',') < token.len || gh_str_find(token, '\t') < token.len)
            abort();
    }
    gh_arena_free(arena);
    return 0;
}
