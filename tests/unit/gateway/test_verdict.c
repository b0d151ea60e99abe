/* gateway/test_verdict.c: what a verdict remembers of its principal is its own: the request that it came with
 * is gone when the next one finds it. */
#include <string.h>

#include "base/arena.h"
#include "base/str.h"
#include "gateway/verdict.h"
#include "support/cm.h"

/* All that a principal has of texts: whoever adds a field adds it here. */
#define TEXTS(X) X(issuer_name) X(issuer) X(subject) X(client) X(jti) X(jti_hash) X(grant) X(tenant_id) X(acr)
#define LISTS(X) X(scopes) X(groups) X(roles)

static gh_str text(struct gh_arena *arena, const char *value)
{
    return gh_arena_dup(arena, gh_str_from(value));
}

static struct gh_strs list(struct gh_arena *arena, const char *value)
{
    gh_str *at = gh_arena_calloc(arena, 2, sizeof(*at));
    at[0] = text(arena, value);
    at[1] = text(arena, "second");
    return (struct gh_strs){ at, 2 };
}

static struct gh_principal make(struct gh_arena *arena)
{
    struct gh_principal principal = { .kind = GH_PRINCIPAL_AGENT,
                                      .auth_time = 7,
                                      .expires = 8,
                                      .issued = 9,
                                      .roles_unknown = true,
                                      .actor_count = GH_ACTORS_MAX };
#define SET(field) principal.field = text(arena, #field);
    TEXTS(SET)
#undef SET
#define SET(field) principal.field = list(arena, #field);
    LISTS(SET)
#undef SET
    for (size_t i = 0; i < GH_ACTORS_MAX; i++)
        principal.actors[i] =
            (struct gh_actor){ text(arena, "iss"), text(arena, "sub"), text(arena, "profile") };
    return principal;
}

static void assert_is(gh_str found, const char *expected)
{
    assert_true(gh_str_eq(found, gh_str_from(expected)));
}

static void assert_list(struct gh_strs found, const char *expected)
{
    assert_int_equal(found.count, 2);
    assert_is(found.at[0], expected);
    assert_is(found.at[1], "second");
}

static void test_nothing_of_the_request_is_left(void **state)
{
    static const unsigned char key[GH_VERDICT_KEY] = { 1 };
    struct gh_verdicts *verdicts = gh_verdicts_new(10);
    struct gh_arena *arena = gh_arena_new(0);
    struct gh_principal principal = make(arena);
    struct gh_verdict *verdict = gh_verdicts_add(verdicts, key, &principal, NULL, 100);
    gh_arena_free(arena);
    const struct gh_principal *kept = &verdict->principal;
#define CHECK(field) assert_is(kept->field, #field);
    TEXTS(CHECK)
#undef CHECK
#define CHECK(field) assert_list(kept->field, #field);
    LISTS(CHECK)
#undef CHECK
    for (size_t i = 0; i < GH_ACTORS_MAX; i++) {
        assert_is(kept->actors[i].iss, "iss");
        assert_is(kept->actors[i].sub, "sub");
        assert_is(kept->actors[i].profile, "profile");
    }
    assert_true(kept->roles_unknown && kept->auth_time == 7 && kept->kind == GH_PRINCIPAL_AGENT);
    gh_verdict_unref(verdict);
    gh_verdicts_free(verdicts);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_nothing_of_the_request_is_left) };
    return cmocka_run_group_tests_name("verdict", tests, NULL, NULL);
}
