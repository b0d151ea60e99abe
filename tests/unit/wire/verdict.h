/* wire/verdict.h: what the gateway makes of the bytes of one request, and that no way of cutting them changes
 * it. */
#ifndef GH_TEST_VERDICT_H
#define GH_TEST_VERDICT_H

#include <stdio.h>

#include "base/arena.h"
#include "base/str.h"
#include "wire/h1.h"

static const struct gh_h1_limits verdict_limits = {
    .start_line = 8192, .head = 32768, .fields = 100, .chunk_extensions = 16384, .interim = 8
};

enum cut { CUT_NOWHERE, CUT_EVERYWHERE, CUT_BEHIND_CR, CUT_BEHIND_CRLF, CUT_SECOND_MESSAGE, CUT_COUNT };

/* How many bytes of `rest` arrive together. */
static inline size_t verdict_piece(enum cut cut, gh_str rest)
{
    size_t cr = gh_str_find(rest, '\r'), lf = gh_str_find(rest, '\n');
    if (cut == CUT_EVERYWHERE)
        return 1;
    if (cut == CUT_BEHIND_CR && cr < rest.len)
        return cr + 1;
    if (cut == CUT_BEHIND_CRLF && lf < rest.len)
        return lf + 1;
    return rest.len;
}

/* A well-formed head still has to name a path and a host. */
static inline enum gh_reason verdict_head(struct gh_arena *arena, const struct gh_h1_head *head)
{
    struct gh_target target;
    struct gh_authority authority;
    const struct gh_header *host = gh_headers_find(&head->headers, GH_STR("host"));
    if (host == NULL || gh_authority_read(arena, host->value, &authority) != GH_OK)
        return GH_HTTP_HOST;
    if (gh_str_eq(head->target_raw, GH_STR("*")))
        return GH_OK;
    return gh_target_read(head->target_raw, &target);
}

/* The first event that decides: a reason, "ok" at the end of the message, "incomplete" at the end of the
 * bytes. */
static inline const char *verdict_read(struct gh_h1_reader *reader, struct gh_arena *arena, gh_str rest,
                                       enum cut cut)
{
    gh_str input = GH_STR_NONE;
    for (;;) {
        struct gh_h1_head head;
        gh_str data;
        enum gh_reason reason = GH_OK;
        switch (gh_h1_read(reader, &input, arena, &head, &data, &reason)) {
        case GH_H1_NEED_MORE:
            if (rest.len == 0)
                return "incomplete";
            input = gh_str_take(rest, verdict_piece(cut, rest));
            rest = gh_str_skip(rest, input.len);
            break;
        case GH_H1_HEAD:
            reason = verdict_head(arena, &head);
            if (reason != GH_OK)
                return gh_reason_row(reason)->slug;
            break;
        case GH_H1_DATA:
            break;
        case GH_H1_END:
            return "ok";
        case GH_H1_ERROR:
            return gh_reason_row(reason)->slug;
        }
    }
}

static inline const char *verdict_cut(gh_str bytes, enum cut cut)
{
    struct gh_arena *arena = gh_arena_new(0);
    struct gh_h1_reader reader;
    gh_h1_reader_init(&reader, GH_H1_REQUEST, &verdict_limits);
    if (cut == CUT_SECOND_MESSAGE) {
        gh_str first = GH_STR("POST /mcp HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n"
                              "2;a=b\r\nhi\r\n0\r\nX-Trailer: 1\r\n\r\n");
        (void)verdict_read(&reader, arena, first, CUT_NOWHERE);
        gh_h1_reader_next(&reader);
    }
    const char *verdict = verdict_read(&reader, arena, bytes, cut);
    gh_h1_reader_done(&reader);
    gh_arena_free(arena);
    return verdict;
}

/* The verdict under every cut; NULL, with a word on standard output, when they differ. */
static inline const char *verdict_of(gh_str bytes)
{
    const char *whole = verdict_cut(bytes, CUT_NOWHERE);
    for (int cut = CUT_NOWHERE + 1; cut < CUT_COUNT; cut++) {
        const char *other = verdict_cut(bytes, (enum cut)cut);
        if (strcmp(whole, other) != 0) {
            (void)printf("# whole: %s, cut %d: %s\n", whole, cut, other);
            return NULL;
        }
    }
    return whole;
}

/* What a corpus expects, where this gateway answers otherwise, and why. */
struct exception {
    const char *id, *verdict, *why;
};
static inline const struct exception *exception_find(const struct exception *list, size_t count,
                                                     const char *id)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(list[i].id, id) == 0)
            return &list[i];
    }
    return NULL;
}

#endif
