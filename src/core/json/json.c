/* core/json/json.c: one pass over the text, values into the arena. No library reads what decides about trust.
 */
#include "core/json/json.h"

#include <float.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/str.h"
#include "core/json/fold.h"
#include "core/json/string.h"

/* Why not jansson: its lexer ignores failed allocations and goes on with a string that lacks a character, so
 * that one issuer reads as another; and opening a token of 600 bytes took 19 us with it, as long as the RSA
 * signature. The tests hold the two against each other. */

const struct gh_json_limits gh_json_control_limits = { .bytes = 262144, .depth = 64, .values = 10000 };
const struct gh_json_limits gh_json_token_limits = { .bytes = 32768, .depth = 64, .values = 4000 };

/* The text is a copy of ours, in which strings are decoded where they stand. Members and items wait on the
 * stack until their object or array ends and its size is known. */
struct reader {
    struct gh_arena *arena;
    char *at;
    const char *end;
    struct gh_json_member *stack;
    size_t used, room;
    enum gh_reason failed; /* what to return when a read gives false */
};

static bool count_values(gh_str text, const struct gh_json_limits *limits, size_t *ret_values);
static bool read_value(struct reader *reader, struct gh_json *value);
static bool read_object(struct reader *reader, struct gh_json *value);
static bool read_array(struct reader *reader, struct gh_json *value);
static bool read_number(struct reader *reader, struct gh_json *value);
static bool read_literal(struct reader *reader, struct gh_json *value);
static bool has_duplicates(struct reader *reader, const struct gh_json *object);

static char peek(const struct reader *reader)
{
    return reader->at < reader->end ? *reader->at : '\0';
}

static void skip_space(struct reader *reader)
{
    while (reader->at < reader->end &&
           (*reader->at == ' ' || *reader->at == '\t' || *reader->at == '\n' || *reader->at == '\r'))
        reader->at++;
}

/* White space, then that character. */
static bool take(struct reader *reader, char c)
{
    skip_space(reader);
    if (reader->at == reader->end || *reader->at != c)
        return false;
    reader->at++;
    return true;
}

enum gh_reason gh_json_read(struct gh_arena *arena, gh_str text, const struct gh_json_limits *limits,
                            enum gh_reason malformed, struct gh_json *ret_object)
{
    size_t values;
    if (!count_values(text, limits, &values))
        return malformed;
    char *copy = gh_arena_alloc(arena, text.len);
    struct gh_json_member *stack = gh_arena_calloc(arena, values, sizeof(*stack));
    if (copy == NULL || stack == NULL)
        return GH_OUT_OF_MEMORY;
    memcpy(copy, text.ptr, text.len);
    struct reader reader = { arena, copy, copy + text.len, stack, 0, values, malformed };
    struct gh_json object;
    skip_space(&reader);
    if (peek(&reader) != '{' || !read_value(&reader, &object))
        return reader.failed;
    skip_space(&reader);
    if (reader.at != reader.end)
        return malformed;
    *ret_object = object;
    return GH_OK;
}

/* Size, nesting and number of values, before anything is allocated. Exact for well-formed text; for the rest
 * the number is a bound nevertheless: each value but the first has a bracket or a comma before it. */
static bool count_values(gh_str text, const struct gh_json_limits *limits, size_t *ret_values)
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
    *ret_values = values;
    return values <= limits->values;
}

/* Recursion is as deep as count_values allows. */
static bool read_value(struct reader *reader, struct gh_json *value)
{
    *value = (struct gh_json){ .type = GH_JSON_NULL };
    skip_space(reader);
    switch (peek(reader)) {
    case '{':
        return read_object(reader, value);
    case '[':
        return read_array(reader, value);
    case '"':
        value->type = GH_JSON_STRING;
        reader->at++;
        return gh_json_string_read(&reader->at, reader->end, &value->string);
    case 't':
    case 'f':
    case 'n':
        return read_literal(reader, value);
    default:
        return read_number(reader, value);
    }
}

static bool read_literal(struct reader *reader, struct gh_json *value)
{
    static const struct {
        gh_str text;
        enum gh_json_type type;
    } literals[] = { { GH_STR_INIT("true"), GH_JSON_TRUE },
                     { GH_STR_INIT("false"), GH_JSON_FALSE },
                     { GH_STR_INIT("null"), GH_JSON_NULL } };
    gh_str rest = gh_str_of(reader->at, (size_t)(reader->end - reader->at));
    for (size_t i = 0; i < GH_ARRAY_LEN(literals); i++) {
        if (gh_str_starts(rest, literals[i].text)) {
            value->type = literals[i].type;
            reader->at += literals[i].text.len;
            return true;
        }
    }
    return false;
}

/* A value read becomes an entry of the stack, which count_values made large enough. */
static bool push(struct reader *reader, gh_str name)
{
    struct gh_json_member entry = { .name = name };
    if (!read_value(reader, &entry.value) || reader->used == reader->room)
        return false;
    reader->stack[reader->used++] = entry;
    return true;
}

static bool out_of_memory(struct reader *reader)
{
    reader->failed = GH_OUT_OF_MEMORY;
    return false;
}

static bool read_object(struct reader *reader, struct gh_json *value)
{
    size_t base = reader->used;
    reader->at++;
    if (!take(reader, '}')) {
        do {
            gh_str name;
            if (!take(reader, '"') || !gh_json_string_read(&reader->at, reader->end, &name) ||
                !take(reader, ':') || !push(reader, name))
                return false;
        } while (take(reader, ','));
        if (!take(reader, '}'))
            return false;
    }
    size_t count = reader->used - base;
    struct gh_json_member *members = gh_arena_calloc(reader->arena, count, sizeof(*members));
    if (members == NULL)
        return out_of_memory(reader);
    memcpy(members, reader->stack + base, count * sizeof(*members));
    reader->used = base;
    *value = (struct gh_json){ .type = GH_JSON_OBJECT, .count = count, .members = members };
    return !has_duplicates(reader, value);
}

static bool read_array(struct reader *reader, struct gh_json *value)
{
    size_t base = reader->used;
    reader->at++;
    if (!take(reader, ']')) {
        do {
            if (!push(reader, GH_STR_NONE))
                return false;
        } while (take(reader, ','));
        if (!take(reader, ']'))
            return false;
    }
    size_t count = reader->used - base;
    struct gh_json *items = gh_arena_calloc(reader->arena, count, sizeof(*items));
    if (items == NULL)
        return out_of_memory(reader);
    for (size_t i = 0; i < count; i++)
        items[i] = reader->stack[base + i].value;
    reader->used = base;
    *value = (struct gh_json){ .type = GH_JSON_ARRAY, .count = count, .items = items };
    return true;
}

static int compare_names(const void *a, const void *b)
{
    return gh_str_cmp(*(const gh_str *)a, *(const gh_str *)b);
}

/* Pairwise for few members, sorted for many, so that their number costs no square. Says yes when out of
 * memory. */
static bool has_duplicates(struct reader *reader, const struct gh_json *object)
{
    if (object->count <= 32) {
        for (size_t i = 1; i < object->count; i++) {
            for (size_t k = 0; k < i; k++) {
                if (gh_str_eq(object->members[i].name, object->members[k].name))
                    return true;
            }
        }
        return false;
    }
    gh_str *names = gh_arena_calloc(reader->arena, object->count, sizeof(*names));
    if (names == NULL)
        return !out_of_memory(reader);
    for (size_t i = 0; i < object->count; i++)
        names[i] = object->members[i].name;
    qsort(names, object->count, sizeof(*names), compare_names);
    for (size_t i = 1; i < object->count; i++) {
        if (gh_str_eq(names[i], names[i - 1]))
            return true;
    }
    return false;
}

/* Digits as they come; false when there is none. */
static bool read_digits(struct reader *reader, double *value, unsigned *count)
{
    for (*count = 0; peek(reader) >= '0' && peek(reader) <= '9'; (*count)++)
        *value = *value * 10 + (*reader->at++ - '0');
    return *count != 0;
}

static bool read_exponent(struct reader *reader, int *exponent)
{
    if (peek(reader) != 'e' && peek(reader) != 'E')
        return true;
    reader->at++;
    bool negative = peek(reader) == '-';
    if (negative || peek(reader) == '+')
        reader->at++;
    double digits = 0;
    unsigned count;
    if (!read_digits(reader, &digits, &count))
        return false;
    int size = digits > 9999 ? 9999 : (int)digits;
    *exponent += negative ? -size : size;
    return true;
}

/* Ten by ten: no library function of the locale or of libm, and 400 steps reach zero or infinity. */
static double scale(double number, int exponent)
{
    for (int i = 0; i < exponent && i < 400; i++)
        number *= 10;
    for (int i = 0; i > exponent && i > -400; i--)
        number /= 10;
    return number;
}

/* RFC 8259 section 6. Whole numbers up to 2^53 are exact, others near enough for times; no locale has a say.
 * What is no finite number is refused. */
static bool read_number(struct reader *reader, struct gh_json *value)
{
    double number = 0;
    unsigned whole, fraction = 0;
    bool negative = peek(reader) == '-';
    if (negative)
        reader->at++;
    bool zero = peek(reader) == '0';
    if (!read_digits(reader, &number, &whole) || (zero && whole > 1))
        return false;
    if (peek(reader) == '.') {
        reader->at++;
        if (!read_digits(reader, &number, &fraction))
            return false;
    }
    int exponent = -(int)(fraction < 9999 ? fraction : 9999);
    if (!read_exponent(reader, &exponent))
        return false;
    number = scale(number, exponent);
    if (number > DBL_MAX)
        return false;
    value->type = GH_JSON_NUMBER;
    value->number = negative ? -number : number;
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

/* Most names differ in their first letter, whose case is one bit; what is not ASCII is looked at closely. */
static bool may_fold(gh_str member, gh_str name)
{
    return member.len >= name.len &&
           ((member.ptr[0] & 0x80) != 0 || ((member.ptr[0] ^ name.ptr[0]) & 0x5f) == 0);
}

bool gh_json_has_twin(const struct gh_json *object, struct gh_strs names)
{
    for (size_t i = 0; i < object->count; i++) {
        gh_str member = object->members[i].name;
        for (size_t k = 0; k < names.count; k++) {
            if (may_fold(member, names.at[k]) && gh_fold_eq(member, names.at[k]) &&
                !gh_str_eq(member, names.at[k]))
                return true;
        }
    }
    return false;
}
