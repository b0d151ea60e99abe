/* conf/errors.h: how the parts of conf report what is wrong, and where. */
#ifndef GH_CONF_ERRORS_H
#define GH_CONF_ERRORS_H

#include "conf/tree.h"

/* Copies the slices of `error`. False when out of memory. */
bool gh_conf_errors_add(struct gh_conf_errors *errors, const struct gh_conf_error *error);

/* What all readers and checks carry along: where to put values, where to report. */
struct gh_teller {
    struct gh_conf_errors *errors;
    gh_str file, base_dir;
    bool out_of_memory;
};

/* The place is member `key` of `node` where it exists, else `node`; with key NULL it is `node` itself. */
void gh_tell_error(struct gh_teller *teller, const struct gh_node *node, const char *key, gh_str found,
                   gh_str allowed);
void gh_tell_warning(struct gh_teller *teller, const struct gh_node *node, const char *key, gh_str found,
                     gh_str better);
/* The same, where what was found is the text of that node. */
void gh_tell_wrong(struct gh_teller *teller, const struct gh_node *node, const char *key, gh_str allowed);
/* Text for `found` and `allowed`, as long-lived as the errors. */
gh_str gh_tell_text(struct gh_teller *teller, const char *format, ...) GH_PRINTF(2, 3);
/* "text" in quotes, escaped and cut at 80 bytes; a word for lists, maps and nothing. Credentials inside URLs
 * are not repeated. */
gh_str gh_tell_node(struct gh_teller *teller, const struct gh_node *node);
gh_str gh_tell_quoted(struct gh_teller *teller, gh_str text);

#endif
