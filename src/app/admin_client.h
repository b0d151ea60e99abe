/* app/admin_client.h: asks a running gateway by its admin listener, for the commands that do. */
#ifndef GH_APP_ADMIN_CLIENT_H
#define GH_APP_ADMIN_CLIENT_H

#include "conf/conf.h"

struct gh_admin_answer {
    int status;
    gh_str body;
};
/* With the admin token where the settings name a file of it. False when nobody answers; the answer lies in
 * conf->arena. */
bool gh_admin_post(const struct gh_conf *conf, gh_str path, gh_str body, struct gh_admin_answer *ret_answer)
    GH_MUST_USE;
/* The settings, or NULL with what is wrong on standard error. */
struct gh_conf *gh_admin_settings(const char *file);

#endif
