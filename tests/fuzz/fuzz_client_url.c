/* fuzz/fuzz_client_url.c: a client id that is the URL of its document: one path, whoever reads it. */
/* covers: src/core/grant/client_document.c without has_secret is_https read_keys read_words read_redirects */
/* covers: src/core/grant/client_document.c without gh_client_document_read gh_client_document_mark */
#include "core/http/chars.h"
#include "fuzz/fuzz.h"
#include "gatehouse/client.h"

/* With its dots written as dots, and a slash behind it. */
static gh_str with_dots(struct gh_arena *arena, gh_str text)
{
    char *start = gh_arena_alloc(arena, text.len + 1), *to = start;
    for (; text.len != 0; text = gh_str_skip(text, gh_char_escaped(text) == '.' ? 3 : 1))
        *to++ = gh_char_escaped(text) == '.' ? '.' : text.ptr[0];
    *to++ = '/';
    return gh_str_of(start, (size_t)(to - start));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gh_arena *arena = gh_arena_new(0);
    gh_str id = gh_str_of(data, size);
    struct gh_url url;
    if (gh_client_url_check(arena, id) == GH_OK) {
        GH_HOLDS(gh_client_id_is_url(id) && gh_fuzz_is_visible(id) && gh_str_find(id, '\\') == size &&
                 size <= 2048);
        GH_HOLDS(gh_url_read(arena, id, &url) == GH_OK && url.query.ptr == NULL && url.path.len > 1);
        GH_HOLDS(gh_str_find(id, '#') == size);
        gh_str path = with_dots(arena, url.path);
        GH_HOLDS(!gh_str_contains(path, GH_STR("/../")) && !gh_str_contains(path, GH_STR("/./")));
    }
    gh_arena_free(arena);
    return 0;
}
