/* core/test_client_rules.c: what a client of the operator may be, each rule by the one change that breaks
 * it, and the life of its secrets. */
#include "base/arena.h"
#include "core/grant/client_rules.h"
#include "support/cm.h"

static const gh_str scopes[] = { GH_STR_INIT("mcp:read"), GH_STR_INIT("mcp:write") };
static const gh_str others[] = { GH_STR_INIT("mail:send") };
static const struct gh_grant_resource resources[] = {
    { .canonical = GH_STR_INIT("https://a.example/mcp"), .scopes = { scopes, 2 } },
    { .canonical = GH_STR_INIT("https://b.example/mcp"), .scopes = { others, 1 } },
};
static const struct gh_grant_policy policy = { .issuer_name = GH_STR_INIT("house"),
                                               .resources = resources,
                                               .resource_count = 2 };
static const gh_str redirects[] = { GH_STR_INIT("https://app.example/cb"), GH_STR_INIT("my-app:/cb") };

#define JWK "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\""

static struct gh_client app(void)
{
    struct gh_client client = { .id = GH_STR("app"),
                                .auth = GH_CLIENT_AUTH_NONE,
                                .grants = GH_CLIENT_GRANTS_UNSAID,
                                .redirect_uris = { redirects, 2 } };
    gh_client_fill_in(&client);
    return client;
}

static struct gh_client service(void)
{
    struct gh_client client = { .id = GH_STR("svc"),
                                .auth = GH_CLIENT_AUTH_BASIC,
                                .grants = GH_GRANT_CREDENTIALS };
    gh_client_fill_in(&client);
    return client;
}

static void assert_wrong(const struct gh_client *client, const char *begins)
{
    GH_CLEANUP(gh_arena_free) struct gh_arena *arena = gh_arena_new(0);
    gh_str words = gh_client_wrong(arena, &policy, client);
    assert_non_null(words.ptr);
    if (begins[0] == '\0')
        assert_int_equal(words.len, 0);
    else
        assert_true(gh_str_starts(words, gh_str_from(begins)));
}

static void good_ones_are_good(void **state)
{
    struct gh_client client = app();
    assert_wrong(&client, "");
    assert_int_equal(client.grants, GH_GRANT_CODE | GH_GRANT_REFRESH);
    assert_str_eq(client.name, "app");
    client = service();
    assert_wrong(&client, "");
    client.grants = 0; /* it may ask about tokens */
    assert_wrong(&client, "");
    client.resources = (struct gh_strs){ &resources[0].canonical, 1 };
    client.scopes = (struct gh_strs){ scopes, 2 };
    assert_wrong(&client, "");
    client.auth = GH_CLIENT_AUTH_KEY;
    client.jwks = GH_STR("{\"keys\":[" JWK "}]}");
    assert_wrong(&client, "");
}

static void ids_and_names(void **state)
{
    static const char *const bad[] = { "", "a b", "a/b", "https://app.example/c.json", "\xc3\xa4" };
    struct gh_client client = app();
    for (size_t i = 0; i < GH_ARRAY_LEN(bad); i++) {
        client.id = gh_str_from(bad[i]);
        assert_wrong(&client, "client: ");
    }
    client = app();
    client.name = GH_STR("a\nb");
    assert_wrong(&client, "name: ");
}

static void redirects_and_grants(void **state)
{
    static const char *const bad[] = { "http://app.example/cb",  "https://app.example/*",
                                       "https://u@app.example/", "https://app.example/#f",
                                       "javascript:alert(1)",    "cb" };
    struct gh_client client = app();
    for (size_t i = 0; i < GH_ARRAY_LEN(bad); i++) {
        gh_str uri = gh_str_from(bad[i]);
        client.redirect_uris = (struct gh_strs){ &uri, 1 };
        assert_wrong(&client, "redirect_uris: found");
    }
    client = app();
    client.grants = GH_GRANT_REFRESH;
    assert_wrong(&client, "grants: found no authorization_code");
    client.redirect_uris = (struct gh_strs){ 0 };
    assert_wrong(&client, "grants: found refresh_token");
    client.grants = GH_GRANT_CODE;
    assert_wrong(&client, "grants: found authorization_code without");
    client.grants = GH_GRANT_CREDENTIALS;
    assert_wrong(&client, "grants: found client_credentials");
    client.grants = 0;
    assert_wrong(&client, "grants: found none");
}

static void keys_are_public_and_for_assertions(void **state)
{
    static const char *const bad[] = { "{\"keys\":[]}", "[]", "{\"keys\":[" JWK ",\"d\":\"x\"}]}",
                                       "{\"keys\":[" JWK "},{\"kty\":\"oct\",\"k\":\"x\"}]}" };
    struct gh_client client = service();
    client.jwks = GH_STR("{\"keys\":[" JWK "}]}");
    assert_wrong(&client, "jwks: allowed");
    client.auth = GH_CLIENT_AUTH_KEY;
    assert_wrong(&client, "");
    for (size_t i = 0; i < GH_ARRAY_LEN(bad); i++) {
        client.jwks = gh_str_from(bad[i]);
        assert_wrong(&client, "jwks: ");
    }
    client.jwks = GH_STR("");
    assert_wrong(&client, "jwks: allowed");
}

static void resources_and_scopes_are_those_of_the_issuer(void **state)
{
    static const gh_str elsewhere = GH_STR_INIT("https://c.example/mcp");
    struct gh_client client = service();
    client.resources = (struct gh_strs){ &elsewhere, 1 };
    assert_wrong(&client, "resources: found https://c.example/mcp");
    client.resources = (struct gh_strs){ &resources[0].canonical, 1 };
    client.scopes = (struct gh_strs){ others, 1 };
    assert_wrong(&client, "scopes: found mail:send");
    client.resources = (struct gh_strs){ 0 };
    assert_wrong(&client, "");
}

static void two_secrets_live_at_a_time(void **state)
{
    GH_CLEANUP(gh_arena_free) struct gh_arena *arena = gh_arena_new(0);
    struct gh_client client = service(), open = app();
    assert_false(gh_client_drop_secret(&client));
    assert_true(gh_client_add_secret(arena, &client, GH_STR("one")));
    assert_false(gh_client_drop_secret(&client));
    assert_true(gh_client_add_secret(arena, &client, GH_STR("two")));
    assert_false(gh_client_add_secret(arena, &client, GH_STR("three")));
    assert_true(gh_client_drop_secret(&client));
    assert_int_equal(client.secrets.count, 1);
    assert_str_eq(client.secrets.at[0], "two");
    assert_false(gh_client_add_secret(arena, &open, GH_STR("one")));
}

/* A list for which there was no memory is neither read nor refused for what it says. */
static void memory_that_runs_out_is_told(void **state)
{
    GH_CLEANUP(gh_arena_free) struct gh_arena *arena = gh_arena_new(0);
    struct gh_json asked;
    assert_int_equal(
        gh_json_read(arena,
                     GH_STR("{\"client\":\"app\",\"grants\":[\"authorization_code\"],\"scopes\":[\"s\"],"
                            "\"redirect_uris\":[\"https://app.example/cb\"],\"resources\":[\"r\"],"
                            "\"no_consent\":true,\"jwks\":{}}"),
                     &gh_json_control_limits, GH_ADMIN_MALFORMED, &asked),
        GH_OK);
    unsigned long left = 0;
    for (unsigned long n = 1; left == 0; n++) {
        GH_CLEANUP(gh_arena_free) struct gh_arena *scratch = gh_arena_new(64);
        struct gh_client client = { 0 };
        gh_alloc_fail_at(n);
        gh_str words = gh_client_wish_read(scratch, &asked, &client);
        left = gh_alloc_fail_at(0);
        assert_true(left > 0 || words.ptr == NULL);
        assert_true(left == 0 || (words.ptr != NULL && words.len == 0));
        if (left > 0)
            assert_true(client.no_consent && client.grants == GH_GRANT_CODE && client.scopes.count == 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_ones_are_good),
        cmocka_unit_test(ids_and_names),
        cmocka_unit_test(redirects_and_grants),
        cmocka_unit_test(keys_are_public_and_for_assertions),
        cmocka_unit_test(resources_and_scopes_are_those_of_the_issuer),
        cmocka_unit_test(two_secrets_live_at_a_time),
        cmocka_unit_test(memory_that_runs_out_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
