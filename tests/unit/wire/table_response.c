/* wire/table_response.c: responses as bytes, and the events they become, whole and byte by byte. */
#include "support/table.h"
#include "verdict.h"

static bool put_head(struct gh_buf *out, const struct gh_h1_head *head)
{
    bool done = gh_buf_printf(out, "[%d ", head->status);
    if (head->chunked)
        done = done && gh_buf_add(out, GH_STR("c"));
    else if (head->content_length < 0)
        done = done && gh_buf_add(out, GH_STR("-"));
    else
        done = done && gh_buf_printf(out, "%lld", (long long)head->content_length);
    return done && gh_buf_add(out, head->keep_alive ? GH_STR("] ") : GH_STR(" close] "));
}

static bool put_events(struct gh_arena *arena, enum gh_method method, gh_str bytes, size_t step,
                       struct gh_buf *out)
{
    struct gh_h1_reader reader;
    gh_h1_reader_init(&reader, GH_H1_RESPONSE, &verdict_limits);
    gh_h1_reader_expect(&reader, method);
    gh_str input = GH_STR_NONE;
    bool done = true, body = false, over = false;
    while (done && !over) {
        struct gh_h1_head head;
        gh_str data;
        enum gh_reason reason;
        enum gh_h1_event event = gh_h1_read(&reader, &input, arena, &head, &data, &reason);
        if (body && event != GH_H1_DATA && (event != GH_H1_NEED_MORE || bytes.len == 0)) {
            done = gh_buf_add(out, GH_STR(" "));
            body = false;
        }
        switch (event) {
        case GH_H1_NEED_MORE:
            over = bytes.len == 0;
            if (over)
                done = gh_buf_printf(out, "eof %s", gh_reason_row(gh_h1_reader_eof(&reader))->slug);
            input = gh_str_take(bytes, step);
            bytes = gh_str_skip(bytes, step);
            break;
        case GH_H1_HEAD:
            done = put_head(out, &head);
            break;
        case GH_H1_DATA:
            body = true;
            done = gh_buf_add(out, data);
            break;
        case GH_H1_END:
            over = true;
            done = gh_buf_add(out, GH_STR("end"));
            break;
        case GH_H1_ERROR:
            over = true;
            done = gh_buf_printf(out, "%s", gh_reason_row(reason)->slug);
            break;
        }
    }
    gh_h1_reader_done(&reader);
    return done;
}

static void answer(struct gh_arena *arena, gh_str line, struct gh_buf *out)
{
    enum gh_method method = GH_METHOD_GET;
    if (gh_method_read(gh_str_cut(&line, ' '), &method) != GH_OK)
        return;
    struct gh_buf again = { 0 };
    if (!put_events(arena, method, line, SIZE_MAX, out) || !put_events(arena, method, line, 1, &again))
        return;
    if (!gh_str_eq(gh_buf_peek(out), gh_buf_peek(&again)) &&
        !gh_buf_printf(out, " but byte by byte: %.*s", GH_STR_FMT(gh_buf_peek(&again))))
        return;
    gh_buf_done(&again);
}

int main(void)
{
    return gh_table_run("response", answer);
}
