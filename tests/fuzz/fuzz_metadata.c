/* Fuzzes what an authorization server publishes about itself. */
#include "base/arena.h"
#include "base/str.h"
#include "gatehouse/policy.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    static const gh_str issuers[] = { GH_STR_INIT("https://as.example"), GH_STR_INIT("https://as.example/") };
    struct gh_arena *arena = gh_arena_new(0);
    struct gh_issuer_metadata metadata;
    if (arena != NULL && gh_issuer_metadata_read(arena, gh_str_of(data, size), (struct gh_strs){ issuers, 2 },
                                                 &metadata) == GH_OK) {
        if (!gh_str_starts(metadata.issuer, issuers[0]) || metadata.jwks_uri.ptr == NULL)
            __builtin_trap();
    }
    gh_arena_free(arena);
    return 0;
}
