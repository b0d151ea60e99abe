/* front/forwarded.h: what trusted proxies say about the client before them. Private to this folder. */
#ifndef GH_FRONT_FORWARDED_H
#define GH_FRONT_FORWARDED_H

#include "front/front.h"

struct gh_forwarded {
    bool has_address;
    struct gh_address address; /* the right-most one that is no trusted proxy's own */
    bool has_scheme, is_https; /* of the connection to the proxy nearest to us */
};

/* Only for what a trusted proxy sent. One family of fields is read, the other may be the client's own words.
 */
void gh_forwarded_read(const struct gh_headers *headers, enum gh_forwarded_by by, struct gh_cidrs trusted,
                       struct gh_forwarded *ret_forwarded);

#endif
