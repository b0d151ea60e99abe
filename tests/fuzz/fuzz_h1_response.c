/* fuzz/fuzz_h1_response.c: what an upstream answers over HTTP/1.1, to a GET or, behind a '!', to a HEAD. */
/* covers: src/wire/h1_read.c */
/* covers: src/wire/h1_lines.c without request_line_read */
/* covers: src/wire/h1_head.c without judge_request */
#include "fuzz/h1_tale.h"

static void check_head(struct gh_arena *arena, const struct gh_h1_head *head)
{
    struct gh_buf out = { 0 };
    for (size_t i = 0; i < head->headers.count; i++) {
        gh_str name = head->headers.at[i].name, value = head->headers.at[i].value;
        GH_HOLDS(gh_fuzz_is_visible(name) && gh_str_find(name, ':') == name.len);
        for (size_t k = 0; k < value.len; k++)
            GH_HOLDS((unsigned char)value.ptr[k] >= 0x20 || value.ptr[k] == '\t');
    }
    GH_HOLDS(head->status >= 100 && head->status <= 599 && head->status != 101);
    GH_HOLDS(gh_h1_write_response_head(&out, head->status, &head->headers, gh_fuzz_h1_body(head)) == GH_OK);
    gh_fuzz_h1_same(arena, head, &out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gh_arena *arena = gh_arena_new(0);
    struct gh_fuzz_h1 with = { .arena = arena, .side = GH_H1_RESPONSE, .head = check_head };
    gh_str bytes = gh_str_of(data, size);
    with.answered = gh_str_starts(bytes, GH_STR("!")) ? GH_METHOD_HEAD : GH_METHOD_GET;
    bytes = gh_str_skip(bytes, with.answered == GH_METHOD_HEAD ? 1 : 0);
    gh_str whole = gh_fuzz_h1_tale(&with, bytes, bytes.len);
    with.head = NULL;
    GH_HOLDS(gh_str_eq(whole, gh_fuzz_h1_tale(&with, bytes, 1)));
    GH_HOLDS(gh_str_eq(whole, gh_fuzz_h1_tale(&with, bytes, 3 + size % 29)));
    gh_arena_free(arena);
    return 0;
}
