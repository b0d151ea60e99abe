/* app/sandbox.h: what the process gives up before its first thread starts, so that all of them lack it. */
#ifndef GH_APP_SANDBOX_H
#define GH_APP_SANDBOX_H

#include "conf/conf.h"

struct gh_sandbox_conf {
    bool on;                   /* false: only `user` is obeyed */
    gh_str user;               /* empty: stay who we are */
    const char *settings_file; /* NULL: none */
    const struct gh_conf_file *files;
};

/* Once, in a process of one thread, when everything that needs rights is done: it becomes `user`, and gives
 * up capabilities, privileges by execve, core dumps, files in folders that no setting names (landlock),
 * system calls that nothing here makes (seccomp). One log line says what is in force. False with the reason
 * on standard error when a layer that this kernel has could not be put in force: the process must end. */
bool gh_sandbox_enter(const struct gh_sandbox_conf *conf) GH_MUST_USE;

/* Logs are opened as the user that will write them, and belong to it: root would follow a link of that user's
 * anywhere. Between the two calls root has that user's rights to files, and no more. */
bool gh_sandbox_open_as(gh_str user) GH_MUST_USE;
void gh_sandbox_open_as_before(void);

/* For a file that could not be opened later on: what the operator should know, or the empty text. */
gh_str gh_sandbox_hint(void);

/* ---- the layers; each false (FAILED) with the reason on standard error ---- */
enum gh_layer { GH_LAYER_ON, GH_LAYER_ABSENT, GH_LAYER_FAILED };

/* "gatehouse: sandbox: WHAT: errno in words" on standard error; always false. */
bool gh_sandbox_fail(const char *what);
/* sandbox_user.c */
void gh_sandbox_close_bounds(void); /* no capability can come back; before the user changes */
bool gh_sandbox_become(gh_str user) GH_MUST_USE;
bool gh_sandbox_drop_capabilities(void) GH_MUST_USE;
/* sandbox_files.c; `ret_version` of landlock in the kernel, where it is ON. */
enum gh_layer gh_sandbox_close_files(const struct gh_sandbox_conf *conf, int *ret_version) GH_MUST_USE;
/* sandbox_calls.c; how many calls are left, where it is ON. */
enum gh_layer gh_sandbox_close_calls(const struct gh_sandbox_conf *conf, int *ret_count) GH_MUST_USE;

#endif
