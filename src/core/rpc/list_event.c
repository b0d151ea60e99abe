/* core/rpc/list_event.c: lists within an event stream. */
#include "base/buf.h"
#include "base/str.h"
#include "gatehouse/list.h"

/* Of CRLF at the end of an event the LF may come later: whoever reads lines waits for it. */
static size_t end_event(struct gh_event_finder *finder, gh_str bytes, size_t at)
{
    bool is_crlf = bytes.ptr[at] == '\r' && at + 1 < bytes.len && bytes.ptr[at + 1] == '\n';
    finder->lf_is_left = bytes.ptr[at] == '\r' && at + 1 == bytes.len;
    finder->after_cr = false;
    return at + (is_crlf ? 2 : 1);
}

size_t gh_event_find_end(struct gh_event_finder *finder, gh_str bytes)
{
    bool lf_was_left = finder->lf_is_left;
    finder->lf_is_left = false;
    if (lf_was_left && gh_str_starts(bytes, GH_STR("\n")))
        return 1;
    for (size_t i = 0; i < bytes.len; i++) {
        char c = bytes.ptr[i];
        bool is_crlf = c == '\n' && finder->after_cr;
        finder->after_cr = c == '\r';
        if (is_crlf)
            continue;
        bool ends_line = c == '\r' || c == '\n';
        if (ends_line && !finder->in_line)
            return end_event(finder, bytes, i);
        finder->in_line = !ends_line;
    }
    return 0;
}

/* ---- lines ---- */

struct line {
    gh_str whole; /* with its end */
    gh_str field, value;
};

static struct line take_line(gh_str *rest)
{
    size_t len = 0;
    while (len < rest->len && rest->ptr[len] != '\r' && rest->ptr[len] != '\n')
        len++;
    gh_str text = gh_str_take(*rest, len);
    size_t end = len < rest->len ? 1 : 0;
    if (len + 1 < rest->len && rest->ptr[len] == '\r' && rest->ptr[len + 1] == '\n')
        end = 2;
    struct line line = { .whole = gh_str_take(*rest, len + end) };
    *rest = gh_str_skip(*rest, len + end);
    line.value = text;
    line.field = gh_str_cut(&line.value, ':');
    if (gh_str_starts(line.value, GH_STR(" ")))
        line.value = gh_str_skip(line.value, 1);
    return line;
}

static bool is_data(const struct line *line)
{
    return gh_str_eq(line->field, GH_STR("data"));
}

/* ---- events ---- */

/* The data lines joined by LF. One line, the usual case, is lent; *joined holds several. */
struct data {
    gh_str text;
    struct gh_buf joined;
    size_t lines;
    bool is_message;
};

static bool join(struct data *data, gh_str value)
{
    if (data->lines++ == 0) {
        data->text = value;
        return true;
    }
    if (data->lines == 2 && !gh_buf_add(&data->joined, data->text))
        return false;
    bool ok = gh_buf_add(&data->joined, GH_STR("\n")) && gh_buf_add(&data->joined, value);
    data->text = gh_buf_peek(&data->joined);
    return ok;
}

/* A byte order mark is skipped at the start of a stream, by some readers: they have another field than the
 * others. */
static enum gh_reason read_data(gh_str event, struct data *data)
{
    gh_str rest = event;
    data->is_message = true;
    while (rest.len > 0) {
        struct line line = take_line(&rest);
        if (gh_str_starts(line.field, GH_STR("\xef\xbb\xbf")))
            return GH_LIST_UNREADABLE;
        if (gh_str_eq(line.field, GH_STR("event")))
            data->is_message = line.value.len == 0 || gh_str_eq(line.value, GH_STR("message"));
        if (is_data(&line) && !join(data, line.value))
            return GH_OUT_OF_MEMORY;
    }
    return GH_OK;
}

static bool write_data(gh_str text, struct gh_buf *out)
{
    gh_str rest = text;
    bool ok = true;
    while (ok && rest.ptr != NULL)
        ok = gh_buf_add(out, GH_STR("data: ")) && gh_buf_add(out, gh_str_cut(&rest, '\n')) &&
             gh_buf_add(out, GH_STR("\n"));
    return ok;
}

/* The new data stands where the first line of the old one stood. */
static bool write_event(gh_str event, gh_str text, struct gh_buf *out)
{
    gh_str rest = event;
    bool ok = true, is_written = false;
    while (ok && rest.len > 0) {
        struct line line = take_line(&rest);
        if (!is_data(&line))
            ok = gh_buf_add(out, line.whole);
        else if (!is_written)
            ok = write_data(text, out);
        is_written = is_written || is_data(&line);
    }
    return ok;
}

enum gh_reason gh_list_filter_event(gh_str event, gh_list_shows shows, void *ctx, struct gh_buf *out,
                                    bool *ret_changed)
{
    struct data data = { .lines = 0 };
    struct gh_buf text = { 0 };
    bool changed = false;
    enum gh_reason reason = read_data(event, &data);
    if (reason == GH_OK && data.is_message && data.text.len > 0)
        reason = gh_list_filter(data.text, shows, ctx, &text, &changed);
    if (reason == GH_OK && changed && !write_event(event, gh_buf_peek(&text), out))
        reason = GH_OUT_OF_MEMORY;
    gh_buf_done(&data.joined);
    gh_buf_done(&text);
    if (reason == GH_OK)
        *ret_changed = changed;
    return reason;
}
