/* io/special.c: the address ranges that no fetched name may lead to. */
#include <string.h>
#include <sys/socket.h>

#include "io/address_bytes.h"

struct range {
    unsigned char net[16];
    unsigned char bits;
};

/* IANA IPv4 Special-Purpose Address Registry, and multicast. */
static const struct range v4[] = {
    { { 0 }, 8 },             /* this network */
    { { 10 }, 8 },            /* private use */
    { { 100, 64 }, 10 },      /* shared address space (carrier NAT) */
    { { 127 }, 8 },           /* loopback */
    { { 169, 254 }, 16 },     /* link local: cloud metadata */
    { { 172, 16 }, 12 },      /* private use */
    { { 192, 0, 0 }, 24 },    /* IETF protocol assignments */
    { { 192, 0, 2 }, 24 },    /* TEST-NET-1 */
    { { 192, 31, 196 }, 24 }, /* AS112-v4 */
    { { 192, 52, 193 }, 24 }, /* AMT */
    { { 192, 88, 99 }, 24 },  /* 6to4 relay anycast */
    { { 192, 168 }, 16 },     /* private use */
    { { 192, 175, 48 }, 24 }, /* direct delegation AS112 */
    { { 198, 18 }, 15 },      /* benchmarking */
    { { 198, 51, 100 }, 24 }, /* TEST-NET-2 */
    { { 203, 0, 113 }, 24 },  /* TEST-NET-3 */
    { { 224 }, 4 },           /* multicast */
    { { 240 }, 4 },           /* reserved, and limited broadcast */
};

/* IANA IPv6 Special-Purpose Address Registry. Global unicast is 2000::/3 alone (IPv6 address space registry):
 * the first three rows refuse all else, among it ::, ::1, v4-compatible and v4-mapped addresses, NAT64
 * (64:ff9b::/96 and 64:ff9b:1::/48), discard-only and dummy (100::/64, 100:0:0:1::/64), SRv6 (5f00::/16),
 * unique local (fc00::/7), link local (fe80::/10), site local (fec0::/10) and multicast (ff00::/8). */
static const struct range v6[] = {
    { { 0x00 }, 3 },
    { { 0x40 }, 2 },
    { { 0x80 }, 1 },
    { { 0x20, 0x01, 0x00 }, 23 },                   /* IETF protocol assignments: Teredo, ORCHID, AMT ... */
    { { 0x20, 0x01, 0x0d, 0xb8 }, 32 },             /* documentation */
    { { 0x20, 0x02 }, 16 },                         /* 6to4 */
    { { 0x26, 0x20, 0x00, 0x4f, 0x80, 0x00 }, 48 }, /* direct delegation AS112 */
    { { 0x3f, 0xff }, 20 },                         /* documentation */
};

bool gh_address_is_special(const struct gh_address *address)
{
    unsigned char bytes[16], first[16] = { 0 };
    if (!gh_address_bytes(address, bytes))
        return true;
    const struct range *rows = v6;
    size_t count = GH_ARRAY_LEN(v6);
    memcpy(first, bytes, 16);
    if (address->storage.ss_family == AF_INET) {
        memset(first, 0, 16);
        memcpy(first, bytes + 12, 4);
        rows = v4;
        count = GH_ARRAY_LEN(v4);
    }
    for (size_t i = 0; i < count; i++)
        if (gh_bytes_within(first, rows[i].net, rows[i].bits))
            return true;
    return false;
}
