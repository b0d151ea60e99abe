/* core/rpc/text.c: strings, numbers and literals of JSON, strictly as RFC 8259 has them, where they stand. */
#include "core/rpc/text.h"

#include <string.h>

#include "base/str.h"
#include "core/json/string.h"

/* ---- strings ---- */

#define EACH(byte) (0x0101010101010101u * (byte))

/* Skips what means itself, eight bytes at a time: no quote, backslash, control, nothing beyond ASCII. A byte
 * that is one of them sets the high bit of its place, and none below it does. */
static const char *skip_plain(const char *at, const char *end)
{
    while (end - at >= 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        uint64_t marks =
            word | (word - EACH(0x20)) | ((word ^ EACH('"')) - EACH(1)) | ((word ^ EACH('\\')) - EACH(1));
        if ((marks & EACH(0x80)) != 0)
            break;
        at += 8;
    }
    while (at < end && (unsigned char)*at >= 0x20 && (unsigned char)*at < 0x80 && *at != '"' && *at != '\\')
        at++;
    return at;
}

static bool read_hex(struct gh_rpc_text *text, unsigned *ret_code)
{
    unsigned code = 0;
    if (text->end - text->at < 4)
        return false;
    for (unsigned i = 0; i < 4; i++) {
        char c = *text->at++;
        unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10)
                         : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A' + 10)
                                                : 16;
        if (digit == 16)
            return false;
        code = code << 4 | digit;
    }
    *ret_code = code;
    return true;
}

/* Behind the backslash. A surrogate has its other half. */
static bool skip_escape(struct gh_rpc_text *text)
{
    unsigned code, low;
    if (text->at == text->end)
        return false;
    char name = *text->at++;
    if (name != 'u')
        return name != '\0' && strchr("\"\\/bfnrt", name) != NULL;
    if (!read_hex(text, &code) || (code >= 0xdc00 && code < 0xe000))
        return false;
    if (code < 0xd800 || code >= 0xdc00)
        return true;
    return gh_rpc_take(text, '\\') && gh_rpc_take(text, 'u') && read_hex(text, &low) && low >= 0xdc00 &&
           low < 0xe000;
}

bool gh_rpc_string(struct gh_rpc_text *text, struct gh_rpc_part *part)
{
    const char *start = text->at;
    *part = (struct gh_rpc_part){ .what = GH_RPC_STRING };
    for (;;) {
        text->at = skip_plain(text->at, text->end);
        if (text->at == text->end)
            return false;
        if (*text->at == '"')
            break;
        if (*text->at == '\\') {
            text->at++;
            part->is_escaped = true;
            if (!skip_escape(text))
                return false;
            continue;
        }
        size_t width = gh_utf8_width(text->at, text->end);
        if (width == 0)
            return false;
        text->at += width;
    }
    part->raw = gh_str_of(start, (size_t)(text->at - start));
    text->at++;
    return true;
}

/* ---- numbers and literals ---- */

static size_t skip_digits(struct gh_rpc_text *text)
{
    const char *start = text->at;
    while (text->at < text->end && *text->at >= '0' && *text->at <= '9')
        text->at++;
    return (size_t)(text->at - start);
}

static bool read_number(struct gh_rpc_text *text, struct gh_rpc_part *part)
{
    const char *start = text->at;
    (void)gh_rpc_take(text, '-');
    if (!gh_rpc_take(text, '0') && skip_digits(text) == 0)
        return false;
    if (gh_rpc_take(text, '.') && skip_digits(text) == 0)
        return false;
    if (gh_rpc_take(text, 'e') || gh_rpc_take(text, 'E')) {
        if (!gh_rpc_take(text, '+'))
            (void)gh_rpc_take(text, '-');
        if (skip_digits(text) == 0)
            return false;
    }
    *part =
        (struct gh_rpc_part){ .what = GH_RPC_NUMBER, .raw = gh_str_of(start, (size_t)(text->at - start)) };
    return true;
}

static bool read_literal(struct gh_rpc_text *text, gh_str literal, struct gh_rpc_part *part)
{
    gh_str rest = gh_str_of(text->at, (size_t)(text->end - text->at));
    if (!gh_str_starts(rest, literal))
        return false;
    text->at += literal.len;
    *part = (struct gh_rpc_part){ .what = literal.ptr[0] == 'n' ? GH_RPC_NULL : GH_RPC_BOOL, .raw = literal };
    return true;
}

bool gh_rpc_scalar(struct gh_rpc_text *text, struct gh_rpc_part *part)
{
    switch (*text->at) {
    case '"':
        text->at++;
        return gh_rpc_string(text, part);
    case 't':
        return read_literal(text, GH_STR("true"), part);
    case 'f':
        return read_literal(text, GH_STR("false"), part);
    case 'n':
        return read_literal(text, GH_STR("null"), part);
    default:
        return read_number(text, part);
    }
}
