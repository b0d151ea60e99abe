/* include/gatehouse/types.h: the slice type, the arena's name, and the compiler attributes all headers use.
 */
#ifndef GATEHOUSE_TYPES_H
#define GATEHOUSE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GH_MUST_USE          __attribute__((warn_unused_result))
#define GH_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define GH_CLEANUP(fn)       __attribute__((cleanup(fn##_cleanup)))
#define GH_UNUSED            __attribute__((unused))

#define GH_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* A borrowed run of bytes, passed by value. Not NUL-terminated; ptr may be NULL when len is 0. Who owns the
 * bytes is said where the slice comes from: an arena, a static string, or a buffer that lends them. */
typedef struct gh_str {
    const char *ptr;
    size_t len;
} gh_str;

#define GH_STR(literal) ((gh_str){ .ptr = (literal), .len = sizeof(literal) - 1 })
#define GH_STR_INIT(literal)                                                                                 \
    {                                                                                                        \
        .ptr = (literal), .len = sizeof(literal) - 1                                                         \
    }
#define GH_STR_NONE ((gh_str){ .ptr = NULL, .len = 0 })
/* For printf("%.*s"). */
#define GH_STR_FMT(s) (int)(s).len, (s).ptr != NULL ? (s).ptr : ""

/* Memory that is given back all at once; see base/arena.h. */
struct gh_arena;

/* A growing list of slices in an arena or in a settings snapshot: read-only once published. */
struct gh_strs {
    const gh_str *at;
    size_t count;
};

#endif
