/* gateway/test_streams.c: event streams are counted per principal, per tenant and in all, by several threads
 * at once. */
#include <pthread.h>
#include <stdio.h>

#include "gateway/streams.h"
#include "support/cm.h"

static const struct gh_stream_limits limits = { .per_principal = 16, .per_tenant = 40, .all = 100 };

static enum gh_reason enter(struct gh_streams *streams, const char *tenant, const char *subject,
                            struct gh_stream_place *ret_place)
{
    struct gh_stream_owner owner =
        gh_stream_owner(streams, gh_str_from(tenant), GH_STR("idp"), gh_str_from(subject));
    return gh_streams_enter(streams, owner, &limits, ret_place);
}

static bool is_full(struct gh_streams *streams, const char *tenant, const char *issuer, const char *subject)
{
    struct gh_stream_owner owner =
        gh_stream_owner(streams, gh_str_from(tenant), gh_str_from(issuer), gh_str_from(subject));
    return gh_streams_are_full(streams, owner, &limits);
}

static void test_a_principal(void **state)
{
    struct gh_streams *streams = gh_streams_new();
    struct gh_stream_place places[17] = { 0 };
    for (int i = 0; i < 16; i++) {
        assert_false(is_full(streams, "acme", "idp", "alice"));
        assert_int_equal(enter(streams, "acme", "alice", &places[i]), GH_OK);
    }
    assert_true(is_full(streams, "acme", "idp", "alice"));
    assert_int_equal(enter(streams, "acme", "alice", &places[16]), GH_STREAMS_MANY);
    assert_false(places[16].is_in);
    /* Equal subjects of two issuers or tenants are two. */
    assert_false(is_full(streams, "acme", "other", "alice"));
    assert_false(is_full(streams, "umbrella", "idp", "alice"));
    assert_false(is_full(streams, "acme", "idp", "bob"));
    assert_false(is_full(streams, "acme", "idpa", "lice"));
    gh_streams_leave(streams, &places[3]);
    gh_streams_leave(streams, &places[3]); /* a second time changes nothing */
    assert_int_equal(enter(streams, "acme", "alice", &places[3]), GH_OK);
    assert_int_equal(enter(streams, "acme", "alice", &places[16]), GH_STREAMS_MANY);
    gh_streams_free(streams);
}

static void test_a_tenant_and_all(void **state)
{
    struct gh_streams *streams = gh_streams_new();
    static const char *const tenants[] = { "acme", "umbrella", "initech" };
    struct gh_stream_place places[101] = { 0 };
    size_t count = 0;
    for (size_t t = 0; t < 3; t++) {
        for (int i = 0; i < (t < 2 ? 40 : 20); i++) {
            char subject[16];
            snprintf(subject, sizeof(subject), "user-%d", i);
            assert_int_equal(enter(streams, tenants[t], subject, &places[count++]), GH_OK);
        }
        if (t < 2)
            assert_int_equal(enter(streams, tenants[t], "one more", &places[100]), GH_STREAMS_MANY);
    }
    assert_int_equal(enter(streams, "initech", "one more", &places[100]), GH_STREAMS_MANY);
    assert_true(is_full(streams, "a fourth", "idp", "anybody"));
    gh_streams_leave(streams, &places[0]);
    assert_int_equal(enter(streams, "initech", "one more", &places[100]), GH_OK);
    for (size_t i = 0; i < 101; i++)
        gh_streams_leave(streams, &places[i]);
    for (int i = 0; i < 40; i++) /* what was refused had left nothing behind */
        assert_int_equal(enter(streams, "acme", i < 16 ? "a" : i < 32 ? "b" : "c", &places[i]), GH_OK);
    gh_streams_free(streams);
}

static void test_many_principals(void **state)
{
    struct gh_streams *streams = gh_streams_new();
    static const struct gh_stream_limits wide = { .per_principal = 1, .per_tenant = 20000, .all = 20000 };
    static struct gh_stream_place places[10000];
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 10000; i++) {
            char subject[16];
            snprintf(subject, sizeof(subject), "user-%d", i);
            struct gh_stream_owner owner =
                gh_stream_owner(streams, GH_STR("acme"), GH_STR("idp"), gh_str_from(subject));
            struct gh_stream_place second;
            assert_int_equal(gh_streams_enter(streams, owner, &wide, &places[i]), GH_OK);
            assert_int_equal(gh_streams_enter(streams, owner, &wide, &second), GH_STREAMS_MANY);
        }
        for (int i = 0; i < 10000; i++)
            gh_streams_leave(streams, &places[i]);
    }
    gh_streams_free(streams);
}

/* ---- several workers ---- */

struct worker {
    struct gh_streams *streams;
    struct gh_stream_owner owner;
    int *open, entered, refused;
};

static void *work(void *ctx)
{
    struct worker *worker = ctx;
    for (int i = 0; i < 20000; i++) {
        struct gh_stream_place place = { 0 };
        if (gh_streams_enter(worker->streams, worker->owner, &limits, &place) != GH_OK) {
            worker->refused++;
            continue;
        }
        worker->entered++;
        int open = __atomic_add_fetch(worker->open, 1, __ATOMIC_SEQ_CST);
        /* Four workers with one stream each at most. */
        assert_true(open <= 4);
        (void)__atomic_sub_fetch(worker->open, 1, __ATOMIC_SEQ_CST);
        gh_streams_leave(worker->streams, &place);
    }
    return NULL;
}

static void test_workers(void **state)
{
    struct gh_streams *streams = gh_streams_new();
    pthread_t threads[4];
    struct worker workers[4];
    int open = 0;
    for (int i = 0; i < 4; i++) {
        workers[i] = (struct worker){ .streams = streams,
                                      .owner = gh_stream_owner(streams, GH_STR("acme"), GH_STR("idp"),
                                                               GH_STR("alice")),
                                      .open = &open };
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(workers[i].entered + workers[i].refused, 20000);
    }
    struct gh_stream_place places[17];
    for (int i = 0; i < 16; i++)
        assert_int_equal(enter(streams, "acme", "alice", &places[i]), GH_OK);
    assert_int_equal(enter(streams, "acme", "alice", &places[16]), GH_STREAMS_MANY);
    gh_streams_free(streams);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_principal),
        cmocka_unit_test(test_a_tenant_and_all),
        cmocka_unit_test(test_many_principals),
        cmocka_unit_test(test_workers),
    };
    return cmocka_run_group_tests_name("streams", tests, NULL, NULL);
}
