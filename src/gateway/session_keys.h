/* gateway/session_keys.h: where the keys of sealed sessions come from, on the control thread. */
#ifndef GH_GATEWAY_SESSION_KEYS_H
#define GH_GATEWAY_SESSION_KEYS_H

#include "gatehouse/session.h"

/* From a file nobody else may read. GH_SETTINGS_INVALID with a text for the operator to free. */
GH_MUST_USE enum gh_reason gh_session_keys_load(gh_str file, struct gh_session_keys **ret_keys,
                                                char **ret_why);
/* One random key: its sessions end with the process. NULL when out of memory. */
struct gh_session_keys *gh_session_keys_random(void);

#endif
