/* wire/h1_read.c: the reader's states: head, body by length, chunks, trailers, until close. */
#include "base/str.h"
#include "wire/h1_parts.h"

/*  HEAD --> LENGTH ----------------------------------------------> END
 *       --> SIZE --> [EXT_*] --> SIZE_LF --> CHUNK --> CHUNK_CR --> CHUNK_LF --> SIZE
 *                                        --> TRAILERS (size 0) ---> END
 *       --> CLOSE (until the peer closes)
 *       --> END, and HEAD again after an interim response;  any --> FAILED */
enum state {
    STATE_HEAD,
    STATE_LENGTH,
    STATE_SIZE,
    STATE_EXT_NAME_FIRST,
    STATE_EXT_NAME,
    STATE_EXT_VALUE_FIRST,
    STATE_EXT_VALUE,
    STATE_SIZE_LF,
    STATE_CHUNK,
    STATE_CHUNK_CR,
    STATE_CHUNK_LF,
    STATE_TRAILERS,
    STATE_CLOSE,
    STATE_END,
    STATE_FAILED
};

#define SIZE_DIGITS_MAX 16u

static enum gh_h1_event read_head(struct gh_h1_reader *r, gh_str *input, struct gh_arena *arena,
                                  struct gh_h1_head *ret_head);
static enum gh_h1_event read_trailers(struct gh_h1_reader *r, gh_str *input);
static enum gh_h1_event gather(struct gh_h1_reader *r, gh_str *input, struct gh_h1_found *found,
                               gh_str *ret_run);
static void drop_run(struct gh_h1_reader *r);
static enum state state_after_head(struct gh_h1_reader *r, const struct gh_h1_head *head);
static bool read_framing(struct gh_h1_reader *r, gh_str *input);
static bool step(struct gh_h1_reader *r, char c);
static bool step_extension(struct gh_h1_reader *r, char c);
static enum gh_h1_event take_data(struct gh_h1_reader *r, gh_str *input, enum state behind, gh_str *ret_data);
static enum gh_h1_event fail(struct gh_h1_reader *r, enum gh_reason reason);

void gh_h1_reader_init(struct gh_h1_reader *reader, enum gh_h1_side side, const struct gh_h1_limits *limits)
{
    *reader = (struct gh_h1_reader){ .side = side, .limits = limits, .state = STATE_HEAD };
}

void gh_h1_reader_done(struct gh_h1_reader *reader)
{
    gh_buf_done(&reader->partial);
}

void gh_h1_reader_next(struct gh_h1_reader *reader)
{
    gh_buf_done(&reader->partial);
    gh_h1_reader_init(reader, reader->side, reader->limits);
}

void gh_h1_reader_expect(struct gh_h1_reader *reader, enum gh_method method)
{
    reader->bodiless = method == GH_METHOD_HEAD;
}

enum gh_h1_event gh_h1_read(struct gh_h1_reader *reader, gh_str *input, struct gh_arena *arena,
                            struct gh_h1_head *ret_head, gh_str *ret_data, enum gh_reason *ret_reason)
{
    enum gh_h1_event event = GH_H1_NEED_MORE;
    for (;;) {
        switch ((enum state)reader->state) {
        case STATE_HEAD:
            event = read_head(reader, input, arena, ret_head);
            break;
        case STATE_LENGTH:
            event = take_data(reader, input, STATE_END, ret_data);
            break;
        case STATE_CHUNK:
            event = take_data(reader, input, STATE_CHUNK_CR, ret_data);
            break;
        case STATE_CLOSE:
            reader->left = UINT64_MAX;
            event = take_data(reader, input, STATE_CLOSE, ret_data);
            break;
        case STATE_TRAILERS:
            event = read_trailers(reader, input);
            break;
        case STATE_END:
            return GH_H1_END;
        case STATE_FAILED:
            *ret_reason = reader->reason;
            return GH_H1_ERROR;
        case STATE_SIZE:
        case STATE_EXT_NAME_FIRST:
        case STATE_EXT_NAME:
        case STATE_EXT_VALUE_FIRST:
        case STATE_EXT_VALUE:
        case STATE_SIZE_LF:
        case STATE_CHUNK_CR:
        case STATE_CHUNK_LF:
            if (read_framing(reader, input))
                continue;
            return GH_H1_NEED_MORE;
        }
        if (event != GH_H1_ERROR)
            return event;
    }
}

enum gh_reason gh_h1_reader_eof(const struct gh_h1_reader *reader)
{
    bool idle = reader->state == STATE_HEAD && gh_buf_len(&reader->partial) == 0 && reader->interim == 0;
    if (idle || reader->state == STATE_END || reader->state == STATE_CLOSE)
        return GH_OK;
    return reader->side == GH_H1_REQUEST ? GH_CLIENT_GONE : GH_UPSTREAM_ABORTED;
}

bool gh_h1_reader_until_close(const struct gh_h1_reader *reader)
{
    return reader->state == STATE_CLOSE;
}

static enum gh_h1_event read_head(struct gh_h1_reader *r, gh_str *input, struct gh_arena *arena,
                                  struct gh_h1_head *ret_head)
{
    struct gh_h1_found found;
    gh_str run;
    enum gh_h1_event event = gather(r, input, &found, &run);
    if (event != GH_H1_HEAD)
        return event;
    enum gh_reason reason = gh_h1_head_make(r->side, arena, run, &r->lines, &found, ret_head);
    drop_run(r);
    if (reason != GH_OK)
        return fail(r, reason);
    if (r->side == GH_H1_RESPONSE && ret_head->status < 200)
        return ++r->interim > r->limits->interim ? fail(r, GH_UPSTREAM_INTERIM_MANY) : GH_H1_HEAD;
    r->state = state_after_head(r, ret_head);
    if (r->state == STATE_CLOSE)
        ret_head->keep_alive = false;
    return GH_H1_HEAD;
}

/* RFC 9112 section 6.3. */
static enum state state_after_head(struct gh_h1_reader *r, const struct gh_h1_head *head)
{
    if (r->side == GH_H1_RESPONSE && (r->bodiless || head->status == 204 || head->status == 304))
        return STATE_END;
    if (head->chunked)
        return STATE_SIZE;
    if (head->content_length > 0) {
        r->left = (uint64_t)head->content_length;
        return STATE_LENGTH;
    }
    return r->side == GH_H1_RESPONSE && head->content_length < 0 ? STATE_CLOSE : STATE_END;
}

/* RFC 9110 section 6.5: trailers are checked like a head, then dropped: never merged, never passed on. */
static enum gh_h1_event read_trailers(struct gh_h1_reader *r, gh_str *input)
{
    struct gh_h1_found found;
    gh_str run;
    enum gh_h1_event event = gather(r, input, &found, &run);
    if (event != GH_H1_HEAD)
        return event;
    bool legal = true;
    for (size_t i = 0; i < r->lines.fields; i++) {
        const struct gh_h1_span *span = &found.spans[i];
        legal = legal && gh_h1_trailer_is_legal(gh_str_of(run.ptr + span->name, span->name_len));
    }
    drop_run(r);
    if (!legal)
        return fail(r, GH_HTTP_MALFORMED);
    r->state = STATE_END;
    return GH_H1_END;
}

/* Gets a whole run of lines together: straight from the input when it is all there, else from the bytes held
 * since an earlier call. The run is lent until drop_run. */
static enum gh_h1_event gather(struct gh_h1_reader *r, gh_str *input, struct gh_h1_found *found,
                               gh_str *ret_run)
{
    if (input->len == 0)
        return GH_H1_NEED_MORE;
    size_t held = gh_buf_len(&r->partial);
    gh_str run = *input;
    if (held != 0) {
        /* More bytes than these cannot belong to a run within its limits. */
        size_t most = r->limits->start_line + r->limits->head + 16;
        if (!gh_buf_add(&r->partial, gh_str_take(*input, most > held ? most - held : 0)))
            return fail(r, GH_OUT_OF_MEMORY);
        run = gh_buf_peek(&r->partial);
    }
    bool trailers = r->state == STATE_TRAILERS;
    enum gh_reason reason;
    r->lines.started |= trailers;
    enum gh_h1_event event = gh_h1_lines_read(r->side, r->limits, run, &r->lines, found, &reason);
    if (event == GH_H1_HEAD && held != 0) {
        /* `found` has only the fields of this call: once more from the start, which cannot fail any more. */
        r->lines = (struct gh_h1_lines){ .started = trailers };
        event = gh_h1_lines_read(r->side, r->limits, run, &r->lines, found, &reason);
    }
    if (event == GH_H1_ERROR)
        return fail(r, reason);
    if (event == GH_H1_NEED_MORE) {
        if (held == 0 && !gh_buf_add(&r->partial, *input))
            return fail(r, GH_OUT_OF_MEMORY);
        *input = gh_str_skip(*input, input->len);
        return event;
    }
    *ret_run = gh_str_take(run, r->lines.at);
    *input = gh_str_skip(*input, r->lines.at - held);
    return event;
}

static void drop_run(struct gh_h1_reader *r)
{
    gh_buf_done(&r->partial);
    r->lines = (struct gh_h1_lines){ 0 };
}

/* Chunk framing, byte by byte. True when there is something else to do, false when the input is used up. */
static bool read_framing(struct gh_h1_reader *r, gh_str *input)
{
    size_t i = 0;
    bool more = true;
    while (more && i < input->len)
        more = step(r, input->ptr[i++]);
    *input = gh_str_skip(*input, i);
    return !more;
}

/* RFC 9112 section 7.1: chunk-size [ chunk-ext ] CRLF chunk-data CRLF. False when the state is left to
 * others. */
static bool step(struct gh_h1_reader *r, char c)
{
    int digit = c >= '0' && c <= '9'   ? c - '0'
                : c >= 'a' && c <= 'f' ? c - 'a' + 10
                : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                       : -1;
    bool right = false;
    switch ((enum state)r->state) {
    case STATE_SIZE:
        if (digit >= 0) {
            right = ++r->digits <= SIZE_DIGITS_MAX && r->left <= (uint64_t)INT64_MAX >> 4;
            r->left = r->left << 4 | (uint64_t)digit;
            break;
        }
        right = r->digits != 0 && (c == '\r' || c == ';');
        r->state = c == ';' ? STATE_EXT_NAME_FIRST : STATE_SIZE_LF;
        break;
    case STATE_EXT_NAME_FIRST:
    case STATE_EXT_NAME:
    case STATE_EXT_VALUE_FIRST:
    case STATE_EXT_VALUE:
        right = step_extension(r, c);
        break;
    case STATE_SIZE_LF:
        right = c == '\n';
        r->digits = 0;
        r->state = r->left != 0 ? STATE_CHUNK : STATE_TRAILERS;
        break;
    case STATE_CHUNK_CR:
        right = c == '\r';
        r->state = STATE_CHUNK_LF;
        break;
    case STATE_CHUNK_LF:
        right = c == '\n';
        r->state = STATE_SIZE;
        break;
    case STATE_HEAD:
    case STATE_LENGTH:
    case STATE_CHUNK:
    case STATE_TRAILERS:
    case STATE_CLOSE:
    case STATE_END:
    case STATE_FAILED:
        break;
    }
    if (!right)
        (void)fail(r, r->extensions > r->limits->chunk_extensions ? GH_HTTP_EXTENSIONS_LARGE
                                                                  : GH_HTTP_MALFORMED);
    return r->state != STATE_FAILED && r->state != STATE_CHUNK && r->state != STATE_TRAILERS;
}

/* RFC 9112 section 7.1.1: ";" name [ "=" value ], tokens only: no space, and no quoted string, whose end two
 * readers may see in different places. All of it is dropped. */
static bool step_extension(struct gh_h1_reader *r, char c)
{
    if (++r->extensions > r->limits->chunk_extensions)
        return false;
    bool first = r->state == STATE_EXT_NAME_FIRST || r->state == STATE_EXT_VALUE_FIRST;
    bool in_name = r->state == STATE_EXT_NAME_FIRST || r->state == STATE_EXT_NAME;
    if (gh_h1_tchars[(unsigned char)c] != 0) {
        r->state = in_name ? STATE_EXT_NAME : STATE_EXT_VALUE;
        return true;
    }
    if (first || (c != '\r' && c != ';' && (c != '=' || !in_name)))
        return false;
    r->state = c == '\r' ? STATE_SIZE_LF : c == ';' ? STATE_EXT_NAME_FIRST : STATE_EXT_VALUE_FIRST;
    return true;
}

static enum gh_h1_event take_data(struct gh_h1_reader *r, gh_str *input, enum state behind, gh_str *ret_data)
{
    if (input->len == 0)
        return GH_H1_NEED_MORE;
    *ret_data = gh_str_take(*input, r->left < input->len ? (size_t)r->left : input->len);
    *input = gh_str_skip(*input, ret_data->len);
    r->left -= ret_data->len;
    if (r->left == 0)
        r->state = behind;
    return GH_H1_DATA;
}

/* Whatever is wrong with an answer, it is the upstream's fault. */
static enum gh_reason of_upstream(enum gh_reason reason)
{
    if (reason == GH_OUT_OF_MEMORY || reason == GH_UPSTREAM_INTERIM_MANY)
        return reason;
    bool large =
        reason == GH_HTTP_HEAD_LARGE || reason == GH_HTTP_FIELDS_MANY || reason == GH_HTTP_TARGET_LONG;
    return large ? GH_UPSTREAM_HEAD_LARGE : GH_UPSTREAM_MALFORMED;
}

static enum gh_h1_event fail(struct gh_h1_reader *r, enum gh_reason reason)
{
    gh_buf_done(&r->partial);
    r->state = STATE_FAILED;
    r->reason = r->side == GH_H1_RESPONSE ? of_upstream(reason) : reason;
    return GH_H1_ERROR;
}
