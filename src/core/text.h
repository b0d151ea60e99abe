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

#endif
