/* io/address.h: socket addresses: read from settings, written for logs, matched against CIDR lists,
 * special-use checks. */
#ifndef GH_IO_ADDRESS_H
#define GH_IO_ADDRESS_H

#include <sys/socket.h>

#include "gatehouse/reason.h"

struct gh_address {
    struct sockaddr_storage storage;
    socklen_t len;
};

/* "127.0.0.1:80", "[::1]:80", "unix:/path". GH_SETTINGS_INVALID otherwise. */
GH_MUST_USE enum gh_reason gh_address_read(gh_str text, struct gh_address *ret_address);
/* Without port ("127.0.0.1", "::1", "unix"); v4-mapped v6 as v4. At most 64 bytes with the NUL. */
#define GH_ADDRESS_TEXT 64
size_t gh_address_ip_text(const struct gh_address *address, char *out);
/* Whose limits an IP address counts in, as 16 bytes, v4 as v4-mapped: its own; an IPv6 one in those of its
 * /64, because a client may take any address below. False: no IP address (a unix socket). */
bool gh_address_bound_bytes(gh_str ip, unsigned char out[16]);
/* The same as text ("192.0.2.1", "2001:db8::/64"); what is no IP address as it is. */
size_t gh_address_bound_text(gh_str ip, char *out);
uint16_t gh_address_port(const struct gh_address *address);
bool gh_address_is_loopback(const struct gh_address *address);
/* True for a unix socket, as for loopback. Any IANA special-purpose range (RFC 6890 and its registries):
 * loopback, private, link-local, NAT64, 6to4, metadata... */
bool gh_address_is_special(const struct gh_address *address);

struct gh_cidr {
    unsigned char bytes[16]; /* v4 as v4-mapped */
    unsigned bits;           /* of 128 */
};
/* "10.0.0.0/8", "::1", "fd00::/8"; host bits must be zero. */
GH_MUST_USE enum gh_reason gh_cidr_read(gh_str text, struct gh_cidr *ret_cidr);
struct gh_cidrs {
    const struct gh_cidr *at;
    size_t count;
};
bool gh_cidrs_have(struct gh_cidrs list, const struct gh_address *address);

/* Who connected to a unix socket; -1 for others, or when the system does not say. */
int64_t gh_peer_uid(int fd, const struct gh_address *peer);
/* Who may do here what this process may do anyway: its own user, and root. */
bool gh_uid_is_ours(int64_t uid);

#endif
