/* io/address.c: socket addresses as text, and CIDR lists. */
#include "io/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/str.h"
#include "io/address_bytes.h"

static bool read_ip(gh_str text, bool *ret_v6, void *ret_bytes);
static enum gh_reason read_unix(gh_str path, struct gh_address *ret_address);

enum gh_reason gh_address_read(gh_str text, struct gh_address *ret_address)
{
    if (gh_str_starts(text, GH_STR("unix:")))
        return read_unix(gh_str_skip(text, 5), ret_address);
    size_t colon = gh_str_rfind(text, ':');
    gh_str host = gh_str_take(text, colon);
    bool bracketed = host.len >= 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']';
    if (bracketed)
        host = gh_str_of(host.ptr + 1, host.len - 2);
    uint64_t port;
    bool v6;
    unsigned char bytes[16];
    if (colon == text.len || !gh_str_to_u64(gh_str_skip(text, colon + 1), &port) || port > 65535 ||
        !read_ip(host, &v6, bytes) || v6 != bracketed)
        return GH_SETTINGS_INVALID;
    gh_address_of_ip(v6, bytes, (uint16_t)port, ret_address);
    return GH_OK;
}

void gh_address_of_ip(bool v6, const void *bytes, uint16_t port, struct gh_address *ret_address)
{
    memset(ret_address, 0, sizeof(*ret_address));
    if (v6) {
        struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
        memcpy(&in6.sin6_addr, bytes, 16);
        memcpy(&ret_address->storage, &in6, sizeof(in6));
        ret_address->len = sizeof(in6);
    } else {
        struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };
        memcpy(&in.sin_addr, bytes, 4);
        memcpy(&ret_address->storage, &in, sizeof(in));
        ret_address->len = sizeof(in);
    }
}

bool gh_address_of_literal(gh_str host, uint16_t port, struct gh_address *ret_address)
{
    bool v6;
    unsigned char bytes[16];
    if (host.len >= 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']')
        host = gh_str_of(host.ptr + 1, host.len - 2);
    if (!read_ip(host, &v6, bytes))
        return false;
    gh_address_of_ip(v6, bytes, port, ret_address);
    return true;
}

/* The strict forms only: four decimal numbers, or RFC 4291 section 2.2. No zone. */
static bool read_ip(gh_str text, bool *ret_v6, void *ret_bytes)
{
    char copy[INET6_ADDRSTRLEN];
    if (text.len == 0 || text.len >= sizeof(copy) || memchr(text.ptr, '\0', text.len) != NULL)
        return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    *ret_v6 = gh_str_find(text, ':') < text.len;
    return inet_pton(*ret_v6 ? AF_INET6 : AF_INET, copy, ret_bytes) == 1;
}

static enum gh_reason read_unix(gh_str path, struct gh_address *ret_address)
{
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    if (path.len == 0 || path.ptr[0] != '/' || path.len >= sizeof(un.sun_path) ||
        memchr(path.ptr, '\0', path.len) != NULL)
        return GH_SETTINGS_INVALID;
    memcpy(un.sun_path, path.ptr, path.len);
    memset(ret_address, 0, sizeof(*ret_address));
    memcpy(&ret_address->storage, &un, sizeof(un));
    ret_address->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path.len + 1);
    return GH_OK;
}

/* An IP address as 16 bytes, v4 as v4-mapped. False for a unix socket. */
bool gh_address_bytes(const struct gh_address *address, unsigned char out[16])
{
    if (address->storage.ss_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, &address->storage, sizeof(in6));
        memcpy(out, &in6.sin6_addr, 16);
        return true;
    }
    if (address->storage.ss_family != AF_INET)
        return false;
    struct sockaddr_in in;
    memcpy(&in, &address->storage, sizeof(in));
    memcpy(out, GH_MAPPED_PREFIX, 12);
    memcpy(out + 12, &in.sin_addr, 4);
    return true;
}

size_t gh_address_ip_text(const struct gh_address *address, char *out)
{
    unsigned char bytes[16];
    if (!gh_address_bytes(address, bytes))
        strcpy(out, "unix");
    else if (memcmp(bytes, GH_MAPPED_PREFIX, 12) == 0)
        inet_ntop(AF_INET, bytes + 12, out, GH_ADDRESS_TEXT);
    else
        inet_ntop(AF_INET6, bytes, out, GH_ADDRESS_TEXT);
    return strlen(out);
}

bool gh_address_bound_bytes(gh_str ip, unsigned char out[16])
{
    struct gh_address address;
    if (!gh_address_of_literal(ip, 0, &address) || !gh_address_bytes(&address, out))
        return false;
    if (memcmp(out, GH_MAPPED_PREFIX, 12) != 0)
        memset(out + 8, 0, 8);
    return true;
}

size_t gh_address_bound_text(gh_str ip, char *out)
{
    unsigned char bytes[16];
    if (!gh_address_bound_bytes(ip, bytes)) {
        gh_str part = gh_str_take(ip, GH_ADDRESS_TEXT - 1);
        if (part.len > 0)
            memcpy(out, part.ptr, part.len);
        out[part.len] = '\0';
    } else if (memcmp(bytes, GH_MAPPED_PREFIX, 12) == 0) {
        inet_ntop(AF_INET, bytes + 12, out, GH_ADDRESS_TEXT);
    } else {
        inet_ntop(AF_INET6, bytes, out, GH_ADDRESS_TEXT);
        strcat(out, "/64");
    }
    return strlen(out);
}

uint16_t gh_address_port(const struct gh_address *address)
{
    struct sockaddr_in in; /* the port stands at the same place in both families */
    if (address->storage.ss_family != AF_INET && address->storage.ss_family != AF_INET6)
        return 0;
    memcpy(&in, &address->storage, sizeof(in));
    return ntohs(in.sin_port);
}

bool gh_address_is_loopback(const struct gh_address *address)
{
    unsigned char bytes[16];
    if (!gh_address_bytes(address, bytes))
        return address->storage.ss_family == AF_UNIX;
    if (memcmp(bytes, GH_MAPPED_PREFIX, 12) == 0)
        return bytes[12] == 127;
    return memcmp(bytes, &in6addr_loopback, 16) == 0;
}

bool gh_bytes_within(const unsigned char bytes[16], const unsigned char net[16], unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;
    if (memcmp(bytes, net, whole) != 0)
        return false;
    return rest == 0 || ((bytes[whole] ^ net[whole]) >> (8 - rest)) == 0;
}

enum gh_reason gh_cidr_read(gh_str text, struct gh_cidr *ret_cidr)
{
    size_t slash = gh_str_find(text, '/');
    struct gh_address address;
    unsigned char read[16];
    bool v6;
    if (!read_ip(gh_str_take(text, slash), &v6, read))
        return GH_SETTINGS_INVALID;
    uint64_t most = v6 ? 128 : 32, bits = most;
    if (slash < text.len && (!gh_str_to_u64(gh_str_skip(text, slash + 1), &bits) || bits > most))
        return GH_SETTINGS_INVALID;
    gh_address_of_ip(v6, read, 0, &address);
    struct gh_cidr cidr = { .bits = (unsigned)(bits + (128 - most)) };
    if (!gh_address_bytes(&address, cidr.bytes))
        return GH_SETTINGS_INVALID;
    for (unsigned bit = cidr.bits; bit < 128; bit++)
        if ((cidr.bytes[bit / 8] >> (7 - bit % 8) & 1) != 0)
            return GH_SETTINGS_INVALID;
    *ret_cidr = cidr;
    return GH_OK;
}

bool gh_cidrs_have(struct gh_cidrs list, const struct gh_address *address)
{
    unsigned char bytes[16];
    if (!gh_address_bytes(address, bytes))
        return false;
    for (size_t i = 0; i < list.count; i++)
        if (gh_bytes_within(bytes, list.at[i].bytes, list.at[i].bits))
            return true;
    return false;
}

int64_t gh_peer_uid(int fd, const struct gh_address *peer)
{
    struct ucred credentials;
    socklen_t len = sizeof(credentials);
    if (peer->storage.ss_family != AF_UNIX ||
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &len) != 0)
        return -1;
    return (int64_t)credentials.uid;
}

bool gh_uid_is_ours(int64_t uid)
{
    return uid == 0 || uid == (int64_t)geteuid();
}
