/* wire/test_h2_floods.c: the budgets of an HTTP/2 connection in made-up time: what each flood may cost, and
 * who is never cut. */
#include "blocks.h"

static struct block block;

/* ---- resets (threats.md D1, D2) ---- */

static void test_rapid_reset(void **state)
{
    struct session *s = session_new(&session_limits);
    for (uint32_t i = 0; i < 200; i++) {
        put_request(s, 1 + 2 * i, true);
        put_number(s, RST_STREAM, 1 + 2 * i, CANCEL);
    }
    assert_int_equal(feed(s), GH_OK);
    assert_int_equal(s->closed_why, GH_CLIENT_GONE);
    put_request(s, 401, true);
    put_number(s, RST_STREAM, 401, CANCEL);
    assert_int_equal(feed(s), GH_H2_RESETS);
    assert_int_equal(s->goaway, ENHANCE_YOUR_CALM);
    assert_int_equal(s->heads, 201);
    session_free(s);
}

static void test_resets_are_refilled(void **state)
{
    struct session *s = session_new(&session_limits);
    uint32_t stream = 1;
    for (int second = 0; second < 60; second++, s->now_ms += 1000)
        for (int i = 0; i < 40; i++, stream += 2) {
            put_request(s, stream, true);
            put_number(s, RST_STREAM, stream, CANCEL);
            assert_int_equal(feed(s), GH_OK);
        }
    session_free(s);
}

/* CVE-2025-8671: each form makes us reset a stream that the peer still wants to pay nothing for. */
static void overflow_window(struct session *s, uint32_t stream)
{
    put_request(s, stream, true);
    put_number(s, WINDOW_UPDATE, stream, 0x7fffffff);
}

static void answer_length_too_short(struct session *s, uint32_t stream)
{
    block_begin(&block);
    block_field(&block, "content-length", "1");
    put_frame(s, HEADERS, END_HEADERS, stream, block_all(&block));
    put_frame(s, DATA, END_STREAM, stream, GH_STR("12"));
}

static void end_without_the_body(struct session *s, uint32_t stream)
{
    block_begin(&block);
    block_field(&block, "content-length", "1");
    put_frame(s, HEADERS, END_HEADERS | END_STREAM, stream, block_all(&block));
}

static void bad_field(struct session *s, uint32_t stream)
{
    block_begin(&block);
    block_field(&block, "X-Upper", "1");
    put_frame(s, HEADERS, END_HEADERS | END_STREAM, stream, block_all(&block));
}

static void connection_field(struct session *s, uint32_t stream)
{
    block_begin(&block);
    block_field(&block, "connection", "close");
    put_frame(s, HEADERS, END_HEADERS | END_STREAM, stream, block_all(&block));
}

static void data_after_the_end(struct session *s, uint32_t stream)
{
    put_request(s, stream, true);
    put_frame(s, DATA, END_STREAM, stream, GH_STR("x"));
}

static void headers_after_the_end(struct session *s, uint32_t stream)
{
    put_request(s, stream, true);
    put_request(s, stream, true);
}

static void bad_trailers(struct session *s, uint32_t stream)
{
    put_request(s, stream, false);
    block.len = 0;
    block_field(&block, "x_a", "1");
    put_frame(s, HEADERS, END_HEADERS | END_STREAM, stream, block_all(&block));
}

static void zero_update(struct session *s, uint32_t stream)
{
    put_request(s, stream, true);
    put_number(s, WINDOW_UPDATE, stream, 0);
}

static void on_itself(struct session *s, uint32_t stream)
{
    static char payload[5];
    put_request(s, stream, true);
    memcpy(payload, (unsigned char[]){ 0, 0, (unsigned char)(stream >> 8), (unsigned char)stream, 1 }, 5);
    put_frame(s, PRIORITY, 0, stream, gh_str_of(payload, 5));
}

static void test_provoked_resets(void **state)
{
    static const struct {
        void (*form)(struct session *, uint32_t);
        enum gh_reason reason;
        uint32_t count; /* of it, when the connection ends */
    } rows[] = {
        { overflow_window, GH_H2_RESETS, 201 },
        { answer_length_too_short, GH_H2_RESETS, 201 },
        { end_without_the_body, GH_H2_RESETS, 201 },
        { bad_field, GH_H2_RESETS, 201 },
        { connection_field, GH_H2_RESETS, 201 },
        { bad_trailers, GH_H2_RESETS, 201 },
        { data_after_the_end, GH_H2_PROTOCOL, 1 },
        { headers_after_the_end, GH_H2_PROTOCOL, 1 },
        { zero_update, GH_H2_PROTOCOL, 1 },
        { on_itself, GH_H2_RESETS, 301 }, /* passed over; 100 streams stay open, the next 200 are refused */
    };
    for (size_t i = 0; i < GH_ARRAY_LEN(rows); i++) {
        struct session *s = session_new(&session_limits);
        uint32_t count = 0;
        for (; s->reason == GH_OK && count < 5000; count++) {
            rows[i].form(s, 1 + 2 * count);
            (void)feed(s);
        }
        assert_int_equal(s->reason, rows[i].reason);
        assert_int_equal(count, rows[i].count);
        session_free(s);
    }
}

/* ---- glitches (threats.md D4) ---- */

static void ping(struct session *s, uint32_t i)
{
    put_frame(s, PING, 0, 0, GH_STR("12345678"));
}

static void ping_ack(struct session *s, uint32_t i)
{
    put_frame(s, PING, ACK, 0, GH_STR("12345678"));
}

static void toggle_window(struct session *s, uint32_t i)
{
    const unsigned char pair[6] = { 0, 4, 0, 0, (unsigned char)(i % 2 != 0 ? 255 : 0), 0 };
    put_frame(s, SETTINGS, 0, 0, gh_str_of(pair, sizeof(pair)));
}

static void shrink_table(struct session *s, uint32_t i)
{
    const unsigned char pair[6] = { 0, 1, 0, 0, (unsigned char)(i % 2 != 0 ? 16 : 0), 0 };
    put_frame(s, SETTINGS, 0, 0, gh_str_of(pair, sizeof(pair)));
}

static void priority(struct session *s, uint32_t i)
{
    put_frame(s, PRIORITY, 0, 3, gh_str_of("\0\0\0\0\1", 5));
}

static void unknown(struct session *s, uint32_t i)
{
    put_frame(s, 0x77, 0, 0, GH_STR("x"));
}

static void empty_data(struct session *s, uint32_t i)
{
    put_frame(s, DATA, 0, 1, GH_STR_NONE);
}

static void padding_only(struct session *s, uint32_t i)
{
    put_frame(s, DATA, PADDED, 1, gh_str_of("\3\0\0\0", 4));
}

static void goaway(struct session *s, uint32_t i)
{
    put_frame(s, GOAWAY, 0, 0, gh_str_of("\0\0\0\0\0\0\0\0", 8));
}

static void update_connection(struct session *s, uint32_t i)
{
    put_number(s, WINDOW_UPDATE, 0, 1);
}

static void update_stream(struct session *s, uint32_t i)
{
    put_number(s, WINDOW_UPDATE, 1, 1);
}

/* A stream that was answered long ago. */
static void head_of_the_dead(struct session *s, uint32_t i)
{
    if (i == 0) {
        put_request(s, 3, true);
        (void)feed(s);
        assert_true(
            gh_h2_respond(s->h2, 3, &(struct gh_h2_head){ .status = 204, .content_length = -1 }, true));
        hear(s);
    }
    put_request(s, 3, true);
}

static void test_control_frames(void **state)
{
    static const struct {
        void (*frame)(struct session *, uint32_t);
        uint32_t free; /* of these cost nothing */
    } forms[] = {
        { ping, 0 },         { ping_ack, 0 },        { toggle_window, 0 },
        { shrink_table, 0 }, { priority, 0 },        { unknown, 0 },
        { empty_data, 0 },   { padding_only, 0 },    { head_of_the_dead, 0 },
        { goaway, 0 },       { update_stream, 100 }, { update_connection, 100 },
    };
    for (size_t i = 0; i < GH_ARRAY_LEN(forms); i++) {
        struct session *s = session_new(&session_limits);
        put_request(s, 1, false);
        assert_int_equal(feed(s), GH_OK);
        for (uint32_t n = 0; n < 990 + forms[i].free && s->reason == GH_OK; n++) {
            forms[i].frame(s, n);
            (void)feed(s);
        }
        if (forms[i].frame != goaway) /* nghttp2 ends at the second one by itself */
            assert_int_equal(s->reason, GH_OK);
        for (uint32_t n = 1; n < 21 && s->reason == GH_OK; n++) {
            forms[i].frame(s, n);
            (void)feed(s);
        }
        assert_true(s->reason == GH_H2_GLITCHES || (forms[i].frame == goaway && s->reason != GH_OK));
        session_free(s);
    }
}

/* Streams that were passed over are as dead as those that ended, also where one read brings both ends of the
 * gap. */
static void test_heads_below_the_highest(void **state)
{
    static const size_t steps[] = { SIZE_MAX, 1000, 1 };
    for (size_t i = 0; i < GH_ARRAY_LEN(steps); i++) {
        struct session *s = session_new(&session_limits);
        put_request(s, 4001, true);
        for (uint32_t n = 0; n < 1000; n++)
            put_request(s, 2 * n + 1, true);
        assert_int_equal(feed_by(s, steps[i]), GH_OK);
        put_request(s, 5001, true);
        put_request(s, 4003, true);
        assert_int_equal(feed_by(s, steps[i]), GH_H2_GLITCHES);
        assert_int_equal(s->heads, 2);
        session_free(s);
    }
}

/* Answers to a peer that reads none of them: nghttp2 keeps so many acknowledgements and no more. */
static void test_acknowledgements_that_nobody_reads(void **state)
{
    struct session *s = session_new(&session_limits);
    for (int i = 0; i < 5000; i++)
        ping(s, 0);
    enum gh_reason reason = gh_h2_read(s->h2, gh_buf_peek(&s->in), s->now_ms);
    assert_int_equal(reason, GH_H2_GLITCHES);
    hear(s);
    assert_true(s->most_queued < 128 * 64);
    session_free(s);
}

static void test_glitches_are_refilled(void **state)
{
    struct session *s = session_new(&session_limits);
    for (int second = 0; second < 300; second++, s->now_ms += 1000) {
        for (int i = 0; i < 33; i++)
            ping(s, 0);
        assert_int_equal(feed(s), GH_OK);
    }
    session_free(s);
}

/* ---- streams (threats.md D8) ---- */

static void test_streams_beyond_the_number(void **state)
{
    struct session *s = session_new(&session_limits);
    for (uint32_t i = 0; i < 100; i++)
        put_request(s, 1 + 2 * i, true);
    assert_int_equal(feed(s), GH_OK);
    assert_int_equal(s->heads, 100);
    assert_int_equal(s->refused, 0);
    for (uint32_t i = 100; i < 110; i++)
        put_request(s, 1 + 2 * i, true);
    assert_int_equal(feed(s), GH_OK);
    assert_int_equal(s->heads, 100);
    assert_int_equal(s->refused, 10);
    for (uint32_t i = 110; i < 2000 && s->reason == GH_OK; i++) {
        put_request(s, 1 + 2 * i, true);
        (void)feed(s);
    }
    assert_true(s->reason == GH_H2_RESETS || s->reason == GH_H2_GLITCHES);
    session_free(s);
}

/* The peer has acknowledged our number, and still a stream beyond it is no error of the connection. */
static void test_the_number_is_ours(void **state)
{
    struct session *s = session_new(&session_limits);
    assert_int_equal(s->streams_told, 100);
    put_frame(s, SETTINGS, ACK, 0, GH_STR_NONE);
    for (uint32_t i = 0; i < 150; i++) {
        put_request(s, 1 + 2 * i, true);
        assert_int_equal(feed(s), GH_OK);
    }
    assert_int_equal(s->heads, 100);
    assert_int_equal(s->refused, 50);
    session_free(s);
}

/* What a refused stream still brings is nobody's. */
static void test_a_refused_stream_says_no_more(void **state)
{
    struct gh_h2_limits limits = session_limits;
    limits.streams = 1;
    struct session *s = session_new(&limits);
    put_request(s, 1, true);
    put_request(s, 3, false);
    put_frame(s, DATA, END_STREAM, 3, GH_STR("{}"));
    assert_int_equal(feed(s), GH_OK);
    put_frame(s, DATA, END_STREAM, 3, GH_STR("{}"));
    assert_int_equal(feed(s), GH_OK);
    assert_int_equal(s->heads, 1);
    assert_int_equal(s->body, 0);
    assert_int_equal(s->refused, 1);
    session_free(s);
}

/* An answer that the peer does not read keeps its place. */
static void test_unread_answers_keep_their_streams(void **state)
{
    struct session *s = session_new(&session_limits);
    static const unsigned char no_window[6] = { 0, 4, 0, 0, 0, 0 };
    s->answer = ANSWER_WITH_BODY;
    put_frame(s, SETTINGS, 0, 0, gh_str_of(no_window, sizeof(no_window)));
    for (uint32_t i = 0; i < 101; i++)
        put_request(s, 1 + 2 * i, true);
    assert_int_equal(feed(s), GH_OK);
    assert_int_equal(s->answers, 100);
    assert_int_equal(s->data, 0);
    assert_int_equal(s->refused, 1);
    session_free(s);
}

static void test_requests_of_a_connection(void **state)
{
    struct gh_h2_limits limits = session_limits;
    limits.requests = 50;
    struct session *s = session_new(&limits);
    s->answer = ANSWER_AT_ONCE;
    for (uint32_t i = 0; i < 50; i++) {
        put_request(s, 1 + 2 * i, true);
        assert_int_equal(feed(s), GH_OK);
        assert_int_equal(s->said_goaway, i == 49);
    }
    assert_int_equal(s->goaway, NO_ERROR);
    assert_int_equal(s->last_stream, INT32_MAX);
    for (uint32_t i = 50; i < 150; i++) /* what was on its way is served */
        put_request(s, 1 + 2 * i, true);
    assert_int_equal(feed(s), GH_OK);
    assert_int_equal(s->answers, 150);
    assert_int_equal(s->last_stream, 1 + 2 * 149);
    put_request(s, 301, true);
    (void)feed(s);
    assert_int_equal(s->answers, 150);
    session_free(s);
}

/* ---- D9: a heavy client that does nothing wrong, for half an hour ---- */

struct heavy {
    uint32_t next, oldest;
};

static void open_one(struct session *s, struct heavy *heavy)
{
    put_request(s, heavy->next, false);
    put_frame(s, DATA, 0, heavy->next, GH_STR("{\"jsonrpc\":\"2.0\"}"));
    heavy->next += 2;
}

/* Cancelled while its body is on the way: that comes behind, and so do windows for an answer that came
 * before. */
static void cancel_oldest(struct session *s, struct heavy *heavy)
{
    put_number(s, RST_STREAM, heavy->oldest, CANCEL);
    put_number(s, WINDOW_UPDATE, heavy->oldest, 9);
    heavy->oldest += 2;
}

static void test_a_heavy_client_is_never_cut(void **state)
{
    struct session *s = session_new(&session_limits);
    struct heavy heavy = { .next = 1, .oldest = 1 };
    s->answer = ANSWER_WITH_BODY;
    for (int i = 0; i < 100; i++)
        open_one(s, &heavy);
    assert_int_equal(feed(s), GH_OK);
    for (int i = 0; i < 30 * 60 * 30; i++) {
        s->now_ms = 2000000 + (int64_t)i * 1000 / 30;
        cancel_oldest(s, &heavy);
        open_one(s, &heavy);
        /* Ten streams get an event, and each DATA frame gives back both windows. */
        size_t data = s->data;
        for (uint32_t k = 0; k < 10; k++)
            (void)gh_h2_send(s->h2, (int32_t)(heavy.oldest + 2 * k), GH_STR("data: 1\n\n"));
        hear(s);
        for (; data < s->data; data++) {
            put_number(s, WINDOW_UPDATE, 0, 9);
            put_number(s, WINDOW_UPDATE, heavy.oldest + 2 * (uint32_t)(data % 10), 9);
        }
        if (i % 30 == 0)
            ping(s, 0);
        assert_int_equal(feed(s), GH_OK);
    }
    assert_false(s->said_goaway);
    assert_int_equal(s->refused, 0);
    assert_int_equal(s->heads, 100 + 30 * 60 * 30);
    session_free(s);
}

/* Answered before its body was there: what is still on its way weighs nothing. */
static void test_bodies_of_answered_requests(void **state)
{
    struct session *s = session_new(&session_limits);
    s->answer = ANSWER_AT_ONCE;
    for (uint32_t i = 0; i < 3000; i++, s->now_ms += 10) {
        put_request(s, 1 + 2 * i, false);
        assert_int_equal(feed(s), GH_OK);
        put_frame(s, DATA, 0, 1 + 2 * i, GH_STR("{\"jsonrpc\":\"2.0\"}"));
        put_frame(s, DATA, END_STREAM, 1 + 2 * i, GH_STR("{}"));
        assert_int_equal(feed(s), GH_OK);
    }
    assert_int_equal(s->answers, 3000);
    session_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rapid_reset),
        cmocka_unit_test(test_resets_are_refilled),
        cmocka_unit_test(test_provoked_resets),
        cmocka_unit_test(test_control_frames),
        cmocka_unit_test(test_heads_below_the_highest),
        cmocka_unit_test(test_acknowledgements_that_nobody_reads),
        cmocka_unit_test(test_glitches_are_refilled),
        cmocka_unit_test(test_streams_beyond_the_number),
        cmocka_unit_test(test_the_number_is_ours),
        cmocka_unit_test(test_a_refused_stream_says_no_more),
        cmocka_unit_test(test_unread_answers_keep_their_streams),
        cmocka_unit_test(test_requests_of_a_connection),
        cmocka_unit_test(test_a_heavy_client_is_never_cut),
        cmocka_unit_test(test_bodies_of_answered_requests),
    };
    return cmocka_run_group_tests_name("h2_floods", tests, NULL, NULL);
}
