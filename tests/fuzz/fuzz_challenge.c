/* fuzz/fuzz_challenge.c: the scopes of a token, by spaces, in what its bearer is answered. */
/* covers: src/core/policy/challenge.c */
#include "fuzz/fuzz.h"
#include "gatehouse/policy.h"

/* Visible bytes and spaces, every quote paired or escaped: nothing that came in a token ends it early. */
static void check_line(gh_str line)
{
    bool quoted = false;
    for (size_t i = 0; i < line.len; i++) {
        GH_HOLDS(line.ptr[i] >= 0x20 && line.ptr[i] < 0x7f);
        if (quoted && line.ptr[i] == '\\')
            i++;
        else if (line.ptr[i] == '"')
            quoted = !quoted;
    }
    GH_HOLDS(!quoted && line.len < 8192);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum gh_reason reasons[] = { GH_CLIENT_GONE, GH_TOKEN_MISSING, GH_AUTHORIZATION_MANY,
                                              GH_TOKEN_EXPIRED, GH_SCOPE_MISSING };
    static const gh_str needed[] = { GH_STR_INIT("read"), GH_STR_INIT("call") };
    struct gh_policy policy = { .metadata_url = GH_STR("https://a/"), .scopes = { needed, 2 } };
    struct gh_arena *arena = gh_arena_new(0);
    gh_str granted[64], rest = gh_str_of(data, size);
    struct gh_principal who = { .scopes = { granted, 0 } };
    while (rest.ptr != NULL && who.scopes.count < GH_ARRAY_LEN(granted))
        granted[who.scopes.count++] = gh_str_cut(&rest, ' ');
    for (size_t i = 0; i < GH_ARRAY_LEN(reasons); i++) {
        check_line(gh_challenge_write(arena, &policy, reasons[i], &who, who.scopes));
        check_line(gh_reason_body(arena, reasons[i], GH_STR_NONE));
    }
    gh_arena_free(arena);
    return 0;
}
