/* core/lines.h: "VALUE | VALUE" of a table as the lines of one header field, and lists parted by commas. */
#ifndef GH_TEST_LINES_H
#define GH_TEST_LINES_H

#include "base/arena.h"
#include "base/str.h"
#include "gatehouse/http.h"

/* "(none)" gives no field, "(empty)" one without a value. */
static inline void lines_to_headers(struct gh_arena *arena, gh_str name, gh_str line,
                                    struct gh_headers *headers)
{
    if (gh_headers_init(headers, arena, 8) != GH_OK || gh_str_eq(line, GH_STR("(none)")))
        return;
    while (line.ptr != NULL) {
        gh_str value = gh_str_cut(&line, '|');
        if (line.ptr != NULL) {
            value = gh_str_take(value, value.len - 1);
            line = gh_str_skip(line, 1);
        }
        if (gh_str_eq(value, GH_STR("(empty)")))
            value = GH_STR("");
        if (gh_headers_add(headers, name, value) != GH_OK)
            return;
    }
}

/* "a,b"; "-" gives none. */
static inline struct gh_strs list_of(struct gh_arena *arena, gh_str text)
{
    gh_str *at = gh_arena_calloc(arena, 16, sizeof(*at));
    size_t count = 0;
    if (gh_str_eq(text, GH_STR("-")))
        return (struct gh_strs){ 0 };
    while (text.ptr != NULL && count < 16)
        at[count++] = gh_str_cut(&text, ',');
    return (struct gh_strs){ .at = at, .count = count };
}

#endif
