/* fuzz/fuzz_endpoint.c: a stream whose server names its endpoint, in two pieces, cut where the first byte
 * says: a client finds our address alone, once. And where such an address leads. */
/* covers: src/core/session/endpoint.c src/core/session/resolve.c */
#include "fuzz/fuzz.h"
#include "fuzz/sse_reader.h"
#include "gatehouse/endpoint.h"
#include "gatehouse/session.h"

static void resolve(gh_str address)
{
    struct gh_url from;
    struct gh_target read;
    gh_str target;
    struct gh_arena *arena = gh_arena_new(0);
    GH_HOLDS(gh_url_read(arena, GH_STR("http://u:3/a/sse"), &from) == GH_OK);
    if (gh_endpoint_resolve(arena, &from, address, &target) == GH_OK)
        GH_HOLDS(gh_session_id_is_legal(target) && gh_target_read(target, &read) == GH_OK);
    gh_arena_free(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gh_buf cut = { 0 }, whole = { 0 };
    if (size == 0)
        return 0;
    gh_str bytes = gh_str_of(data + 1, size - 1), first = gh_str_take(bytes, data[0]);
    enum gh_reason reason = gh_fuzz_endpoint_pass(first, gh_str_skip(bytes, first.len), &cut);
    GH_HOLDS(gh_fuzz_endpoint_pass(bytes, GH_STR_NONE, &whole) == reason);
    GH_HOLDS(reason != GH_OK || gh_str_eq(gh_buf_peek(&cut), gh_buf_peek(&whole)));
    GH_HOLDS(gh_fuzz_endpoints(gh_buf_peek(&cut), false) == 0);
    GH_HOLDS(gh_fuzz_endpoints(gh_buf_peek(&cut), true) <= 1);
    resolve(bytes);
    gh_buf_done(&cut);
    gh_buf_done(&whole);
    return 0;
}
