/* fuzz/fuzz_h1.h: runs the HTTP/1.1 reader over bytes and draws up what came out of it. */
#ifndef GH_FUZZ_H1_H
#define GH_FUZZ_H1_H

#include <stdlib.h>

#include "base/arena.h"
#include "base/str.h"
#include "wire/h1.h"

struct fuzz_h1_sum {
    enum gh_h1_event last;
    enum gh_reason reason;
    uint64_t body; /* hash over all body bytes */
    size_t heads, fields, messages;
};

static inline void fuzz_h1_head(const struct gh_h1_head *head, struct fuzz_h1_sum *sum)
{
    sum->heads++;
    sum->fields += head->headers.count;
    for (size_t i = 0; i < head->headers.count; i++) {
        gh_str name = head->headers.at[i].name, value = head->headers.at[i].value;
        if (name.len == 0 || gh_str_find(name, ':') < name.len || gh_str_find(value, '\n') < value.len ||
            gh_str_find(value, '\r') < value.len)
            abort();
    }
    if (head->chunked && head->content_length >= 0)
        abort();
}

/* The input is copied piece by piece, so that the sanitizer sees one byte too far. */
static inline void fuzz_h1_piece(struct gh_h1_reader *reader, struct gh_arena *arena, gh_str piece,
                                 enum gh_method method, struct fuzz_h1_sum *sum)
{
    char *copy = malloc(piece.len != 0 ? piece.len : 1);
    if (copy == NULL)
        abort();
    if (piece.len != 0)
        memcpy(copy, piece.ptr, piece.len);
    gh_str input = gh_str_of(copy, piece.len), data;
    struct gh_h1_head head;
    do {
        sum->last = gh_h1_read(reader, &input, arena, &head, &data, &sum->reason);
        if (sum->last == GH_H1_HEAD)
            fuzz_h1_head(&head, sum);
        for (size_t i = 0; sum->last == GH_H1_DATA && i < data.len; i++)
            sum->body = (sum->body ^ (unsigned char)data.ptr[i]) * 0x100000001b3u;
        if (sum->last == GH_H1_END && sum->messages++ < 100) {
            gh_h1_reader_next(reader);
            gh_h1_reader_expect(reader, method);
        }
    } while (sum->last != GH_H1_NEED_MORE && sum->last != GH_H1_ERROR && sum->messages < 100);
    if (sum->last == GH_H1_NEED_MORE && input.len != 0)
        abort();
    free(copy);
}

static inline struct fuzz_h1_sum fuzz_h1_run(enum gh_h1_side side, enum gh_method method, gh_str bytes,
                                             size_t cut)
{
    static const struct gh_h1_limits limits = {
        .start_line = 128, .head = 2048, .fields = 12, .chunk_extensions = 64
    };
    struct gh_arena *arena = gh_arena_new(0);
    struct gh_h1_reader reader;
    struct fuzz_h1_sum sum = { 0 };
    gh_h1_reader_init(&reader, side, &limits);
    gh_h1_reader_expect(&reader, method);
    fuzz_h1_piece(&reader, arena, gh_str_take(bytes, cut), method, &sum);
    if (sum.last == GH_H1_NEED_MORE)
        fuzz_h1_piece(&reader, arena, gh_str_skip(bytes, cut), method, &sum);
    gh_h1_reader_done(&reader);
    gh_arena_free(arena);
    return sum;
}

static inline void fuzz_h1_compare(enum gh_h1_side side, enum gh_method method, gh_str bytes, size_t cut)
{
    struct fuzz_h1_sum whole = fuzz_h1_run(side, method, bytes, bytes.len);
    struct fuzz_h1_sum parts = fuzz_h1_run(side, method, bytes, cut);
    bool failed = whole.last == GH_H1_ERROR && whole.reason != parts.reason;
    if (whole.last != parts.last || failed || whole.body != parts.body || whole.heads != parts.heads ||
        whole.fields != parts.fields || whole.messages != parts.messages)
        abort();
}

#endif
