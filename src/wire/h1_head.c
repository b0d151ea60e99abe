/* wire/h1_head.c: makes a head of checked lines, and decides from its fields how the body is framed. */
#include "base/arena.h"
#include "base/str.h"
#include "wire/h1_parts.h"

/* How often each field that must stand alone was there. */
struct seen {
    unsigned hosts, lengths, encodings, expectations;
    bool length_is_bad, encoding_is_bad, expectation_is_odd, close;
};

static void see(struct seen *seen, struct gh_h1_head *head, gh_str name, gh_str value);
static bool length_read(gh_str value, int64_t *ret_length);
static enum gh_reason judge_request(const struct seen *seen, struct gh_h1_head *head);
static enum gh_reason judge_response(const struct seen *seen, const struct gh_h1_head *head);
static bool framing_is_single(const struct seen *seen, const struct gh_h1_head *head);

enum gh_reason gh_h1_head_make(enum gh_h1_side side, struct gh_arena *arena, gh_str bytes,
                               const struct gh_h1_lines *lines, const struct gh_h1_found *found,
                               struct gh_h1_head *ret_head)
{
    char *copy = gh_arena_alloc(arena, bytes.len);
    struct gh_header *fields = gh_arena_alloc(arena, (lines->fields + 1) * sizeof(*fields));
    if (copy == NULL || fields == NULL)
        return GH_OUT_OF_MEMORY;
    memcpy(copy, bytes.ptr, bytes.len);
    struct gh_h1_head head = { .side = side,
                               .status = found->start.status,
                               .minor_version = found->start.minor_version,
                               .content_length = -1,
                               .headers = { .at = fields, .count = lines->fields, .cap = lines->fields } };
    struct seen seen = { 0 };
    for (size_t i = 0; i < lines->fields; i++) {
        const struct gh_h1_span *span = &found->spans[i];
        char *name = copy + span->name;
        for (uint32_t k = 0; k < span->name_len; k++)
            name[k] = (char)gh_h1_tchars[(unsigned char)name[k]];
        fields[i].name = gh_str_of(name, span->name_len);
        fields[i].value = gh_str_of(copy + span->value, span->value_len);
        see(&seen, &head, fields[i].name, fields[i].value);
    }
    head.keep_alive = head.minor_version == 1 && !seen.close;
    enum gh_reason reason = GH_OK;
    if (side == GH_H1_REQUEST) {
        head.method_text = gh_str_of(copy + found->start.method, found->start.method_len);
        head.target_raw = gh_str_of(copy + found->start.target, found->start.target_len);
        reason = judge_request(&seen, &head);
    } else {
        reason = judge_response(&seen, &head);
    }
    if (reason == GH_OK)
        *ret_head = head;
    return reason;
}

static void see(struct seen *seen, struct gh_h1_head *head, gh_str name, gh_str value)
{
    switch (name.len) {
    case 4:
        seen->hosts += gh_str_eq(name, GH_STR("host"));
        break;
    case 6:
        if (gh_str_eq(name, GH_STR("expect"))) {
            seen->expectations++;
            seen->expectation_is_odd |= !gh_str_eq_nocase(value, GH_STR("100-continue"));
        }
        break;
    case 10:
        if (gh_str_eq(name, GH_STR("connection")))
            seen->close |= gh_header_list_has(value, GH_STR("close"));
        break;
    case 14:
        if (gh_str_eq(name, GH_STR("content-length"))) {
            seen->lengths++;
            seen->length_is_bad |= !length_read(value, &head->content_length);
        }
        break;
    case 17:
        if (gh_str_eq(name, GH_STR("transfer-encoding"))) {
            seen->encodings++;
            seen->encoding_is_bad |= !gh_str_eq_nocase(value, GH_STR("chunked"));
            head->chunked = true;
        }
        break;
    default:
        break;
    }
}

/* Digits, no list, no leading zero (octal to some), and no more than an int64_t holds. */
static bool length_read(gh_str value, int64_t *ret_length)
{
    uint64_t length;
    if (!gh_str_to_u64(value, &length) || length > INT64_MAX || (value.len > 1 && value.ptr[0] == '0'))
        return false;
    *ret_length = (int64_t)length;
    return true;
}

static enum gh_reason judge_request(const struct seen *seen, struct gh_h1_head *head)
{
    enum gh_reason reason = gh_method_read(head->method_text, &head->method);
    if (reason != GH_OK)
        return reason;
    if (!framing_is_single(seen, head))
        return GH_HTTP_MALFORMED;
    /* RFC 9112 section 3.2: 400 for "any HTTP/1.1 request message that lacks a Host header field and to any
     * request message that contains more than one Host header field line". */
    if (seen->hosts > 1 || (seen->hosts == 0 && head->minor_version == 1))
        return GH_HTTP_HOST;
    if (seen->expectations != 0 && head->minor_version == 1) {
        if (seen->expectation_is_odd || seen->expectations > 1)
            return GH_HTTP_EXPECT;
        head->expect_continue = true;
    }
    return GH_OK;
}

/* RFC 9110 section 8.6 and RFC 9112 section 6.1: no body, so no framing, in 1xx and 204. A server that frames
 * one all the same may send it, and it would be read as the next answer. */
static enum gh_reason judge_response(const struct seen *seen, const struct gh_h1_head *head)
{
    bool empty = head->status < 200 || head->status == 204;
    if (!framing_is_single(seen, head) || head->status == 101 ||
        (empty && (head->chunked || head->content_length > 0)))
        return GH_UPSTREAM_MALFORMED;
    return GH_OK;
}

/* RFC 9112 section 6.3: one length or one "chunked", never both, never in HTTP/1.0. */
static bool framing_is_single(const struct seen *seen, const struct gh_h1_head *head)
{
    if (seen->lengths > 1 || seen->length_is_bad || seen->encodings > 1 || seen->encoding_is_bad)
        return false;
    return seen->encodings == 0 || (seen->lengths == 0 && head->minor_version == 1);
}

bool gh_h1_trailer_is_legal(gh_str name)
{
    static const gh_str refused[] = { GH_STR_INIT("content-length"),
                                      GH_STR_INIT("transfer-encoding"),
                                      GH_STR_INIT("host"),
                                      GH_STR_INIT("connection"),
                                      GH_STR_INIT("te"),
                                      GH_STR_INIT("trailer"),
                                      GH_STR_INIT("upgrade"),
                                      GH_STR_INIT("expect") };
    for (size_t i = 0; i < GH_ARRAY_LEN(refused); i++) {
        if (gh_str_eq_nocase(name, refused[i]))
            return false;
    }
    return true;
}
