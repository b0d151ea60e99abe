/* io/address_bytes.h: IP addresses as 16 bytes, for the files of this folder that compare them. */
#ifndef GH_IO_ADDRESS_BYTES_H
#define GH_IO_ADDRESS_BYTES_H

#include "io/address.h"

/* RFC 4291 section 2.5.5.2: ::ffff:0:0/96. */
#define GH_MAPPED_PREFIX "\0\0\0\0\0\0\0\0\0\0\xff\xff"

bool gh_address_bytes(const struct gh_address *address, unsigned char out[16]);
bool gh_bytes_within(const unsigned char bytes[16], const unsigned char net[16], unsigned bits);
void gh_address_of_ip(bool v6, const void *bytes, uint16_t port, struct gh_address *ret_address);
/* "127.0.0.1", "::1" or "[::1]"; false for names. */
bool gh_address_of_literal(gh_str host, uint16_t port, struct gh_address *ret_address);

#endif
