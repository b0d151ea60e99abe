/* fuzz/fuzz_jws.c: a client's token, or header and payload of one in lines of their own, opened and judged.
 */
/* covers: src/core/token/jws.c src/core/token/judge.c src/core/token/claims.c src/core/token/times.c */
/* covers: src/core/token/kind.c src/core/token/binding.c src/core/token/principal.c */
/* covers: src/core/token/actor.c */
#include "fuzz/judged.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gh_arena *arena = gh_arena_new(0);
    gh_str rest = gh_str_of(data, size), header = gh_str_cut(&rest, '\n'), text = header;
    if (rest.ptr != NULL)
        text = gh_arena_printf(arena, "%.*s.%.*s.AA", GH_STR_FMT(gh_fuzz_base64url(arena, header)),
                               GH_STR_FMT(gh_fuzz_base64url(arena, rest)));
    struct gh_token token;
    struct gh_principal who;
    gh_str names = gh_profile_builtin_names();
    bool open = gh_token_open(arena, text, &token) == GH_OK;
    GH_HOLDS(!open || (token.iss.len != 0 && gh_str_starts(text, token.signed_part)));
    GH_HOLDS(!open || token.signed_part.len + 1 + gh_base64url_encoded_len(token.signature.len) == text.len);
    while (open && names.ptr != NULL) {
        struct gh_profile profile = gh_fuzz_profile(gh_str_trim(gh_str_cut(&names, ',')));
        struct gh_binding binding = gh_fuzz_binding(&profile);
        bool fits = gh_token_fits(&token, &profile) == GH_OK;
        GH_HOLDS(!fits || (profile.algs & GH_ALG_BIT(token.alg)) != 0);
        if (gh_token_judge(arena, &token, &profile, &binding, GH_FUZZ_NOW, &who) != GH_OK)
            continue;
        GH_HOLDS(gh_profile_matches(&profile, &token) && gh_str_eq(who.issuer, token.iss));
        gh_fuzz_check_principal(&profile, &who);
    }
    gh_arena_free(arena);
    return 0;
}
