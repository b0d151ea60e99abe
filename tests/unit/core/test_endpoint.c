/* HTTP+SSE's endpoint event: bounds to the byte, random streams at random cuts, memory that runs out. */
#include "support/cm.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "gatehouse/endpoint.h"
#include "gatehouse/session.h"

#define RUNS 20000

static gh_str repeated(struct gh_arena *arena, char c, size_t count)
{
    char *text = gh_arena_alloc(arena, count + 1);
    memset(text, c, count);
    return gh_str_of(text, count);
}

/* All of the stream at once, "@" for the address. */
static enum gh_reason pass(struct gh_endpoint_reader *reader, gh_str bytes, struct gh_buf *out)
{
    enum gh_reason reason = GH_OK;
    while (reason == GH_OK && bytes.len > 0) {
        struct gh_endpoint_piece piece;
        reason = gh_endpoint_read(reader, &bytes, &piece);
        if (reason != GH_OK)
            return reason;
        gh_str address = piece.url.ptr != NULL ? GH_STR("@") : GH_STR_NONE;
        if (!gh_buf_add(out, piece.before) || !gh_buf_add(out, address) || !gh_buf_add(out, piece.after))
            return GH_OUT_OF_MEMORY;
    }
    return reason;
}

static enum gh_reason pass_event(gh_str before, size_t url_len)
{
    struct gh_arena *arena = gh_arena_new(0);
    struct gh_buf out = { 0 };
    struct gh_endpoint_reader *reader = gh_endpoint_reader_new();
    gh_str url = repeated(arena, 'x', url_len);
    gh_str stream =
        gh_arena_printf(arena, "%.*sevent: endpoint\ndata: %.*s\n\n", GH_STR_FMT(before), GH_STR_FMT(url));
    enum gh_reason reason = pass(reader, stream, &out);
    gh_endpoint_reader_free(reader);
    gh_buf_done(&out);
    gh_arena_free(arena);
    return reason;
}

static void test_the_longest_event(void **state)
{
    const size_t around = sizeof("event: endpoint\ndata: \n\n") - 1;
    assert_int_equal(pass_event(GH_STR(""), GH_ENDPOINT_EVENT_MAX - around), GH_OK);
    assert_int_equal(pass_event(GH_STR(""), GH_ENDPOINT_EVENT_MAX - around + 1), GH_UPSTREAM_ENDPOINT);
    assert_int_equal(pass_event(GH_STR(": x\n\n"), GH_ENDPOINT_EVENT_MAX - around), GH_OK);
    assert_int_equal(pass_event(GH_STR(": x\n"), GH_ENDPOINT_EVENT_MAX - around - 4), GH_OK);
    assert_int_equal(pass_event(GH_STR(": x\n"), GH_ENDPOINT_EVENT_MAX - around - 3), GH_UPSTREAM_ENDPOINT);
    gh_endpoint_reader_free(NULL);
}

/* What never ends a line is refused once it is too long, and not held. */
static void test_a_stream_without_an_end(void **state)
{
    struct gh_buf out = { 0 };
    struct gh_endpoint_reader *reader = gh_endpoint_reader_new();
    for (size_t i = 0; i < GH_ENDPOINT_EVENT_MAX; i++)
        assert_int_equal(pass(reader, GH_STR("x"), &out), GH_OK);
    assert_int_equal(pass(reader, GH_STR("x"), &out), GH_UPSTREAM_ENDPOINT);
    assert_int_equal(gh_buf_len(&out), 0);
    gh_endpoint_reader_free(reader);
}

/* Behind the endpoint a line of any length, with each end: what follows it is seen for what it is. */
static void test_long_lines_behind_it(void **state)
{
    static const char *const ends[] = { "\n", "\r", "\r\n" };
    for (size_t len = 0; len < 1100; len++) {
        struct gh_arena *arena = gh_arena_new(0);
        struct gh_buf out = { 0 };
        struct gh_endpoint_reader *reader = gh_endpoint_reader_new();
        gh_str line = gh_arena_printf(arena, "%.*s%s", GH_STR_FMT(repeated(arena, 'x', len)), ends[len % 3]);
        assert_int_equal(pass(reader, GH_STR("event: endpoint\ndata: /m\n\n"), &out), GH_OK);
        gh_buf_done(&out);
        gh_str known = gh_arena_printf(arena, "%.*sdata: event: endpoint\n", GH_STR_FMT(line));
        assert_int_equal(pass(reader, known, &out), GH_OK);
        assert_true(gh_str_eq(gh_buf_peek(&out), known));
        gh_str second = gh_arena_printf(arena, "%.*sevent: endpoint\n", GH_STR_FMT(line));
        assert_int_equal(pass(reader, second, &out), GH_UPSTREAM_ENDPOINT);
        gh_endpoint_reader_free(reader);
        gh_buf_done(&out);
        gh_arena_free(arena);
    }
}

static void test_the_longest_address(void **state)
{
    struct gh_arena *arena = gh_arena_new(0);
    struct gh_url from;
    gh_str target;
    assert_int_equal(gh_url_read(arena, GH_STR("http://up.example/sse"), &from), GH_OK);
    gh_str path = gh_arena_printf(arena, "/%.*s", GH_STR_FMT(repeated(arena, 'x', GH_SESSION_ID_MAX)));
    assert_int_equal(gh_endpoint_resolve(arena, &from, path, &target), GH_UPSTREAM_ENDPOINT);
    path.len--;
    assert_int_equal(gh_endpoint_resolve(arena, &from, path, &target), GH_OK);
    assert_int_equal(target.len, GH_SESSION_ID_MAX);
    gh_str whole = gh_str_skip(path, 1); /* beside the stream: one byte more */
    assert_int_equal(gh_endpoint_resolve(arena, &from, whole, &target), GH_OK);
    gh_str query = gh_arena_printf(arena, "?%.*s", GH_STR_FMT(gh_str_skip(path, 5)));
    assert_int_equal(gh_endpoint_resolve(arena, &from, query, &target), GH_OK);
    query = gh_arena_printf(arena, "?%.*s", GH_STR_FMT(gh_str_skip(path, 4)));
    assert_int_equal(gh_endpoint_resolve(arena, &from, query, &target), GH_UPSTREAM_ENDPOINT);
    gh_arena_free(arena);
}

/* ---- random streams: parts that matter, in any order, cut anywhere */

static const char *const parts[] = {
    "event: endpoint", "event:endpoint", "event: ", "endpoint",  "data: ", "data", ":",  " ",    "/m?s=1",
    "id: 7",           "retry: 1",       ": c",     "\n",        "\n",     "\n\n", "\r", "\r\n", "\r\n\r\n",
    "\xef\xbb\xbf",    "EVENT",          "x",       "{\"a\":1}",
};

static uint64_t rand_state;

static size_t below(size_t limit)
{
    rand_state ^= rand_state << 13;
    rand_state ^= rand_state >> 7;
    rand_state ^= rand_state << 17;
    return (size_t)(rand_state % limit);
}

static size_t make_stream(char *stream, size_t cap)
{
    size_t len = 0, count = 1 + below(24);
    for (size_t i = 0; i < count; i++) {
        const char *part = parts[below(GH_ARRAY_LEN(parts))];
        if (len + strlen(part) > cap)
            break;
        memcpy(stream + len, part, strlen(part));
        len += strlen(part);
    }
    return len;
}

static enum gh_reason pass_in_cuts(gh_str stream, struct gh_buf *out)
{
    struct gh_endpoint_reader *reader = gh_endpoint_reader_new();
    enum gh_reason reason = GH_OK;
    while (reason == GH_OK && stream.len > 0) {
        gh_str piece = gh_str_take(stream, 1 + below(below(2) != 0 ? 3 : 40));
        stream = gh_str_skip(stream, piece.len);
        reason = pass(reader, piece, out);
    }
    gh_endpoint_reader_free(reader);
    return reason;
}

static void test_cuts_do_not_matter(void **state)
{
    const char *given = getenv("SEED");
    uint64_t seed;
    gh_random_fill(&seed, sizeof(seed));
    if (given != NULL)
        seed = strtoull(given, NULL, 10);
    (void)printf("# SEED=%llu\n", (unsigned long long)seed);
    rand_state = seed | 1;
    size_t named = 0;
    for (unsigned run = 0; run < RUNS; run++) {
        char bytes[256];
        gh_str stream = gh_str_of(bytes, make_stream(bytes, sizeof(bytes)));
        struct gh_buf whole = { 0 }, cut = { 0 };
        struct gh_endpoint_reader *reader = gh_endpoint_reader_new();
        enum gh_reason reason = pass(reader, stream, &whole);
        assert_int_equal(pass_in_cuts(stream, &cut), reason);
        if (reason == GH_OK) {
            assert_true(gh_str_eq(gh_buf_peek(&whole), gh_buf_peek(&cut)));
            named += gh_str_find(gh_buf_peek(&whole), '@') < gh_buf_len(&whole);
        }
        gh_endpoint_reader_free(reader);
        gh_buf_done(&whole);
        gh_buf_done(&cut);
    }
    assert_true(named > RUNS / 1000); /* it was about something */
}

/* ---- memory */

static enum gh_reason whole_way(void)
{
    struct gh_buf out = { 0 };
    struct gh_url from;
    gh_str target = GH_STR_NONE;
    struct gh_arena *arena = gh_arena_new(256);
    struct gh_endpoint_reader *reader = gh_endpoint_reader_new();
    enum gh_reason reason = arena != NULL && reader != NULL ? GH_OK : GH_OUT_OF_MEMORY;
    if (reason == GH_OK)
        reason = pass(reader, GH_STR(": c\n\nevent: endpoint\ndata: /m\n\n"), &out);
    if (reason == GH_OK)
        reason = gh_url_read(arena, GH_STR("http://up.example/sse"), &from);
    static const gh_str urls[] = { GH_STR_INIT("/m"), GH_STR_INIT("m"), GH_STR_INIT("//up.example/m?1"),
                                   GH_STR_INIT("http://up.example/m") };
    for (size_t i = 0; reason == GH_OK && i < GH_ARRAY_LEN(urls); i++)
        reason = gh_endpoint_resolve(arena, &from, urls[i], &target);
    gh_endpoint_reader_free(reader);
    gh_arena_free(arena);
    gh_buf_done(&out);
    return reason;
}

static void test_memory(void **state)
{
    unsigned long n = 0;
    do {
        gh_alloc_fail_at(++n);
        enum gh_reason reason = whole_way();
        assert_true(reason == GH_OK || reason == GH_OUT_OF_MEMORY);
    } while (gh_alloc_fail_at(0) == 0);
    assert_true(n > 5);
    assert_int_equal(whole_way(), GH_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_longest_event),    cmocka_unit_test(test_a_stream_without_an_end),
        cmocka_unit_test(test_the_longest_address),  cmocka_unit_test(test_cuts_do_not_matter),
        cmocka_unit_test(test_long_lines_behind_it), cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
