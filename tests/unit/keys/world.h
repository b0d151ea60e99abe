/* keys/world.h: the world of the key ring tests: an issuer on loopback that obeys the test, and time that
 * does. */
#ifndef GH_TEST_KEYS_WORLD_H
#define GH_TEST_KEYS_WORLD_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "keys/ring.h"
#include "support/cm.h"
#include "support/sign.h"
#include "support/web.h"

#define PATHS 8
#define SLOTS 8

/* The server's documents and how often each was asked for. */
struct document {
    const char *path;
    struct gh_web_answer answer;
    unsigned fetches;
};
struct world {
    struct gh_loop *loop;
    struct gh_arena *arena;
    struct gh_fetcher *fetcher;
    struct gh_registry *registry;
    struct gh_keyrings *rings;
    struct gh_web *web;
    struct document documents[PATHS];
    unsigned fetches;    /* of whatever path */
    char last_path[256]; /* with NUL */
    struct gh_buf last_body, last_head, log;
    struct gh_keys_view seen[SLOTS]; /* what was published last */
    unsigned published;
    struct gh_issuer_conf conf;
    gh_str issuer;
    char *why;          /* of the last gh_keyrings_add that failed */
    unsigned keys_came; /* answers to gh_keyrings_want */
};

static struct world world;

static GH_UNUSED void world_serve(void *ctx, const struct gh_web_request *request,
                                  struct gh_web_answer *ret_answer)
{
    struct world *w = ctx;
    w->fetches++;
    (void)snprintf(w->last_path, sizeof(w->last_path), "%.*s", GH_STR_FMT(request->path));
    gh_buf_consume(&w->last_body, gh_buf_len(&w->last_body));
    gh_buf_consume(&w->last_head, gh_buf_len(&w->last_head));
    assert_true(gh_buf_add(&w->last_body, request->body) && gh_buf_add(&w->last_head, request->head));
    *ret_answer = (struct gh_web_answer){ .bytes = GH_STR("HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n") };
    for (size_t i = 0; i < PATHS && w->documents[i].path != NULL; i++) {
        if (!gh_str_eq(request->path, gh_str_from(w->documents[i].path)))
            continue;
        w->documents[i].fetches++;
        *ret_answer = w->documents[i].answer;
    }
}
static GH_UNUSED struct document *document(const char *path)
{
    for (size_t i = 0; i < PATHS; i++) {
        if (world.documents[i].path == NULL)
            world.documents[i].path = path;
        if (strcmp(world.documents[i].path, path) == 0)
            return &world.documents[i];
    }
    (void)fprintf(stderr, "too many paths\n");
    abort();
}
static GH_UNUSED void put_raw(const char *path, gh_str bytes)
{
    document(path)->answer = (struct gh_web_answer){ .bytes = bytes };
}
static GH_UNUSED void put_json(const char *path, const char *more, gh_str body)
{
    put_raw(path, gh_arena_printf(world.arena,
                                  "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n%s"
                                  "Content-Length: %zu\r\n\r\n%.*s",
                                  more, body.len, GH_STR_FMT(body)));
}
/* A key set with an ES256 key under each of the kids, parted by spaces. */
static GH_UNUSED gh_str key_set(const char *kids)
{
    gh_str rest = gh_str_from(kids), set = GH_STR("");
    while (rest.ptr != NULL) {
        gh_str kid = gh_str_cut(&rest, ' ');
        struct gh_signer *signer = gh_signer_new("ES256");
        gh_str more = gh_arena_printf(world.arena, ",\"kid\":\"%.*s\"", GH_STR_FMT(kid));
        gh_str jwk = gh_signer_jwk(world.arena, signer, more.ptr);
        set = gh_arena_printf(world.arena, "%.*s%s%.*s", GH_STR_FMT(set), set.len != 0 ? "," : "",
                              GH_STR_FMT(jwk));
        gh_signer_free(signer);
    }
    return gh_arena_printf(world.arena, "{\"keys\":[%.*s]}", GH_STR_FMT(set));
}
static GH_UNUSED void put_keys(const char *kids, const char *more)
{
    put_json("/jwks", more, key_set(kids));
}
static GH_UNUSED gh_str url(const char *path)
{
    return gh_arena_printf(world.arena, "http://127.0.0.1:%u%s", gh_web_port(world.web), path);
}

/* ---- what comes back ---- */

static GH_UNUSED void on_publish(void *ctx, uint32_t slot, const struct gh_keys_view *view)
{
    struct world *w = ctx;
    assert_true(slot < SLOTS);
    gh_jwks_unref(w->seen[slot].set);
    w->seen[slot] = *view;
    w->published++;
}
static GH_UNUSED void on_key(void *ctx)
{
    world.keys_came++;
}
static GH_UNUSED void on_log(void *ctx, gh_str line)
{
    struct world *w = ctx;
    assert_true(gh_buf_add(&w->log, line));
}
static GH_UNUSED bool logged(const char *text)
{
    return gh_str_contains(gh_buf_peek(&world.log), gh_str_from(text));
}

/* ---- time ---- */

static GH_UNUSED void turns(int n)
{
    for (; n > 0; n--)
        gh_loop_turn(world.loop, 1);
}
/* Fetches run in real time: waits for them without moving the test's clock. */
#define await(condition)                                                                                     \
    do {                                                                                                     \
        int64_t end_ = gh_clock_mono_ms() + 5000;                                                            \
        while (!(condition) && gh_clock_mono_ms() < end_)                                                    \
            gh_loop_turn(world.loop, 20);                                                                    \
        assert_true(condition);                                                                              \
    } while (0)
static GH_UNUSED void pass_ms(int64_t ms)
{
    gh_loop_fake_time(world.loop, gh_loop_now_ms(world.loop) + ms, gh_loop_wall_s(world.loop) + ms / 1000);
    turns(2);
}
static GH_UNUSED bool is_fetching(void)
{
    for (uint32_t i = 0; i < world.rings->given; i++)
        if (world.rings->at[i] != NULL && world.rings->at[i]->flight != NULL)
            return true;
    return false;
}
/* Time goes by in steps, and what becomes due is fetched. */
static GH_UNUSED void live_ms(int64_t ms, int64_t step)
{
    for (; ms > 0; ms -= step) {
        pass_ms(ms < step ? ms : step);
        await(!is_fetching());
    }
}

/* ---- rounds ---- */

static GH_UNUSED uint32_t add(const struct gh_issuer_conf *conf)
{
    uint32_t slot = UINT32_MAX;
    free(world.why);
    world.why = NULL;
    enum gh_reason reason = gh_keyrings_add(world.rings, conf, &slot, &world.why);
    assert_true(reason == GH_OK || reason == GH_SETTINGS_INVALID);
    return slot;
}
static GH_UNUSED uint32_t load(const struct gh_issuer_conf *conf)
{
    gh_keyrings_begin(world.rings);
    uint32_t slot = add(conf);
    assert_int_not_equal(slot, UINT32_MAX);
    gh_keyrings_end(world.rings, true);
    return slot;
}
static GH_UNUSED bool has(uint32_t slot, const char *kid)
{
    return world.seen[slot].set != NULL && gh_jwks_has_kid(world.seen[slot].set, gh_str_from(kid));
}
static GH_UNUSED void want(uint32_t slot, const char *kid)
{
    unsigned before = world.keys_came;
    assert_true(gh_keyrings_want(world.rings, slot, gh_str_from(kid), on_key, NULL));
    assert_int_equal(world.keys_came, before); /* never inside */
}

/* An issuer "idp" with the metadata in the first place, and its keys under /jwks. */
static GH_UNUSED int world_set_up(void **state)
{
    struct world *w = &world;
    const struct gh_fetch_conf fetch = { .allow_http_loopback = true, .timeout_ms = 300, .max_body = 65536 };
    memset(w, 0, sizeof(*w));
    w->loop = gh_loop_new();
    w->arena = gh_arena_new(0);
    gh_loop_fake_time(w->loop, 1000000, 1700000000);
    gh_log_set_writer(on_log, w);
    w->fetcher = gh_fetcher_new(w->loop, &fetch);
    w->registry = gh_registry_new(1);
    w->rings = gh_keyrings_new(w->loop, w->fetcher, w->registry, on_publish, w);
    w->web = gh_web_new(w->loop, NULL, world_serve, w);
    assert_non_null(w->rings);
    w->issuer = url("");
    static gh_str issuers[1];
    issuers[0] = w->issuer;
    w->conf = (struct gh_issuer_conf){ .profile = { .name = GH_STR("idp"),
                                                    .issuers = { .at = issuers, .count = 1 },
                                                    .algs = GH_ALG_BIT(GH_ALG_ES256) },
                                       .max_age_s = 600,
                                       .max_stale_s = 3600,
                                       .cooldown_s = 30,
                                       .introspection_parallel = 2 };
    put_json("/.well-known/oauth-authorization-server", "",
             gh_arena_printf(w->arena, "{\"issuer\":\"%s\",\"jwks_uri\":\"%s/jwks\"}", w->issuer.ptr,
                             w->issuer.ptr));
    put_keys("k1", "");
    return 0;
}
static GH_UNUSED int world_tear_down(void **state)
{
    struct world *w = &world;
    gh_keyrings_free(w->rings);
    gh_fetcher_free(w->fetcher);
    gh_web_free(w->web);
    gh_registry_free(w->registry);
    for (size_t i = 0; i < SLOTS; i++)
        gh_jwks_unref(w->seen[i].set);
    gh_loop_turn(w->loop, 0);
    gh_loop_free(w->loop);
    gh_log_set_writer(NULL, NULL);
    gh_buf_done(&w->last_body);
    gh_buf_done(&w->last_head);
    gh_buf_done(&w->log);
    gh_arena_free(w->arena);
    free(w->why);
    return 0;
}
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)

#endif
