/* fuzz/fuzz_h1_request.c: what a client sends over HTTP/1.1, whole, in pieces, byte by byte, written on. */
/* covers: src/wire/h1_read.c */
/* covers: src/wire/h1_lines.c without status_line_read */
/* covers: src/wire/h1_head.c without judge_response */
#include "fuzz/h1_tale.h"

static void check_head(struct gh_arena *arena, const struct gh_h1_head *head)
{
    struct gh_buf out = { 0 };
    for (size_t i = 0; i < head->headers.count; i++) {
        GH_HOLDS(gh_header_name_is_legal(head->headers.at[i].name));
        GH_HOLDS(gh_header_value_is_legal(head->headers.at[i].value));
    }
    GH_HOLDS(gh_fuzz_is_visible(head->target_raw) && gh_headers_count(&head->headers, GH_STR("host")) <= 1);
    GH_HOLDS(!head->chunked || head->content_length < 0);
    if (head->minor_version == 0)
        return;
    GH_HOLDS(gh_h1_write_request_head(&out, head->method_text, head->target_raw, &head->headers,
                                      gh_fuzz_h1_body(head)) == GH_OK);
    gh_fuzz_h1_same(arena, head, &out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gh_arena *arena = gh_arena_new(0);
    struct gh_fuzz_h1 with = { .arena = arena, .side = GH_H1_REQUEST, .head = check_head };
    gh_str whole = gh_fuzz_h1_tale(&with, gh_str_of(data, size), size);
    with.head = NULL;
    GH_HOLDS(gh_str_eq(whole, gh_fuzz_h1_tale(&with, gh_str_of(data, size), 1)));
    GH_HOLDS(gh_str_eq(whole, gh_fuzz_h1_tale(&with, gh_str_of(data, size), 3 + size % 29)));
    gh_arena_free(arena);
    return 0;
}
