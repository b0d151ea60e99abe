/* wire/h2_head.c: gathers the fields of one head into the stream's arena, within limits, refusing what h1
 * could not carry. */
#include "base/arena.h"
#include "base/str.h"
#include "wire/h1_parts.h"
#include "wire/h2_session.h"

static void fault(struct gh_h2_stream *stream, enum gh_reason reason)
{
    enum gh_reason *of = stream->head_done ? &stream->trailer_fault : &stream->fault;
    if (*of == GH_OK)
        *of = reason;
}

static gh_str keep(struct gh_h2_stream *stream, gh_str value)
{
    gh_str copy = gh_arena_dup(stream->arena, value);
    if (copy.ptr == NULL)
        fault(stream, GH_OUT_OF_MEMORY);
    return copy;
}

/* nghttp2 has checked that each comes once, in front, and which may come at all (RFC 9113 section 8.3). */
static void add_pseudo(struct gh_h2_stream *stream, gh_str name, gh_str value)
{
    struct gh_h2_head *head = &stream->head;
    uint64_t status;
    if (!gh_header_value_is_legal(value))
        fault(stream, GH_HTTP_MALFORMED);
    else if (gh_str_eq(name, GH_STR(":method")))
        head->method = keep(stream, value);
    else if (gh_str_eq(name, GH_STR(":scheme")))
        head->scheme = keep(stream, value);
    else if (gh_str_eq(name, GH_STR(":authority")))
        head->authority = keep(stream, value);
    else if (gh_str_eq(name, GH_STR(":path")) && value.len > stream->h2->limits.target)
        fault(stream, GH_HTTP_TARGET_LONG);
    else if (gh_str_eq(name, GH_STR(":path")))
        head->path = keep(stream, value);
    else if (gh_str_eq(name, GH_STR(":status")) && value.len == 3 && gh_str_to_u64(value, &status) &&
             status >= 100 && status <= 599) /* as HTTP/1.1 has it: nghttp2 takes any three digits */
        head->status = (int)status;
    else
        fault(stream, GH_HTTP_MALFORMED);
}

/* Most heads are small: the list grows by doubling, up to the limit that `fits` holds. */
static enum gh_reason append(struct gh_h2_stream *stream, gh_str name, gh_str value)
{
    struct gh_headers *headers = &stream->head.headers;
    if (headers->count == headers->cap) {
        struct gh_headers larger;
        enum gh_reason reason =
            gh_headers_init(&larger, stream->arena, headers->cap == 0 ? 16 : 2 * headers->cap);
        if (reason != GH_OK)
            return reason;
        for (; larger.count < headers->count; larger.count++)
            larger.at[larger.count] = headers->at[larger.count];
        *headers = larger;
    }
    return gh_headers_add(headers, name, value);
}

static void add_field(struct gh_h2_stream *stream, gh_str name, gh_str value)
{
    uint64_t length;
    if (!gh_header_name_is_legal(name) || !gh_header_value_is_legal(value)) {
        fault(stream, GH_HTTP_MALFORMED);
        return;
    }
    if (gh_str_eq(name, GH_STR("content-length"))) {
        if (gh_str_to_u64(value, &length) && length <= INT64_MAX)
            stream->head.content_length = (int64_t)length;
        else
            fault(stream, GH_HTTP_MALFORMED);
    }
    gh_str kept_name = keep(stream, name), kept_value = keep(stream, value);
    enum gh_reason reason = append(stream, kept_name, kept_value);
    if (reason != GH_OK)
        fault(stream, reason);
}

static bool fits(struct gh_h2_stream *stream, gh_str name, gh_str value)
{
    const struct gh_h2_limits *limits = &stream->h2->limits;
    stream->head_bytes += name.len + value.len + 32;
    stream->head_fields++;
    if (stream->head_bytes <= limits->head && stream->head_fields <= limits->fields)
        return true;
    if ((stream->head_done ? stream->trailer_fault : stream->fault) == GH_OK)
        stream->h2->guard.head_overflows++;
    fault(stream, stream->head_fields > limits->fields ? GH_HTTP_FIELDS_MANY : GH_HTTP_HEAD_LARGE);
    return false;
}

/* As in HTTP/1.1: checked, and dropped. Pseudo fields are refused by nghttp2. */
static void check_trailer(struct gh_h2_stream *stream, gh_str name, gh_str value)
{
    if (!gh_header_name_is_legal(name) || !gh_header_value_is_legal(value) || !gh_h1_trailer_is_legal(name))
        fault(stream, GH_HTTP_MALFORMED);
}

void gh_h2_head_add(struct gh_h2_stream *stream, gh_str name, gh_str value)
{
    if (!fits(stream, name, value))
        return;
    if (stream->head_done) {
        check_trailer(stream, name, value);
        return;
    }
    if (stream->fault != GH_OK)
        return;
    if (name.len > 0 && name.ptr[0] == ':')
        add_pseudo(stream, name, value);
    else
        add_field(stream, name, value);
}
