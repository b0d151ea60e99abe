/* conf/reason_docs.h: one line of meaning and one of remedy for every reason. */
#ifndef GH_CONF_REASON_DOCS_H
#define GH_CONF_REASON_DOCS_H

#include "gatehouse/reason.h"

struct gh_reason_doc {
    const char *meaning, *remedy;
};

/* Both NULL when a row was forgotten; a test asks for all. */
const struct gh_reason_doc *gh_reason_doc(enum gh_reason reason);

#endif
