/* core/session/endpoint.c: finds the event that names the endpoint in a stream that comes in any pieces. */
#include "gatehouse/endpoint.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"

/* What a line says that names the endpoint, without its blanks. */
static const char naming[] = "event:endpoint";
#define NAMING_LEN (sizeof(naming) - 1)

static const unsigned char mark[] = { 0xef, 0xbb, 0xbf }; /* the byte order mark, once at the beginning */

#define WINDOW 256u

/* How far a line has come. */
struct line {
    bool has_bytes;
    bool differs; /* names something else for certain */
    size_t matched;
};

struct gh_endpoint_reader {
    struct gh_buf held; /* the event that is being read, until the endpoint is found */
    bool is_lent;       /* what was held has been judged */
    bool is_found;
    bool after_cr;    /* LF belongs to the line end before */
    bool is_begun;    /* an event has passed: no byte order mark any more */
    size_t mark_seen; /* of its bytes; more than all: there was none, or it is over */
    struct line line;
};

static enum gh_reason hold(struct gh_endpoint_reader *reader, gh_str *bytes,
                           struct gh_endpoint_piece *ret_piece);
static enum gh_reason watch(struct gh_endpoint_reader *reader, gh_str *bytes,
                            struct gh_endpoint_piece *ret_piece);
static size_t take_event(struct gh_endpoint_reader *reader, gh_str bytes, bool *ret_whole);
static enum gh_reason judge(struct gh_endpoint_reader *reader, struct gh_endpoint_piece *ret_piece);

struct gh_endpoint_reader *gh_endpoint_reader_new(void)
{
    return gh_calloc(1, sizeof(struct gh_endpoint_reader));
}

void gh_endpoint_reader_free(struct gh_endpoint_reader *reader)
{
    if (reader == NULL)
        return;
    gh_buf_done(&reader->held);
    free(reader);
}

enum gh_reason gh_endpoint_read(struct gh_endpoint_reader *reader, gh_str *bytes,
                                struct gh_endpoint_piece *ret_piece)
{
    if (reader->is_lent)
        gh_buf_done(&reader->held);
    reader->is_lent = false;
    return reader->is_found ? watch(reader, bytes, ret_piece) : hold(reader, bytes, ret_piece);
}

/* ---- until the endpoint is named: an event is held until it is whole */

static enum gh_reason hold(struct gh_endpoint_reader *reader, gh_str *bytes,
                           struct gh_endpoint_piece *ret_piece)
{
    bool whole;
    gh_str part = gh_str_take(*bytes, take_event(reader, *bytes, &whole));
    if (part.len > GH_ENDPOINT_EVENT_MAX - gh_buf_len(&reader->held))
        return GH_UPSTREAM_ENDPOINT;
    if (!gh_buf_add(&reader->held, part))
        return GH_OUT_OF_MEMORY;
    *bytes = gh_str_skip(*bytes, part.len);
    if (whole)
        return judge(reader, ret_piece);
    *ret_piece = (struct gh_endpoint_piece){ 0 };
    return GH_OK;
}

/* Has the line come to its end as one that names the endpoint? */
static bool is_naming(const struct line *line)
{
    return !line->differs && line->matched == NAMING_LEN;
}

static void add_to_line(struct line *line, char c)
{
    char small = (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
    line->has_bytes = true;
    if ((unsigned char)c <= ' ' || line->differs)
        return;
    line->differs = line->matched == NAMING_LEN || small != naming[line->matched];
    line->matched++;
}

static bool is_of_mark(struct gh_endpoint_reader *reader, char c)
{
    if (reader->mark_seen >= sizeof(mark))
        return false;
    if ((unsigned char)c == mark[reader->mark_seen]) {
        reader->mark_seen++;
        return true;
    }
    for (size_t i = 0; i < reader->mark_seen; i++) /* then it was the beginning of a line */
        add_to_line(&reader->line, (char)mark[i]);
    reader->mark_seen = sizeof(mark);
    return false;
}

enum place { IN_LINE, AT_END, AT_BLANK }; /* within a line, at the end of one, of one without bytes */

/* reader->line is whole at AT_END and AT_BLANK, and is to be cleared then. */
static enum place step(struct gh_endpoint_reader *reader, char c)
{
    bool joins = c == '\n' && reader->after_cr;
    reader->after_cr = c == '\r';
    if (joins || is_of_mark(reader, c))
        return IN_LINE;
    if (c == '\n' || c == '\r')
        return reader->line.has_bytes ? AT_END : AT_BLANK;
    add_to_line(&reader->line, c);
    return IN_LINE;
}

/* How many bytes belong to the event. */
static size_t take_event(struct gh_endpoint_reader *reader, gh_str bytes, bool *ret_whole)
{
    *ret_whole = false;
    for (size_t i = 0; i < bytes.len; i++) {
        enum place place = step(reader, bytes.ptr[i]);
        if (place == IN_LINE)
            continue;
        reader->line = (struct line){ 0 };
        if (place == AT_END)
            continue;
        *ret_whole = true;
        return i + 1;
    }
    return bytes.len;
}

/* ---- one whole event */

struct event {
    size_t naming, exact; /* lines that name the endpoint in whatever way, and as the standard says */
    size_t names, datas;
    gh_str url;
};

static gh_str cut_line(gh_str *rest)
{
    size_t end = 0;
    while (end < rest->len && rest->ptr[end] != '\r' && rest->ptr[end] != '\n')
        end++;
    gh_str line = gh_str_take(*rest, end);
    *rest = gh_str_skip(*rest, end + 1); /* of CRLF a line without bytes is left, which says nothing */
    return line;
}

static void read_line(gh_str text, struct event *event)
{
    struct line line = { 0 };
    for (size_t i = 0; i < text.len; i++)
        add_to_line(&line, text.ptr[i]);
    gh_str value = text;
    gh_str name = gh_str_cut(&value, ':');
    if (gh_str_starts(value, GH_STR(" ")))
        value = gh_str_skip(value, 1);
    event->naming += is_naming(&line);
    event->exact += gh_str_eq(name, GH_STR("event")) && gh_str_eq(value, GH_STR("endpoint"));
    event->names += gh_str_eq_nocase(gh_str_trim(name), GH_STR("event"));
    event->datas += gh_str_eq_nocase(gh_str_trim(name), GH_STR("data"));
    if (gh_str_eq(name, GH_STR("data")))
        event->url = value;
}

static enum gh_reason judge(struct gh_endpoint_reader *reader, struct gh_endpoint_piece *ret_piece)
{
    struct event event = { 0 };
    gh_str all = gh_buf_peek(&reader->held), rest = all;
    if (!reader->is_begun && gh_str_starts(rest, gh_str_of(mark, sizeof(mark))))
        rest = gh_str_skip(rest, sizeof(mark));
    while (rest.len > 0)
        read_line(cut_line(&rest), &event);
    bool is_sound = event.naming == 1 && event.exact == 1 && event.names == 1 && event.datas == 1;
    if (event.naming > 0 && (!is_sound || event.url.len == 0))
        return GH_UPSTREAM_ENDPOINT;
    reader->is_lent = true;
    reader->is_begun = true;
    reader->is_found = event.naming > 0;
    *ret_piece = (struct gh_endpoint_piece){ .before = all };
    if (!reader->is_found)
        return GH_OK;
    size_t at = (size_t)(event.url.ptr - all.ptr);
    *ret_piece = (struct gh_endpoint_piece){ .before = gh_str_take(all, at),
                                             .url = event.url,
                                             .after = gh_str_skip(all, at + event.url.len) };
    return GH_OK;
}

/* ---- after it: nothing is held, and no other may come */

/* How far the end of the line is: looked for in windows, so that a million short lines cost what they are
 * long. */
static size_t to_line_end(gh_str bytes)
{
    size_t at = 0;
    while (at < bytes.len) {
        gh_str window = gh_str_take(gh_str_skip(bytes, at), WINDOW);
        size_t end = gh_str_find(gh_str_take(window, gh_str_find(window, '\n')), '\r');
        at += end;
        if (end < window.len)
            break;
    }
    return at;
}

static enum gh_reason watch(struct gh_endpoint_reader *reader, gh_str *bytes,
                            struct gh_endpoint_piece *ret_piece)
{
    for (size_t i = 0; i < bytes->len; i++) {
        if (reader->line.differs)
            i += to_line_end(gh_str_skip(*bytes, i));
        if (i == bytes->len)
            break;
        enum place place = step(reader, bytes->ptr[i]);
        if (place == IN_LINE)
            continue;
        if (is_naming(&reader->line))
            return GH_UPSTREAM_ENDPOINT;
        reader->line = (struct line){ 0 };
    }
    *ret_piece = (struct gh_endpoint_piece){ .before = *bytes };
    *bytes = gh_str_skip(*bytes, bytes->len);
    return GH_OK;
}
