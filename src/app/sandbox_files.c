/* app/sandbox_files.c: the files that can still be opened: beside those that the settings name, and what name
 * look-ups and TLS read of the system; by landlock, where the kernel has it. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/landlock.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "app/sandbox.h"
#include "base/str.h"

/* The kernel's headers of Debian 12 know version 2; these are its later ones (include/uapi/linux/landlock.h).
 */
struct ruleset {
    uint64_t handled_access_fs, handled_access_net, scoped;
};
#define FS_OF_1        ((1ull << 13) - 1)
#define FS_REFER       (1ull << 13)
#define FS_TRUNCATE    (1ull << 14)
#define FS_IOCTL_DEV   (1ull << 15)
#define NET_BIND_TCP   1ull
#define SCOPE_ABSTRACT 1ull
#define SCOPE_SIGNAL   2ull

#define READING (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define LOGGING (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG)
#define KEEPING (READING | LOGGING | LANDLOCK_ACCESS_FS_REMOVE_FILE | FS_TRUNCATE)
/* What a rule on a file, not a folder, may hold. */
#define FILE_RIGHTS (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | FS_TRUNCATE)

/* A ruleset, and the rights that this kernel knows: a rule with another one would be refused. */
struct rules {
    int fd;
    uint64_t handled;
};

static bool allow_all(const struct rules *rules, const struct gh_sandbox_conf *conf);
static bool allow_system(const struct rules *rules);
static bool allow_named(const struct rules *rules, const char *path, uint64_t rights);
static bool allow(const struct rules *rules, const char *path, uint64_t rights);

enum gh_layer gh_sandbox_close_files(const struct gh_sandbox_conf *conf, int *ret_version)
{
    long version = syscall(SYS_landlock_create_ruleset, NULL, (size_t)0, LANDLOCK_CREATE_RULESET_VERSION);
    if (version < 1) /* not built in, not switched on, or refused by whoever confines us already */
        return GH_LAYER_ABSENT;
    struct ruleset handled = { .handled_access_fs = FS_OF_1 };
    handled.handled_access_fs |= version >= 2 ? FS_REFER : 0;
    handled.handled_access_fs |= version >= 3 ? FS_TRUNCATE : 0;
    handled.handled_access_fs |= version >= 5 ? FS_IOCTL_DEV : 0;
    handled.handled_access_net = version >= 4 ? NET_BIND_TCP : 0;
    handled.scoped = version >= 6 ? SCOPE_ABSTRACT | SCOPE_SIGNAL : 0;
    const struct rules rules = { (int)syscall(SYS_landlock_create_ruleset, &handled, sizeof(handled), 0u),
                                 handled.handled_access_fs };
    bool closed =
        rules.fd >= 0 && allow_all(&rules, conf) && syscall(SYS_landlock_restrict_self, rules.fd, 0u) == 0;
    if (!closed)
        (void)gh_sandbox_fail("files cannot be closed (landlock)");
    if (rules.fd >= 0)
        (void)close(rules.fd);
    *ret_version = (int)version;
    return closed ? GH_LAYER_ON : GH_LAYER_FAILED;
}

static bool allow_all(const struct rules *rules, const struct gh_sandbox_conf *conf)
{
    bool done = allow_system(rules) &&
                (conf->settings_file == NULL || allow_named(rules, conf->settings_file, READING));
    for (const struct gh_conf_file *file = conf->files; done && file != NULL; file = file->next)
        done = allow_named(rules, file->path.ptr,
                           file->is_state    ? KEEPING
                           : file->is_output ? LOGGING
                                             : READING);
    return done;
}

/* Name look-ups may load libraries late; certificates of the system stand here or there by distribution. */
static bool allow_system(const struct rules *rules)
{
    static const char *const read[] = {
        "/etc/ssl",
        "/etc/pki",
        "/etc/ca-certificates",
        "/usr/share/ca-certificates",
        "/usr/local/share/ca-certificates",
        "/usr/lib/ssl",
        "/usr/lib",
        "/usr/lib64",
        "/lib",
        "/lib64",
        "/etc/ld.so.cache",
        "/etc/host.conf",
        "/etc/gai.conf",
        "/etc/nsswitch.conf",
        "/etc/services",
        "/etc/localtime",
        "/dev/null",
        "/dev/urandom",
    };
    bool done = allow_named(rules, "/etc/resolv.conf", READING) && allow_named(rules, "/etc/hosts", READING);
    for (size_t i = 0; done && i < GH_ARRAY_LEN(read); i++)
        done = allow(rules, read[i], READING);
    if (done && GH_SANITIZED) /* they read their own maps and threads */
        done = allow(rules, "/proc", READING);
    return done;
}

/* A mount point cannot be replaced by renaming another file over it. */
static bool is_replaceable(const char *path)
{
    struct statx facts;
    return statx(AT_FDCWD, path, 0, STATX_TYPE, &facts) == 0 && S_ISREG(facts.stx_mode) &&
           (facts.stx_attributes & STATX_ATTR_MOUNT_ROOT) == 0;
}

/* The folder `path` is in; but not "/", which would hold everything. */
static bool allow_folder(const struct rules *rules, const char *path, uint64_t rights)
{
    char copy[PATH_MAX];
    if (strlen(path) >= sizeof(copy))
        return true;
    (void)strcpy(copy, path);
    const char *folder = dirname(copy);
    return strcmp(folder, "/") == 0 || allow(rules, folder, rights);
}

/* A renewed certificate, a rotated log, a new resolv.conf is another file under the old name: a rule on the
 * file itself would end with it. So the folder is opened, where it is named and where its links lead. */
static bool allow_named(const struct rules *rules, const char *path, uint64_t rights)
{
    char real[PATH_MAX];
    if (!allow(rules, path, rights))
        return false;
    if (realpath(path, real) == NULL || !is_replaceable(real))
        return true;
    return allow_folder(rules, path, rights) && allow_folder(rules, real, rights);
}

/* What is not there, or not for this user, needs no rule. */
static bool allow(const struct rules *rules, const char *path, uint64_t rights)
{
    struct stat facts;
    int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0)
        return true;
    struct landlock_path_beneath_attr rule = { .allowed_access = rights & rules->handled, .parent_fd = fd };
    if (fstat(fd, &facts) != 0 || !S_ISDIR(facts.st_mode))
        rule.allowed_access &= FILE_RIGHTS;
    long failed = syscall(SYS_landlock_add_rule, rules->fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0u);
    int why = errno;
    (void)close(fd);
    errno = why;
    return failed == 0 || why == EBADFD; /* a pipe: landlock does not know it, and does not refuse it */
}
