/* io/inherit.h: listening sockets that somebody else has opened: the service manager, or the process before
 * us. */
#ifndef GH_IO_INHERIT_H
#define GH_IO_INHERIT_H

#include "io/address.h"

/* Each socket once, however many descriptors of it came. Connections wait in a socket's own queue: one that
 * is closed loses them, and one that nobody accepts from keeps them for ever. */
struct gh_inherited {
    int *fds;
    size_t count, cap;
};

/* Adds what sd_listen_fds(3) says (LISTEN_PID, LISTEN_FDS), once: the variables are taken out of the
 * environment. False when out of memory. */
bool gh_inherited_from_environment(struct gh_inherited *set) GH_MUST_USE;
/* Takes fd over: makes it non-blocking and close-on-exec, or closes it when it does not listen or its socket
 * is there already. False when out of memory (fd is closed). */
bool gh_inherited_add(struct gh_inherited *set, int fd) GH_MUST_USE;
/* Takes one socket of that type whose local address is `address` out of the set: the caller's from then on;
 * -1 when there is none. */
int gh_inherited_take(struct gh_inherited *set, const struct gh_address *address, int type);
/* Closes what nobody has taken. */
void gh_inherited_done(struct gh_inherited *set);

#endif
