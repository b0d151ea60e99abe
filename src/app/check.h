/* app/check.h: what `gatehouse check` looks at beyond the settings themselves. */
#ifndef GH_APP_CHECK_H
#define GH_APP_CHECK_H

#include "conf/conf.h"

/* The files that the settings name, read as `serve` would. GH_OK, GH_SETTINGS_INVALID with more errors,
 * GH_OUT_OF_MEMORY. */
GH_MUST_USE enum gh_reason gh_check_files(const struct gh_conf *conf, struct gh_conf_errors *errors);
/* The issuers themselves, over the network (byoa.md section 12). `ret_asked`: how many were. */
GH_MUST_USE enum gh_reason gh_check_online(const struct gh_conf *conf, struct gh_conf_errors *errors,
                                           size_t *ret_asked);

#endif
