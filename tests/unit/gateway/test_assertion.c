/* The signed assertion of a verdict: made once, used until half its life is over, never beyond the token's
 * own life.
 */
#include <stdlib.h>

#include "support/cm.h"

#include "base/arena.h"
#include "base/base64.h"
#include "gateway/request.h"
#include "support/sign.h"

#define NOW      1700000000
#define ALL_ALGS ((1u << GH_ALG_COUNT) - 1u)

/* One worker, one route, one request; time is what the test says. */
static struct world {
    struct gh_arena *arena;
    struct gh_loop *loop;
    struct gh_gateway gateway;
    struct gh_worker_stats stats;
    struct gh_site site;
    struct gh_signing_key *keys[2];
    struct gh_route route;
    struct gh_exchange x;
    struct gh_request r;
} w;

static struct gh_signing_key *new_key(const char *alg)
{
    struct gh_signer *signer = gh_signer_new(alg);
    struct gh_signing_key *key = NULL;
    enum gh_signing_fault fault;
    assert_int_equal(gh_signing_key_read(gh_signer_pem(w.arena, signer), &fault, &key), GH_OK);
    gh_signer_free(signer);
    return key;
}

static void set_time(int64_t wall_s)
{
    gh_loop_fake_time(w.loop, 1000, wall_s);
}

static int set_up(void **state)
{
    (void)state;
    w = (struct world){ .arena = gh_arena_new(0), .loop = gh_loop_new() };
    w.gateway.with.loop = w.loop;
    w.gateway.stats = &w.stats;
    w.gateway.verdicts = gh_verdicts_new(16);
    w.keys[0] = new_key("ES256");
    w.keys[1] = new_key("EdDSA");
    w.site.generation = 1;
    w.site.assertion = (struct gh_assertion_signer){ .issuer = GH_STR_INIT("https://gw.example"),
                                                     .keys = w.keys,
                                                     .key_count = 1 };
    w.route.assertion = (struct gh_identity_assertion){ .header = GH_STR_INIT("x-gatehouse-assertion"),
                                                        .audience = GH_STR_INIT("http://mcp:3000"),
                                                        .lifetime_s = 60 };
    w.route.policy.tenant = GH_STR("acme");
    w.route.policy.resource_text = GH_STR("https://acme.example/mcp");
    w.x.arena = w.arena;
    w.r = (struct gh_request){ .x = &w.x, .gateway = &w.gateway, .site = &w.site, .route = &w.route };
    set_time(NOW);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    gh_verdict_unref(w.r.verdict);
    gh_verdicts_free(w.gateway.verdicts);
    gh_signing_key_unref(w.keys[0]);
    gh_signing_key_unref(w.keys[1]);
    gh_loop_free(w.loop);
    gh_arena_free(w.arena);
    return 0;
}

/* The request is now one of this user, whose token lives until then. */
static void come(const char *subject, int64_t expires)
{
    unsigned char key[GH_VERDICT_KEY];
    const struct gh_principal principal = { .subject = gh_str_from(subject),
                                            .issuer_name = GH_STR_INIT("okta"),
                                            .expires = expires };
    assert_int_equal(gh_verdict_key(w.gateway.verdicts, gh_str_from(subject), 7, key), GH_OK);
    gh_verdict_unref(w.r.verdict);
    w.r.verdict = gh_verdicts_find(w.gateway.verdicts, key, NOW);
    if (w.r.verdict == NULL)
        w.r.verdict = gh_verdicts_add(w.gateway.verdicts, key, &principal, NULL, expires + 30);
    assert_non_null(w.r.verdict);
}

static gh_str asserted(void)
{
    gh_str text = GH_STR_NONE;
    assert_int_equal(gh_assertion_for(&w.r, &text), GH_OK);
    return text;
}

/* What the server behind reads, with the keys it has: the subject, and from when until when. */
struct seen {
    gh_str subject, kid;
    int64_t issued, expires;
};
static struct seen read_with(struct gh_signing_key *const *keys, size_t count, gh_str text)
{
    static const gh_str issuers[] = { GH_STR_INIT("https://gw.example") },
                        auds[] = { GH_STR_INIT("http://mcp:3000") },
                        types[] = { GH_STR_INIT(GH_ASSERTION_TYP) };
    struct gh_profile profile = *gh_profile_builtin(GH_STR("generic"));
    const struct gh_binding binding = { .audiences = { auds, 1 } };
    struct gh_token token;
    struct gh_key *key = NULL;
    struct gh_jwks *set = NULL;
    struct gh_principal principal;
    profile.issuers = (struct gh_strs){ issuers, 1 };
    profile.types = (struct gh_strs){ types, 1 };
    profile.algs = ALL_ALGS;
    assert_int_equal(gh_jwks_read(gh_jwks_write(w.arena, keys, count), ALL_ALGS, NULL, &set), GH_OK);
    assert_int_equal(gh_token_open(w.arena, text, &token), GH_OK);
    assert_int_equal(gh_token_fits(&token, &profile), GH_OK);
    assert_int_equal(gh_token_key(set, &token, &profile, &key), GH_OK);
    assert_int_equal(gh_token_signature(key, token.alg, token.signed_part, token.signature), GH_OK);
    int64_t now = gh_loop_wall_s(w.loop);
    assert_int_equal(gh_token_judge(w.arena, &token, &profile, &binding, now, &principal), GH_OK);
    gh_jwks_unref(set);
    return (struct seen){ principal.subject, token.kid, principal.issued, principal.expires };
}

static struct seen read_back(gh_str text)
{
    return read_with(w.keys, 1, text);
}

static void signed_once_and_used_until_half_its_life(void **state)
{
    (void)state;
    come("alice", NOW + 600);
    gh_str first = asserted();
    struct seen seen = read_back(first);
    assert_str_eq(seen.subject, "alice");
    assert_int_equal(seen.issued, NOW);
    assert_int_equal(seen.expires, NOW + 60);
    set_time(NOW + 29);
    assert_true(gh_str_eq(asserted(), first));
    assert_int_equal(w.stats.assertions_signed, 1);
    assert_int_equal(w.stats.assertions_reused, 1);
    set_time(NOW + 30);
    gh_str second = asserted();
    assert_false(gh_str_eq(second, first));
    assert_int_equal(read_back(second).expires, NOW + 90);
    assert_int_equal(w.stats.assertions_signed, 2);
}

/* What was handed out stays as it was when the verdict's own is renewed: its call may not have left yet. */
static void what_was_handed_out_stays(void **state)
{
    (void)state;
    come("alice", NOW + 600);
    (void)asserted();
    gh_str lent = asserted(), before = gh_arena_dup(w.arena, lent);
    set_time(NOW + 59);
    (void)asserted();
    assert_true(gh_str_eq(lent, before));
}

static void never_beyond_the_tokens_own_life(void **state)
{
    (void)state;
    come("alice", NOW + 40);
    assert_int_equal(read_back(asserted()).expires, NOW + 40);
    set_time(NOW + 19);
    assert_int_equal(read_back(asserted()).issued, NOW);
    set_time(NOW + 20);
    struct seen seen = read_back(asserted());
    assert_int_equal(seen.issued, NOW + 20);
    assert_int_equal(seen.expires, NOW + 40);
    set_time(NOW + 39);
    assert_int_equal(read_back(asserted()).expires, NOW + 40);
    gh_str none = GH_STR_NONE;
    set_time(NOW + 40); /* leeway still lets the token in */
    assert_int_equal(gh_assertion_for(&w.r, &none), GH_TOKEN_EXPIRED);
    assert_null(none.ptr);
}

static void each_user_has_an_own_one(void **state)
{
    (void)state;
    come("alice", NOW + 600);
    gh_str alice = asserted();
    come("bob", NOW + 600);
    gh_str bob = asserted();
    assert_str_eq(read_back(bob).subject, "bob");
    come("alice", NOW + 600);
    assert_true(gh_str_eq(asserted(), alice));
    come("bob", NOW + 600);
    assert_true(gh_str_eq(asserted(), bob));
    assert_int_equal(w.stats.assertions_signed, 2);
}

/* A reload: another key, and the old one is published still. */
static void new_settings_sign_anew(void **state)
{
    struct gh_signing_key *turned[] = { w.keys[1], w.keys[0] };
    (void)state;
    come("alice", NOW + 600);
    gh_str first = asserted();
    w.site.generation = 2;
    w.site.assertion.keys = turned;
    w.site.assertion.key_count = 2;
    gh_str second = asserted();
    assert_true(gh_str_eq(read_with(turned, 2, second).kid, gh_signing_key_kid(w.keys[1])));
    assert_true(gh_str_eq(read_with(turned, 2, first).kid, gh_signing_key_kid(w.keys[0])));
    assert_true(gh_str_eq(asserted(), second));
}

static void a_clock_that_is_set_back_signs_anew(void **state)
{
    (void)state;
    come("alice", NOW + 600);
    (void)asserted();
    set_time(NOW - 10);
    struct seen seen = read_back(asserted());
    assert_int_equal(seen.issued, NOW - 10);
    assert_int_equal(seen.expires, NOW + 50);
}

/* Fails closed: nothing is handed out, and the next request has one. */
static void memory_that_runs_out(void **state)
{
    unsigned failures = 0;
    (void)state;
    for (unsigned long n = 1, left = 0; left == 0; n++) {
        struct gh_arena *scratch = gh_arena_new(64);
        gh_str text = GH_STR_NONE;
        come("alice", NOW + 600);
        free(w.r.verdict->assertion);
        w.r.verdict->assertion = NULL;
        w.x.arena = scratch;
        gh_alloc_fail_at(n);
        enum gh_reason reason = gh_assertion_for(&w.r, &text);
        left = gh_alloc_fail_at(0);
        assert_true(reason == GH_OK || (reason == GH_OUT_OF_MEMORY && text.ptr == NULL));
        failures += reason != GH_OK;
        if (reason == GH_OK)
            assert_str_eq(read_back(text).subject, "alice");
        w.x.arena = w.arena;
        gh_arena_free(scratch);
    }
    assert_true(failures > 3);
    assert_str_eq(read_back(asserted()).subject, "alice");
}

static void without_a_key_nothing_is_sent(void **state)
{
    gh_str none = GH_STR_NONE;
    (void)state;
    come("alice", NOW + 600);
    w.site.assertion.key_count = 0;
    assert_int_equal(gh_assertion_for(&w.r, &none), GH_INTERNAL);
    w.site.assertion.key_count = 1;
    assert_str_eq(read_back(asserted()).subject, "alice");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(signed_once_and_used_until_half_its_life, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_handed_out_stays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(never_beyond_the_tokens_own_life, set_up, tear_down),
        cmocka_unit_test_setup_teardown(each_user_has_an_own_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(new_settings_sign_anew, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_clock_that_is_set_back_signs_anew, set_up, tear_down),
        cmocka_unit_test_setup_teardown(memory_that_runs_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_a_key_nothing_is_sent, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("assertion", tests, NULL, NULL);
}
