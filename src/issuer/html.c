/* issuer/html.c: text of others made harmless on its way into a page. */
#include "issuer/html.h"

#include "base/str.h"
#include "core/json/string.h"

void gh_html_literal(struct gh_html *html, gh_str literal)
{
    gh_text_add(&html->text, literal);
}

static gh_str escape_of(char c)
{
    switch (c) {
    case '&':
        return GH_STR("&amp;");
    case '<':
        return GH_STR("&lt;");
    case '>':
        return GH_STR("&gt;");
    case '"':
        return GH_STR("&quot;");
    case '\'':
        return GH_STR("&#39;");
    default:
        return GH_STR_NONE;
    }
}

static uint32_t decode(gh_str c)
{
    static const unsigned char first_bits[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
    uint32_t code = (unsigned char)c.ptr[0] & first_bits[c.len];
    for (size_t i = 1; i < c.len; i++)
        code = code << 6 | ((unsigned char)c.ptr[i] & 0x3f);
    return code;
}

/* What changes how its neighbours are read, or is not seen at all (threats.md A8). */
static bool is_hidden(uint32_t code)
{
    static const struct {
        uint32_t first, last;
    } hidden[] = {
        { 0x7f, 0x9f },                                             /* DEL, C1 controls */
        { 0xad, 0xad },                                             /* soft hyphen */
        { 0x34f, 0x34f },                                           /* combining grapheme joiner */
        { 0x61c, 0x61c },                                           /* Arabic letter mark */
        { 0x115f, 0x1160 },                                         /* Hangul fillers */
        { 0x17b4, 0x17b5 }, { 0x180b, 0x180f }, { 0x200b, 0x200f }, /* zero width, direction marks */
        { 0x2028, 0x202e },                                         /* line ends, embeddings and overrides */
        { 0x2060, 0x206f },                                         /* joiners, isolates */
        { 0x3164, 0x3164 }, { 0xfe00, 0xfe0f }, { 0xfeff, 0xfeff },
        { 0xffa0, 0xffa0 }, { 0xfff0, 0xfffb }, { 0xe0000, 0xe0fff }, /* tags, variation selectors */
    };
    for (size_t i = 0; i < GH_ARRAY_LEN(hidden); i++)
        if (code >= hidden[i].first && code <= hidden[i].last)
            return true;
    return false;
}

static void put_character(struct gh_html *html, gh_str c)
{
    gh_str escape = c.len == 1 ? escape_of(c.ptr[0]) : GH_STR_NONE;
    gh_text_add(&html->text, escape.ptr != NULL ? escape : c);
}

void gh_html_cut(struct gh_html *html, gh_str text, size_t characters)
{
    const char *at = text.ptr, *end = text.ptr != NULL ? text.ptr + text.len : NULL;
    for (size_t put = 0; at < end;) {
        size_t width = gh_utf8_width(at, end);
        bool broken = width == 0 && (unsigned char)*at >= 0x80;
        gh_str c = broken ? GH_STR("\xef\xbf\xbd") : gh_str_of(at, width);
        at += width > 0 ? width : 1;
        if (!broken && (width == 0 || is_hidden(decode(c))))
            continue;
        if (put++ == characters) {
            gh_text_add(&html->text, GH_STR("\xe2\x80\xa6"));
            return;
        }
        put_character(html, c);
    }
}

void gh_html_text(struct gh_html *html, gh_str text)
{
    gh_html_cut(html, text, SIZE_MAX);
}

void gh_html_value(struct gh_html *html, gh_str before, gh_str value)
{
    gh_text_add(&html->text, before);
    gh_html_text(html, value);
    gh_text_add(&html->text, GH_STR("\""));
}

gh_str gh_html_take(struct gh_html *html)
{
    return gh_text_take(&html->text);
}
