/* io/resolve.h: names to addresses on an offload thread; never on a worker. */
#ifndef GH_IO_RESOLVE_H
#define GH_IO_RESOLVE_H

#include "io/address.h"
#include "io/offload.h"

#define GH_RESOLVE_MAX 8

/* Blocking; for start-up and for offload threads. Literals are answered without asking. At most
 * GH_RESOLVE_MAX. */
size_t gh_resolve_now(gh_str host, uint16_t port, struct gh_address *ret_addresses);

/* Asks on an offload thread; `done` runs in the loop of `reply_to` with count 0 on failure. False when the
 * queue is full. */
bool gh_resolve_later(struct gh_offload *offload, struct gh_mailbox *reply_to, gh_str host, uint16_t port,
                      void (*done)(void *ctx, const struct gh_address *addresses, size_t count), void *ctx)
    GH_MUST_USE;

#endif
