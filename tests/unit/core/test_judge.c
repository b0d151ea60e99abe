/* Numbers and sizes at their limits, the list of built-in profiles, and whose memory a principal is. */
#include <stdio.h>
#include <string.h>

#include "support/cm.h"

#include "base/arena.h"
#include "gatehouse/token.h"
#include "support/sign.h"

static gh_str unsigned_token(struct gh_arena *arena, gh_str payload)
{
    gh_str header = gh_test_base64url(arena, GH_STR("{\"alg\":\"ES256\",\"typ\":\"at+jwt\"}"));
    return gh_arena_printf(arena, "%s.%s.AAAA", header.ptr, gh_test_base64url(arena, payload).ptr);
}

static const struct gh_strs no_claims = { NULL, 0 };

/* A token with that member behind the others, judged without a look at its signature. */
static enum gh_reason judge_grant(struct gh_arena *arena, struct gh_arena *scratch, gh_str member,
                                  struct gh_strs grant_claims, struct gh_principal *principal)
{
    static const gh_str issuers[] = { GH_STR_INIT("i") }, audiences[] = { GH_STR_INIT("r") };
    struct gh_profile profile = *gh_profile_builtin(GH_STR("generic"));
    struct gh_binding binding = { .audiences = { audiences, 1 } };
    struct gh_token token;
    profile.issuers = (struct gh_strs){ issuers, 1 };
    profile.grant_claims = grant_claims;
    gh_str payload = gh_arena_printf(scratch, "{\"iss\":\"i\",\"aud\":\"r\",\"exp\":2000,\"sub\":\"s\"%.*s}",
                                     GH_STR_FMT(member));
    enum gh_reason reason = gh_token_open(scratch, unsigned_token(scratch, payload), &token);
    return reason != GH_OK ? reason : gh_token_judge(arena, &token, &profile, &binding, 1000, principal);
}

static enum gh_reason judge(struct gh_arena *arena, struct gh_arena *scratch, gh_str member,
                            struct gh_principal *principal)
{
    return judge_grant(arena, scratch, member, no_claims, principal);
}

/* ,"name":["0","1",...] */
static gh_str array(struct gh_arena *arena, const char *name, unsigned count)
{
    char *text = gh_arena_alloc(arena, 32 + (size_t)count * 8);
    int len = sprintf(text, ",\"%s\":[", name);
    for (unsigned i = 0; i < count; i++)
        len += sprintf(text + len, "%s\"%u\"", i != 0 ? "," : "", i);
    text[len++] = ']';
    return gh_str_of(text, (size_t)len);
}

static enum gh_reason judge_array(const char *name, unsigned count)
{
    struct gh_arena *arena = gh_arena_new(0);
    struct gh_principal principal;
    enum gh_reason reason = judge(arena, arena, array(arena, name, count), &principal);
    gh_arena_free(arena);
    return reason;
}

static void lists_are_bounded(void **state)
{
    (void)state;
    assert_int_equal(judge_array("groups", 0), GH_OK);
    assert_int_equal(judge_array("groups", 1000), GH_OK);
    assert_int_equal(judge_array("groups", 1001), GH_TOKEN_CLAIMS);
    assert_int_equal(judge_array("scope", 500), GH_OK);
    assert_int_equal(judge_array("scope", 501), GH_TOKEN_CLAIMS);
    assert_int_equal(judge_array("aud_of_others", 3500), GH_OK);
    assert_int_equal(judge_array("groups", 10000), GH_TOKEN_LARGE);
}

static void tokens_are_bounded(void **state)
{
    static char text[32770];
    struct gh_arena *arena = gh_arena_new(0);
    struct gh_token token;
    (void)state;
    memset(text, 'a', sizeof(text));
    assert_int_equal(gh_token_open(arena, gh_str_of(text, 32768), &token), GH_TOKEN_OPAQUE);
    assert_int_equal(gh_token_open(arena, gh_str_of(text, 32769), &token), GH_TOKEN_LARGE);
    gh_arena_free(arena);
}

static void an_overage_of_groups_is_no_empty_list(void **state)
{
    struct gh_arena *arena = gh_arena_new(0);
    struct gh_principal principal;
    (void)state;
    assert_int_equal(judge(arena, arena, GH_STR(""), &principal), GH_OK);
    assert_false(principal.groups_unknown);
    assert_int_equal(judge(arena, arena, GH_STR(",\"_claim_names\":{\"groups\":\"src1\"}"), &principal),
                     GH_OK);
    assert_true(principal.groups_unknown);
    assert_int_equal(judge(arena, arena, GH_STR(",\"hasgroups\":true"), &principal), GH_OK);
    assert_true(principal.groups_unknown);
    assert_int_equal(judge(arena, arena, GH_STR(",\"hasgroups\":false"), &principal), GH_OK);
    assert_false(principal.groups_unknown);
    gh_arena_free(arena);
}

static void a_principal_outlives_the_token(void **state)
{
    struct gh_arena *arena = gh_arena_new(0), *scratch = gh_arena_new(0);
    struct gh_principal principal;
    (void)state;
    gh_str more = GH_STR(
        ",\"scope\":\"a b\",\"groups\":[\"g\"],\"act\":{\"sub\":\"x\"},\"jti\":\"j\",\"client_id\":\"c\"");
    assert_int_equal(judge(arena, scratch, more, &principal), GH_OK);
    gh_arena_free(scratch);
    assert_str_eq(principal.issuer_name, "generic");
    assert_str_eq(principal.issuer, "i");
    assert_str_eq(principal.subject, "s");
    assert_str_eq(principal.client, "c");
    assert_str_eq(principal.jti, "j");
    assert_str_eq(principal.jti_hash, "GJ9AA0vnoZnx-piRZo7jq2BJ-C04xovnD1luqy4YV7c");
    assert_str_eq(principal.scopes.at[1], "b");
    assert_str_eq(principal.groups.at[0], "g");
    assert_str_eq(principal.actors[0].sub, "x");
    assert_str_eq(principal.actors[0].iss, "i");
    assert_int_equal(principal.expires, 2000);
    assert_int_equal(principal.issued, 0);
    gh_arena_free(arena);
}

static void a_grant_is_where_the_profile_says(void **state)
{
    static const gh_str sid[] = { GH_STR_INIT("sid") };
    struct gh_arena *arena = gh_arena_new(0), *scratch = gh_arena_new(0);
    struct gh_principal principal;
    gh_str member = GH_STR(",\"sid\":\"grt_1\"");
    (void)state;
    assert_int_equal(judge(arena, arena, member, &principal), GH_OK);
    assert_int_equal(principal.grant.len, 0);
    assert_int_equal(judge_grant(arena, scratch, member, (struct gh_strs){ sid, 1 }, &principal), GH_OK);
    gh_arena_free(scratch);
    assert_str_eq(principal.grant, "grt_1");
    assert_int_equal(judge_grant(arena, arena, GH_STR(",\"sid\":1"), (struct gh_strs){ sid, 1 }, &principal),
                     GH_TOKEN_CLAIMS);
    gh_arena_free(arena);
}

static void built_in_profiles_are_those_named(void **state)
{
    size_t count = 0;
    (void)state;
    for (gh_str rest = gh_profile_builtin_names(); rest.ptr != NULL; count++) {
        gh_str name = gh_str_trim(gh_str_cut(&rest, ','));
        const struct gh_profile *profile = gh_profile_builtin(name);
        assert_non_null(profile);
        assert_true(gh_str_eq(profile->name, name));
        assert_int_not_equal(profile->algs, 0);
        assert_true(profile->types.count != 0 && profile->subject_claims.count != 0);
        assert_true(profile->leeway == 30 && profile->issuers.count == 0);
        assert_null(gh_profile_refusal(name).ptr);
    }
    assert_int_equal(count, 17);
    assert_null(gh_profile_builtin(GH_STR("google")));
    assert_non_null(gh_profile_refusal(GH_STR("google")).ptr);
    assert_null(gh_profile_builtin(GH_STR("Okta")));
    assert_null(gh_profile_refusal(GH_STR("Okta")).ptr);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_are_bounded),
        cmocka_unit_test(tokens_are_bounded),
        cmocka_unit_test(an_overage_of_groups_is_no_empty_list),
        cmocka_unit_test(a_principal_outlives_the_token),
        cmocka_unit_test(a_grant_is_where_the_profile_says),
        cmocka_unit_test(built_in_profiles_are_those_named),
    };
    return cmocka_run_group_tests_name("judge", tests, NULL, NULL);
}
