/* issuer/setup.h: the row behind the one-time link for the first account, which the control thread writes. */
#ifndef GH_ISSUER_SETUP_H
#define GH_ISSUER_SETUP_H

#include "gatehouse/types.h"

/* One in a tenant. It counts only while there is no account: rows named "user/...". */
#define GH_SETUP_KEY GH_STR("setup/link")
#define GH_SETUP_S   86400 /* a link that nobody opens dies; the next start prints another */

/* Its value: the hash of the link's token. ptr NULL when out of memory. */
gh_str gh_setup_link_value(struct gh_arena *arena, gh_str token);

#endif
