/* core/test_policy.c: metadata documents, their places, discovery, and what happens when memory runs out. */
#include "base/arena.h"
#include "gatehouse/policy.h"
#include "support/cm.h"

#define NO_MORE ((struct gh_strs){ 0 })

static const gh_str servers[] = { GH_STR_INIT("https://acme.auth0.com/"), GH_STR_INIT("https://gw.example") };
static const gh_str scopes[] = { GH_STR_INIT("mcp:tools"), GH_STR_INIT("offline_access"),
                                 GH_STR_INIT("mcp:\"x\"") };

static struct gh_policy route(void)
{
    return (struct gh_policy){
        .resource = { .path = GH_STR("/mcp") },
        .resource_text = GH_STR("https://gw.example/mcp"),
        .resource_name = GH_STR("Weather \"Z\xc3\xbcrich\""),
        .metadata_url = GH_STR("https://gw.example/.well-known/oauth-protected-resource/mcp"),
        .scopes = { scopes, 1 },
        .scopes_supported = { scopes, 3 },
        .authorization_servers = { servers, 2 },
    };
}

static void test_document(void **state)
{
    struct gh_arena *arena = gh_arena_new(0);
    struct gh_policy policy = route();
    assert_str_eq(
        gh_metadata_write(arena, &policy),
        "{\"resource\":\"https://gw.example/mcp\","
        "\"authorization_servers\":[\"https://acme.auth0.com/\",\"https://gw.example\"],"
        "\"scopes_supported\":[\"mcp:tools\",\"mcp:\\\"x\\\"\"],"
        "\"bearer_methods_supported\":[\"header\"],\"resource_name\":\"Weather \\\"Z\xc3\xbcrich\\\"\"}");
    policy.resource_name = GH_STR("");
    policy.scopes_supported = (struct gh_strs){ scopes + 1, 1 };
    assert_str_eq(gh_metadata_write(arena, &policy),
                  "{\"resource\":\"https://gw.example/mcp\","
                  "\"authorization_servers\":[\"https://acme.auth0.com/\",\"https://gw.example\"],"
                  "\"bearer_methods_supported\":[\"header\"]}");
    gh_arena_free(arena);
}

static void test_place(void **state)
{
    struct gh_arena *arena = gh_arena_new(0);
    struct gh_policy policy = route();
    assert_str_eq(gh_metadata_path(arena, &policy), "/.well-known/oauth-protected-resource/mcp");
    policy.resource.path = GH_STR("/a/mcp/");
    assert_str_eq(gh_metadata_path(arena, &policy), "/.well-known/oauth-protected-resource/a/mcp/");
    policy.resource.path = GH_STR("/");
    assert_str_eq(gh_metadata_path(arena, &policy), "/.well-known/oauth-protected-resource");
    gh_arena_free(arena);
}

static void test_discovery(void **state)
{
    struct gh_arena *arena = gh_arena_new(0);
    struct gh_strs urls;
    assert_int_equal(gh_discovery_urls(arena, GH_STR("https://acme.okta.com/oauth2/default"), &urls), GH_OK);
    assert_int_equal(urls.count, 4);
    assert_str_eq(urls.at[0], "https://acme.okta.com/.well-known/oauth-authorization-server/oauth2/default");
    assert_str_eq(urls.at[1], "https://acme.okta.com/.well-known/openid-configuration/oauth2/default");
    assert_str_eq(urls.at[2], "https://acme.okta.com/oauth2/default/.well-known/openid-configuration");
    assert_str_eq(urls.at[3], "https://acme.okta.com/oauth2/default/.well-known/oauth-authorization-server");
    assert_int_equal(gh_discovery_urls(arena, GH_STR("https://acme.auth0.com/"), &urls), GH_OK);
    assert_int_equal(urls.count, 2);
    assert_str_eq(urls.at[0], "https://acme.auth0.com/.well-known/oauth-authorization-server");
    assert_str_eq(urls.at[1], "https://acme.auth0.com/.well-known/openid-configuration");
    assert_int_equal(gh_discovery_urls(arena, GH_STR("http://127.0.0.1:9000"), &urls), GH_OK);
    assert_str_eq(urls.at[1], "http://127.0.0.1:9000/.well-known/openid-configuration");
    assert_int_equal(gh_discovery_urls(arena, GH_STR("https://a.example/?x"), &urls), GH_SETTINGS_INVALID);
    assert_int_equal(gh_discovery_urls(arena, GH_STR("stytch.com/project-1"), &urls), GH_SETTINGS_INVALID);
    gh_arena_free(arena);
}

/* A token with very many scopes cannot make a header line that no client reads. */
static void test_challenge_is_bounded(void **state)
{
    struct gh_arena *arena = gh_arena_new(0);
    gh_str many[1000];
    for (size_t i = 0; i < GH_ARRAY_LEN(many); i++)
        many[i] = gh_arena_printf(arena, "scope-number-%zu", i);
    struct gh_policy policy = route();
    struct gh_principal principal = { .scopes = { many, GH_ARRAY_LEN(many) } };
    gh_str challenge = gh_challenge_write(arena, &policy, GH_SCOPE_MISSING, &principal, NO_MORE);
    assert_true(challenge.len < 5000);
    assert_true(gh_str_contains(challenge, GH_STR(" mcp:tools\"")));
    gh_arena_free(arena);
}

/* One call of the core that allocates: GH_OUT_OF_MEMORY, or what it answers when there is memory. */
typedef enum gh_reason (*call)(struct gh_arena *arena);

static enum gh_reason text_reason(gh_str text)
{
    return text.ptr != NULL ? GH_OK : GH_OUT_OF_MEMORY;
}
static enum gh_reason call_url(struct gh_arena *arena)
{
    struct gh_url url;
    return gh_url_read(arena, GH_STR("https://[::1]:8443/a?b"), &url);
}
static enum gh_reason call_authority(struct gh_arena *arena)
{
    struct gh_authority authority;
    return gh_authority_read(arena, GH_STR("MCP.example:80"), &authority);
}
static enum gh_reason call_headers(struct gh_arena *arena)
{
    struct gh_headers headers;
    return gh_headers_init(&headers, arena, 8);
}
static enum gh_reason call_discovery(struct gh_arena *arena)
{
    struct gh_strs urls;
    return gh_discovery_urls(arena, GH_STR("https://a.example/b"), &urls);
}
static enum gh_reason call_challenge(struct gh_arena *arena)
{
    struct gh_policy policy = route();
    struct gh_principal principal = { .scopes = { scopes, 3 } };
    return text_reason(gh_challenge_write(arena, &policy, GH_SCOPE_MISSING, &principal, NO_MORE));
}
static enum gh_reason call_plain_challenge(struct gh_arena *arena)
{
    struct gh_policy policy = route();
    return text_reason(gh_challenge_write(arena, &policy, GH_TOKEN_MISSING, NULL, NO_MORE));
}
static enum gh_reason call_body(struct gh_arena *arena)
{
    return text_reason(gh_reason_body(arena, GH_TOKEN_EXPIRED, GH_STR_NONE));
}
static enum gh_reason call_metadata(struct gh_arena *arena)
{
    struct gh_policy policy = route();
    return text_reason(gh_metadata_write(arena, &policy));
}
static enum gh_reason call_place(struct gh_arena *arena)
{
    struct gh_policy policy = route();
    return text_reason(gh_metadata_path(arena, &policy));
}

/* Every allocation of every call fails once; the answer is never half of one. */
static void test_out_of_memory(void **state)
{
    static const call calls[] = { call_url,       call_authority, call_headers,
                                  call_discovery, call_challenge, call_plain_challenge,
                                  call_body,      call_metadata,  call_place };
    for (size_t i = 0; i < GH_ARRAY_LEN(calls); i++) {
        unsigned long n = 1;
        for (enum gh_reason reason = GH_OUT_OF_MEMORY; reason != GH_OK; n++) {
            struct gh_arena *arena = gh_arena_new(0);
            gh_alloc_fail_at(n);
            reason = calls[i](arena);
            gh_alloc_fail_at(0);
            gh_arena_free(arena);
            assert_true(reason == GH_OK || reason == GH_OUT_OF_MEMORY);
            assert_true(n < 100);
        }
        assert_true(n > 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_document),      cmocka_unit_test(test_place),
        cmocka_unit_test(test_discovery),     cmocka_unit_test(test_challenge_is_bounded),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
