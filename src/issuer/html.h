/* issuer/html.h: HTML that is escaped by construction: markup comes from literals alone, everything else as
 * text. */
#ifndef GH_ISSUER_HTML_H
#define GH_ISSUER_HTML_H

#include "core/text.h"

struct gh_html {
    struct gh_text text;
};

/* Only a string literal compiles. */
#define gh_html_markup(html, literal) gh_html_literal((html), GH_STR("" literal ""))
/* ` name="value"`, the name a literal too. */
#define gh_html_attribute(html, name, value) gh_html_value((html), GH_STR(" " name "=\""), (value))

/* Text from outside: escaped for elements and double-quoted attributes; control, bidi and invisible
 * characters are left out, bytes that are no UTF-8 become U+FFFD. */
void gh_html_text(struct gh_html *html, gh_str text);
/* At most so many characters, then an ellipsis. */
void gh_html_cut(struct gh_html *html, gh_str text, size_t characters);
/* ptr NULL when memory ran out on the way. */
gh_str gh_html_take(struct gh_html *html);

/* For the macros. */
void gh_html_literal(struct gh_html *html, gh_str literal);
void gh_html_value(struct gh_html *html, gh_str before, gh_str value);

#endif
