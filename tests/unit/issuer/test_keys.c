/* issuer/test_keys.c: a worker holds the keys of the issuers of its settings, of each under its name.
 */
#include <stdio.h>

#include "base/arena.h"
#include "base/str.h"
#include "issuer/request.h"
#include "support/cm.h"
#include "support/sign.h"

static struct gh_arena *arena;
static struct gh_signing_key *active;
static struct gh_jwks *set;

static int set_up(void **state)
{
    enum gh_signing_fault fault;
    struct gh_signer *signer = gh_signer_new("ES256");
    arena = gh_arena_new(0);
    if (arena == NULL || gh_signing_key_read(gh_signer_pem(arena, signer), &fault, &active) != GH_OK)
        return -1;
    gh_signer_free(signer);
    return gh_jwks_read(gh_jwks_write(arena, &active, 1), (1u << GH_ALG_COUNT) - 1u, NULL, &set) == GH_OK
               ? 0
               : -1;
}

static int tear_down(void **state)
{
    gh_signing_key_unref(active);
    gh_jwks_unref(set);
    gh_arena_free(arena);
    return 0;
}

/* The i-th issuer of the n-th site. */
static gh_str name_of(unsigned site, unsigned i)
{
    return gh_arena_printf(arena, "site-%u-issuer-%u", site, i);
}

static gh_str keys_of(struct gh_issuer_server *server, gh_str name)
{
    const struct gh_managed managed = { .name = name };
    const struct gh_issuer_request r = { .server = server, .managed = &managed };
    const struct gh_issuer_keys *keys = gh_issuer_keys_of(&r);
    return keys != NULL ? keys->jwks : GH_STR_NONE;
}

/* As at a reload: the keys first, then the site. Each issuer's set says whose it is. */
static void take_site(struct gh_issuer_server *server, unsigned n)
{
    struct gh_issuer_site *site = gh_issuer_site_new();
    site->issuers = gh_arena_calloc(arena, GH_ISSUER_SITE_MAX, sizeof(*site->issuers));
    site->issuer_count = GH_ISSUER_SITE_MAX;
    for (unsigned i = 0; i < GH_ISSUER_SITE_MAX; i++) {
        site->issuers[i].name = name_of(n, i);
        gh_issuer_server_set_keys(server, name_of(n, i), gh_issuer_keys_new(active, set, name_of(n, i)));
    }
    gh_issuer_server_set_site(server, site);
    gh_issuer_site_unref(site);
}

static void assert_holds_only(struct gh_issuer_server *server, unsigned n, unsigned sites)
{
    for (unsigned site = 0; site < sites; site++)
        for (unsigned i = 0; i < GH_ISSUER_SITE_MAX; i++) {
            gh_str found = keys_of(server, name_of(site, i));
            assert_true(site == n ? gh_str_eq(found, name_of(site, i)) : found.ptr == NULL);
        }
}

static void every_issuer_keeps_its_keys_however_often_all_are_renamed(void **state)
{
    struct gh_issuer_server *server = gh_issuer_server_new(&(struct gh_issuer_new){ 0 });
    for (unsigned n = 0; n < 4; n++) {
        take_site(server, n);
        assert_holds_only(server, n, 4);
    }
    gh_issuer_server_free(server);
}

static void new_keys_take_the_place_of_old_ones(void **state)
{
    struct gh_issuer_server *server = gh_issuer_server_new(&(struct gh_issuer_new){ 0 });
    take_site(server, 0);
    for (unsigned i = 0; i < 2 * GH_ISSUER_KEYS_MAX; i++)
        gh_issuer_server_set_keys(server, name_of(0, 7), gh_issuer_keys_new(active, set, GH_STR("newer")));
    assert_true(gh_str_eq(keys_of(server, name_of(0, 7)), GH_STR("newer")));
    assert_true(gh_str_eq(keys_of(server, name_of(0, 8)), name_of(0, 8)));
    gh_issuer_server_free(server);
}

static void no_other_keys_give_way_to_one_too_many(void **state)
{
    struct gh_issuer_server *server = gh_issuer_server_new(&(struct gh_issuer_new){ 0 });
    take_site(server, 0);
    for (unsigned i = 0; i < GH_ISSUER_SITE_MAX + 1; i++)
        gh_issuer_server_set_keys(server, name_of(1, i), gh_issuer_keys_new(active, set, GH_STR("told")));
    for (unsigned i = 0; i < GH_ISSUER_SITE_MAX; i++) {
        assert_true(gh_str_eq(keys_of(server, name_of(0, i)), name_of(0, i)));
        assert_true(gh_str_eq(keys_of(server, name_of(1, i)), GH_STR("told")));
    }
    assert_null(keys_of(server, name_of(1, GH_ISSUER_SITE_MAX)).ptr);
    gh_issuer_server_free(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_issuer_keeps_its_keys_however_often_all_are_renamed),
        cmocka_unit_test(new_keys_take_the_place_of_old_ones),
        cmocka_unit_test(no_other_keys_give_way_to_one_too_many),
    };
    return cmocka_run_group_tests_name("keys", tests, set_up, tear_down);
}
