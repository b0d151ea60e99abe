/* core/json/string.h: reads one JSON string, decoding it in place. */
#ifndef GH_CORE_JSON_STRING_H
#define GH_CORE_JSON_STRING_H

#include "gatehouse/types.h"

/* *at stands behind the opening quote and is moved behind the closing one. The text is overwritten with what
 * it means, which is never longer. False: no closing quote, a control character, an unknown escape, invalid
 * UTF-8, U+0000, a lone surrogate. */
GH_MUST_USE bool gh_json_string_read(char **at, const char *end, gh_str *ret_string);

/* Bytes of the UTF-8 character at `at`, which is before `end`; 0 for control characters, overlong forms,
 * surrogates, what lies beyond U+10FFFF, and stray bytes. */
size_t gh_utf8_width(const char *at, const char *end);

#endif
