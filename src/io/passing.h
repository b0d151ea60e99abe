/* io/passing.h: short messages with descriptors in them, between two processes on this machine. */
#ifndef GH_IO_PASSING_H
#define GH_IO_PASSING_H

#include <sys/types.h>

#include "io/address.h"

/* Over a SOCK_SEQPACKET unix socket: a message is a word and at most GH_PASSED_MAX descriptors (the kernel's
 * SCM_MAX_FD), whole or not at all. */
#define GH_PASSED_MAX  253
#define GH_PASSED_WORD 32
struct gh_passed {
    char word[GH_PASSED_WORD]; /* with NUL */
    int fds[GH_PASSED_MAX];
    size_t count;
};

/* -1 with errno (ENOENT, ECONNREFUSED: nobody listens there). Blocking, and waits at most `wait_ms` for each
 * message. */
int gh_pass_connect(const struct gh_address *address, int wait_ms);
/* Opens the listening side: non-blocking, mode 0600. -1 with errno. Before there are threads: it sets the
 * umask. */
int gh_pass_listen(const struct gh_address *address);
/* Who is at the other end: for the listening side who connected, for the connecting side who listened. */
bool gh_pass_peer(int fd, uid_t *ret_uid, pid_t *ret_pid) GH_MUST_USE;

bool gh_pass_send(int fd, const char *word, const int *fds, size_t count) GH_MUST_USE;
/* The descriptors are the caller's, close-on-exec. False at the end, on errors, on a cut message (its
 * descriptors are closed), and with errno EAGAIN when nothing has come yet. */
bool gh_pass_receive(int fd, struct gh_passed *ret_passed) GH_MUST_USE;
void gh_passed_close(struct gh_passed *passed);

#endif
