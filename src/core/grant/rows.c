/* core/grant/rows.c: JSON objects of stored rows: members in, members out. */
#include "core/grant/rows.h"

#include "base/arena.h"
#include "base/str.h"

/* 2^53: every whole number up to it is its own double. */
#define EXACT_MAX 9007199254740992.0

/* ---- trees ---- */

static void put_value(struct gh_text *text, const struct gh_json *value);

static void put_number(struct gh_text *text, double number)
{
    gh_str digits = gh_arena_printf(text->arena, "%.17g", number);
    text->failed = text->failed || digits.ptr == NULL;
    gh_text_add(text, digits);
}

static void put_members(struct gh_text *text, const struct gh_json *object)
{
    gh_text_add(text, GH_STR("{"));
    for (size_t i = 0; i < object->count; i++) {
        if (i > 0)
            gh_text_add(text, GH_STR(","));
        gh_text_json(text, object->members[i].name);
        gh_text_add(text, GH_STR(":"));
        put_value(text, &object->members[i].value);
    }
    gh_text_add(text, GH_STR("}"));
}

static void put_items(struct gh_text *text, const struct gh_json *array)
{
    gh_text_add(text, GH_STR("["));
    for (size_t i = 0; i < array->count; i++) {
        if (i > 0)
            gh_text_add(text, GH_STR(","));
        put_value(text, &array->items[i]);
    }
    gh_text_add(text, GH_STR("]"));
}

/* As deep as the reader let the tree become. */
static void put_value(struct gh_text *text, const struct gh_json *value)
{
    switch (value->type) {
    case GH_JSON_NULL:
        gh_text_add(text, GH_STR("null"));
        break;
    case GH_JSON_FALSE:
        gh_text_add(text, GH_STR("false"));
        break;
    case GH_JSON_TRUE:
        gh_text_add(text, GH_STR("true"));
        break;
    case GH_JSON_NUMBER:
        put_number(text, value->number);
        break;
    case GH_JSON_STRING:
        gh_text_json(text, value->string);
        break;
    case GH_JSON_ARRAY:
        put_items(text, value);
        break;
    case GH_JSON_OBJECT:
        put_members(text, value);
        break;
    }
}

void gh_put_json(struct gh_text *text, const char *name, const struct gh_json *value)
{
    gh_put_name(text, name);
    put_value(text, value);
}

gh_str gh_json_write(struct gh_arena *arena, const struct gh_json *value)
{
    struct gh_text text = { .arena = arena };
    put_value(&text, value);
    return gh_text_take(&text);
}

/* ---- reading ---- */

static const struct gh_json *get(const struct gh_json *object, const char *name, enum gh_json_type type,
                                 bool *ok)
{
    const struct gh_json *value = gh_json_get(object, gh_str_from(name));
    if (value != NULL && value->type != type) {
        *ok = false;
        return NULL;
    }
    return value;
}

gh_str gh_get_text(const struct gh_json *object, const char *name, bool *ok)
{
    const struct gh_json *value = get(object, name, GH_JSON_STRING, ok);
    return value != NULL ? value->string : GH_STR("");
}

struct gh_strs gh_get_list(struct gh_arena *arena, const struct gh_json *object, const char *name, bool *ok)
{
    const struct gh_json *value = get(object, name, GH_JSON_ARRAY, ok);
    if (value == NULL || value->count == 0)
        return (struct gh_strs){ 0 };
    gh_str *at = gh_arena_calloc(arena, value->count, sizeof(*at));
    if (at == NULL) {
        *ok = false;
        return GH_LIST_FAILED;
    }
    for (size_t i = 0; *ok && i < value->count; i++) {
        at[i] = gh_json_text(&value->items[i]);
        *ok = at[i].ptr != NULL;
    }
    return *ok ? (struct gh_strs){ at, value->count } : (struct gh_strs){ 0 };
}

int64_t gh_get_number(const struct gh_json *object, const char *name, bool *ok)
{
    const struct gh_json *value = get(object, name, GH_JSON_NUMBER, ok);
    if (value == NULL)
        return 0;
    bool in_range = value->number >= -EXACT_MAX && value->number <= EXACT_MAX;
    if (!in_range || (double)(int64_t)value->number != value->number) {
        *ok = false;
        return 0;
    }
    return (int64_t)value->number;
}

bool gh_get_true(const struct gh_json *object, const char *name, bool *ok)
{
    return get(object, name, GH_JSON_TRUE, ok) != NULL;
}
