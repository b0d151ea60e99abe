/* fuzz/fuzz_authority.c: Host and :authority: what is accepted has one spelling, and is the host it names. */
/* covers: src/core/http/authority.c src/core/http/ipv6.c */
#include <arpa/inet.h>

#include "fuzz/fuzz.h"
#include "gatehouse/http.h"

/* The same address to the C library. */
static void check_ipv6(struct gh_arena *arena, gh_str raw, gh_str host)
{
    unsigned char bytes[2][16];
    gh_str literal = gh_arena_dup(arena, gh_str_of(raw.ptr + 1, gh_str_find(raw, ']') - 1));
    GH_HOLDS(inet_pton(AF_INET6, literal.ptr, bytes[0]) == 1);
    GH_HOLDS(inet_pton(AF_INET6, gh_arena_dup(arena, host).ptr, bytes[1]) == 1);
    GH_HOLDS(memcmp(bytes[0], bytes[1], sizeof(bytes[0])) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gh_arena *arena = gh_arena_new(0);
    struct gh_authority first, again;
    gh_str raw = gh_str_of(data, size);
    if (gh_authority_read(arena, raw, &first) == GH_OK) {
        bool v6 = gh_str_find(first.host, ':') < first.host.len;
        gh_str text = gh_arena_printf(arena, v6 ? "[%.*s]" : "%.*s", GH_STR_FMT(first.host));
        if (first.port != 0)
            text = gh_arena_printf(arena, "%.*s:%u", GH_STR_FMT(text), first.port);
        GH_HOLDS(gh_authority_read(arena, text, &again) == GH_OK && again.port == first.port);
        GH_HOLDS(gh_str_eq(again.host, first.host) && gh_fuzz_is_visible(raw));
        if (v6)
            check_ipv6(arena, raw, first.host);
    }
    gh_arena_free(arena);
    return 0;
}
