/* core/http/headers.c: lists of header fields, and the grammar of names and values. */
#include "base/arena.h"
#include "base/str.h"
#include "core/http/chars.h"
#include "gatehouse/http.h"

enum gh_reason gh_headers_init(struct gh_headers *headers, struct gh_arena *arena, size_t cap)
{
    size_t size;
    struct gh_header *at = NULL;
    if (!__builtin_mul_overflow(cap != 0 ? cap : 1, sizeof(*at), &size))
        at = gh_arena_alloc(arena, size); /* not cleared: nobody reads behind `count` */
    if (at == NULL)
        return GH_OUT_OF_MEMORY;
    *headers = (struct gh_headers){ .at = at, .cap = cap };
    return GH_OK;
}

enum gh_reason gh_headers_add(struct gh_headers *headers, gh_str name, gh_str value)
{
    if (headers->count == headers->cap)
        return GH_HTTP_FIELDS_MANY;
    headers->at[headers->count++] = (struct gh_header){ .name = name, .value = value };
    return GH_OK;
}

const struct gh_header *gh_headers_find(const struct gh_headers *headers, gh_str name)
{
    for (size_t i = 0; i < headers->count; i++) {
        if (gh_str_eq(headers->at[i].name, name))
            return &headers->at[i];
    }
    return NULL;
}

size_t gh_headers_count(const struct gh_headers *headers, gh_str name)
{
    size_t count = 0;
    for (size_t i = 0; i < headers->count; i++)
        count += gh_str_eq(headers->at[i].name, name);
    return count;
}

bool gh_headers_media_type_is(const struct gh_headers *headers, gh_str type)
{
    const struct gh_header *field = gh_headers_find(headers, GH_STR("content-type"));
    if (field == NULL)
        return false;
    gh_str rest = field->value;
    return gh_str_eq_nocase(gh_str_trim(gh_str_cut(&rest, ';')), type);
}

bool gh_header_name_is_legal(gh_str lower_name)
{
    for (size_t i = 0; i < lower_name.len; i++) {
        if (!gh_char_is_field(lower_name.ptr[i]))
            return false;
    }
    return lower_name.len != 0;
}

bool gh_header_value_is_legal(gh_str value)
{
    if (value.len == 0)
        return true;
    if (value.ptr[0] == ' ' || value.ptr[0] == '\t' || value.ptr[value.len - 1] == ' ' ||
        value.ptr[value.len - 1] == '\t')
        return false;
    /* No early end: tokens are long and nearly always legal, and this loop is done many bytes at a time. */
    unsigned char bad = 0;
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.ptr[i];
        bad |= (unsigned char)((unsigned char)(c - 0x20) > 0x5e) & (unsigned char)(c != '\t');
    }
    return bad == 0;
}

bool gh_header_list_has(gh_str value, gh_str member)
{
    while (value.ptr != NULL) {
        if (gh_str_eq_nocase(gh_str_trim(gh_str_cut(&value, ',')), member))
            return true;
    }
    return false;
}
