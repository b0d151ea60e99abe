/* app/admin_client.h: asks a running gateway by its admin listener, for the commands that do. */
#ifndef GH_APP_ADMIN_CLIENT_H
#define GH_APP_ADMIN_CLIENT_H

#include "conf/conf.h"
#include "core/text.h"

struct gh_admin_answer {
    int status;
    gh_str body;
};
/* With the admin token where the settings name a file of it. False when nobody answers; the answer lies in
 * conf->arena. */
bool gh_admin_post(const struct gh_conf *conf, gh_str path, gh_str body, struct gh_admin_answer *ret_answer)
    GH_MUST_USE;
bool gh_admin_get(const struct gh_conf *conf, gh_str path, struct gh_admin_answer *ret_answer) GH_MUST_USE;
/* The settings, or NULL with what is wrong on standard error. */
struct gh_conf *gh_admin_settings(const char *file);

/* ---- admin_ask.c ---- */
/* Asks with that object, ended here; the answer goes to the standard output, words of a refusal to the other.
 * The exit status. */
int gh_admin_ask(const struct gh_conf *conf, const char *command, const char *path, struct gh_text *asked);
/* NULL: left out. */
void gh_admin_put(struct gh_text *asked, const char *name, const char *value);
/* A name, or an id. */
void gh_admin_put_user(struct gh_text *asked, const char *user);

#endif
