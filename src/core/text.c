/* core/text.c: growing texts in an arena, with the two kinds of quoting the core writes, and JSON objects. */
#include "core/text.h"

#include "base/arena.h"
#include "base/log.h"
#include "base/str.h"

/* Room for n more bytes, or NULL. What is outgrown stays in the arena until the exchange ends. */
static char *room(struct gh_text *text, size_t n)
{
    if (text->failed)
        return NULL;
    if (text->cap - text->len >= n)
        return text->ptr + text->len;
    size_t cap = text->cap != 0 ? text->cap : 128;
    while (cap < text->len + n)
        cap *= 2;
    char *grown = gh_arena_alloc(text->arena, cap);
    if (grown == NULL) {
        text->failed = true;
        return NULL;
    }
    if (text->len != 0)
        memcpy(grown, text->ptr, text->len);
    text->ptr = grown;
    text->cap = cap;
    return grown + text->len;
}

void gh_text_add(struct gh_text *text, gh_str bytes)
{
    char *to = bytes.len != 0 ? room(text, bytes.len) : NULL;
    if (to == NULL)
        return;
    memcpy(to, bytes.ptr, bytes.len);
    text->len += bytes.len;
}

void gh_text_quoted(struct gh_text *text, gh_str bytes)
{
    gh_text_add(text, GH_STR("\""));
    for (size_t i = 0; i < bytes.len; i++) {
        if (bytes.ptr[i] == '"' || bytes.ptr[i] == '\\')
            gh_text_add(text, GH_STR("\\"));
        gh_text_add(text, gh_str_of(bytes.ptr + i, 1));
    }
    gh_text_add(text, GH_STR("\""));
}

void gh_text_json(struct gh_text *text, gh_str bytes)
{
    gh_text_add(text, GH_STR("\""));
    char *to = bytes.len != 0 ? room(text, bytes.len * 6) : NULL;
    if (to != NULL)
        text->len += gh_json_escape(bytes, to, bytes.len * 6);
    gh_text_add(text, GH_STR("\""));
}

void gh_text_json_list(struct gh_text *text, struct gh_strs list)
{
    gh_text_add(text, GH_STR("["));
    for (size_t i = 0; i < list.count; i++) {
        if (i != 0)
            gh_text_add(text, GH_STR(","));
        gh_text_json(text, list.at[i]);
    }
    gh_text_add(text, GH_STR("]"));
}

/* ---- one JSON object ---- */

void gh_put_name(struct gh_text *text, const char *name)
{
    bool is_first = text->len != 0 && text->ptr[text->len - 1] == '{';
    if (!is_first)
        gh_text_add(text, text->len == 0 ? GH_STR("{") : GH_STR(","));
    gh_text_json(text, gh_str_from(name));
    gh_text_add(text, GH_STR(":"));
}

void gh_put_text(struct gh_text *text, const char *name, gh_str value)
{
    if (value.len == 0)
        return;
    gh_put_name(text, name);
    gh_text_json(text, value);
}

void gh_put_made(struct gh_text *text, const char *name, gh_str value)
{
    text->failed = text->failed || value.ptr == NULL;
    gh_put_text(text, name, value);
}

void gh_put_list(struct gh_text *text, const char *name, struct gh_strs list)
{
    if (list.count == 0)
        return;
    text->failed = text->failed || list.at == NULL;
    if (text->failed)
        return;
    gh_put_name(text, name);
    gh_text_json_list(text, list);
}

void gh_put_number(struct gh_text *text, const char *name, int64_t value)
{
    gh_str digits = gh_arena_printf(text->arena, "%lld", (long long)value);
    text->failed = text->failed || digits.ptr == NULL;
    gh_put_name(text, name);
    gh_text_add(text, digits);
}

void gh_put_true(struct gh_text *text, const char *name, bool value)
{
    if (!value)
        return;
    gh_put_name(text, name);
    gh_text_add(text, GH_STR("true"));
}

void gh_put_open(struct gh_text *text, const char *name)
{
    gh_put_name(text, name);
    gh_text_add(text, GH_STR("{"));
}

void gh_put_close(struct gh_text *text)
{
    gh_text_add(text, GH_STR("}"));
}

gh_str gh_put_end(struct gh_text *text)
{
    gh_text_add(text, text->len == 0 ? GH_STR("{}") : GH_STR("}"));
    return gh_text_take(text);
}

gh_str gh_text_take(struct gh_text *text)
{
    char *end = room(text, 1);
    if (end == NULL)
        return GH_STR_NONE;
    *end = '\0';
    return gh_str_of(text->ptr, text->len);
}
