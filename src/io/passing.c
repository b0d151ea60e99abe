/* io/passing.c: SCM_RIGHTS and SO_PEERCRED. */
#include "io/passing.h"

#include <errno.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "io/listen.h"

int gh_pass_connect(const struct gh_address *address, int wait_ms)
{
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    const struct timeval wait = { .tv_sec = wait_ms / 1000, .tv_usec = wait_ms % 1000 * 1000 };
    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) == 0 &&
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)) == 0 &&
        connect(fd, (const struct sockaddr *)&address->storage, address->len) == 0)
        return fd;
    int why = errno;
    (void)close(fd);
    errno = why;
    return -1;
}

int gh_pass_listen(const struct gh_address *address)
{
    return gh_listen_open_private(address, SOCK_SEQPACKET);
}

bool gh_pass_peer(int fd, uid_t *ret_uid, pid_t *ret_pid)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0)
        return false;
    *ret_uid = peer.uid;
    *ret_pid = peer.pid;
    return true;
}

/* Room for the descriptors of one message, aligned as the kernel wants it. */
union control {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(int) * GH_PASSED_MAX)];
};

bool gh_pass_send(int fd, const char *word, const int *fds, size_t count)
{
    union control control;
    struct iovec text = { .iov_base = (char *)(uintptr_t)word, .iov_len = strlen(word) };
    struct msghdr message = { .msg_iov = &text, .msg_iovlen = 1 };
    if (count > GH_PASSED_MAX)
        return false;
    if (count > 0) {
        memset(&control, 0, sizeof(control));
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * count);
        struct cmsghdr *head = CMSG_FIRSTHDR(&message);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(sizeof(int) * count);
        memcpy(CMSG_DATA(head), fds, sizeof(int) * count);
    }
    ssize_t sent;
    do
        sent = sendmsg(fd, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent == (ssize_t)text.iov_len;
}

static void take_fds(struct msghdr *message, struct gh_passed *passed)
{
    for (struct cmsghdr *head = CMSG_FIRSTHDR(message); head != NULL; head = CMSG_NXTHDR(message, head)) {
        if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        memcpy(passed->fds + passed->count, CMSG_DATA(head), count * sizeof(int));
        passed->count += count;
    }
}

bool gh_pass_receive(int fd, struct gh_passed *ret_passed)
{
    union control control;
    struct gh_passed passed = { .count = 0 };
    struct iovec text = { .iov_base = passed.word, .iov_len = sizeof(passed.word) - 1 };
    struct msghdr message = { .msg_iov = &text,
                              .msg_iovlen = 1,
                              .msg_control = control.bytes,
                              .msg_controllen = sizeof(control.bytes) };
    ssize_t got;
    do
        got = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return false;
    take_fds(&message, &passed);
    if (got == 0 || (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
        gh_passed_close(&passed);
        errno = got == 0 ? ECONNRESET : EMSGSIZE;
        return false;
    }
    *ret_passed = passed;
    return true;
}

void gh_passed_close(struct gh_passed *passed)
{
    for (size_t i = 0; i < passed->count; i++)
        (void)close(passed->fds[i]);
    passed->count = 0;
}
