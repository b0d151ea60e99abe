/* fuzz/h1_tale.c: reads bytes in pieces and writes down all that the HTTP/1.1 reader tells of them. */
#include "fuzz/h1_tale.h"

#include <stdlib.h>

static const struct gh_h1_limits limits = {
    .start_line = 128, .head = 1024, .fields = 12, .chunk_extensions = 32, .interim = 8
};

static void tell_head(struct gh_buf *tale, const struct gh_h1_head *head)
{
    GH_HOLDS(gh_buf_printf(tale, "\n%.*s %.*s %d 1.%d %d%d%d %lld\n", GH_STR_FMT(head->method_text),
                           GH_STR_FMT(head->target_raw), head->status, head->minor_version, head->keep_alive,
                           head->chunked, head->expect_continue, (long long)head->content_length));
    for (size_t i = 0; i < head->headers.count; i++) {
        const struct gh_header *field = &head->headers.at[i];
        GH_HOLDS(gh_buf_add(tale, field->name) && gh_buf_add(tale, GH_STR(":")));
        GH_HOLDS(gh_buf_add(tale, field->value) && gh_buf_add(tale, GH_STR("\n")));
    }
}

static enum gh_h1_event tell_event(const struct gh_fuzz_h1 *with, struct gh_h1_reader *reader, gh_str *piece,
                                   struct gh_buf *tale)
{
    struct gh_h1_head head;
    enum gh_reason reason = GH_OK;
    gh_str data = GH_STR_NONE, before = *piece;
    enum gh_h1_event event = gh_h1_read(reader, piece, with->arena, &head, &data, &reason);
    switch (event) {
    case GH_H1_NEED_MORE:
        GH_HOLDS(piece->len == 0);
        break;
    case GH_H1_HEAD:
        tell_head(tale, &head);
        if (with->head != NULL)
            with->head(with->arena, &head);
        break;
    case GH_H1_DATA:
        GH_HOLDS(data.len != 0 && data.ptr >= before.ptr && data.ptr + data.len == piece->ptr);
        GH_HOLDS(gh_buf_add(tale, data));
        break;
    case GH_H1_END:
        GH_HOLDS(gh_buf_add(tale, GH_STR("\nend")));
        gh_h1_reader_next(reader);
        gh_h1_reader_expect(reader, with->answered);
        break;
    case GH_H1_ERROR:
        GH_HOLDS(reason != GH_OK && gh_buf_printf(tale, "\nerror %d", (int)reason));
        break;
    }
    return event;
}

/* Each piece ends where its block ends, so that a byte too far is seen, and lies where the one before it lay,
 * so that nobody can hold on to that. */
gh_str gh_fuzz_h1_tale(const struct gh_fuzz_h1 *with, gh_str bytes, size_t step)
{
    struct gh_h1_reader reader;
    struct gh_buf tale = { 0 };
    char *block = malloc(step);
    enum gh_h1_event event = GH_H1_NEED_MORE;
    gh_h1_reader_init(&reader, with->side, &limits);
    gh_h1_reader_expect(&reader, with->answered);
    while (bytes.len != 0 && event != GH_H1_ERROR) {
        gh_str piece = gh_str_take(bytes, step);
        bytes = gh_str_skip(bytes, piece.len);
        memcpy(block + step - piece.len, piece.ptr, piece.len);
        piece.ptr = block + step - piece.len;
        do {
            event = tell_event(with, &reader, &piece, &tale);
        } while (event != GH_H1_NEED_MORE && event != GH_H1_ERROR);
    }
    GH_HOLDS(gh_buf_printf(&tale, "\neof %d", (int)gh_h1_reader_eof(&reader)));
    gh_str told = gh_arena_dup(with->arena, gh_buf_peek(&tale));
    gh_h1_reader_done(&reader);
    gh_buf_done(&tale);
    free(block);
    return told;
}

/* Fields that frame the body are written by the framing alone. */
static const struct gh_header *next_field(const struct gh_headers *headers, size_t *at)
{
    while (*at < headers->count && (gh_str_eq(headers->at[*at].name, GH_STR("content-length")) ||
                                    gh_str_eq(headers->at[*at].name, GH_STR("transfer-encoding"))))
        ++*at;
    return *at < headers->count ? &headers->at[(*at)++] : NULL;
}

static void check_fields(const struct gh_headers *a, const struct gh_headers *b)
{
    const struct gh_header *x, *y;
    size_t at_x = 0, at_y = 0;
    do {
        x = next_field(a, &at_x);
        y = next_field(b, &at_y);
        GH_HOLDS((x == NULL) == (y == NULL));
        GH_HOLDS(x == NULL || (gh_str_eq(x->name, y->name) && gh_str_eq(x->value, y->value)));
    } while (x != NULL);
}

void gh_fuzz_h1_same(struct gh_arena *arena, const struct gh_h1_head *head, struct gh_buf *written)
{
    static const struct gh_h1_limits wide = { 8192, 65536, GH_H1_FIELDS_MAX, 0, 8 };
    struct gh_h1_reader reader;
    struct gh_h1_head again;
    enum gh_reason reason;
    gh_str data, bytes = gh_buf_peek(written);
    gh_h1_reader_init(&reader, head->side, &wide);
    GH_HOLDS(gh_h1_read(&reader, &bytes, arena, &again, &data, &reason) == GH_H1_HEAD && bytes.len == 0);
    GH_HOLDS(gh_str_eq(again.method_text, head->method_text) &&
             gh_str_eq(again.target_raw, head->target_raw));
    GH_HOLDS(again.status == head->status && again.chunked == head->chunked);
    GH_HOLDS(again.content_length == head->content_length);
    check_fields(&head->headers, &again.headers);
    gh_h1_reader_done(&reader);
    gh_buf_done(written);
}

struct gh_h1_body gh_fuzz_h1_body(const struct gh_h1_head *head)
{
    enum gh_h1_framing framing = head->chunked               ? GH_H1_CHUNKED
                                 : head->content_length >= 0 ? GH_H1_LENGTH
                                                             : GH_H1_NO_BODY;
    return (struct gh_h1_body){ framing, framing == GH_H1_LENGTH ? (uint64_t)head->content_length : 0 };
}
