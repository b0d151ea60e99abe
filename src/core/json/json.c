/* core/json/json.c: jansson parses, its tree is copied into the arena and freed; nobody else sees jansson. */
#include "core/json/json.h"

#include <jansson.h>

#include "base/arena.h"
#include "base/str.h"
#include "core/json/fold.h"

const struct gh_json_limits gh_json_control_limits = { .bytes = 262144, .depth = 64, .values = 10000 };
const struct gh_json_limits gh_json_token_limits = { .bytes = 32768, .depth = 64, .values = 4000 };

static bool is_within(gh_str text, const struct gh_json_limits *limits);
static bool copy_value(struct gh_arena *arena, json_t *from, struct gh_json *to);
static bool copy_array(struct gh_arena *arena, json_t *from, struct gh_json *to);
static bool copy_object(struct gh_arena *arena, json_t *from, struct gh_json *to);

static void json_free_cleanup(json_t **value)
{
    json_decref(*value);
}

enum gh_reason gh_json_read(struct gh_arena *arena, gh_str text, const struct gh_json_limits *limits,
                            enum gh_reason malformed, struct gh_json *ret_object)
{
    if (!is_within(text, limits))
        return malformed;
    json_error_t error = { .text = "" };
    GH_CLEANUP(json_free) json_t *doc = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES, &error);
    if (doc == NULL) {
        /* jansson says nothing at all where a small allocation failed. */
        bool memory = error.text[0] == '\0' || json_error_code(&error) == json_error_out_of_memory;
        return memory ? GH_OUT_OF_MEMORY : malformed;
    }
    if (!json_is_object(doc))
        return malformed;
    return copy_value(arena, doc, ret_object) ? GH_OK : GH_OUT_OF_MEMORY;
}

/* Size, nesting and number of values, before anything is allocated. Exact for well-formed text; the rest is
 * refused by the parser. jansson recurses, and allocates about a hundred bytes for a value of one. */
static bool is_within(gh_str text, const struct gh_json_limits *limits)
{
    if (text.len == 0 || text.len > limits->bytes)
        return false;
    size_t depth = 0, values = 1;
    bool in_string = false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (in_string) {
            if (c == '\\')
                i++;
            in_string = c != '"';
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            values++;
            if (++depth > limits->depth)
                return false;
        } else if (c == '}' || c == ']') {
            if (depth-- == 0)
                return false;
        } else if (c == ',') {
            values++;
        }
    }
    return values <= limits->values;
}

static bool copy_value(struct gh_arena *arena, json_t *from, struct gh_json *to)
{
    switch (json_typeof(from)) {
    case JSON_NULL:
        *to = (struct gh_json){ .type = GH_JSON_NULL };
        return true;
    case JSON_FALSE:
        *to = (struct gh_json){ .type = GH_JSON_FALSE };
        return true;
    case JSON_TRUE:
        *to = (struct gh_json){ .type = GH_JSON_TRUE };
        return true;
    case JSON_INTEGER:
    case JSON_REAL:
        *to = (struct gh_json){ .type = GH_JSON_NUMBER, .number = json_number_value(from) };
        return true;
    case JSON_STRING:
        to->type = GH_JSON_STRING;
        to->count = 0;
        to->string = gh_arena_dup(arena, gh_str_of(json_string_value(from), json_string_length(from)));
        return to->string.ptr != NULL;
    case JSON_ARRAY:
        return copy_array(arena, from, to);
    case JSON_OBJECT:
        return copy_object(arena, from, to);
    }
    return false;
}

static bool copy_array(struct gh_arena *arena, json_t *from, struct gh_json *to)
{
    size_t count = json_array_size(from);
    struct gh_json *items = gh_arena_calloc(arena, count, sizeof(*items));
    if (items == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!copy_value(arena, json_array_get(from, i), &items[i]))
            return false;
    }
    *to = (struct gh_json){ .type = GH_JSON_ARRAY, .count = count, .items = items };
    return true;
}

static bool copy_object(struct gh_arena *arena, json_t *from, struct gh_json *to)
{
    size_t count = json_object_size(from), i = 0;
    struct gh_json_member *members = gh_arena_calloc(arena, count, sizeof(*members));
    if (members == NULL)
        return false;
    for (void *at = json_object_iter(from); at != NULL; at = json_object_iter_next(from, at), i++) {
        members[i].name = gh_arena_dup(arena, gh_str_from(json_object_iter_key(at)));
        if (members[i].name.ptr == NULL || !copy_value(arena, json_object_iter_value(at), &members[i].value))
            return false;
    }
    *to = (struct gh_json){ .type = GH_JSON_OBJECT, .count = count, .members = members };
    return true;
}

const struct gh_json *gh_json_get(const struct gh_json *object, gh_str name)
{
    if (object == NULL || object->type != GH_JSON_OBJECT)
        return NULL;
    for (size_t i = 0; i < object->count; i++) {
        if (gh_str_eq(object->members[i].name, name))
            return &object->members[i].value;
    }
    return NULL;
}

gh_str gh_json_text(const struct gh_json *value)
{
    return value != NULL && value->type == GH_JSON_STRING ? value->string : GH_STR_NONE;
}

bool gh_json_has_twin(const struct gh_json *object, struct gh_strs names)
{
    for (size_t i = 0; i < object->count; i++) {
        gh_str member = object->members[i].name;
        for (size_t k = 0; k < names.count; k++) {
            if (gh_fold_eq(member, names.at[k]) && !gh_str_eq(member, names.at[k]))
                return true;
        }
    }
    return false;
}
