/* Revocations as lines and as keys: nothing is lost, nothing unsound is read, no two identities are one; and
 * what each kind of principal depends on. */
#include <string.h>

#include "support/cm.h"

#include "base/arena.h"
#include "gatehouse/revocation.h"

static struct gh_arena *arena;

static int set_up(void **state)
{
    (void)state;
    arena = gh_arena_new(0);
    return arena == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    gh_arena_free(arena);
    return 0;
}

static const struct gh_revocation user = { .level = GH_REVOKED_USER,
                                           .tenant = GH_STR_INIT("acme"),
                                           .issuer_name = GH_STR_INIT("okta"),
                                           .id = GH_STR_INIT("alice"),
                                           .epoch = 1795300001,
                                           .until = 1795303601 };

static struct gh_revocation with(enum gh_revoked level, const char *issuer, gh_str id, int64_t epoch)
{
    struct gh_revocation changed = user;
    changed.level = level;
    changed.issuer_name = gh_str_from(issuer);
    changed.id = id;
    changed.epoch = epoch;
    return changed;
}

static void assert_same(const struct gh_revocation *a, const struct gh_revocation *b)
{
    assert_int_equal(a->level, b->level);
    assert_true(gh_str_eq(a->tenant, b->tenant) && gh_str_eq(a->issuer_name, b->issuer_name));
    assert_true(gh_str_eq(a->id, b->id));
    assert_int_equal(a->epoch, b->epoch);
    assert_int_equal(a->until, b->until);
}

static void check_round(const struct gh_revocation *revocation)
{
    struct gh_revocation read;
    assert_true(gh_revocation_is_sound(revocation));
    gh_str line = gh_revocation_write(arena, revocation);
    assert_int_equal(gh_revocation_read(line, &read), GH_OK);
    assert_same(&read, revocation);
}

static void lines_keep_everything(void **state)
{
    (void)state;
    char bytes[256];
    for (unsigned i = 0; i < sizeof(bytes); i++)
        bytes[i] = (char)i;
    const struct gh_revocation rows[] = {
        user,
        with(GH_REVOKED_TENANT, "", GH_STR(""), 0),
        with(GH_REVOKED_CLIENT, "okta", gh_str_of(bytes, sizeof(bytes)), GH_REVOKED_ALWAYS),
        with(GH_REVOKED_AGENT, "okta", GH_STR("a"), 1),
        with(GH_REVOKED_INSTANCE, "okta", GH_STR("a"), 1),
        with(GH_REVOKED_GRANT, "okta", GH_STR("a"), GH_REVOKED_ALWAYS),
        with(GH_REVOKED_TOKEN, "okta", GH_STR("a"), GH_REVOKED_ALWAYS),
    };
    for (size_t i = 0; i < GH_ARRAY_LEN(rows); i++)
        check_round(&rows[i]);
}

static void check_unsound(const struct gh_revocation *revocation)
{
    struct gh_revocation read = user;
    assert_false(gh_revocation_is_sound(revocation));
    gh_str line = gh_revocation_write(arena, revocation);
    assert_int_equal(gh_revocation_read(line, &read), GH_STORE_MALFORMED); /* reason: store_malformed */
    assert_same(&read, &user);
}

static void what_makes_no_sense_is_not_read(void **state)
{
    (void)state;
    struct gh_revocation no_tenant = user, no_time = user, no_until = user;
    no_tenant.tenant = GH_STR("");
    no_time.epoch = -1;
    no_until.until = -1;
    char *large = gh_arena_calloc(arena, 1, 65537);
    const struct gh_revocation rows[] = {
        no_tenant,
        no_time,
        no_until,
        with(GH_REVOKED_USER, "", GH_STR("a"), 1),
        with(GH_REVOKED_USER, "okta", GH_STR(""), 1),
        with(GH_REVOKED_TENANT, "okta", GH_STR(""), 1),
        with(GH_REVOKED_TENANT, "", GH_STR("a"), 1),
        with(GH_REVOKED_GRANT, "okta", GH_STR("a"), 1),
        with(GH_REVOKED_TOKEN, "okta", GH_STR("a"), 1),
        with(GH_REVOKED_COUNT, "okta", GH_STR("a"), 1),
        with(GH_REVOKED_USER, "okta", gh_str_of(large, 65537), 1),
    };
    for (size_t i = 0; i < GH_ARRAY_LEN(rows); i++)
        check_unsound(&rows[i]);
    struct gh_revocation largest = with(GH_REVOKED_USER, "okta", gh_str_of(large, 65536), 1);
    check_round(&largest);
}

static void a_cut_or_longer_line_is_not_read(void **state)
{
    (void)state;
    struct gh_revocation read;
    gh_str line = gh_revocation_write(arena, &user);
    char *bytes = gh_arena_alloc(arena, line.len + 1);
    memcpy(bytes, line.ptr, line.len);
    bytes[line.len] = 'x';
    for (size_t len = 0; len <= line.len + 1; len++)
        assert_int_equal(gh_revocation_read(gh_str_of(bytes, len), &read),
                         len == line.len ? GH_OK : GH_STORE_MALFORMED);
    bytes[0] = '2'; /* of a version to come */
    assert_int_equal(gh_revocation_read(gh_str_of(bytes, line.len), &read), GH_STORE_MALFORMED);
}

static bool same_key(const struct gh_revocation_key *a, const struct gh_revocation_key *b)
{
    return a->hash[0] == b->hash[0] && a->hash[1] == b->hash[1];
}

static struct gh_revocation_key key_of(enum gh_revoked level, const char *tenant, const char *issuer,
                                       const char *id)
{
    struct gh_revocation_key key;
    const struct gh_revocation named = { .level = level,
                                         .tenant = gh_str_from(tenant),
                                         .issuer_name = gh_str_from(issuer),
                                         .id = gh_str_from(id) };
    assert_int_equal(gh_revocation_key(&named, &key), GH_OK);
    return key;
}

static void each_part_tells_keys_apart(void **state)
{
    (void)state;
    const struct gh_revocation_key keys[] = {
        key_of(GH_REVOKED_USER, "acme", "okta", "alice"), key_of(GH_REVOKED_CLIENT, "acme", "okta", "alice"),
        key_of(GH_REVOKED_USER, "acm", "eokta", "alice"), key_of(GH_REVOKED_USER, "acme", "oktaa", "lice"),
        key_of(GH_REVOKED_USER, "evil", "okta", "alice"), key_of(GH_REVOKED_USER, "acme", "entra", "alice"),
        key_of(GH_REVOKED_USER, "acme", "okta", "Alice"), key_of(GH_REVOKED_TENANT, "acme", "", ""),
    };
    for (size_t i = 0; i < GH_ARRAY_LEN(keys); i++)
        for (size_t j = 0; j < GH_ARRAY_LEN(keys); j++)
            assert_int_equal(same_key(&keys[i], &keys[j]), i == j);
    struct gh_revocation other_times = user;
    struct gh_revocation_key key;
    other_times.epoch = other_times.until = 7;
    assert_int_equal(gh_revocation_key(&other_times, &key), GH_OK);
    assert_true(same_key(&key, &keys[0]));
}

/* ---- principals ---- */

static bool depends_on(const struct gh_principal *principal, enum gh_revoked level, const char *id)
{
    struct gh_dependencies found;
    assert_int_equal(gh_dependencies_of(GH_STR("acme"), principal, GH_STR("header.payload"), &found), GH_OK);
    assert_int_equal(found.issued, principal->issued);
    struct gh_revocation_key key = key_of(level, "acme", level == GH_REVOKED_TENANT ? "" : "okta", id);
    for (unsigned i = 0; i < found.count; i++) {
        if (same_key(&found.at[i], &key))
            return true;
    }
    return false;
}

static unsigned count_of(const struct gh_principal *principal)
{
    struct gh_dependencies found;
    assert_int_equal(gh_dependencies_of(GH_STR("acme"), principal, GH_STR("header.payload"), &found), GH_OK);
    return found.count;
}

static const struct gh_principal plain = { .issuer_name = GH_STR_INIT("okta"),
                                           .subject = GH_STR_INIT("alice"),
                                           .issued = 1000 };

static void a_principal_depends_on_all_it_names(void **state)
{
    (void)state;
    struct gh_principal full = plain;
    full.client = GH_STR("app");
    full.jti = GH_STR("t1");
    full.grant = GH_STR("grt_1");
    full.actors[0].sub = GH_STR("agent");
    full.actors[1].sub = GH_STR("orchestrator");
    full.actor_count = 2;
    assert_int_equal(count_of(&full), 6);
    assert_true(depends_on(&full, GH_REVOKED_TENANT, ""));
    assert_true(depends_on(&full, GH_REVOKED_USER, "alice"));
    assert_true(depends_on(&full, GH_REVOKED_CLIENT, "app"));
    assert_true(depends_on(&full, GH_REVOKED_AGENT, "agent"));
    assert_true(depends_on(&full, GH_REVOKED_GRANT, "grt_1"));
    assert_true(depends_on(&full, GH_REVOKED_TOKEN, "t1"));
    assert_false(depends_on(&full, GH_REVOKED_AGENT, "orchestrator"));
}

static void an_agent_alone_is_its_own_actor(void **state)
{
    (void)state;
    struct gh_principal agent = plain;
    agent.kind = GH_PRINCIPAL_AGENT;
    assert_int_equal(count_of(&agent), 4);
    assert_true(depends_on(&agent, GH_REVOKED_AGENT, "alice"));
    assert_true(depends_on(&agent, GH_REVOKED_USER, "alice"));
}

static void a_token_without_jti_is_named_by_its_content(void **state)
{
    (void)state;
    char buffer[GH_TOKEN_ID_DIGEST], other[GH_TOKEN_ID_DIGEST];
    struct gh_principal named = plain;
    named.jti = GH_STR("t1");
    assert_str_eq(gh_token_id(&named, GH_STR("header.payload"), buffer), "t1");
    gh_str id = gh_token_id(&plain, GH_STR("header.payload"), buffer);
    /* printf %s header.payload | openssl dgst -sha256 -binary | basenc --base64url */
    assert_str_eq(id, "sha256:4_68V_O9SLSN8UsnH5kFqyV0IithWudmqptgbzg6SpM");
    assert_false(gh_str_eq(id, gh_token_id(&plain, GH_STR("header.payloae"), other)));
    assert_int_equal(count_of(&plain), 3);
    assert_true(depends_on(&plain, GH_REVOKED_TOKEN, gh_arena_dup(arena, id).ptr));
}

static void levels_have_names(void **state)
{
    (void)state;
    enum gh_revoked read = GH_REVOKED_COUNT;
    for (unsigned level = 0; level < GH_REVOKED_COUNT; level++) {
        assert_true(gh_revoked_read(gh_revoked_name((enum gh_revoked)level), &read));
        assert_int_equal(read, level);
    }
    assert_false(gh_revoked_read(GH_STR("User"), &read));
    assert_false(gh_revoked_read(GH_STR(""), &read));
    assert_int_equal(gh_revoked_name(GH_REVOKED_COUNT).len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(levels_have_names),
        cmocka_unit_test(lines_keep_everything),
        cmocka_unit_test(what_makes_no_sense_is_not_read),
        cmocka_unit_test(a_cut_or_longer_line_is_not_read),
        cmocka_unit_test(each_part_tells_keys_apart),
        cmocka_unit_test(a_principal_depends_on_all_it_names),
        cmocka_unit_test(an_agent_alone_is_its_own_actor),
        cmocka_unit_test(a_token_without_jti_is_named_by_its_content),
    };
    return cmocka_run_group_tests_name("revocation", tests, set_up, tear_down);
}
