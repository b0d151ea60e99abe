/* core/grant/rows.h: values of stored rows: JSON objects written member by member, and read back strictly. */
#ifndef GH_CORE_GRANT_ROWS_H
#define GH_CORE_GRANT_ROWS_H

#include "core/json/json.h"
#include "core/text.h"

/* Each adds ,"name":value; the first one opens the object. Empty texts and lists are left out. */
void gh_put_text(struct gh_text *text, const char *name, gh_str value);
void gh_put_list(struct gh_text *text, const char *name, struct gh_strs list);
void gh_put_number(struct gh_text *text, const char *name, int64_t value);
void gh_put_true(struct gh_text *text, const char *name, bool value);
void gh_put_json(struct gh_text *text, const char *name, const struct gh_json *value);
/* Closes the object; ptr NULL when memory ran out. */
gh_str gh_put_end(struct gh_text *text);

/* Empty, 0, false when absent; of another type: *ok becomes false. */
gh_str gh_get_text(const struct gh_json *object, const char *name, bool *ok);
struct gh_strs gh_get_list(struct gh_arena *arena, const struct gh_json *object, const char *name, bool *ok);
int64_t gh_get_number(const struct gh_json *object, const char *name, bool *ok);
bool gh_get_true(const struct gh_json *object, const char *name, bool *ok);
/* A tree as JSON text. */
gh_str gh_json_write(struct gh_arena *arena, const struct gh_json *value);

#endif
