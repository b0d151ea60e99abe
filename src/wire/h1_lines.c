/* wire/h1_lines.c: cuts a head or trailers into lines and checks the grammar of each, in the order of the
 * bytes. */
#include <string.h>

#include "base/str.h"
#include "base/words.h"
#include "wire/h1_parts.h"

#define BLANK_MAX 2u

enum line { LINE_MORE, LINE_FOUND, LINE_LONG, LINE_BAD };

static enum line find_line(gh_str bytes, struct gh_h1_lines *lines, size_t max, gh_str *ret_line);
static enum gh_reason start_read(enum gh_h1_side side, gh_str bytes, gh_str line,
                                 struct gh_h1_start *ret_start);
static enum gh_reason request_line_read(gh_str bytes, gh_str line, struct gh_h1_start *ret_start);
static bool status_line_read(gh_str line, struct gh_h1_start *ret_start);
static enum gh_reason version_read(gh_str text, int *ret_minor);
static bool field_read(enum gh_h1_side side, gh_str bytes, gh_str line, struct gh_h1_span *ret_span);

enum gh_h1_event gh_h1_lines_read(enum gh_h1_side side, const struct gh_h1_limits *limits, gh_str bytes,
                                  struct gh_h1_lines *lines, struct gh_h1_found *found,
                                  enum gh_reason *ret_reason)
{
    *ret_reason = GH_HTTP_MALFORMED;
    for (;;) {
        /* A field costs its line and 32; the empty line at the end costs nothing and always fits. */
        size_t left = limits->head > lines->used + 32 ? limits->head - lines->used - 32 : 0;
        gh_str line;
        switch (find_line(bytes, lines, lines->started ? left : limits->start_line, &line)) {
        case LINE_MORE:
            return GH_H1_NEED_MORE;
        case LINE_BAD:
            return GH_H1_ERROR;
        case LINE_LONG:
            *ret_reason = lines->started ? GH_HTTP_HEAD_LARGE : GH_HTTP_TARGET_LONG;
            return GH_H1_ERROR;
        case LINE_FOUND:
            break;
        }
        if (line.len == 0 && lines->started)
            return GH_H1_HEAD;
        if (!lines->started) {
            /* RFC 9112 section 2.2: a server "SHOULD ignore at least one empty line (CRLF) received prior to
             * the request-line". */
            if (line.len == 0 && side == GH_H1_REQUEST && lines->blank++ < BLANK_MAX)
                continue;
            *ret_reason = start_read(side, bytes, line, &found->start);
            if (*ret_reason != GH_OK)
                return GH_H1_ERROR;
            *ret_reason = GH_HTTP_MALFORMED;
            lines->started = true;
            continue;
        }
        if (lines->fields == limits->fields || lines->fields == GH_H1_FIELDS_MAX) {
            *ret_reason = GH_HTTP_FIELDS_MANY;
            return GH_H1_ERROR;
        }
        if (!field_read(side, bytes, line, &found->spans[lines->fields]))
            return GH_H1_ERROR;
        lines->fields++;
        lines->used += line.len + 32;
    }
}

/* Lines end with CRLF; a CR or LF anywhere else is refused where it stands (RFC 9112 section 2.2 allows a
 * bare LF and lets a bare CR be replaced: both are how two readers come to disagree). No more than max + 2
 * bytes are looked at, so that what comes behind, or has not come yet, never changes the verdict. */
static enum line find_line(gh_str bytes, struct gh_h1_lines *lines, size_t max, gh_str *ret_line)
{
    gh_str window = gh_str_take(bytes, lines->at + max + 2);
    if (lines->scanned >= window.len)
        return window.len == lines->at + max + 2 ? LINE_LONG : LINE_MORE;
    const char *from = window.ptr + lines->scanned;
    const char *lf = memchr(from, '\n', window.len - lines->scanned);
    const char *end = lf != NULL ? lf : window.ptr + window.len;
    const char *cr = memchr(from, '\r', (size_t)(end - from));
    if (cr != NULL && cr + 1 != end)
        return LINE_BAD;
    if (lf == NULL) {
        if (window.len == lines->at + max + 2)
            return LINE_LONG;
        lines->scanned = window.len - (cr != NULL ? 1 : 0);
        return LINE_MORE;
    }
    if (cr == NULL)
        return LINE_BAD;
    *ret_line = gh_str_of(window.ptr + lines->at, (size_t)(cr - window.ptr) - lines->at);
    lines->at = lines->scanned = (size_t)(lf - window.ptr) + 1;
    return LINE_FOUND;
}

static enum gh_reason start_read(enum gh_h1_side side, gh_str bytes, gh_str line,
                                 struct gh_h1_start *ret_start)
{
    if (side == GH_H1_REQUEST)
        return request_line_read(bytes, line, ret_start);
    return status_line_read(line, ret_start) ? GH_OK : GH_UPSTREAM_MALFORMED;
}

/* RFC 9112 section 3: method SP request-target SP HTTP-version; one space each, nothing else. */
static enum gh_reason request_line_read(gh_str bytes, gh_str line, struct gh_h1_start *ret_start)
{
    gh_str version = line;
    gh_str method = gh_str_cut(&version, ' ');
    gh_str target = gh_str_cut(&version, ' ');
    for (size_t i = 0; i < method.len; i++) {
        if (gh_h1_tchars[(unsigned char)method.ptr[i]] == 0)
            return GH_HTTP_MALFORMED;
    }
    for (size_t i = 0; i < target.len; i++) {
        unsigned char c = (unsigned char)target.ptr[i];
        if (c <= 0x20 || c >= 0x7f)
            return GH_HTTP_MALFORMED;
    }
    if (method.len == 0 || target.len == 0)
        return GH_HTTP_MALFORMED;
    struct gh_h1_start start = { 0 };
    enum gh_reason reason = version_read(version, &start.minor_version);
    if (reason != GH_OK)
        return reason;
    enum gh_method known;
    reason = gh_method_read(method, &known);
    if (reason != GH_OK)
        return reason;
    /* Origin-form, or the asterisk of OPTIONS; absolute-form is for proxies (RFC 9112 section 3.2.2). */
    bool asterisk = gh_str_eq(target, GH_STR("*")) && known == GH_METHOD_OPTIONS;
    if (target.ptr[0] != '/' && !asterisk)
        return GH_HTTP_MALFORMED;
    start.method = (uint32_t)(method.ptr - bytes.ptr);
    start.method_len = (uint32_t)method.len;
    start.target = (uint32_t)(target.ptr - bytes.ptr);
    start.target_len = (uint32_t)target.len;
    *ret_start = start;
    return GH_OK;
}

/* HTTP-version = "HTTP/" DIGIT "." DIGIT; of well-formed ones only 1.1 and 1.0 are spoken. */
static enum gh_reason version_read(gh_str text, int *ret_minor)
{
    if (text.len != 8 || !gh_str_starts(text, GH_STR("HTTP/")) || text.ptr[6] != '.' || text.ptr[5] < '0' ||
        text.ptr[5] > '9' || text.ptr[7] < '0' || text.ptr[7] > '9')
        return GH_HTTP_MALFORMED;
    if (text.ptr[5] != '1' || text.ptr[7] > '1')
        return GH_HTTP_VERSION;
    *ret_minor = text.ptr[7] - '0';
    return GH_OK;
}

/* RFC 9112 section 4: HTTP-version SP 3DIGIT SP [ reason-phrase ]. The last space is not insisted on: servers
 * without phrases leave it out, and no reading of the message hangs on it. */
static bool status_line_read(gh_str line, struct gh_h1_start *ret_start)
{
    gh_str rest = line;
    gh_str version = gh_str_cut(&rest, ' ');
    gh_str code = gh_str_cut(&rest, ' ');
    struct gh_h1_start start = { 0 };
    uint64_t status;
    if (version_read(version, &start.minor_version) != GH_OK || code.len != 3 ||
        !gh_str_to_u64(code, &status) || status < 100 || status > 599 ||
        !gh_h1_value_is_legal(GH_H1_RESPONSE, rest))
        return false;
    start.status = (int)status;
    *ret_start = start;
    return true;
}

/* RFC 9112 section 5: field-name ":" OWS field-value OWS. A line that begins with white space (obs-fold) has
 * no name. Requests: no '_' in names (threats.md rule 5), no 8-bit bytes in values. Responses are read as RFC
 * 9110 has them, since what a backend names its fields harms nobody. */
static bool field_read(enum gh_h1_side side, gh_str bytes, gh_str line, struct gh_h1_span *ret_span)
{
    size_t len = 0;
    bool underscore = false;
    while (len < line.len && gh_h1_tchars[(unsigned char)line.ptr[len]] != 0) {
        underscore |= line.ptr[len] == '_';
        len++;
    }
    if (len == 0 || len == line.len || line.ptr[len] != ':' || (underscore && side == GH_H1_REQUEST))
        return false;
    gh_str value = gh_str_trim(gh_str_skip(line, len + 1));
    if (!gh_h1_value_is_legal(side, value))
        return false;
    *ret_span = (struct gh_h1_span){ .name = (uint32_t)(line.ptr - bytes.ptr),
                                     .name_len = (uint32_t)len,
                                     .value = (uint32_t)(value.ptr - bytes.ptr),
                                     .value_len = (uint32_t)value.len };
    return true;
}

/* Controls, also TAB, which the caller looks at, and DEL. */
static uint64_t controls(uint64_t word)
{
    return gh_word_below(word, 0x20) | gh_word_has(word, 0x7f);
}

static uint64_t controls_and_high(uint64_t word)
{
    return controls(word) | (word & GH_WORD_HIGH);
}

bool gh_h1_value_is_legal(enum gh_h1_side side, gh_str value)
{
    bool strict = side == GH_H1_REQUEST;
    if (!gh_words_any(value, strict ? controls_and_high : controls))
        return true;
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.ptr[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f || (c >= 0x80 && strict))
            return false;
    }
    return true;
}
