/* upstream/notes.h: callers of the upstream tests: they start calls and take notes of what comes. */
#ifndef GH_TEST_UPSTREAM_NOTES_H
#define GH_TEST_UPSTREAM_NOTES_H

#include "world.h"

/* What a caller got. */
struct note {
    struct gh_call *call;
    unsigned heads, ends, fails;
    int status, endpoint;
    int64_t content_length;
    enum gh_reason why;
    char body[65536];
    size_t len, taken;
    char type[64];
    bool pause_on_data, cancel_on_head, cancel_on_data;
    struct world *again; /* a new call from inside `end` */
    struct note *next;
};

static GH_UNUSED void note_head(void *ctx, const struct gh_call_response *response)
{
    struct note *note = ctx;
    const struct gh_header *type = gh_headers_find(response->headers, GH_STR("content-type"));
    note->heads++;
    note->status = response->status;
    note->endpoint = response->endpoint;
    note->content_length = response->content_length;
    if (type != NULL)
        snprintf(note->type, sizeof(note->type), "%.*s", GH_STR_FMT(type->value));
    assert_null(gh_headers_find(response->headers, GH_STR("connection")));
    assert_null(gh_headers_find(response->headers, GH_STR("transfer-encoding")));
    if (note->cancel_on_head)
        gh_call_cancel(note->call);
}
static GH_UNUSED void note_data(void *ctx, gh_str bytes)
{
    struct note *note = ctx;
    assert_int_equal(note->heads, 1);
    assert_int_equal(note->ends + note->fails, 0);
    if (note->len + bytes.len <= sizeof(note->body))
        memcpy(note->body + note->len, bytes.ptr, bytes.len);
    note->len += bytes.len;
    if (note->pause_on_data)
        gh_call_pause(note->call);
    if (note->cancel_on_data)
        gh_call_cancel(note->call);
}
static GH_UNUSED void note_end(void *ctx);
static GH_UNUSED void note_fail(void *ctx, enum gh_reason why)
{
    struct note *note = ctx;
    note->fails++;
    note->why = why;
    assert_int_equal(note->ends, 0);
}
static GH_UNUSED void note_taken(void *ctx, size_t n)
{
    struct note *note = ctx;
    note->taken += n;
}
static const struct gh_call_events note_events = { note_head, note_data, note_end, note_fail, note_taken };

static const struct gh_headers no_headers;

static GH_UNUSED struct note *call_with(struct world *w, const struct gh_call_request *request)
{
    struct note *note = calloc(1, sizeof(*note));
    note->call = gh_call_start(w->upstream, request, &note_events, note);
    assert_non_null(note->call);
    return note;
}
static GH_UNUSED struct note *call_get(struct world *w)
{
    return call_with(w, &(struct gh_call_request){ .method = GH_METHOD_GET,
                                                   .path_and_query = GH_STR("/mcp"),
                                                   .headers = &no_headers,
                                                   .endpoint = -1 });
}
/* A whole POST with a length. */
static GH_UNUSED struct note *call_post(struct world *w, const char *body)
{
    struct note *note = call_with(w, &(struct gh_call_request){ .method = GH_METHOD_POST,
                                                                .path_and_query = GH_STR("/mcp"),
                                                                .headers = &no_headers,
                                                                .has_body = true,
                                                                .endpoint = -1,
                                                                .content_length = (int64_t)strlen(body) });
    gh_call_body(note->call, gh_str_from(body), true);
    return note;
}
static void note_end(void *ctx)
{
    struct note *note = ctx;
    note->ends++;
    assert_int_equal(note->heads, 1);
    if (note->again != NULL)
        note->next = call_get(note->again);
}
static GH_UNUSED void expect_fail(struct note *note, enum gh_reason why)
{
    assert_int_equal(note->ends, 0);
    assert_int_equal(note->fails, 1);
    assert_string_equal(gh_reason_row(note->why)->slug, gh_reason_row(why)->slug);
    free(note);
}
static GH_UNUSED void expect_answer(struct note *note, int status, const char *body)
{
    assert_int_equal(note->fails, 0);
    assert_int_equal(note->ends, 1);
    assert_int_equal(note->status, status);
    assert_int_equal(note->len, strlen(body));
    assert_memory_equal(note->body, body, note->len);
    free(note);
}

#endif
