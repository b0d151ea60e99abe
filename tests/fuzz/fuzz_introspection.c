/* Fuzzes what an issuer answers when asked about an opaque token. */
#include "base/arena.h"
#include "base/str.h"
#include "gatehouse/token.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    static const gh_str issuers[] = { GH_STR_INIT("https://as.example") };
    static const gh_str audiences[] = { GH_STR_INIT("https://r.example/mcp") };
    struct gh_binding binding = { .audiences = { audiences, 1 } };
    struct gh_profile profile = *gh_profile_builtin(GH_STR("generic"));
    struct gh_arena *arena = gh_arena_new(0);
    struct gh_principal principal;
    profile.issuers = (struct gh_strs){ issuers, 1 };
    if (arena != NULL && gh_introspection_judge(arena, gh_str_of(data, size), &profile, &binding, 1795300001,
                                                &principal) == GH_OK) {
        if (principal.subject.len == 0 || principal.expires <= 1795300001 - 30)
            __builtin_trap();
    }
    gh_arena_free(arena);
    return 0;
}
