/* app/sandbox_user.c: who the process is: one user, its primary group, no capability. */
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "app/sandbox.h"
#include "base/str.h"

/* Refused where we have no right to it; then no_new_privs, which comes later, makes the bounds worthless. */
void gh_sandbox_close_bounds(void)
{
    for (unsigned long one = 0; prctl(PR_CAPBSET_READ, one, 0, 0, 0) >= 0; one++)
        (void)prctl(PR_CAPBSET_DROP, one, 0, 0, 0);
}

static bool is_only(uid_t uid, gid_t gid)
{
    uid_t users[3];
    gid_t groups[3];
    if (getresuid(&users[0], &users[1], &users[2]) != 0 || getresgid(&groups[0], &groups[1], &groups[2]) != 0)
        return false;
    for (int i = 0; i < 3; i++)
        if (users[i] != uid || groups[i] != gid)
            return false;
    return getgroups(0, NULL) == 0;
}

static bool refuse(gh_str user, const char *why)
{
    (void)fprintf(stderr, "gatehouse: user: %.*s: %s\n", GH_STR_FMT(user), why);
    return false;
}

static const struct passwd *account_of(gh_str user)
{
    errno = 0;
    const struct passwd *account = getpwnam(user.ptr);
    if (account == NULL)
        (void)refuse(user, errno != 0 ? strerror(errno) : "no such user");
    return account;
}

bool gh_sandbox_open_as(gh_str user)
{
    if (user.len == 0 || geteuid() != 0)
        return true;
    const struct passwd *account = account_of(user);
    if (account == NULL)
        return false;
    if (setgroups(0, NULL) != 0)
        return refuse(user, strerror(errno));
    /* Neither says whether it worked; asked for an impossible one, they answer who it is. */
    (void)setfsgid(account->pw_gid);
    (void)setfsuid(account->pw_uid);
    return (gid_t)setfsgid((gid_t)-1) == account->pw_gid && (uid_t)setfsuid((uid_t)-1) == account->pw_uid;
}

void gh_sandbox_open_as_before(void)
{
    (void)setfsuid(geteuid());
    (void)setfsgid(getegid());
}

bool gh_sandbox_become(gh_str user)
{
    if (user.len == 0) {
        /* In a user namespace this may be refused; nothing was promised then. */
        if (geteuid() == 0)
            (void)setgroups(0, NULL);
        return true;
    }
    const struct passwd *account = account_of(user);
    if (account == NULL)
        return false;
    uid_t uid = account->pw_uid;
    gid_t gid = account->pw_gid;
    if (geteuid() != 0 && geteuid() == uid && getuid() == uid)
        return true; /* started as that user; its groups are what it was given */
    if (setgroups(0, NULL) != 0 || setresgid(gid, gid, gid) != 0 || setresuid(uid, uid, uid) != 0)
        return refuse(user, strerror(errno));
    if (!is_only(uid, gid) || (uid != 0 && (setuid(0) == 0 || setgid(0) == 0)))
        return refuse(user, "the way back to root is not closed");
    return true;
}

bool gh_sandbox_drop_capabilities(void)
{
    struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { { 0 } };
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0,
                0); /* they go with the permitted ones anyway */
    if (syscall(SYS_capset, &head, none) != 0)
        return gh_sandbox_fail("capabilities cannot be dropped");
    struct __user_cap_data_struct left[_LINUX_CAPABILITY_U32S_3];
    if (syscall(SYS_capget, &head, left) != 0 || memcmp(left, none, sizeof(none)) != 0)
        return gh_sandbox_fail("capabilities are left although they were dropped");
    return true;
}
