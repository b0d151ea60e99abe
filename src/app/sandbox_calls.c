/* app/sandbox_calls.c: the system calls that are left: what runs after the start, with the arguments it
 * needs. */
#include <errno.h>
#include <linux/sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "app/sandbox.h"
#include "base/str.h"

/* Whoever adds code that makes a new call adds it here; what stands nowhere fails with EPERM. Not here on
 * purpose: listen (every listening socket is there before), fork, kill, io_uring. */
static const char *const allowed[] = {
    /* descriptors */
    "read readv pread64 write writev lseek close dup fcntl fcntl64 pipe2 eventfd2",
    /* files: the user and landlock decide which */
    "open openat stat fstat lstat newfstatat statx access faccessat faccessat2 readlink readlinkat",
    "getdents64 getcwd fadvise64 statfs fstatfs",
    /* sockets; bind is for the netlink socket of getaddrinfo */
    "connect accept accept4 bind shutdown sendto sendmsg sendmmsg recvfrom recvmsg recvmmsg",
    "getsockname getpeername getsockopt setsockopt",
    /* waiting */
    "epoll_create1 epoll_ctl epoll_wait epoll_pwait poll ppoll select pselect6 nanosleep clock_nanosleep",
    "restart_syscall",
    /* memory; mmap and mprotect stand below */
    "brk munmap mremap madvise membarrier",
    /* threads and signals; clone stands below */
    "futex set_robust_list rseq set_tid_address gettid sched_yield sched_getaffinity exit exit_group",
    "rt_sigaction rt_sigprocmask rt_sigreturn sigaltstack",
    /* facts */
    "clock_gettime clock_getres gettimeofday time getpid getppid getuid geteuid getgid getegid getresuid",
    "getresgid getrandom getrlimit getrusage sysinfo uname",
};

/* Only where the settings keep state: files are made, replaced, and on the disk before anybody is told. */
static const char *const keeping[] = {
    "pwrite64 fsync fdatasync ftruncate unlink unlinkat rename renameat renameat2 fchmod fchown flock",
};

/* The sanitizers' own: the leak check stops all threads from a process beside ours. In no other build. */
static const char *const sanitizers[] = {
    "clone prctl ptrace wait4 getdents tgkill kill pipe dup2 mincore setrlimit prlimit64 personality",
};

/* No honest code of ours comes here: whoever does has taken the process over, and it ends. */
static const char *const deadly[] = {
    "execve execveat process_vm_readv process_vm_writev bpf mount umount2 pivot_root chroot setns unshare",
    "userfaultfd perf_event_open init_module finit_module kexec_load kexec_file_load",
};

/* Callers take an older call when these are said not to be there. */
static const char *const missing[] = { "clone3 openat2 epoll_pwait2" };

#define NAMESPACES                                                                                           \
    (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |            \
     CLONE_NEWNET)
#define THREAD (CLONE_VM | CLONE_SIGHAND | CLONE_THREAD)
#define W_X    (PROT_WRITE | PROT_EXEC)
#define ALL    UINT32_MAX /* of what the kernel reads as an int */

/* Of one argument, the bits of `mask` must be `value`. */
static const struct {
    const char *call;
    unsigned argument;
    uint64_t mask, value;
} allowed_when[] = {
    { "socket", 0, ALL, AF_UNIX },
    { "socket", 0, ALL, AF_INET },
    { "socket", 0, ALL, AF_INET6 },
    { "socket", 0, ALL, AF_NETLINK },
    { "socketpair", 0, ALL, AF_UNIX },
    /* Threads, no processes. clone3, whose flags no filter can read, is said not to be there. */
    { "clone", 0, THREAD | NAMESPACES, THREAD },
    /* Memory is writable or executable, not both and not one after the other. Name services may still load
     * their libraries. */
    { "mmap", 2, W_X, 0 },
    { "mmap", 2, W_X, PROT_WRITE },
    { "mmap", 2, W_X, PROT_EXEC },
    { "mprotect", 2, PROT_EXEC, 0 },
    { "ioctl", 1, ALL, FIONBIO },
    { "ioctl", 1, ALL, FIONREAD },
    { "ioctl", 1, ALL, TCGETS },
    { "prlimit64", 2, UINT64_MAX, 0 }, /* reads a limit */
    { "prctl", 0, ALL, PR_SET_NAME },
    { "prctl", 0, ALL, PR_GET_DUMPABLE },
    { "prctl", 0, ALL, PR_GET_NO_NEW_PRIVS },
};

static bool added(int failed)
{
    errno = -failed;
    return failed == 0;
}

static bool add(scmp_filter_ctx filter, uint32_t action, const char *name, unsigned count,
                const struct scmp_arg_cmp *when)
{
    int number = seccomp_syscall_resolve_name(name);
    if (number == __NR_SCMP_ERROR)
        return added(-EDOM); /* a slip in the tables */
    return added(seccomp_rule_add_array(filter, action, number, count, when));
}

/* Words of the tables above; `ret_count` grows. */
static bool add_words(scmp_filter_ctx filter, uint32_t action, gh_str words, int *ret_count)
{
    while (words.len > 0) {
        char name[32] = { 0 };
        gh_str word = gh_str_take(words, gh_str_find(words, ' '));
        if (word.len >= sizeof(name))
            return added(-EDOM);
        memcpy(name, word.ptr, word.len);
        if (!add(filter, action, name, 0, NULL))
            return false;
        (*ret_count)++;
        words = gh_str_skip(words, word.len + 1);
    }
    return true;
}

static bool add_all(scmp_filter_ctx filter, uint32_t action, const char *const *lines, size_t count,
                    int *ret_count)
{
    for (size_t i = 0; i < count; i++)
        if (!add_words(filter, action, gh_str_from(lines[i]), ret_count))
            return false;
    return true;
}

static bool add_conditions(scmp_filter_ctx filter)
{
    for (size_t i = 0; i < GH_ARRAY_LEN(allowed_when); i++) {
        const struct scmp_arg_cmp when = { .arg = allowed_when[i].argument,
                                           .op = SCMP_CMP_MASKED_EQ,
                                           .datum_a = allowed_when[i].mask,
                                           .datum_b = allowed_when[i].value };
        if (!add(filter, SCMP_ACT_ALLOW, allowed_when[i].call, 1, &when))
            return false;
    }
    /* abort(3) signals its own process. */
    const struct scmp_arg_cmp ours = { .op = SCMP_CMP_EQ, .datum_a = (scmp_datum_t)getpid() };
    return add(filter, SCMP_ACT_ALLOW, "tgkill", 1, &ours);
}

static bool keeps_state(const struct gh_sandbox_conf *conf)
{
    for (const struct gh_conf_file *file = conf->files; file != NULL; file = file->next)
        if (file->is_state)
            return true;
    return false;
}

static bool add_rules(scmp_filter_ctx filter, const struct gh_sandbox_conf *conf, int *ret_count)
{
    int other = 0;
    if (keeps_state(conf) && !add_all(filter, SCMP_ACT_ALLOW, keeping, GH_ARRAY_LEN(keeping), ret_count))
        return false;
    if (GH_SANITIZED && !add_all(filter, SCMP_ACT_ALLOW, sanitizers, GH_ARRAY_LEN(sanitizers), &other))
        return false;
    if (!GH_SANITIZED && !add(filter, SCMP_ACT_KILL_PROCESS, "ptrace", 0, NULL))
        return false;
    return add_all(filter, SCMP_ACT_KILL_PROCESS, deadly, GH_ARRAY_LEN(deadly), &other) &&
           add_all(filter, SCMP_ACT_ERRNO(ENOSYS), missing, GH_ARRAY_LEN(missing), &other) &&
           add_all(filter, SCMP_ACT_ALLOW, allowed, GH_ARRAY_LEN(allowed), ret_count) &&
           add_conditions(filter);
}

/* A thread that some library has started is taken along, or the load fails. */
static bool load(scmp_filter_ctx filter, const struct gh_sandbox_conf *conf, int *ret_count)
{
    return added(seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1)) &&
           added(seccomp_attr_set(filter, SCMP_FLTATR_API_SYSRAWRC, 1)) &&
           add_rules(filter, conf, ret_count) && added(seccomp_load(filter));
}

enum gh_layer gh_sandbox_close_calls(const struct gh_sandbox_conf *conf, int *ret_count)
{
    if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) < 0 && errno == EINVAL)
        return GH_LAYER_ABSENT;
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    errno = ENOMEM;
    int count = (int)GH_ARRAY_LEN(allowed_when);
    bool loaded = filter != NULL && load(filter, conf, &count);
    if (!loaded)
        (void)gh_sandbox_fail("system calls cannot be closed (seccomp)");
    else
        *ret_count = count;
    seccomp_release(filter);
    return loaded ? GH_LAYER_ON : GH_LAYER_FAILED;
}
