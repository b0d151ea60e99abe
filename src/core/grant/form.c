/* core/grant/form.c: application/x-www-form-urlencoded, read strictly, and written behind a URL. */
#include "base/arena.h"
#include "base/str.h"
#include "core/http/chars.h"
#include "core/json/string.h"
#include "core/text.h"
#include "gatehouse/oauth.h"

static enum gh_reason decode(struct gh_arena *arena, gh_str text, gh_str *ret_text);
static bool is_text(gh_str text);

enum gh_reason gh_form_read(struct gh_arena *arena, gh_str text, struct gh_form *ret_form)
{
    struct gh_parameter *at = gh_arena_calloc(arena, GH_FORM_MAX, sizeof(*at));
    if (at == NULL)
        return GH_OUT_OF_MEMORY;
    struct gh_form form = { .at = at };
    gh_str rest = text;
    while (rest.ptr != NULL) {
        gh_str value = gh_str_cut(&rest, '&'), name = gh_str_cut(&value, '=');
        if (name.len == 0 && value.len == 0)
            continue;
        if (form.count == GH_FORM_MAX)
            return GH_FORM_MALFORMED;
        struct gh_parameter *parameter = &at[form.count];
        enum gh_reason reason = decode(arena, name, &parameter->name);
        if (reason == GH_OK)
            reason = decode(arena, value, &parameter->value);
        if (reason != GH_OK)
            return reason;
        for (size_t i = 0; i < form.count; i++)
            if (gh_str_eq(at[i].name, parameter->name))
                return GH_PARAMETER_REPEATED;
        form.count++;
    }
    *ret_form = form;
    return GH_OK;
}

static enum gh_reason decode(struct gh_arena *arena, gh_str text, gh_str *ret_text)
{
    char *out = gh_arena_alloc(arena, text.len + 1);
    if (out == NULL)
        return GH_OUT_OF_MEMORY;
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '+') {
            c = ' ';
        } else if (c == '%') {
            int byte = gh_char_escaped(gh_str_skip(text, i));
            if (byte < 0)
                return GH_FORM_MALFORMED;
            c = (char)byte;
            i += 2;
        }
        out[len++] = c;
    }
    out[len] = '\0';
    if (!is_text(gh_str_of(out, len)))
        return GH_FORM_MALFORMED;
    *ret_text = gh_str_of(out, len);
    return GH_OK;
}

/* UTF-8 without control characters: nothing that a log, a header or a page would read differently. */
static bool is_text(gh_str text)
{
    const char *at = text.ptr, *end = text.ptr + text.len;
    while (at < end) {
        size_t width = *at == 0x7f ? 0 : gh_utf8_width(at, end);
        if (width == 0)
            return false;
        at += width;
    }
    return true;
}

gh_str gh_form_get(const struct gh_form *form, gh_str name)
{
    for (size_t i = 0; i < form->count; i++)
        if (gh_str_eq(form->at[i].name, name))
            return form->at[i].value.len > 0 ? form->at[i].value : GH_STR_NONE;
    return GH_STR_NONE;
}

static void put_encoded(struct gh_text *text, gh_str bytes)
{
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < bytes.len; i++) {
        unsigned char c = (unsigned char)bytes.ptr[i];
        const char escape[] = { '%', hex[c >> 4], hex[c & 15] };
        bool plain = gh_char_is_unreserved((char)c);
        gh_text_add(text, plain ? gh_str_of(bytes.ptr + i, 1) : gh_str_of(escape, sizeof(escape)));
    }
}

gh_str gh_url_with(struct gh_arena *arena, gh_str url, const struct gh_parameter *parameters, size_t count)
{
    struct gh_text text = { .arena = arena };
    gh_text_add(&text, url);
    bool has_query = gh_str_find(url, '?') < url.len;
    for (size_t i = 0; i < count; i++) {
        if (parameters[i].value.ptr == NULL)
            continue;
        gh_text_add(&text, has_query ? GH_STR("&") : GH_STR("?"));
        put_encoded(&text, parameters[i].name);
        gh_text_add(&text, GH_STR("="));
        put_encoded(&text, parameters[i].value);
        has_query = true;
    }
    return gh_text_take(&text);
}
