/* wire/test_h2_heads.c: heads and trailers of HTTP/2 at each limit: what is within it passes, one more is
 * refused. */
#include "blocks.h"

static struct block block;

/* ---- heads (threats.md D5) ---- */

/* A request with `fields` fields beside the four pseudo fields. */
static void put_fields(struct session *s, uint32_t stream, const char *name, size_t fields)
{
    block_begin(&block);
    for (size_t i = 0; i < fields; i++)
        block_field(&block, name, "a");
    put_frame(s, HEADERS, END_HEADERS | END_STREAM, stream, block_all(&block));
}

static void test_fields_are_counted(void **state)
{
    static const char *const names[] = { "x-a", "cookie" };
    for (size_t i = 0; i < GH_ARRAY_LEN(names); i++) {
        struct session *s = session_new(&session_limits);
        put_fields(s, 1, names[i], 96);
        assert_int_equal(feed(s), GH_OK);
        assert_int_equal(s->why, GH_OK);
        assert_int_equal(s->fields, 96);
        put_fields(s, 3, names[i], 97);
        assert_int_equal(feed(s), GH_OK);
        assert_int_equal(s->why, GH_HTTP_FIELDS_MANY);
        session_free(s);
    }
}

/* Each field costs its name, its value and 32. */
static void test_head_size(void **state)
{
    struct session *s = session_new(&session_limits);
    size_t pseudo = 7 + 4 + 7 + 5 + 10 + 9 + 5 + 4 + 4 * 32, left = 32 * 1024 - pseudo - 32 - 1;
    for (uint32_t over = 0; over < 2; over++) {
        block_begin(&block);
        block_long(&block, "x", left + over);
        put_frame(s, HEADERS, 0, 1 + 2 * over, gh_str_take(block_all(&block), 16384));
        put_frame(s, CONTINUATION, END_HEADERS, 1 + 2 * over, gh_str_skip(block_all(&block), 16384));
        put_frame(s, DATA, END_STREAM, 1 + 2 * over, GH_STR_NONE);
        assert_int_equal(feed(s), GH_OK);
        assert_int_equal(s->heads, 1 + over);
        assert_int_equal(s->why, over == 0 ? GH_OK : GH_HTTP_HEAD_LARGE);
    }
    session_free(s);
}

static void test_target_length(void **state)
{
    struct session *s = session_new(&session_limits);
    for (uint32_t over = 0; over < 2; over++) {
        block.len = 0;
        block_field(&block, ":method", "POST");
        block_field(&block, ":scheme", "https");
        block_field(&block, ":authority", "a.example");
        block_long(&block, ":path", 8192 + over);
        block.bytes[block.len - 8192 - over] = '/';
        put_frame(s, HEADERS, END_HEADERS | END_STREAM, 1 + 2 * over, block_all(&block));
        assert_int_equal(feed(s), GH_OK);
        assert_int_equal(s->why, over == 0 ? GH_OK : GH_HTTP_TARGET_LONG);
    }
    session_free(s);
}

/* CVE-2026-49975: one large entry of the table, then a thousand references of a byte each. Nothing of it is
 * kept. */
static void test_references_to_a_large_field(void **state)
{
    struct session *s = session_new(&session_limits);
    static char value[3000];
    memset(value, 'v', sizeof(value));
    block_begin(&block);
    block.bytes[block.len++] = 0x40; /* literal with incremental indexing */
    block_text(&block, "cookie", 6);
    block_text(&block, value, sizeof(value));
    memset(block.bytes + block.len, 0x80 | 62, 4000); /* the newest entry */
    block.len += 4000;
    for (uint32_t i = 0; i < 10; i++) {
        assert_int_equal(s->reason, GH_OK);
        put_frame(s, HEADERS, END_HEADERS, 1 + 2 * i, block_all(&block)); /* left open */
        assert_int_equal(feed(s), i < 9 ? GH_OK : GH_H2_GLITCHES);
        assert_int_equal(s->why, GH_HTTP_HEAD_LARGE);
    }
    assert_int_equal(s->goaway, ENHANCE_YOUR_CALM);
    session_free(s);
}

static void test_continuations(void **state)
{
    for (unsigned count = 8; count <= 9; count++) {
        struct session *s = session_new(&session_limits);
        block_begin(&block);
        put_frame(s, HEADERS, END_STREAM, 1, block_all(&block));
        for (unsigned i = 1; i <= count; i++) {
            block.len = 0;
            block_field(&block, "x-a", "b");
            put_frame(s, CONTINUATION, i == count ? END_HEADERS : 0, 1, block_all(&block));
        }
        assert_int_equal(feed(s), count == 8 ? GH_OK : GH_H2_GLITCHES);
        assert_int_equal(s->heads, count == 8 ? 1 : 0);
        session_free(s);
    }
}

static void test_continuation_bytes(void **state)
{
    for (size_t over = 0; over < 2; over++) {
        struct session *s = session_new(&session_limits);
        block_begin(&block);
        put_frame(s, HEADERS, END_STREAM, 1, block_all(&block));
        block.len = 0;
        block_long(&block, "x-a", 16384 - 8 + over);
        assert_int_equal(block.len, 16384 + over);
        put_frame(s, CONTINUATION, 0, 1, gh_str_take(block_all(&block), 8192));
        put_frame(s, CONTINUATION, END_HEADERS, 1, gh_str_skip(block_all(&block), 8192));
        assert_int_equal(feed(s), over == 0 ? GH_OK : GH_H2_GLITCHES);
        session_free(s);
    }
}

/* ---- trailers (threats.md H3) ---- */

static struct session *with_trailers(const struct block *trailers)
{
    struct session *s = session_new(&session_limits);
    put_request(s, 1, false);
    put_frame(s, DATA, 0, 1, GH_STR("{}"));
    put_frame(s, HEADERS, END_HEADERS | END_STREAM, 1, block_all(trailers));
    assert_int_equal(feed(s), GH_OK);
    assert_int_equal(s->heads, 1);
    return s;
}

static void test_trailers_are_dropped(void **state)
{
    block.len = 0;
    for (int i = 0; i < 100; i++)
        block_field(&block, "x-a", "1");
    struct session *s = with_trailers(&block);
    assert_int_equal(s->ended, 1);
    assert_int_equal(s->closed, 0);
    session_free(s);
}

static void assert_trailers_refused(enum gh_reason why)
{
    struct session *s = with_trailers(&block);
    assert_int_equal(s->ended, 0);
    assert_int_equal(s->closed, 1);
    assert_int_equal(s->closed_why, why);
    assert_int_equal(s->resets, 1);
    assert_int_equal(s->reset_code, PROTOCOL_ERROR);
    put_request(s, 3, true);
    assert_int_equal(feed(s), GH_OK);
    assert_int_equal(s->heads, 2);
    session_free(s);
}

static void test_trailers_that_frame_or_steer(void **state)
{
    static const char *const names[] = { "content-length", "host", "te", "trailer", "expect" };
    for (size_t i = 0; i < GH_ARRAY_LEN(names); i++) {
        block.len = 0;
        block_field(&block, names[i], "trailers");
        struct session *s = with_trailers(&block);
        assert_int_equal(s->ended, 0);
        assert_int_equal(s->closed, 1);
        assert_true(s->closed_why == GH_HTTP_MALFORMED || s->closed_why == GH_H2_PROTOCOL);
        assert_int_equal(s->resets, 1);
        session_free(s);
    }
}

static void test_trailers_with_pseudo_fields(void **state)
{
    block.len = 0;
    block_field(&block, ":path", "/x");
    assert_trailers_refused(GH_H2_PROTOCOL);
}

static void test_trailers_are_held_to_grammar(void **state)
{
    block.len = 0;
    block_field(&block, "x_a", "1");
    assert_trailers_refused(GH_HTTP_MALFORMED);
}

static void test_trailers_have_the_limits_of_a_head(void **state)
{
    block.len = 0;
    for (int i = 0; i < 101; i++)
        block_field(&block, "x-a", "1");
    assert_trailers_refused(GH_HTTP_FIELDS_MANY);
    block.len = 0;
    block_long(&block, "x-a", 12000);
    block_long(&block, "x-b", 4000);
    struct session *s = with_trailers(&block);
    assert_int_equal(s->ended, 1);
    session_free(s);
}

static void test_trailers_that_are_too_large(void **state)
{
    struct session *s = session_new(&session_limits);
    block.len = 0;
    block_long(&block, "x-a", 32 * 1024 - 32 - 3 + 1);
    put_request(s, 1, false);
    put_frame(s, HEADERS, END_STREAM, 1, gh_str_take(block_all(&block), 16384));
    put_frame(s, CONTINUATION, 0, 1, gh_str_take(gh_str_skip(block_all(&block), 16384), 16384));
    put_frame(s, CONTINUATION, END_HEADERS, 1, gh_str_skip(block_all(&block), 32768));
    (void)feed(s); /* more than 16 KiB of CONTINUATION end the connection before */
    assert_int_equal(s->ended, 0);
    session_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields_are_counted),
        cmocka_unit_test(test_head_size),
        cmocka_unit_test(test_target_length),
        cmocka_unit_test(test_references_to_a_large_field),
        cmocka_unit_test(test_continuations),
        cmocka_unit_test(test_continuation_bytes),
        cmocka_unit_test(test_trailers_are_dropped),
        cmocka_unit_test(test_trailers_that_frame_or_steer),
        cmocka_unit_test(test_trailers_with_pseudo_fields),
        cmocka_unit_test(test_trailers_are_held_to_grammar),
        cmocka_unit_test(test_trailers_have_the_limits_of_a_head),
        cmocka_unit_test(test_trailers_that_are_too_large),
    };
    return cmocka_run_group_tests_name("h2_heads", tests, NULL, NULL);
}
