/* keys/test_rings.c: which rings there are, round by round: slots, static keys, refusals that change nothing.
 */
#include <stdio.h>
#include <stdlib.h>

#include "world.h"

static const char *write_set(const char *name, gh_str text)
{
    static char paths[4][256];
    static unsigned next;
    char *path = paths[next++ % 4];
    (void)snprintf(path, sizeof(paths[0]), "%s", gh_test_file(name, text, 0600));
    return path;
}

static struct gh_issuer_conf static_conf(const char *name, const char *file)
{
    struct gh_issuer_conf conf = world.conf;
    conf.profile.name = gh_str_from(name);
    conf.jwks_file = gh_str_from(file);
    return conf;
}

static void static_keys(void **state)
{
    const char *file = write_set("a.json", key_set("k1 k2"));
    struct gh_issuer_conf conf = static_conf("fixed", file);
    gh_str name;
    uint32_t slot = load(&conf);
    assert_true(gh_keyrings_ready(world.rings, &name));
    assert_int_equal(world.seen[slot].status, GH_KEYS_READY);
    assert_true(has(slot, "k1") && has(slot, "k2"));
    struct gh_issuer_stats *stats = gh_registry_issuer_stats(world.registry, GH_STR("fixed"));
    assert_int_equal(stats->keys_usable, 2);
    assert_int_equal(stats->ready, 1);
    assert_int_equal(stats->keys_fetched_at_s, 1700000000);
    want(slot, "nobody");
    turns(1);
    assert_int_equal(world.keys_came, 1);
    live_ms(100LL * 3600 * 1000, 3600 * 1000);
    assert_int_equal(world.fetches, 0);
    assert_int_equal(world.seen[slot].status, GH_KEYS_READY);
    assert_true(world.seen[slot].quiet_until_ms > gh_loop_now_ms(world.loop));
}

static void static_keys_are_read_again(void **state)
{
    const char *file = write_set("b.json", key_set("k1"));
    struct gh_issuer_conf conf = static_conf("fixed", file);
    uint32_t slot = load(&conf);
    unsigned published = world.published;
    assert_int_equal(load(&conf), slot);
    assert_int_equal(world.published, published); /* nothing has changed */
    (void)write_set("b.json", key_set("k2"));
    assert_int_equal(load(&conf), slot);
    assert_true(has(slot, "k2") && !has(slot, "k1"));
    /* A round that is not committed changes nothing, nor does one that fails. */
    (void)write_set("b.json", key_set("k3"));
    gh_keyrings_begin(world.rings);
    assert_int_equal(add(&conf), slot);
    gh_keyrings_end(world.rings, false);
    assert_true(has(slot, "k2") && !has(slot, "k3"));
    (void)write_set("b.json", GH_STR("{\"keys\":[]}"));
    gh_keyrings_begin(world.rings);
    assert_int_equal(add(&conf), UINT32_MAX);
    assert_non_null(strstr(world.why, "b.json"));
    gh_keyrings_end(world.rings, false);
    struct gh_keys_view view = gh_keyrings_view(world.rings, slot);
    assert_true(gh_jwks_has_kid(view.set, GH_STR("k2")));
    gh_jwks_unref(view.set);
}

static void bad_files(void **state)
{
    const char *bad[] = {
        "missing.json",
        "/",
        write_set("empty.json", GH_STR("")),
        write_set("garbage.json", GH_STR("keys")),
    };
    for (size_t i = 0; i < GH_ARRAY_LEN(bad); i++) {
        struct gh_issuer_conf conf = static_conf("fixed", bad[i]);
        gh_keyrings_begin(world.rings);
        assert_int_equal(add(&conf), UINT32_MAX);
        assert_true(strlen(world.why) > strlen(bad[i]));
        gh_keyrings_end(world.rings, false);
    }
    struct gh_issuer_conf conf = world.conf;
    conf.introspection_url = url("/introspect");
    conf.introspection_client = GH_STR("gateway");
    conf.introspection_secret_file = GH_STR("missing.secret");
    gh_keyrings_begin(world.rings);
    assert_int_equal(add(&conf), UINT32_MAX);
    assert_non_null(strstr(world.why, "missing.secret"));
    gh_keyrings_end(world.rings, false);
    assert_int_equal(world.published, 0);
}

static void slots_are_stable_and_reused_late(void **state)
{
    struct gh_issuer_conf a = static_conf("a", write_set("a.json", key_set("ka")));
    struct gh_issuer_conf b = static_conf("b", write_set("b.json", key_set("kb")));
    struct gh_issuer_conf c = static_conf("c", write_set("c.json", key_set("kc")));
    gh_keyrings_begin(world.rings);
    uint32_t slot_a = add(&a), slot_b = add(&b);
    assert_int_equal(add(&a), slot_a); /* two tenants, one issuer */
    gh_keyrings_end(world.rings, true);
    assert_int_not_equal(slot_a, slot_b);
    a.cooldown_s = 99; /* not what decides the keys */
    gh_keyrings_begin(world.rings);
    uint32_t slot_c = add(&c);
    assert_int_equal(add(&a), slot_a);
    gh_keyrings_end(world.rings, true);
    assert_true(slot_c != slot_a && slot_c != slot_b);
    assert_null(gh_keyrings_view(world.rings, slot_b).set);
    assert_int_equal(gh_registry_issuer_stats(world.registry, GH_STR("b"))->ready, 0);
    uint32_t again = load(&b);
    assert_true(again != slot_a && again != slot_b && again != slot_c);
    a.profile.algs = GH_ALG_BIT(GH_ALG_ES256) | GH_ALG_BIT(GH_ALG_ES384);
    assert_int_not_equal(load(&a), slot_a); /* other algorithms: other keys */
}

/* 1,024 at once; a slot given back is taken again only when all others were. */
static void slots_run_out(void **state)
{
    const char *file = write_set("a.json", key_set("k"));
    char name[16];
    gh_keyrings_begin(world.rings);
    for (unsigned i = 0; i <= GH_KEYRING_SLOTS; i++) {
        (void)snprintf(name, sizeof(name), "i%u", i);
        struct gh_issuer_conf conf = static_conf(name, file);
        uint32_t slot = add(&conf);
        assert_int_equal(slot, i < GH_KEYRING_SLOTS ? i : UINT32_MAX);
    }
    assert_non_null(world.why);
    gh_keyrings_end(world.rings, false);
    struct gh_issuer_conf conf = static_conf("one", file);
    assert_int_equal(load(&conf), 0); /* the oldest free one */
    assert_true(has(0, "k"));
}

static void a_round_taken_back(void **state)
{
    struct gh_issuer_conf a = static_conf("a", write_set("a.json", key_set("ka")));
    uint32_t slot = load(&a);
    unsigned published = world.published;
    gh_keyrings_begin(world.rings);
    assert_int_not_equal(add(&world.conf), slot); /* a is not named: it would be dropped */
    gh_keyrings_end(world.rings, false);
    live_ms(60000, 10000);
    assert_int_equal(world.fetches, 0);
    assert_int_equal(world.published, published);
    gh_str name;
    assert_true(gh_keyrings_ready(world.rings, &name));
    assert_int_equal(load(&a), slot);
}

static void unknown_slots(void **state)
{
    struct gh_keys_view view = gh_keyrings_view(world.rings, UINT32_MAX);
    assert_null(view.set);
    assert_int_equal(view.status, GH_KEYS_WAITING);
    want(5, "k1");
    want(UINT32_MAX, "k1");
    turns(1);
    assert_int_equal(world.keys_came, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(static_keys),   TEST(static_keys_are_read_again),
        TEST(bad_files),     TEST(slots_are_stable_and_reused_late),
        TEST(slots_run_out), TEST(a_round_taken_back),
        TEST(unknown_slots),
    };
    return cmocka_run_group_tests_name("rings", tests, NULL, NULL);
}
