/* store/redis_url.c: where a Redis server is: redis://[user@]host[:port][/db] or
 * redis+unix://[user@]/path[?db=N]. */
#include "base/str.h"
#include "gatehouse/http.h"
#include "store/store_redis.h"

#define PORT         6379
#define DATABASE_MAX 1000000

#define ALLOWED "redis://[user@]host[:port][/db] or redis+unix://[user@]/path[?db=N]"

static enum gh_reason read_tcp(struct gh_arena *arena, gh_str rest, struct gh_redis_place *place);
static enum gh_reason read_unix(gh_str rest, struct gh_redis_place *place);

/* What is known and not there is said by name, so that nobody looks for a slip of the pen. */
static const char *refusal_of(gh_str url)
{
    if (gh_str_starts(url, GH_STR("rediss://")))
        return ALLOWED "; rediss:// (TLS) is not there yet: a tunnel on this machine, or a unix socket";
    if (gh_str_starts(url, GH_STR("redis+sentinel://")))
        return ALLOWED "; Sentinel is not there yet: the address of one server";
    return ALLOWED;
}

/* A user is a word, without escapes. */
static bool is_user(gh_str user)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";
    for (size_t i = 0; i < user.len; i++)
        if (memchr(letters, user.ptr[i], sizeof(letters) - 1) == NULL)
            return false;
    return user.len > 0 && user.len <= 128;
}

enum gh_reason gh_redis_place_read(struct gh_arena *arena, gh_str url, struct gh_redis_place *ret_place,
                                   const char **ret_allowed)
{
    static const gh_str tcp = GH_STR_INIT("redis://"), local = GH_STR_INIT("redis+unix://");
    struct gh_redis_place place = { 0 };
    bool is_tcp = gh_str_starts(url, tcp);
    *ret_allowed = refusal_of(url);
    if (!is_tcp && !gh_str_starts(url, local))
        return GH_SETTINGS_INVALID;
    gh_str rest = gh_str_skip(url, is_tcp ? tcp.len : local.len);
    size_t at = gh_str_rfind(rest, '@');
    if (at < rest.len) {
        place.user = gh_str_take(rest, at);
        rest = gh_str_skip(rest, at + 1);
        *ret_allowed = ALLOWED "; a password stands in the file that store.password_file names";
        if (!is_user(place.user))
            return GH_SETTINGS_INVALID;
        *ret_allowed = ALLOWED;
    }
    enum gh_reason reason = is_tcp ? read_tcp(arena, rest, &place) : read_unix(rest, &place);
    if (reason == GH_OK)
        *ret_place = place;
    return reason;
}

static bool read_database(gh_str digits, struct gh_redis_place *place)
{
    uint64_t number;
    if (!gh_str_to_u64(digits, &number) || number > DATABASE_MAX)
        return false;
    place->database = (int64_t)number;
    return true;
}

static enum gh_reason read_tcp(struct gh_arena *arena, gh_str rest, struct gh_redis_place *place)
{
    struct gh_authority authority;
    size_t slash = gh_str_find(rest, '/');
    gh_str database = gh_str_skip(rest, slash + 1);
    if (database.len > 0 && !read_database(database, place))
        return GH_SETTINGS_INVALID;
    enum gh_reason reason = gh_authority_read(arena, gh_str_take(rest, slash), &authority);
    if (reason != GH_OK)
        return reason == GH_OUT_OF_MEMORY ? reason : GH_SETTINGS_INVALID;
    place->host = authority.host;
    place->port = authority.port != 0 ? authority.port : PORT;
    return GH_OK;
}

static enum gh_reason read_unix(gh_str rest, struct gh_redis_place *place)
{
    size_t mark = gh_str_find(rest, '?');
    gh_str query = gh_str_skip(rest, mark);
    place->path = gh_str_take(rest, mark);
    if (place->path.len == 0 || place->path.ptr[0] != '/')
        return GH_SETTINGS_INVALID;
    if (query.len == 0)
        return GH_OK;
    if (!gh_str_starts(query, GH_STR("?db=")) || !read_database(gh_str_skip(query, 4), place))
        return GH_SETTINGS_INVALID;
    return GH_OK;
}
