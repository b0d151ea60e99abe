/* core/text.h: a text that grows in an arena; a failure is remembered and asked for once, at the end. */
#ifndef GH_CORE_TEXT_H
#define GH_CORE_TEXT_H

#include "gatehouse/types.h"

struct gh_text {
    struct gh_arena *arena;
    char *ptr;
    size_t len, cap;
    bool failed; /* out of memory: everything after it is dropped */
};

void gh_text_add(struct gh_text *text, gh_str bytes);
/* As an HTTP quoted-string (RFC 9110 section 5.6.4). The bytes hold no controls: the caller saw to that. */
void gh_text_quoted(struct gh_text *text, gh_str bytes);
/* As a JSON string, quotes included. */
void gh_text_json(struct gh_text *text, gh_str bytes);
/* As a JSON array of strings. */
void gh_text_json_list(struct gh_text *text, struct gh_strs list);
/* ptr NULL when memory ran out on the way. */
gh_str gh_text_take(struct gh_text *text);

/* ---- one JSON object, member by member ---- */

/* Each adds ,"name":value; the first one opens the object. Empty texts and lists are left out. */
void gh_put_text(struct gh_text *text, const char *name, gh_str value);
/* A text that was made just now: ptr NULL is no absent member, but a failure. So is a list with a count and
 * no place. */
void gh_put_made(struct gh_text *text, const char *name, gh_str value);
void gh_put_list(struct gh_text *text, const char *name, struct gh_strs list);
void gh_put_number(struct gh_text *text, const char *name, int64_t value);
void gh_put_true(struct gh_text *text, const char *name, bool value);
/* What is put until the close stands in an object of its own. */
void gh_put_open(struct gh_text *text, const char *name);
void gh_put_close(struct gh_text *text);
/* Only ,"name": - the caller writes the value. */
void gh_put_name(struct gh_text *text, const char *name);
/* Closes the whole object; ptr NULL when memory ran out. */
gh_str gh_put_end(struct gh_text *text);

#endif
