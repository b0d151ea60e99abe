/* store/redis_url.c: where a Redis server is: redis://[user@]host[:port][/db], or the Sentinels that know it:
 * redis+sentinel://[user@]host[:port],.../name[?db=N], both with rediss for TLS; or
 * redis+unix://[user@]/path[?db=N]. */
#include "base/str.h"
#include "gatehouse/http.h"
#include "store/store_redis.h"

#define PORT          6379
#define SENTINEL_PORT 26379
#define DATABASE_MAX  1000000

static enum gh_reason read_tcp(struct gh_arena *arena, gh_str rest, struct gh_redis_place *place);
static enum gh_reason read_unix(struct gh_arena *arena, gh_str rest, struct gh_redis_place *place);
static enum gh_reason read_sentinels(struct gh_arena *arena, gh_str rest, struct gh_redis_place *place);

static const struct {
    gh_str scheme;
    bool tls;
    enum gh_reason (*read)(struct gh_arena *arena, gh_str rest, struct gh_redis_place *place);
} schemes[] = {
    { GH_STR_INIT("redis://"), false, read_tcp },
    { GH_STR_INIT("rediss://"), true, read_tcp },
    { GH_STR_INIT("redis+unix://"), false, read_unix },
    { GH_STR_INIT("redis+sentinel://"), false, read_sentinels },
    { GH_STR_INIT("rediss+sentinel://"), true, read_sentinels },
};

/* A user, or the name of a master, is a word, without escapes. */
static bool is_word(gh_str word)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";
    for (size_t i = 0; i < word.len; i++)
        if (memchr(letters, word.ptr[i], sizeof(letters) - 1) == NULL)
            return false;
    return word.len > 0 && word.len <= 128;
}

enum gh_reason gh_redis_place_read(struct gh_arena *arena, gh_str url, struct gh_redis_place *ret_place,
                                   const char **ret_allowed)
{
    struct gh_redis_place place = { 0 };
    size_t i = 0;
    *ret_allowed = GH_REDIS_ALLOWED;
    while (i < GH_ARRAY_LEN(schemes) && !gh_str_starts(url, schemes[i].scheme))
        i++;
    if (i == GH_ARRAY_LEN(schemes))
        return GH_SETTINGS_INVALID;
    gh_str rest = gh_str_skip(url, schemes[i].scheme.len);
    size_t at = gh_str_rfind(rest, '@');
    if (at < rest.len) {
        place.user = gh_str_take(rest, at);
        rest = gh_str_skip(rest, at + 1);
        *ret_allowed = GH_REDIS_ALLOWED "; a password stands in the file that store.password_file names";
        if (!is_word(place.user))
            return GH_SETTINGS_INVALID;
        *ret_allowed = GH_REDIS_ALLOWED;
    }
    place.tls = schemes[i].tls;
    enum gh_reason reason = schemes[i].read(arena, rest, &place);
    if (reason == GH_OK)
        *ret_place = place;
    return reason;
}

/* ---- parts ---- */

static bool read_database(gh_str digits, struct gh_redis_place *place)
{
    uint64_t number;
    if (!gh_str_to_u64(digits, &number) || number > DATABASE_MAX)
        return false;
    place->database = (int64_t)number;
    return true;
}

/* Empty, or "?db=N". */
static bool read_query(gh_str query, struct gh_redis_place *place)
{
    return query.len == 0 ||
           (gh_str_starts(query, GH_STR("?db=")) && read_database(gh_str_skip(query, 4), place));
}

static enum gh_reason read_peer(struct gh_arena *arena, gh_str text, uint16_t port,
                                struct gh_redis_peer *peer)
{
    struct gh_authority authority;
    enum gh_reason reason = gh_authority_read(arena, text, &authority);
    if (reason != GH_OK)
        return reason == GH_OUT_OF_MEMORY ? reason : GH_SETTINGS_INVALID;
    peer->host = authority.host;
    peer->port = authority.port != 0 ? authority.port : port;
    return GH_OK;
}

/* ---- kinds ---- */

static enum gh_reason read_tcp(struct gh_arena *arena, gh_str rest, struct gh_redis_place *place)
{
    size_t slash = gh_str_find(rest, '/');
    gh_str database = gh_str_skip(rest, slash + 1);
    if (database.len > 0 && !read_database(database, place))
        return GH_SETTINGS_INVALID;
    return read_peer(arena, gh_str_take(rest, slash), PORT, &place->server);
}

static enum gh_reason read_unix(struct gh_arena *arena, gh_str rest, struct gh_redis_place *place)
{
    (void)arena;
    size_t mark = gh_str_find(rest, '?');
    place->server.path = gh_str_take(rest, mark);
    if (place->server.path.len == 0 || place->server.path.ptr[0] != '/' ||
        !read_query(gh_str_skip(rest, mark), place))
        return GH_SETTINGS_INVALID;
    return GH_OK;
}

static enum gh_reason read_sentinels(struct gh_arena *arena, gh_str rest, struct gh_redis_place *place)
{
    size_t slash = gh_str_find(rest, '/');
    gh_str peers = gh_str_take(rest, slash), name = gh_str_skip(rest, slash + 1);
    size_t mark = gh_str_find(name, '?');
    place->master = gh_str_take(name, mark);
    if (!is_word(place->master) || !read_query(gh_str_skip(name, mark), place))
        return GH_SETTINGS_INVALID;
    while (peers.ptr != NULL) {
        if (place->sentinel_count == GH_REDIS_SENTINELS)
            return GH_SETTINGS_INVALID;
        enum gh_reason reason = read_peer(arena, gh_str_cut(&peers, ','), SENTINEL_PORT,
                                          &place->sentinels[place->sentinel_count++]);
        if (reason != GH_OK)
            return reason;
    }
    return GH_OK;
}
