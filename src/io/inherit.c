/* io/inherit.c: a set of listening sockets, told apart by their inodes and found by their addresses. */
#include "io/inherit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/str.h"
#include "io/listen.h"

/* sd_listen_fds(3): "The first file descriptor may be found at file descriptor number 3". */
#define FIRST   3
#define FDS_MAX 1024

static void never_wait(int fd);
static bool is_there(const struct gh_inherited *set, int fd);
static bool does_listen(int fd);
static bool is_bound_to(int fd, const struct gh_address *address);

static bool number_from(const char *name, uint64_t *ret_value)
{
    const char *text = getenv(name);
    return text != NULL && gh_str_to_u64(gh_str_from(text), ret_value);
}

bool gh_inherited_from_environment(struct gh_inherited *set)
{
    uint64_t pid, count;
    bool ours = number_from("LISTEN_PID", &pid) && pid == (uint64_t)getpid() &&
                number_from("LISTEN_FDS", &count) && count <= FDS_MAX;
    (void)unsetenv("LISTEN_PID");
    (void)unsetenv("LISTEN_FDS");
    (void)unsetenv("LISTEN_FDNAMES");
    bool added = true;
    for (int i = 0; ours && i < (int)count; i++)
        added = gh_inherited_add(set, FIRST + i) && added;
    return added;
}

bool gh_inherited_add(struct gh_inherited *set, int fd)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0)
        return true; /* no descriptor at all */
    if (!does_listen(fd) || is_there(set, fd) || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
        fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
        (void)close(fd);
        return true;
    }
    if (set->count == set->cap) {
        size_t cap = set->cap != 0 ? set->cap * 2 : 16;
        int *grown = gh_malloc(cap * sizeof(*grown));
        if (grown == NULL) {
            (void)close(fd);
            return false;
        }
        if (set->count > 0)
            memcpy(grown, set->fds, set->count * sizeof(*grown));
        free(set->fds);
        set->fds = grown;
        set->cap = cap;
    }
    never_wait(fd);
    gh_listen_set_nodelay(fd); /* refused by unix sockets, which have no delay */
    set->fds[set->count++] = fd;
    return true;
}

/* O_NONBLOCK belongs to all who share the socket, and any of them can take it away (systemd does, for a
 * service without NonBlocking=): a limit on the wait for connections cannot be meant by anybody else. */
static void never_wait(int fd)
{
    const struct timeval least = { .tv_usec = 1 };
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &least, sizeof(least));
}

static bool is_there(const struct gh_inherited *set, int fd)
{
    struct stat new, old;
    if (fstat(fd, &new) != 0)
        return false;
    for (size_t i = 0; i < set->count; i++)
        if (fstat(set->fds[i], &old) == 0 && old.st_dev == new.st_dev && old.st_ino == new.st_ino)
            return true;
    return false;
}

static bool does_listen(int fd)
{
    int listening = 0;
    socklen_t len = sizeof(listening);
    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) == 0 && listening != 0;
}

int gh_inherited_take(struct gh_inherited *set, const struct gh_address *address, int type)
{
    for (size_t i = 0; i < set->count; i++) {
        int fd = set->fds[i], its_type = 0;
        socklen_t len = sizeof(its_type);
        if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &its_type, &len) != 0 || its_type != type ||
            !is_bound_to(fd, address))
            continue;
        memmove(&set->fds[i], &set->fds[i + 1], (set->count - i - 1) * sizeof(set->fds[0]));
        set->count--;
        return fd;
    }
    return -1;
}

static bool is_bound_to(int fd, const struct gh_address *address)
{
    struct gh_address bound = { .len = sizeof(bound.storage) };
    if (getsockname(fd, (struct sockaddr *)&bound.storage, &bound.len) != 0 ||
        bound.storage.ss_family != address->storage.ss_family)
        return false;
    if (bound.storage.ss_family == AF_UNIX) {
        struct sockaddr_un a = { 0 }, b = { 0 };
        memcpy(&a, &bound.storage, bound.len < sizeof(a) ? bound.len : sizeof(a) - 1);
        memcpy(&b, &address->storage, sizeof(b));
        return strncmp(a.sun_path, b.sun_path, sizeof(a.sun_path)) == 0;
    }
    char here[GH_ADDRESS_TEXT], there[GH_ADDRESS_TEXT];
    gh_address_ip_text(&bound, here);
    gh_address_ip_text(address, there);
    return strcmp(here, there) == 0 && gh_address_port(&bound) == gh_address_port(address);
}

void gh_inherited_done(struct gh_inherited *set)
{
    for (size_t i = 0; i < set->count; i++)
        (void)close(set->fds[i]);
    free(set->fds);
    *set = (struct gh_inherited){ 0 };
}
