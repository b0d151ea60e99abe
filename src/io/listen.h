/* io/listen.h: listening sockets: opened by the control thread, accepted from in a worker's loop. */
#ifndef GH_IO_LISTEN_H
#define GH_IO_LISTEN_H

#include "io/address.h"
#include "io/loop.h"

/* Opens a non-blocking, close-on-exec listening socket; SO_REUSEPORT for TCP so that each worker has its own
 * queue. -1 with errno on failure. A unix socket replaces a dead one of the same name, never a live one. */
int gh_listen_open(const struct gh_address *address, bool reuseport);
/* The same for another type than SOCK_STREAM. */
int gh_listen_open_as(const struct gh_address *address, int type, bool reuseport);
/* For this user alone: a unix socket of mode 0600, whatever the umask says. Before there are threads: it sets
 * the umask meanwhile. */
int gh_listen_open_private(const struct gh_address *address, int type);
/* Takes the rights of all others away from the socket file of an address that is bound already; true when
 * none has any (always, for what is no unix socket), false when its file is not there or not ours to change.
 */
bool gh_listen_make_private(const struct gh_address *address) GH_MUST_USE;
/* TCP_NODELAY for all that will be accepted from fd; done already by gh_listen_open. */
void gh_listen_set_nodelay(int fd);

struct gh_listener;
/* The callback owns the fd (non-blocking, close-on-exec, TCP_NODELAY). When descriptors run out, accepting
 * rests 100 ms. */
struct gh_listener *gh_listener_new(struct gh_loop *loop, int fd,
                                    void (*accepted)(void *ctx, int fd, const struct gh_address *peer),
                                    void *ctx);
/* Stops accepting; the socket stays open unless close_fd. */
void gh_listener_free(struct gh_listener *listener, bool close_fd);

#endif
