/* app/sandbox.c: the order in which rights are given up, the proof that they are gone, and the line about it.
 */
#include "app/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/str.h"

static bool keep_memory_private(void);
static bool are_proven(enum gh_layer files, enum gh_layer calls);
static void tell(enum gh_layer files, int version, enum gh_layer calls, int count);
static void warn_of_reload(const struct gh_sandbox_conf *conf);

static bool has_entered;

bool gh_sandbox_fail(const char *what)
{
    (void)fprintf(stderr, "gatehouse: sandbox: %s: %s\n", what, strerror(errno));
    return false;
}

/* Each step needs a right that a later one takes. */
bool gh_sandbox_enter(const struct gh_sandbox_conf *conf)
{
    int version = 0, count = 0;
    if (conf->on)
        gh_sandbox_close_bounds();
    if (!gh_sandbox_become(conf->user))
        return false;
    if (!conf->on) {
        gh_log(GH_LOG_WARN, "the sandbox is off, as the settings say");
        return true;
    }
    if (!gh_sandbox_drop_capabilities() || !keep_memory_private())
        return false;
    enum gh_layer files = gh_sandbox_close_files(conf, &version);
    if (files == GH_LAYER_FAILED)
        return false;
    enum gh_layer calls = gh_sandbox_close_calls(conf, &count);
    if (calls == GH_LAYER_FAILED || !are_proven(files, calls))
        return false;
    has_entered = true;
    tell(files, version, calls, count);
    warn_of_reload(conf);
    return true;
}

/* No core file, no /proc/PID/mem and no ptrace for others of the same user, no rights gained by execve. */
static bool keep_memory_private(void)
{
    const struct rlimit none = { 0 };
    if (setrlimit(RLIMIT_CORE, &none) != 0)
        return gh_sandbox_fail("core dumps cannot be turned off");
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return gh_sandbox_fail("memory cannot be closed to others (PR_SET_DUMPABLE)");
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return gh_sandbox_fail("new privileges cannot be refused (PR_SET_NO_NEW_PRIVS)");
    return true;
}

/* Asked of the kernel by doing what must not work, not of what the steps returned. */
static bool are_proven(enum gh_layer files, enum gh_layer calls)
{
    if (prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0 || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
        return gh_sandbox_fail("memory or privileges are not closed although the kernel said so");
    int root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root >= 0)
        (void)close(root);
    if (files == GH_LAYER_ON && root >= 0)
        return gh_sandbox_fail("files are not closed although landlock said so");
    if (calls == GH_LAYER_ON && (listen(-1, 0) == 0 || errno != EPERM))
        return gh_sandbox_fail("system calls are not closed although seccomp said so");
    return true;
}

static void tell(enum gh_layer files, int version, enum gh_layer calls, int count)
{
    char uid[16], landlock[32] = "not in this kernel", seccomp[32] = "not in this kernel";
    (void)snprintf(uid, sizeof(uid), "%u", (unsigned)geteuid());
    if (files == GH_LAYER_ON)
        (void)snprintf(landlock, sizeof(landlock), "version %d", version);
    if (calls == GH_LAYER_ON)
        (void)snprintf(seccomp, sizeof(seccomp), "%d system calls", count);
    gh_log(GH_LOG_INFO, "sandbox in force", GH_FIELD("uid", gh_str_from(uid)),
           GH_FIELD("capabilities", GH_STR("none")), GH_FIELD("no_new_privs", GH_STR("on")),
           GH_FIELD("core_dumps", GH_STR("off")), GH_FIELD("seccomp", gh_str_from(seccomp)),
           GH_FIELD("landlock", gh_str_from(landlock)));
    if (geteuid() == 0)
        gh_log(GH_LOG_WARN, "this runs as root: name a user in the settings, or start it as one");
}

/* Root could open what this user cannot: better known now than when the certificate was renewed. access(2)
 * asks for the user alone, not landlock, whose rules were just made of these names. */
static void warn_of_file(gh_str path)
{
    if (access(path.ptr, R_OK) != 0)
        gh_log(GH_LOG_WARN, "this user cannot read a file again: a reload will be refused",
               GH_FIELD("file", path), GH_FIELD("why", gh_str_from(strerror(errno))));
}

static void warn_of_reload(const struct gh_sandbox_conf *conf)
{
    if (conf->settings_file != NULL)
        warn_of_file(gh_str_from(conf->settings_file));
    for (const struct gh_conf_file *file = conf->files; file != NULL; file = file->next)
        if (!file->is_output)
            warn_of_file(file->path);
}

gh_str gh_sandbox_hint(void)
{
    return has_entered
               ? GH_STR(" (the sandbox opens folders that settings named at the start; others at a restart)")
               : GH_STR_NONE;
}
