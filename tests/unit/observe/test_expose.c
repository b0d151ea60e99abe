/* observe/test_expose.c: metrics as text: counted over workers, labels that cannot break a line, one series
 * each.
 */
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/str.h"
#include "observe/registry.h"
#include "support/cm.h"

static struct gh_registry *registry;
static struct gh_buf text;

static int set_up(void **state)
{
    registry = gh_registry_new(2);
    return registry != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    gh_registry_free(registry);
    gh_buf_done(&text);
    return 0;
}

static gh_str exposed(void)
{
    gh_buf_consume(&text, gh_buf_len(&text));
    assert_true(gh_registry_expose(registry, &text));
    return gh_buf_peek(&text);
}

static bool has_line(const char *line)
{
    char whole[512];
    (void)snprintf(whole, sizeof(whole), "\n%s\n", line);
    return gh_str_contains(gh_buf_peek(&text), gh_str_from(whole));
}

static void counts_of_all_workers(void **state)
{
    uint32_t id = gh_registry_route(registry, GH_STR("acme"), GH_STR("weather"));
    for (unsigned w = 0; w < 2; w++) {
        struct gh_route_stats *stats = gh_registry_route_stats(registry, w, id);
        GH_COUNT_ADD(stats->by_reason[GH_OK], 3 + w);
        GH_COUNT_ADD(stats->by_reason[GH_TOKEN_EXPIRED], 1);
        GH_COUNT_ADD(stats->duration[0], 2);
        GH_COUNT_ADD(stats->duration[GH_DURATION_BUCKETS], 1);
        GH_COUNT_ADD(gh_registry_worker_stats(registry, w)->connections_accepted, 5);
    }
    (void)exposed();
    assert_true(has_line("gatehouse_requests_total{tenant=\"acme\",route=\"weather\",reason=\"ok\"} 7"));
    assert_true(
        has_line("gatehouse_requests_total{tenant=\"acme\",route=\"weather\",reason=\"token_expired\"} 2"));
    assert_true(has_line("gatehouse_connections_accepted_total 10"));
    assert_true(has_line(
        "gatehouse_request_duration_seconds_bucket{tenant=\"acme\",route=\"weather\",le=\"0.00025\"} 4"));
    assert_true(has_line(
        "gatehouse_request_duration_seconds_bucket{tenant=\"acme\",route=\"weather\",le=\"+Inf\"} 6"));
    assert_true(has_line("gatehouse_request_duration_seconds_count{tenant=\"acme\",route=\"weather\"} 6"));
}

/* A name comes back after a reload: it is the same series. */
static void a_name_is_one_series(void **state)
{
    uint32_t id = gh_registry_route(registry, GH_STR("acme"), GH_STR("weather"));
    uint32_t other = gh_registry_route(registry, GH_STR("acme"), GH_STR("maps"));
    assert_int_not_equal(id, other);
    assert_int_equal(gh_registry_route(registry, GH_STR("acme"), GH_STR("weather")), id);
    assert_ptr_equal(gh_registry_issuer_stats(registry, GH_STR("okta")),
                     gh_registry_issuer_stats(registry, GH_STR("okta")));
}

/* threats.md M1 and L1: whatever a name holds, a line stays a line, and every line one of the format. */
static void labels_cannot_break_a_line(void **state)
{
    for (unsigned byte = 1; byte < 256; byte++) {
        char name[4] = { 'a', (char)byte, 'z', '\0' };
        (void)gh_registry_route(registry, gh_str_of(name, 3), gh_str_of(name, 3));
    }
    gh_str all = exposed();
    size_t lines = 0, labelled = 0;
    while (all.ptr != NULL && all.len != 0) {
        gh_str line = gh_str_cut(&all, '\n');
        lines++;
        for (size_t i = 0; i < line.len; i++)
            assert_true((unsigned char)line.ptr[i] >= 0x20 && line.ptr[i] != 0x7f);
        labelled += gh_str_starts(line, GH_STR("gatehouse_event_streams_open{tenant=\"a"));
        assert_true(line.ptr[0] == '#' || gh_str_starts(line, GH_STR("gatehouse_")));
    }
    assert_true(lines > 255);
    assert_int_equal(labelled, 255);
}

static void memory_may_run_out(void **state)
{
    (void)gh_registry_route(registry, GH_STR("acme"), GH_STR("weather"));
    gh_str whole = exposed();
    size_t len = whole.len;
    for (unsigned long n = 1; n < 1000; n++) {
        struct gh_buf out = { 0 };
        gh_alloc_fail_at(n);
        bool done = gh_registry_expose(registry, &out);
        gh_alloc_fail_at(0);
        bool complete = gh_buf_len(&out) == len;
        gh_buf_done(&out);
        if (done) {
            assert_true(complete);
            return;
        }
    }
    fail();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(counts_of_all_workers),
        TEST(a_name_is_one_series),
        TEST(labels_cannot_break_a_line),
        TEST(memory_may_run_out),
    };
    return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
