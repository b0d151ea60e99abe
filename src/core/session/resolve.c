/* core/session/resolve.c: the address that an endpoint event holds, as path and query of the stream's own
 * origin. */
#include "gatehouse/endpoint.h"

#include "base/arena.h"
#include "base/str.h"
#include "gatehouse/session.h"

static enum gh_reason of_absolute(struct gh_arena *arena, const struct gh_url *from, gh_str url,
                                  gh_str *ret_target);
static gh_str of_relative(struct gh_arena *arena, const struct gh_url *from, gh_str url);

/* RFC 3986 section 3.1: what stands before the first ':', if no '/' or '?' comes earlier. */
static bool has_scheme(gh_str url)
{
    size_t colon = gh_str_find(url, ':');
    return colon < url.len && gh_str_find(gh_str_take(url, colon), '/') == colon &&
           gh_str_find(gh_str_take(url, colon), '?') == colon;
}

enum gh_reason gh_endpoint_resolve(struct gh_arena *arena, const struct gh_url *from, gh_str url,
                                   gh_str *ret_target)
{
    struct gh_target read;
    gh_str target = GH_STR_NONE;
    enum gh_reason reason = GH_OK;
    /* Readers of URLs drop line ends and blanks, and take a backslash for a slash: none of that is in it. */
    if (!gh_session_id_is_legal(url) || gh_str_find(url, '\\') < url.len)
        return GH_UPSTREAM_ENDPOINT;
    if (has_scheme(url)) {
        reason = of_absolute(arena, from, url, &target);
    } else if (gh_str_starts(url, GH_STR("//"))) {
        gh_str whole = gh_arena_printf(arena, "%.*s:%.*s", GH_STR_FMT(from->scheme), GH_STR_FMT(url));
        reason = whole.ptr != NULL ? of_absolute(arena, from, whole, &target) : GH_OUT_OF_MEMORY;
    } else {
        target = of_relative(arena, from, url);
        reason = target.ptr != NULL ? GH_OK : GH_OUT_OF_MEMORY;
    }
    if (reason != GH_OK)
        return reason;
    if (target.len > GH_SESSION_ID_MAX || gh_target_read(target, &read) != GH_OK)
        return GH_UPSTREAM_ENDPOINT;
    *ret_target = target;
    return GH_OK;
}

/* The origin is compared and left away: messages go to the endpoint that opened the stream in any case. */
static enum gh_reason of_absolute(struct gh_arena *arena, const struct gh_url *from, gh_str url,
                                  gh_str *ret_target)
{
    struct gh_url read;
    enum gh_reason reason = gh_url_read(arena, url, &read);
    if (reason != GH_OK)
        return reason == GH_OUT_OF_MEMORY ? reason : GH_UPSTREAM_ENDPOINT;
    if (!gh_str_eq(read.scheme, from->scheme) || !gh_str_eq(read.authority.host, from->authority.host) ||
        read.port != from->port)
        return GH_UPSTREAM_ENDPOINT;
    gh_str target = read.path;
    if (read.query.ptr != NULL)
        target = gh_arena_printf(arena, "%.*s?%.*s", GH_STR_FMT(read.path), GH_STR_FMT(read.query));
    if (target.ptr == NULL)
        return GH_OUT_OF_MEMORY;
    *ret_target = target;
    return GH_OK;
}

static gh_str of_relative(struct gh_arena *arena, const struct gh_url *from, gh_str url)
{
    if (gh_str_starts(url, GH_STR("/")))
        return gh_arena_dup(arena, url);
    gh_str base = from->path;
    if (!gh_str_starts(url, GH_STR("?")))
        base = gh_str_take(base, gh_str_rfind(base, '/') + 1);
    return gh_arena_printf(arena, "%.*s%.*s", GH_STR_FMT(base), GH_STR_FMT(url));
}
