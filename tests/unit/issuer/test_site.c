/* issuer/test_site.c: whatever an issuer's metadata lists is answered by that issuer, or the settings are
 * refused. */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/str.h"
#include "issuer/request.h"
#include "support/cm.h"

static struct gh_issuer_site *site;
static char *why;

static void add_issuer(const char *url)
{
    struct gh_managed *managed = &site->issuers[site->issuer_count++];
    assert_int_equal(gh_url_read(site->arena, gh_str_from(url), &managed->url), GH_OK);
    managed->name = managed->policy.issuer = gh_str_from(url);
    managed->base = managed->url.path.len > 1 ? managed->url.path : GH_STR("");
    managed->registration = GH_REGISTRATION_ON;
}

static int set_up(void **state)
{
    why = NULL;
    site = gh_issuer_site_new();
    site->issuers = gh_arena_calloc(site->arena, 2, sizeof(*site->issuers));
    add_issuer("https://auth.example");
    add_issuer("https://auth.example/t/acme");
    return gh_issuer_site_index(site) == GH_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    free(why);
    gh_issuer_site_unref(site);
    return 0;
}

static void all_that_is_listed_is_answered(void **state)
{
    assert_int_equal(gh_issuer_site_load(site, &why), GH_OK);
    assert_true(gh_str_contains(site->issuers[1].metadata, GH_STR("https://auth.example/t/acme/oauth/par")));
}

static void assert_refused(size_t issuer, const char *text)
{
    site->issuers[issuer].metadata = gh_str_from(text);
    assert_int_equal(gh_issuer_site_load(site, &why), GH_SETTINGS_INVALID);
    assert_non_null(strstr(why, "nothing answers there"));
}

static void what_is_not_answered_is_refused(void **state)
{
    assert_refused(0, "{\"token_endpoint\":\"https://auth.example/oauth/other\"}");
}

static void another_issuers_endpoint_is_none_of_its_own(void **state)
{
    assert_refused(0, "{\"token_endpoint\":\"https://auth.example/t/acme/oauth/token\"}");
}

static void a_url_elsewhere_is_refused(void **state)
{
    assert_refused(1, "{\"jwks_uri\":\"https://other.example/oauth/jwks\"}");
}

/* Aliases for older clients stand where issuer and server share the origin, which none here does. */
static void no_aliases_without_a_server_at_the_origin(void **state)
{
    const struct gh_authority authority = { .host = GH_STR("auth.example") };
    assert_non_null(gh_issuer_site_find(site, &authority, GH_STR("/oauth/token")));
    assert_null(gh_issuer_site_find(site, &authority, GH_STR("/token")));
    assert_null(gh_issuer_site_find(site, &authority, GH_STR("/t/acme/token")));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(all_that_is_listed_is_answered),
        TEST(what_is_not_answered_is_refused),
        TEST(another_issuers_endpoint_is_none_of_its_own),
        TEST(a_url_elsewhere_is_refused),
        TEST(no_aliases_without_a_server_at_the_origin),
    };
    return cmocka_run_group_tests_name("sites", tests, NULL, NULL);
}
