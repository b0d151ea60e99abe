/* wire/h1_write.c: writes heads and chunks; nothing that is written can end a line early. */
#include "base/str.h"
#include "base/words.h"
#include "wire/h1_parts.h"

/* content-length with 20 digits, or transfer-encoding: chunked; each with its CRLF. */
#define FRAMING_MAX     48u
#define STATUS_LINE_MAX 64u

static enum gh_reason measure(const struct gh_headers *headers, size_t *ret_len);
static bool is_framing(gh_str name);
static char *put_fields(char *to, const struct gh_headers *headers, struct gh_h1_body body);
static char *put(char *to, gh_str bytes);
static char *put_number(char *to, uint64_t value, unsigned base);

enum gh_reason gh_h1_write_request_head(struct gh_buf *out, gh_str method, gh_str target,
                                        const struct gh_headers *headers, struct gh_h1_body body)
{
    size_t len = 0;
    enum gh_reason reason = measure(headers, &len);
    if (reason != GH_OK)
        return reason;
    for (size_t i = 0; i < target.len; i++) {
        if (target.ptr[i] <= 0x20 || target.ptr[i] >= 0x7f)
            return GH_INTERNAL;
    }
    if (target.len == 0)
        return GH_INTERNAL;
    char *start = gh_buf_reserve(out, method.len + target.len + sizeof("  HTTP/1.1\r\n") + len);
    if (start == NULL)
        return GH_OUT_OF_MEMORY;
    char *to = put(start, method);
    to = put(to, GH_STR(" "));
    to = put(to, target);
    to = put(to, GH_STR(" HTTP/1.1\r\n"));
    to = put_fields(to, headers, body);
    gh_buf_commit(out, (size_t)(to - start));
    return GH_OK;
}

enum gh_reason gh_h1_write_response_head(struct gh_buf *out, int status, const struct gh_headers *headers,
                                         struct gh_h1_body body)
{
    size_t len = 0;
    enum gh_reason reason = measure(headers, &len);
    if (reason != GH_OK)
        return reason;
    if (status < 100 || status > 999)
        return GH_INTERNAL;
    char *start = gh_buf_reserve(out, STATUS_LINE_MAX + len);
    if (start == NULL)
        return GH_OUT_OF_MEMORY;
    char *to = put(start, GH_STR("HTTP/1.1 "));
    to = put_number(to, (uint64_t)status, 10);
    to = put(to, GH_STR(" "));
    to = put(to, gh_h1_phrase(status));
    to = put(to, GH_STR("\r\n"));
    to = put_fields(to, headers, body);
    gh_buf_commit(out, (size_t)(to - start));
    return GH_OK;
}

/* Whatever could end the name or the line. */
static uint64_t no_name(uint64_t word)
{
    return gh_word_below(word, 0x21) | gh_word_has(word, 0x7f) | gh_word_has(word, ':') |
           (word & GH_WORD_HIGH);
}

/* How much room the fields take at most. A value from a backend may hold obs-text; what could end the line,
 * or the name, may not get here and ends the exchange if it does. */
static enum gh_reason measure(const struct gh_headers *headers, size_t *ret_len)
{
    size_t len = FRAMING_MAX + 2;
    for (size_t i = 0; headers != NULL && i < headers->count; i++) {
        gh_str name = headers->at[i].name, value = headers->at[i].value;
        if (name.len == 0 || gh_words_any(name, no_name) || !gh_h1_value_is_legal(GH_H1_RESPONSE, value))
            return GH_INTERNAL;
        len += name.len + value.len + 4;
    }
    *ret_len = len;
    return GH_OK;
}

static char *put_fields(char *to, const struct gh_headers *headers, struct gh_h1_body body)
{
    for (size_t i = 0; headers != NULL && i < headers->count; i++) {
        const struct gh_header *field = &headers->at[i];
        if (is_framing(field->name))
            continue;
        to = put(to, field->name);
        to = put(to, GH_STR(": "));
        to = put(to, field->value);
        to = put(to, GH_STR("\r\n"));
    }
    switch (body.framing) {
    case GH_H1_NO_BODY:
        break;
    case GH_H1_LENGTH:
        to = put(to, GH_STR("content-length: "));
        to = put_number(to, body.length, 10);
        to = put(to, GH_STR("\r\n"));
        break;
    case GH_H1_CHUNKED:
        to = put(to, GH_STR("transfer-encoding: chunked\r\n"));
        break;
    }
    return put(to, GH_STR("\r\n"));
}

static bool is_framing(gh_str name)
{
    return gh_str_eq(name, GH_STR("content-length")) || gh_str_eq(name, GH_STR("transfer-encoding"));
}

bool gh_h1_write_chunk(struct gh_buf *out, gh_str bytes)
{
    if (bytes.len == 0)
        return true;
    char *start = gh_buf_reserve(out, bytes.len + 24);
    if (start == NULL)
        return false;
    char *to = put_number(start, bytes.len, 16);
    to = put(to, GH_STR("\r\n"));
    to = put(to, bytes);
    to = put(to, GH_STR("\r\n"));
    gh_buf_commit(out, (size_t)(to - start));
    return true;
}

bool gh_h1_write_last_chunk(struct gh_buf *out)
{
    return gh_buf_add(out, GH_STR("0\r\n\r\n"));
}

static char *put(char *to, gh_str bytes)
{
    if (bytes.len != 0)
        memcpy(to, bytes.ptr, bytes.len);
    return to + bytes.len;
}

static char *put_number(char *to, uint64_t value, unsigned base)
{
    char digits[20];
    size_t at = sizeof(digits);
    do {
        digits[--at] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0);
    return put(to, gh_str_of(digits + at, sizeof(digits) - at));
}

/* RFC 9110 section 15; RFC 6585 for 429 and 431. */
gh_str gh_h1_phrase(int status)
{
    static const struct {
        int status;
        gh_str phrase;
    } phrases[] = {
        { 200, GH_STR_INIT("OK") },
        { 202, GH_STR_INIT("Accepted") },
        { 204, GH_STR_INIT("No Content") },
        { 100, GH_STR_INIT("Continue") },
        { 103, GH_STR_INIT("Early Hints") },
        { 201, GH_STR_INIT("Created") },
        { 206, GH_STR_INIT("Partial Content") },
        { 301, GH_STR_INIT("Moved Permanently") },
        { 302, GH_STR_INIT("Found") },
        { 303, GH_STR_INIT("See Other") },
        { 304, GH_STR_INIT("Not Modified") },
        { 307, GH_STR_INIT("Temporary Redirect") },
        { 308, GH_STR_INIT("Permanent Redirect") },
        { 400, GH_STR_INIT("Bad Request") },
        { 401, GH_STR_INIT("Unauthorized") },
        { 403, GH_STR_INIT("Forbidden") },
        { 404, GH_STR_INIT("Not Found") },
        { 405, GH_STR_INIT("Method Not Allowed") },
        { 406, GH_STR_INIT("Not Acceptable") },
        { 408, GH_STR_INIT("Request Timeout") },
        { 409, GH_STR_INIT("Conflict") },
        { 410, GH_STR_INIT("Gone") },
        { 411, GH_STR_INIT("Length Required") },
        { 413, GH_STR_INIT("Content Too Large") },
        { 414, GH_STR_INIT("URI Too Long") },
        { 415, GH_STR_INIT("Unsupported Media Type") },
        { 417, GH_STR_INIT("Expectation Failed") },
        { 421, GH_STR_INIT("Misdirected Request") },
        { 422, GH_STR_INIT("Unprocessable Content") },
        { 429, GH_STR_INIT("Too Many Requests") },
        { 431, GH_STR_INIT("Request Header Fields Too Large") },
        { 500, GH_STR_INIT("Internal Server Error") },
        { 501, GH_STR_INIT("Not Implemented") },
        { 502, GH_STR_INIT("Bad Gateway") },
        { 503, GH_STR_INIT("Service Unavailable") },
        { 504, GH_STR_INIT("Gateway Timeout") },
        { 505, GH_STR_INIT("HTTP Version Not Supported") },
    };
    for (size_t i = 0; i < GH_ARRAY_LEN(phrases); i++) {
        if (phrases[i].status == status)
            return phrases[i].phrase;
    }
    return GH_STR("Status");
}
