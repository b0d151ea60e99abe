/* base/log.h: the error log: one JSON line per event, written where the operator looks, never blocking a
 * worker. */
#ifndef GH_BASE_LOG_H
#define GH_BASE_LOG_H

#include "gatehouse/types.h"

enum gh_log_level { GH_LOG_DEBUG, GH_LOG_INFO, GH_LOG_WARN, GH_LOG_ERROR };

/* One value beside the message. Strings are escaped and cut at 512 bytes; secrets never get here. */
struct gh_log_field {
    const char *key;
    gh_str text;
};
#define GH_FIELD(name, slice) ((struct gh_log_field){ .key = (name), .text = (slice) })

/* Where lines go: a function that must not block, and may drop (it counts what it drops). NULL: standard
 * error. */
void gh_log_set_writer(void (*write_line)(void *ctx, gh_str line), void *ctx);
void gh_log_set_level(enum gh_log_level level);
/* Of each kind, a message with the reason beside it, a thread writes `burst` lines at once and `per_s` a
 * second; what is left out is counted, and the next line of that kind says how many. 0: no limit. */
void gh_log_set_limit(int64_t burst, int64_t per_s);
/* Lines that were not written, by that limit or by a writer that could not take them. */
uint64_t gh_log_dropped(void);
void gh_log_count_dropped(void);
bool gh_log_is_on(enum gh_log_level level);
/* At most 8 fields; the list ends with a field whose key is NULL. */
void gh_log_fields(enum gh_log_level level, const char *message, const struct gh_log_field *fields);

#define gh_log(level, message, ...)                                                                          \
    do {                                                                                                     \
        if (gh_log_is_on(level))                                                                             \
            gh_log_fields((level), (message),                                                                \
                          (const struct gh_log_field[]){ __VA_ARGS__ __VA_OPT__(, ){ NULL, GH_STR_NONE } }); \
    } while (0)

/* Appends `s` as the inside of a JSON string: control and non-ASCII bidi characters and invalid UTF-8
 * escaped. Returns the number of bytes written, at most `cap`; never cuts an escape in half. */
size_t gh_json_escape(gh_str s, char *out, size_t cap);

#endif
