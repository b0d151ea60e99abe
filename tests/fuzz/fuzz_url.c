/* fuzz/fuzz_url.c: URLs of settings and metadata: what is accepted, written and read again is the same. */
/* covers: src/core/http/url.c src/core/metadata/discovery.c */
#include "fuzz/fuzz.h"
#include "gatehouse/policy.h"

static void check_discovery(struct gh_arena *arena, gh_str issuer, const struct gh_url *url)
{
    struct gh_strs places;
    struct gh_url place;
    GH_HOLDS((gh_discovery_urls(arena, issuer, &places) == GH_OK) == (url->query.ptr == NULL));
    for (size_t i = 0; url->query.ptr == NULL && i < places.count; i++)
        GH_HOLDS(gh_url_read(arena, places.at[i], &place) == GH_OK &&
                 gh_str_eq(place.authority_text, url->authority_text) &&
                 gh_str_eq(place.scheme, url->scheme));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gh_arena *arena = gh_arena_new(0);
    struct gh_url url, again;
    if (gh_url_read(arena, gh_str_of(data, size), &url) == GH_OK) {
        gh_str text = gh_arena_printf(arena, "%.*s://%.*s%.*s%s%.*s", GH_STR_FMT(url.scheme),
                                      GH_STR_FMT(url.authority_text), GH_STR_FMT(url.path),
                                      url.query.ptr != NULL ? "?" : "", GH_STR_FMT(url.query));
        GH_HOLDS(gh_url_read(arena, text, &again) == GH_OK && gh_str_eq(again.scheme, url.scheme));
        GH_HOLDS(gh_str_eq(again.authority_text, url.authority_text) && again.port == url.port);
        GH_HOLDS(gh_str_eq(again.path, url.path) && gh_str_eq(again.query, url.query));
        check_discovery(arena, gh_str_of(data, size), &url);
    }
    gh_arena_free(arena);
    return 0;
}
