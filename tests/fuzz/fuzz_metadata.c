/* fuzz/fuzz_metadata.c: what an authorization server publishes about itself. */
/* covers: src/core/metadata/issuer.c */
#include "fuzz/fuzz.h"
#include "gatehouse/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const gh_str issuers[] = { GH_STR_INIT("https://as.example"), GH_STR_INIT("https://as.example/") };
    struct gh_strs wanted = { issuers, GH_ARRAY_LEN(issuers) };
    struct gh_arena *arena = gh_arena_new(0);
    struct gh_issuer_metadata found;
    if (gh_issuer_metadata_read(arena, gh_str_of(data, size), wanted, &found) == GH_OK) {
        GH_HOLDS(gh_strs_has(wanted, found.issuer));
        GH_HOLDS(gh_str_find(found.jwks_uri, '\0') == found.jwks_uri.len && found.jwks_uri.ptr != NULL);
        GH_HOLDS(found.introspection_endpoint.ptr != NULL);
    }
    gh_arena_free(arena);
    return 0;
}
