/* front/proxy_header.c: the PROXY protocol, versions 1 and 2, strict; only trusted proxies may speak it. */
#include <arpa/inet.h>
#include <netinet/in.h>

#include "base/str.h"
#include "front/client.h"

#define V1_MAX 107
#define V2_MAX 536

static const char v2_signature[12] = { '\r', '\n', '\r', '\n', '\0', '\r', '\n', 'Q', 'U', 'I', 'T', '\n' };

static void set_v4(struct gh_address *address, const void *ip, uint16_t port_be)
{
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = port_be };
    memcpy(&in.sin_addr, ip, sizeof(in.sin_addr));
    memcpy(&address->storage, &in, sizeof(in));
    address->len = sizeof(in);
}

static void set_v6(struct gh_address *address, const void *ip, uint16_t port_be)
{
    struct sockaddr_in6 in = { .sin6_family = AF_INET6, .sin6_port = port_be };
    memcpy(&in.sin6_addr, ip, sizeof(in.sin6_addr));
    memcpy(&address->storage, &in, sizeof(in));
    address->len = sizeof(in);
}

/* "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n" */
static bool read_v1_fields(gh_str line, struct gh_address *ret_peer)
{
    gh_str part[6];
    size_t count = 0;
    while (line.ptr != NULL && count < 6)
        part[count++] = gh_str_cut(&line, ' ');
    if (count >= 2 && gh_str_eq(part[1], GH_STR("UNKNOWN")))
        return true;
    uint64_t source_port, target_port;
    if (count != 6 || line.ptr != NULL || part[2].len >= INET6_ADDRSTRLEN ||
        !gh_str_to_u64(part[4], &source_port) || !gh_str_to_u64(part[5], &target_port) ||
        source_port > 65535 || target_port > 65535)
        return false;
    char text[INET6_ADDRSTRLEN] = { 0 };
    memcpy(text, part[2].ptr, part[2].len);
    struct in_addr v4;
    struct in6_addr v6;
    if (gh_str_eq(part[1], GH_STR("TCP4")) && inet_pton(AF_INET, text, &v4) == 1)
        set_v4(ret_peer, &v4, htons((uint16_t)source_port));
    else if (gh_str_eq(part[1], GH_STR("TCP6")) && inet_pton(AF_INET6, text, &v6) == 1)
        set_v6(ret_peer, &v6, htons((uint16_t)source_port));
    else
        return false;
    return true;
}

static enum gh_proxy_read read_v1(gh_str bytes, size_t *ret_used, struct gh_address *ret_peer)
{
    size_t end = gh_str_find(bytes, '\n');
    if (end == bytes.len)
        return bytes.len < V1_MAX ? GH_PROXY_MORE : GH_PROXY_BAD;
    if (end >= V1_MAX || end == 0 || bytes.ptr[end - 1] != '\r')
        return GH_PROXY_BAD;
    *ret_used = end + 1;
    return read_v1_fields(gh_str_take(bytes, end - 1), ret_peer) ? GH_PROXY_DONE : GH_PROXY_BAD;
}

static enum gh_proxy_read read_v2(gh_str bytes, size_t *ret_used, struct gh_address *ret_peer)
{
    if (bytes.len < 16)
        return GH_PROXY_MORE;
    const unsigned char *at = (const unsigned char *)bytes.ptr;
    size_t len = (size_t)at[14] << 8 | at[15];
    unsigned command = at[12] & 15, family = at[13];
    if ((at[12] >> 4) != 2 || command > 1 || len + 16 > V2_MAX)
        return GH_PROXY_BAD;
    if (bytes.len < 16 + len)
        return GH_PROXY_MORE;
    *ret_used = 16 + len;
    if (command == 0) /* LOCAL: a health check of the proxy itself */
        return GH_PROXY_DONE;
    uint16_t port;
    if (family == 0x11 && len >= 12) {
        memcpy(&port, at + 24, sizeof(port));
        set_v4(ret_peer, at + 16, port);
    } else if (family == 0x21 && len >= 36) {
        memcpy(&port, at + 48, sizeof(port));
        set_v6(ret_peer, at + 16, port);
    } else if (family != 0) {
        return GH_PROXY_BAD;
    }
    return GH_PROXY_DONE;
}

enum gh_proxy_read gh_proxy_header_read(gh_str bytes, size_t *ret_used, struct gh_address *ret_peer)
{
    static const gh_str v1 = GH_STR_INIT("PROXY ");
    const gh_str v2 = gh_str_of(v2_signature, sizeof(v2_signature));
    if (gh_str_starts(bytes, v1))
        return read_v1(bytes, ret_used, ret_peer);
    if (gh_str_starts(bytes, v2))
        return read_v2(bytes, ret_used, ret_peer);
    bool may_become = gh_str_starts(v1, bytes) || gh_str_starts(v2, bytes);
    return may_become ? GH_PROXY_MORE : GH_PROXY_BAD;
}
