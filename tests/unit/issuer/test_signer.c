/* issuer/test_signer.c: a costly signature is an offload thread's, and the worker goes on with others
 * meanwhile. */
#include "base/str.h"
#include "issuer/request.h"
#include "support/cm.h"
#include "support/sign.h"

static struct gh_arena *arena;
static struct gh_loop *loop;
static struct gh_mailbox *mailbox;
static struct gh_offload *offload;
static struct gh_issuer_server *server;
static struct gh_exchange exchanges[3];
static struct gh_issuer_request requests[3];
static const struct gh_managed slow = { .name = GH_STR_INIT("slow") },
                               quick = { .name = GH_STR_INIT("quick") };

static enum gh_step_end sign(struct gh_issuer_request *r)
{
    return gh_issuer_sign(r, GH_STR("{\"iss\":\"https://as.example\",\"sub\":\"ada\"}"));
}

static enum gh_step_end end(struct gh_issuer_request *r)
{
    return GH_STEP_DONE;
}

static const struct gh_step steps[] = { { "sign", sign }, { "end", end }, { NULL, NULL } };

static void take_keys(gh_str name, const char *alg)
{
    enum gh_signing_fault fault;
    struct gh_signing_key *key;
    struct gh_jwks *set;
    struct gh_signer *signer = gh_signer_new(alg);
    assert_int_equal(gh_signing_key_read(gh_signer_pem(arena, signer), &fault, &key), GH_OK);
    gh_signer_free(signer);
    gh_str text = gh_jwks_write(arena, &key, 1);
    assert_int_equal(gh_jwks_read(text, (1u << GH_ALG_COUNT) - 1u, NULL, &set), GH_OK);
    gh_issuer_server_set_keys(server, name, gh_issuer_keys_new(key, set, text));
    gh_signing_key_unref(key);
    gh_jwks_unref(set);
}

static struct gh_issuer_request *begin(size_t i, const struct gh_managed *managed)
{
    struct gh_issuer_request *r = &requests[i];
    exchanges[i] = (struct gh_exchange){ .arena = arena };
    *r = (struct gh_issuer_request){
        .x = &exchanges[i], .server = server, .managed = managed, .steps = steps, .verdict = GH_INTERNAL
    };
    gh_list_append(&server->requests, &r->link);
    return r;
}

/* The threads are not started: jobs wait. */
static int set_up(void **state)
{
    arena = gh_arena_new(0);
    loop = gh_loop_new();
    mailbox = gh_mailbox_new(loop, NULL);
    offload = gh_offload_new(1, 8);
    server =
        gh_issuer_server_new(&(struct gh_issuer_new){ .loop = loop, .offload = offload, .mailbox = mailbox });
    assert_non_null(server);
    take_keys(slow.name, "RS256");
    take_keys(quick.name, "ES256");
    return 0;
}

static int tear_down(void **state)
{
    gh_offload_free(offload);
    gh_mailbox_free(mailbox);
    gh_issuer_server_free(server);
    gh_loop_free(loop);
    gh_arena_free(arena);
    return 0;
}

static void assert_signed(const struct gh_issuer_request *r, enum gh_alg alg)
{
    struct gh_token token;
    assert_true(r->ended);
    assert_int_equal(r->verdict, GH_OK);
    assert_int_equal(gh_token_open(arena, r->signed_token, &token), GH_OK);
    assert_int_equal(token.alg, alg);
    struct gh_key *key = gh_jwks_find(gh_issuer_keys_of(r)->set, token.kid, token.alg);
    assert_int_equal(gh_token_signature(key, token.alg, token.signed_part, token.signature), GH_OK);
}

static void others_are_served_meanwhile(void **state)
{
    struct gh_issuer_request *first = begin(0, &slow), *second = begin(1, &quick), *third = begin(2, &slow);
    gh_issuer_run(first);
    gh_issuer_run(second);
    gh_issuer_run(third);
    assert_signed(second, GH_ALG_ES256); /* while no thread has touched the first */
    assert_false(first->ended || third->ended);
    assert_true(gh_offload_start(offload));
    while (!first->ended || !third->ended)
        gh_loop_turn(loop, 100);
    assert_signed(first, GH_ALG_RS256);
    assert_signed(third, GH_ALG_RS256);
}

/* The keys are replaced while a signature waits: the job has a reference of its own. */
static void a_job_keeps_its_key(void **state)
{
    struct gh_issuer_request *r = begin(0, &slow);
    gh_issuer_run(r);
    take_keys(slow.name, "ES256");
    assert_true(gh_offload_start(offload));
    while (!r->ended)
        gh_loop_turn(loop, 100);
    assert_int_equal(r->verdict, GH_OK);
    struct gh_token token;
    assert_int_equal(gh_token_open(arena, r->signed_token, &token), GH_OK);
    assert_int_equal(token.alg, GH_ALG_RS256);
}

/* Whoever left gets nothing; the job ends alone, on a thread or in the queue. */
static void those_who_left_are_missed_by_nobody(void **state)
{
    struct gh_issuer_request *gone = begin(0, &slow), *last = begin(1, &slow);
    gh_issuer_run(gone);
    gh_issuer_let_go(gone);
    gh_issuer_run(last);
    assert_true(gh_offload_start(offload));
    while (!last->ended)
        gh_loop_turn(loop, 100);
    assert_signed(last, GH_ALG_RS256);
    assert_int_equal(gone->verdict, GH_INTERNAL);
}

static void a_queue_that_is_freed_frees_its_jobs(void **state)
{
    struct gh_issuer_request *r = begin(0, &slow);
    gh_issuer_run(r);
    assert_false(r->ended);
    gh_issuer_let_go(r);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(others_are_served_meanwhile),
        TEST(a_job_keeps_its_key),
        TEST(those_who_left_are_missed_by_nobody),
        TEST(a_queue_that_is_freed_frees_its_jobs),
    };
    return cmocka_run_group_tests_name("signatures", tests, NULL, NULL);
}
