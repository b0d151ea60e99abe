/* core/http/authority.c: Host and :authority, one spelling per host. */
#include "base/arena.h"
#include "base/str.h"
#include "core/http/ipv6.h"
#include "gatehouse/http.h"

#define HOST_MAX  253u
#define LABEL_MAX 63u

static bool port_read(gh_str text, uint16_t *ret_port);
static enum gh_reason ipv6_read(struct gh_arena *arena, gh_str text, gh_str *ret_host);
static enum gh_reason name_read(struct gh_arena *arena, gh_str text, gh_str *ret_host);
static bool labels_are_legal(gh_str host);

enum gh_reason gh_authority_read(struct gh_arena *arena, gh_str raw, struct gh_authority *ret_authority)
{
    struct gh_authority authority = { 0 };
    bool literal = raw.len != 0 && raw.ptr[0] == '[';
    size_t end = literal ? gh_str_find(raw, ']') : gh_str_find(raw, ':');
    if (literal && end == raw.len)
        return GH_HTTP_HOST;
    gh_str host = literal ? gh_str_skip(gh_str_take(raw, end), 1) : gh_str_take(raw, end);
    gh_str rest = gh_str_skip(raw, literal ? end + 1 : end);
    if (rest.len != 0 && (rest.ptr[0] != ':' || !port_read(gh_str_skip(rest, 1), &authority.port)))
        return GH_HTTP_HOST;
    enum gh_reason reason =
        literal ? ipv6_read(arena, host, &authority.host) : name_read(arena, host, &authority.host);
    if (reason == GH_OK)
        *ret_authority = authority;
    return reason;
}

/* 1 to 65535, without leading zeros. An empty port is legal in RFC 3986 but has no use that is worth a second
 * spelling. */
static bool port_read(gh_str text, uint16_t *ret_port)
{
    uint64_t port;
    if (text.len > 5 || !gh_str_to_u64(text, &port) || port == 0 || port > 65535 || text.ptr[0] == '0')
        return false;
    *ret_port = (uint16_t)port;
    return true;
}

/* Written anew, so that ::1 and 0:0:0:0:0:0:0:1 are one host. */
static enum gh_reason ipv6_read(struct gh_arena *arena, gh_str text, gh_str *ret_host)
{
    char host[GH_IPV6_TEXT_MAX];
    size_t len = gh_ipv6_normalise(text, host);
    if (len == 0)
        return GH_HTTP_HOST;
    *ret_host = gh_arena_dup(arena, gh_str_of(host, len));
    return ret_host->ptr != NULL ? GH_OK : GH_OUT_OF_MEMORY;
}

static enum gh_reason name_read(struct gh_arena *arena, gh_str text, gh_str *ret_host)
{
    if (gh_str_ends(text, GH_STR(".")))
        text.len--;
    if (text.len == 0 || text.len > HOST_MAX || !labels_are_legal(text))
        return GH_HTTP_HOST;
    char *host = gh_arena_alloc(arena, text.len + 1);
    if (host == NULL)
        return GH_OUT_OF_MEMORY;
    for (size_t i = 0; i < text.len; i++)
        host[i] = text.ptr[i] >= 'A' && text.ptr[i] <= 'Z' ? (char)(text.ptr[i] + 32) : text.ptr[i];
    host[text.len] = '\0';
    *ret_host = (gh_str){ .ptr = host, .len = text.len };
    return GH_OK;
}

/* RFC 1123 names, and '_' because container networks use it. A last label that starts with a digit must end
 * an IPv4 address: "127.1", "0x7f.1" and "2130706433" are addresses to some resolvers and names to others. */
static bool labels_are_legal(gh_str host)
{
    gh_str rest = host;
    while (rest.ptr != NULL) {
        gh_str label = gh_str_cut(&rest, '.');
        if (label.len == 0 || label.len > LABEL_MAX || label.ptr[0] == '-' || label.ptr[label.len - 1] == '-')
            return false;
        for (size_t i = 0; i < label.len; i++) {
            char c = label.ptr[i];
            if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                  c == '_'))
                return false;
        }
    }
    size_t dot = gh_str_rfind(host, '.');
    char first_of_last = host.ptr[dot < host.len ? dot + 1 : 0];
    return first_of_last < '0' || first_of_last > '9' || gh_ipv4_is_legal(host);
}
