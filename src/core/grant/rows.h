/* core/grant/rows.h: values of stored rows: JSON objects written member by member, and read back strictly. */
#ifndef GH_CORE_GRANT_ROWS_H
#define GH_CORE_GRANT_ROWS_H

#include "core/json/json.h"
#include "core/text.h"

/* Beside the members of core/text.h: a value as it was read. */
void gh_put_json(struct gh_text *text, const char *name, const struct gh_json *value);

/* A list for which there was no memory: where a refusal would last, it must be none. */
#define GH_LIST_FAILED ((struct gh_strs){ .at = NULL, .count = 1 })
static inline bool gh_list_failed(struct gh_strs list)
{
    return list.at == NULL && list.count > 0;
}

/* Empty, 0, false when absent; of another type, or out of memory: *ok becomes false. */
gh_str gh_get_text(const struct gh_json *object, const char *name, bool *ok);
struct gh_strs gh_get_list(struct gh_arena *arena, const struct gh_json *object, const char *name, bool *ok);
int64_t gh_get_number(const struct gh_json *object, const char *name, bool *ok);
bool gh_get_true(const struct gh_json *object, const char *name, bool *ok);
/* A tree as JSON text. */
gh_str gh_json_write(struct gh_arena *arena, const struct gh_json *value);

#endif
