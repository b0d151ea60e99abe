/* wire/test_hpack_plain.c: which values are said in plain, which frames stay as they came, and that a session
 * hears the same of both. */
#include "frames.h"
#include "plain.h"

#define PAYLOAD_MAX 16384

static struct coded_block block;
static char plain[64 * 1024];

static size_t rewritten(void)
{
    return rewrite(coded_all(&block), plain);
}

static void begin(const char *bytes, size_t len)
{
    block.len = 0;
    coded_bytes(&block, bytes, len);
}

/* ---- values ---- */

static void test_from_64_coded_bytes(void **state)
{
    for (size_t len = 63; len <= 64; len++) {
        block.len = 0;
        coded_auth(&block, coded_repeat("X", len));
        assert_int_equal(rewritten() != 0, len == 64);
    }
}

/* RFC 7541 section 5.1: lengths of one, two and three bytes, on either side of each edge. */
static void test_lengths(void **state)
{
    static const struct {
        size_t len;
        const char *bytes;
        size_t used;
    } cases[] = {
        { 126, "\x7e", 1 },       { 127, "\x7f\0", 2 },      { 254, "\x7f\x7f", 2 },
        { 255, "\x7f\x80\1", 3 }, { 1000, "\x7f\xe9\6", 3 }, { 16000, "\x7f\x81\x7c", 3 },
    };
    for (size_t i = 0; i < GH_ARRAY_LEN(cases); i++)
        for (int kind = 0; kind < 2; kind++) { /* codes of eight bits, and of five to eight */
            gh_str value = coded_repeat(kind == 0 ? "X" : HUFFMAN_COMMON, cases[i].len);
            block.len = 0;
            coded_auth(&block, value);
            assert_int_equal(rewritten(), 2 + cases[i].used + value.len);
            assert_memory_equal(plain, "\x0f\x08", 2);
            assert_memory_equal(plain + 2, cases[i].bytes, cases[i].used);
            assert_memory_equal(plain + 2 + cases[i].used, value.ptr, value.len);
        }
}

/* The field stays of the kind it was, under the name it had. */
static void test_each_representation(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
    } before[] = {
        { "\x57", 1 },                                 /* indexed, name from the table */
        { "\x0f\x08", 2 },                             /* not indexed */
        { "\x1f\x08", 2 },                             /* never indexed */
        { "\x40\1x", 3 },                              /* the same with a name of its own */
        { "\0\1x", 3 },                                /**/
        { "\x10\x81\xf3", 3 },                         /* that one coded */
        { "\x3f\xe1\x1f\x20\x3f\xe1\x1f\x57", 8 },     /* behind sizes of the table */
        { "\x82\x87\x84\x41\x83\x1c\x64\x5f\x57", 9 }, /* behind other fields */
    };
    for (size_t i = 0; i < GH_ARRAY_LEN(before); i++) {
        begin(before[i].bytes, before[i].len);
        gh_str value = coded_repeat(HUFFMAN_COMMON, 300);
        coded_text(&block, value);
        coded_bytes(&block, "\x88\xbe", 2); /* the second is in the table if the first was indexed */
        assert_int_equal(rewritten(), before[i].len + 3 + 300 + 2);
        assert_memory_equal(plain, before[i].bytes, before[i].len);
        assert_memory_equal(plain + before[i].len + 3, value.ptr, value.len);
        assert_memory_equal(plain + before[i].len + 3 + 300, "\x88\xbe", 2);
    }
}

/* What is not coded, short, or has a rare character stays, and what stands beside it does not. */
static void test_some_of_many(void **state)
{
    block.len = 0;
    coded_auth(&block, coded_repeat("a", 400));
    coded_auth(&block, coded_repeat("b?", 400));
    coded_auth(&block, coded_repeat("c", 40));
    size_t until = block.len;
    coded_auth(&block, coded_repeat("d", 400));
    coded_bytes(&block, "\0\1x\1y", 5);
    assert_int_equal(rewritten(), 2 + 3 + 400 + (until - 2 - 2 - 250) + 2 + 3 + 400 + 5);
    begin("\x0f\x08\x7f\x49", 4);
    coded_bytes(&block, coded_repeat("e", 200).ptr, 200);
    assert_int_equal(rewritten(), 0);
}

/* ---- blocks that stay as they came ---- */

static void test_what_does_not_parse(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
    } behind[] = {
        { "\xff", 1 },                    /* a number that does not end */
        { "\xff\x80\x80\x80", 4 },        /**/
        { "\xff\x80\x80\x80\0", 5 },      /* one that is longer than it must be */
        { "\x3f\xff\xff\xff\xff\xf", 6 }, /**/
        { "\x0f\x08", 2 },                /* a name without a value */
        { "\x40\x81", 2 },                /* a name that does not end */
        { "\x40\1x", 3 },                 /**/
        { "\x40\1x\2y", 5 },              /* a value that does not end */
        { "\0\1x\x7f\x80\x80\x80\0", 8 }, /* a length that is longer than it must be */
        { "\0\1x\xff\xff\xff\x7f", 7 },   /* one that is longer than anything */
    };
    for (size_t i = 0; i < GH_ARRAY_LEN(behind); i++)
        for (int twin = 0; twin < 2; twin++) {
            block.len = 0;
            coded_auth(&block, coded_repeat("token", 300));
            if (twin == 0)
                coded_bytes(&block, behind[i].bytes, behind[i].len);
            assert_int_equal(rewritten() != 0, twin == 1);
        }
}

static void test_what_does_not_decode(void **state)
{
    for (int kind = 0; kind < 4; kind++) {
        char coded[102] = { 0 }; /* codes of 0, whole: 160 in 100 bytes */
        size_t len = kind == 0 ? 100 : 101;
        coded[100] = (char)(kind == 1 ? 7 : kind == 2 ? 6 : 0xff); /* padding: right, wrong, too long */
        begin("\x0f\x08", 2);
        coded_length(&block, 0x80, len);
        coded_bytes(&block, coded, len);
        assert_int_equal(rewritten(), kind == 0 ? 2 + 2 + 160 : kind == 1 ? 2 + 2 + 161 : 0);
    }
}

/* ---- frames ---- */

struct whole_frame {
    char bytes[9 + 2 * PAYLOAD_MAX];
    size_t len;
};

static struct whole_frame frame;

static void frame_begin(unsigned type, unsigned flags)
{
    const char header[9] = { 0, 0, 0, (char)type, (char)flags, 0, 0, 1, 2 };
    memcpy(frame.bytes, header, 9);
    frame.len = 9;
}

static void frame_add(const char *bytes, size_t len)
{
    memcpy(frame.bytes + frame.len, bytes, len);
    frame.len += len;
    frame.bytes[1] = (char)((frame.len - 9) >> 8);
    frame.bytes[2] = (char)(frame.len - 9);
}

/* Length of what is read instead, its payload; 0 when the frame stays. */
static size_t frame_rewritten(void)
{
    size_t cap;
    gh_str found = gh_hpack_plain_frame(gh_str_of(frame.bytes, frame.len), &cap);
    if (found.len == 0)
        return 0;
    memcpy(plain, found.ptr, found.len);
    gh_block_give((char *)(uintptr_t)found.ptr, cap);
    assert_int_equal((unsigned char)plain[1] << 8 | (unsigned char)plain[2], found.len - 9);
    assert_int_equal(plain[0], 0);
    assert_memory_equal(plain + 3, frame.bytes + 3, 6);
    return found.len - 9;
}

#define PRIORITY_FLAG 0x20

/* RFC 9113 section 6.2: all but the block stays, byte for byte. */
static void test_padding_and_priority(void **state)
{
    for (unsigned flags = 0; flags < 4; flags++) {
        bool padded = (flags & 1) != 0, priority = (flags & 2) != 0;
        size_t before = (padded ? 1u : 0u) + (priority ? 5u : 0u), padding = padded ? 7 : 0;
        block.len = 0;
        coded_auth(&block, coded_repeat("0", 400));
        frame_begin(HEADERS, END_HEADERS | (padded ? PADDED : 0) | (priority ? PRIORITY_FLAG : 0));
        frame_add(padded ? "\7\x80\0\0\3\xff" : "\x80\0\0\3\xff", before);
        frame_add(block.bytes, block.len);
        frame_add("padding", padding);
        assert_int_equal(frame_rewritten(), before + 2 + 3 + 400 + padding);
        assert_memory_equal(plain + 9, frame.bytes + 9, before);
        assert_memory_equal(plain + 9 + before + 2 + 3 + 400, "padding", padding);
    }
}

static void test_frames_that_stay(void **state)
{
    static const struct {
        unsigned type, flags;
        const char *before;
        size_t len;
        bool rewritten;
    } cases[] = {
        { HEADERS, END_HEADERS | END_STREAM, "", 0, true },  { HEADERS, 0, "", 0, false },
        { CONTINUATION, END_HEADERS, "", 0, false },         { DATA, END_HEADERS, "", 0, false },
        { PUSH_PROMISE, END_HEADERS, "", 0, false },         { HEADERS, END_HEADERS | PADDED, "\0", 1, true },
        { HEADERS, END_HEADERS | PADDED, "\xff", 1, false }, /* more padding than there is room */
    };
    block.len = 0;
    coded_auth(&block, coded_repeat("0", 200));
    for (size_t i = 0; i < GH_ARRAY_LEN(cases); i++) {
        frame_begin(cases[i].type, cases[i].flags);
        frame_add(cases[i].before, cases[i].len);
        frame_add(block.bytes, block.len);
        assert_int_equal(frame_rewritten() != 0, cases[i].rewritten);
    }
    frame_begin(HEADERS, END_HEADERS | PADDED); /* no length of padding, no priority */
    assert_int_equal(frame_rewritten(), 0);
    frame_begin(HEADERS, END_HEADERS | PADDED | PRIORITY_FLAG);
    frame_add("\0\0\0", 3);
    assert_int_equal(frame_rewritten(), 0);
}

/* Two bytes of coded Xs become three characters, or two. */
static void test_largest_frame(void **state)
{
    for (int over = 0; over < 2; over++) {
        char value[PAYLOAD_MAX - 5 + 1];
        memset(value, 'X', sizeof(value));
        if (over == 1)
            memcpy(value, "00 ", 3);
        block.len = 0;
        coded_auth(&block, gh_str_of(value, PAYLOAD_MAX - 5 + (size_t)over));
        assert_int_equal(block.len, PAYLOAD_MAX);
        frame_begin(HEADERS, END_HEADERS);
        frame_add(block.bytes, block.len);
        assert_int_equal(frame_rewritten(), over == 0 ? PAYLOAD_MAX : 0);
    }
    frame_add("\x82", 1); /* nghttp2 refuses it */
    assert_int_equal(frame_rewritten(), 0);
}

/* ---- sessions ---- */

/* Heads as they are heard. */
static struct gh_buf heard;

static void hear_head(void *ctx, int32_t stream, const struct gh_h2_head *head, bool end, enum gh_reason why)
{
    struct session *s = ctx;
    s->heads++;
    assert_int_equal(why, GH_OK);
    assert_true(gh_buf_printf(&heard, "%d\n", (int)stream));
    for (size_t i = 0; i < head->headers.count; i++) {
        assert_true(gh_buf_add(&heard, head->headers.at[i].name) && gh_buf_add(&heard, GH_STR(": ")));
        assert_true(gh_buf_add(&heard, head->headers.at[i].value) && gh_buf_add(&heard, GH_STR("\n")));
    }
}

static struct session *listener_new(void)
{
    static struct gh_h2_events events;
    struct session *s = session_new(&session_limits);
    gh_h2_free(s->h2);
    events = session_events;
    events.head = hear_head;
    s->h2 = gh_h2_new(GH_H2_SERVER, &session_limits, &events, s);
    assert_non_null(s->h2);
    put(s, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24);
    put_frame(s, SETTINGS, 0, 0, GH_STR_NONE);
    return s;
}

static void put_request_with(struct session *s, uint32_t stream, unsigned flags, gh_str value)
{
    begin("\x83\x87\x84\x41\1a", 6);
    coded_bytes(&block, "\x57", 1); /* indexed */
    coded_text(&block, value);
    coded_bytes(&block, "\xbe", 1); /* that one again */
    put_frame(s, HEADERS, END_HEADERS | flags, stream, coded_all(&block));
}

static void put_requests(struct session *s)
{
    put_request_with(s, 1, 0, coded_repeat(HUFFMAN_COMMON, 700));
    put_frame(s, DATA, END_STREAM, 1, GH_STR("{}"));
    put_request_with(s, 3, END_STREAM, coded_repeat("eyJ0b2tlbiI6MX0.", 900));
    put_request_with(s, 5, END_STREAM, coded_repeat("x", 30));
    put_request_with(s, 7, END_STREAM, coded_repeat("a(b)", 300));
    put_frame(s, PING, 0, 0, GH_STR("12345678"));
    put_request_with(s, 9, END_STREAM, coded_repeat("Bearer ", 100));
}

/* In one piece, in pieces in which few or none of the frames are whole, and in pieces of one byte. */
static void test_however_it_comes(void **state)
{
    static const size_t steps[] = { SIZE_MAX, 1, 2, 9, 700, 1000 };
    struct gh_buf first = { 0 };
    for (size_t i = 0; i < GH_ARRAY_LEN(steps); i++) {
        struct session *s = listener_new();
        put_requests(s);
        assert_int_equal(feed_by(s, steps[i]), GH_OK);
        assert_int_equal(s->heads, 5);
        session_free(s);
        if (i == 0) {
            assert_true(gh_buf_add(&first, gh_buf_peek(&heard)));
            assert_true(gh_buf_len(&first) > 2 * (700 + 900 + 30 + 300 + 100));
        }
        assert_true(gh_str_eq(gh_buf_peek(&heard), gh_buf_peek(&first)));
        gh_buf_consume(&heard, gh_buf_len(&heard));
    }
    gh_buf_done(&first);
    gh_buf_done(&heard);
}

/* The first memory that is asked for is that of the plain frame: without it the frame is read as it came. The
 * twin is cut where it is not whole, so that the first is nghttp2's. */
static void test_out_of_memory(void **state)
{
    for (size_t missing = 0; missing < 2; missing++) {
        struct session *s = listener_new();
        assert_int_equal(feed(s), GH_OK);
        put_frame(s, PING, 0, 0, GH_STR("12345678"));
        put_request_with(s, 1, END_STREAM, coded_repeat("token", 500));
        gh_str in = gh_buf_peek(&s->in);
        assert_int_equal(gh_h2_read(s->h2, gh_str_take(in, 11), 0), GH_OK); /* into the PING */
        gh_alloc_fail_at(1);
        enum gh_reason why = gh_h2_read(s->h2, gh_str_take(gh_str_skip(in, 11), in.len - 11 - missing), 0);
        assert_int_equal(gh_alloc_fail_at(0), 0);
        assert_int_equal(why, missing == 0 ? GH_OK : GH_OUT_OF_MEMORY);
        assert_int_equal(s->heads, missing == 0 ? 1 : 0);
        session_free(s);
        gh_buf_done(&heard);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_from_64_coded_bytes),  cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_each_representation),  cmocka_unit_test(test_some_of_many),
        cmocka_unit_test(test_what_does_not_parse),  cmocka_unit_test(test_what_does_not_decode),
        cmocka_unit_test(test_padding_and_priority), cmocka_unit_test(test_frames_that_stay),
        cmocka_unit_test(test_largest_frame),        cmocka_unit_test(test_however_it_comes),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests_name("hpack_plain", tests, NULL, NULL);
}
