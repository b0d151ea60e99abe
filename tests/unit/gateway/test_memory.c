/* gateway/test_memory.c: each allocation on the way from an accepted token to its verdict fails once, those
 * of OpenSSL too: nobody is let through uncounted, then or later, and nothing leaks. */
#include <stdlib.h>

#include "support/cm.h"

#include "base/arena.h"
#include "gateway/request.h"
#include "support/memory.h"
#include "support/sign.h"

#define NOW 1700000000

/* One worker, one route with two rate limits, a token whose signature was good. */
static struct world {
    struct gh_arena *arena;
    struct gh_loop *loop;
    struct gh_streams *streams;
    struct gh_worker_stats stats;
    struct gh_gateway gateway;
    struct gh_site site;
    struct gh_issuer issuer;
    struct gh_route route;
    struct gh_token token;
    unsigned char key[GH_VERDICT_KEY];
} w;

static void no_head(struct gh_exchange *x, const struct gh_response *response, bool end)
{
}
static bool no_data(struct gh_exchange *x, gh_str bytes)
{
    return true;
}
static void no_end(struct gh_exchange *x)
{
}
static const struct gh_sink sink = { .head = no_head, .data = no_data, .end = no_end };

static gh_str new_token(void)
{
    struct gh_signer *signer = gh_signer_new("ES256");
    gh_str token = gh_signer_token(
        w.arena, signer, "ES256", GH_STR("{\"alg\":\"ES256\",\"typ\":\"at+jwt\"}"),
        GH_STR("{\"iss\":\"https://as.example\",\"sub\":\"anna\",\"aud\":\"https://r.example/mcp\","
               "\"exp\":1700000600,\"iat\":1700000000,\"scope\":\"a b\",\"client_id\":\"desk\","
               "\"act\":{\"sub\":\"bot\"}}"));
    gh_signer_free(signer);
    return token;
}

static int set_up(void **state)
{
    static const gh_str issuers[] = { GH_STR_INIT("https://as.example") },
                        auds[] = { GH_STR_INIT("https://r.example/mcp") };
    static const struct gh_rate_limit limits[] = {
        { .per = GH_RATE_TENANT, .of_tenant = true, .requests = 100, .window_s = 60 },
        { .per = GH_RATE_AGENT, .requests = 10, .window_s = 60 }
    };
    (void)state;
    w = (struct world){ .arena = gh_arena_new(0), .loop = gh_loop_new(), .streams = gh_streams_new() };
    gh_loop_fake_time(w.loop, 1000, NOW);
    w.gateway.with.loop = w.loop;
    w.gateway.with.streams = w.streams;
    w.gateway.stats = &w.stats;
    w.gateway.verdicts = gh_verdicts_new(16);
    w.gateway.rates = gh_rates_new(w.loop, NULL, &w.stats); /* which nobody asks for a lot */
    w.issuer.conf.profile = *gh_profile_builtin(GH_STR("generic"));
    w.issuer.conf.profile.name = GH_STR("okta");
    w.issuer.conf.profile.issuers = (struct gh_strs){ issuers, 1 };
    w.route.policy.tenant = GH_STR("acme");
    w.route.policy.route = GH_STR("notes");
    w.route.policy.binding.audiences = (struct gh_strs){ auds, 1 };
    w.route.rates = limits;
    w.route.rate_count = GH_ARRAY_LEN(limits);
    gh_str text = new_token();
    assert_int_equal(gh_token_open(w.arena, text, &w.token), GH_OK);
    assert_int_equal(gh_verdict_key(w.gateway.verdicts, text, 7, w.key), GH_OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    gh_verdicts_free(w.gateway.verdicts);
    gh_rates_free(w.gateway.rates);
    gh_streams_free(w.streams);
    gh_loop_free(w.loop);
    gh_arena_free(w.arena);
    return 0;
}

/* A request with the token; the n-th allocation fails. How it ended, and *ret_left of what gh_alloc_fail_at
 * says. */
static enum gh_reason judge_failing(unsigned long n, unsigned long *ret_left)
{
    struct gh_route_stats counts = { 0 };
    const struct gh_observer observer = { .stats = &w.stats, .no_route = &counts };
    struct gh_exchange x = { .arena = gh_arena_new(64),
                             .loop = w.loop,
                             .observer = &observer,
                             .sink = &sink,
                             .route_stats = &counts };
    struct gh_request r = { .x = &x,
                            .gateway = &w.gateway,
                            .site = &w.site,
                            .route = &w.route,
                            .issuer = &w.issuer,
                            .token = w.token,
                            .token_text = w.token.signed_part };
    memcpy(r.verdict_key, w.key, sizeof(r.verdict_key));
    gh_alloc_fail_at(n);
    enum gh_next next = gh_authn_judge(&r);
    *ret_left = gh_alloc_fail_at(0);
    assert_int_equal(next, x.reason == GH_OK ? GH_NEXT : GH_DONE);
    if (x.reason == GH_OK)
        assert_int_equal(r.verdict->rate_count, w.route.rate_count);
    gh_verdict_unref(r.verdict);
    gh_arena_free(x.arena);
    return x.reason;
}

/* Is the token known now? Whoever comes with it again is counted by each limit. */
static bool is_known(void)
{
    struct gh_verdict *verdict = gh_verdicts_find(w.gateway.verdicts, w.key, NOW);
    if (verdict == NULL)
        return false;
    assert_int_equal(verdict->rate_count, w.route.rate_count);
    gh_verdicts_drop(w.gateway.verdicts, verdict);
    gh_verdict_unref(verdict);
    return true;
}

static void a_verdict_counts_or_is_none(void **state)
{
    unsigned failures = 0;
    (void)state;
    for (unsigned long n = 1, left = 0; left == 0; n++) {
        enum gh_reason reason = judge_failing(n, &left);
        failures += reason != GH_OK;
        assert_true(reason == GH_OK || reason == GH_OUT_OF_MEMORY);
        assert_true(reason == GH_OK || !is_known());
        (void)is_known(); /* it is forgotten, for the next round */
        assert_int_equal(gh_rates_count(w.gateway.rates), 0);
    }
    assert_true(failures > 10);
}

int main(void)
{
    if (!gh_crypto_fails_too())
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_verdict_counts_or_is_none, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("gateway_memory", tests, NULL, NULL);
}
