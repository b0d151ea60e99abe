/* wire/test_h1.c: the HTTP/1.1 reader at its limits and without memory, and the writer read back. */
#include "base/arena.h"
#include "support/cm.h"
#include "wire/h1.h"

static const struct gh_h1_limits small = {
    .start_line = 40, .head = 400, .fields = 5, .chunk_extensions = 10, .interim = 8
};

/* Reads until something other than NEED_MORE, a head or data, in steps. */
static enum gh_reason read_all(gh_str bytes, size_t step)
{
    struct gh_arena *arena = gh_arena_new(0);
    struct gh_h1_reader reader;
    gh_h1_reader_init(&reader, GH_H1_REQUEST, &small);
    enum gh_reason reason = GH_OK;
    gh_str input = GH_STR_NONE;
    for (bool over = false; !over;) {
        struct gh_h1_head head;
        gh_str data;
        enum gh_h1_event event = gh_h1_read(&reader, &input, arena, &head, &data, &reason);
        over = event == GH_H1_ERROR || event == GH_H1_END || (event == GH_H1_NEED_MORE && bytes.len == 0);
        if (event == GH_H1_NEED_MORE) {
            input = gh_str_take(bytes, step);
            bytes = gh_str_skip(bytes, step);
        }
        if (event == GH_H1_ERROR)
            assert_int_equal(gh_h1_read(&reader, &input, arena, &head, &data, &reason), GH_H1_ERROR);
    }
    gh_h1_reader_done(&reader);
    gh_arena_free(arena);
    return reason;
}

/* `before`, n times `fill`, `behind`: the reason at n, whole and byte by byte. */
static enum gh_reason read_filled(const char *before, char fill, size_t n, const char *behind)
{
    char bytes[2048];
    size_t len = strlen(before);
    memcpy(bytes, before, len);
    memset(bytes + len, fill, n);
    memcpy(bytes + len + n, behind, strlen(behind));
    gh_str all = gh_str_of(bytes, len + n + strlen(behind));
    enum gh_reason whole = read_all(all, SIZE_MAX);
    assert_int_equal(read_all(all, 1), whole);
    assert_int_equal(read_all(all, 7), whole);
    return whole;
}

static void test_start_line_limit(void **state)
{
    /* "GET /" and " HTTP/1.1" are 14 of 40. */
    assert_int_equal(read_filled("GET /", 'a', 26, " HTTP/1.1\r\nHost: a\r\n\r\n"), GH_OK);
    assert_int_equal(read_filled("GET /", 'a', 27, " HTTP/1.1\r\nHost: a\r\n\r\n"), GH_HTTP_TARGET_LONG);
    assert_int_equal(read_filled("GET /", 'a', 1000, ""), GH_HTTP_TARGET_LONG);
    assert_int_equal(read_filled("", 'a', 1000, "\r\n\r\n"), GH_HTTP_TARGET_LONG);
}

static void test_head_limit(void **state)
{
    /* "Host: a" costs 39, "X:" 34: 327 are left. */
    assert_int_equal(read_filled("GET / HTTP/1.1\r\nHost: a\r\nX:", 'x', 327, "\r\n\r\n"), GH_OK);
    assert_int_equal(read_filled("GET / HTTP/1.1\r\nHost: a\r\nX:", 'x', 328, "\r\n\r\n"),
                     GH_HTTP_HEAD_LARGE);
    assert_int_equal(read_filled("GET / HTTP/1.1\r\nHost: a\r\nX:", 'x', 1500, ""), GH_HTTP_HEAD_LARGE);
    assert_int_equal(read_filled("GET / HTTP/1.1\r\nHost: a\r\nX:", 'x', 327, "\r\nY: 1\r\n\r\n"),
                     GH_HTTP_HEAD_LARGE);
}

static void test_fields_limit(void **state)
{
    assert_int_equal(read_filled("GET / HTTP/1.1\r\nHost: a\r\nA:1\r\nB:1\r\nC:1\r\nD:1", '1', 1, "\r\n\r\n"),
                     GH_OK);
    assert_int_equal(
        read_filled("GET / HTTP/1.1\r\nHost: a\r\nA:1\r\nB:1\r\nC:1\r\nD:1\r\nE:", '1', 1, "\r\n\r\n"),
        GH_HTTP_FIELDS_MANY);
}

static void test_chunk_limits(void **state)
{
#define CHUNKED "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    /* Ten bytes of extension, their CR included, over all chunks. */
    assert_int_equal(read_filled(CHUNKED "1;aaaa\r\nx\r\n0;", 'a', 4, "\r\n\r\n"), GH_OK);
    assert_int_equal(read_filled(CHUNKED "1;aaaa\r\nx\r\n0;", 'a', 5, "\r\n\r\n"), GH_HTTP_EXTENSIONS_LARGE);
    assert_int_equal(read_filled(CHUNKED "0\r\nA:1\r\nB:1\r\nC:1\r\nD:1\r\nE:", '1', 1, "\r\n\r\n"), GH_OK);
    assert_int_equal(read_filled(CHUNKED "0\r\nA:1\r\nB:1\r\nC:1\r\nD:1\r\nE:1\r\nF:", '1', 1, "\r\n\r\n"),
                     GH_HTTP_FIELDS_MANY);
    assert_int_equal(read_filled(CHUNKED "0\r\nX:", 'x', 366, "\r\n\r\n"), GH_OK);
    assert_int_equal(read_filled(CHUNKED "0\r\nX:", 'x', 367, "\r\n\r\n"), GH_HTTP_HEAD_LARGE);
}

static void test_pipelined(void **state)
{
    gh_str input = GH_STR(
        "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhiGET /2 HTTP/1.1\r\nHost: b\r\n\r\nGET");
    struct gh_arena *arena = gh_arena_new(0);
    struct gh_h1_reader reader;
    struct gh_h1_head head;
    gh_str data;
    enum gh_reason reason;
    gh_h1_reader_init(&reader, GH_H1_REQUEST, &small);
    assert_int_equal(gh_h1_reader_eof(&reader), GH_OK);
    assert_int_equal(gh_h1_read(&reader, &input, arena, &head, &data, &reason), GH_H1_HEAD);
    assert_str_eq(head.method_text, "POST");
    assert_int_equal(head.method, GH_METHOD_POST);
    assert_str_eq(head.target_raw, "/1");
    assert_str_eq(head.headers.at[1].name, "content-length");
    assert_int_equal(gh_h1_reader_eof(&reader), GH_CLIENT_GONE);
    assert_int_equal(gh_h1_read(&reader, &input, arena, &head, &data, &reason), GH_H1_DATA);
    assert_str_eq(data, "hi");
    assert_int_equal(gh_h1_read(&reader, &input, arena, &head, &data, &reason), GH_H1_END);
    assert_int_equal(gh_h1_read(&reader, &input, arena, &head, &data, &reason), GH_H1_END);
    assert_int_equal(gh_h1_reader_eof(&reader), GH_OK);
    gh_h1_reader_next(&reader);
    assert_int_equal(gh_h1_read(&reader, &input, arena, &head, &data, &reason), GH_H1_HEAD);
    assert_str_eq(head.target_raw, "/2");
    assert_int_equal(gh_h1_read(&reader, &input, arena, &head, &data, &reason), GH_H1_END);
    assert_str_eq(input, "GET");
    gh_h1_reader_next(&reader);
    assert_int_equal(gh_h1_read(&reader, &input, arena, &head, &data, &reason), GH_H1_NEED_MORE);
    assert_int_equal(input.len, 0);
    assert_int_equal(gh_h1_reader_eof(&reader), GH_CLIENT_GONE);
    gh_h1_reader_done(&reader);
    gh_arena_free(arena);
}

/* Every allocation fails once: the reader says so, and nothing leaks. */
static void test_out_of_memory(void **state)
{
    gh_str bytes =
        GH_STR("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX: 1\r\n\r\n");
    for (size_t step = 1; step < 200; step += 23) {
        unsigned long n = 2; /* the first is the arena itself */
        for (;; n++) {
            gh_alloc_fail_at(n);
            enum gh_reason reason = read_all(bytes, step);
            if (reason == GH_OK)
                break;
            assert_int_equal(reason, GH_OUT_OF_MEMORY);
        }
        gh_alloc_fail_at(0);
        assert_true(n >= 4);
    }
}

static void test_write_request(void **state)
{
    struct gh_buf out = { 0 };
    struct gh_header at[] = { { GH_STR("host"), GH_STR("a") },
                              { GH_STR("content-length"), GH_STR("99") },
                              { GH_STR("transfer-encoding"), GH_STR("gzip") },
                              { GH_STR("accept"), GH_STR("*/*") } };
    struct gh_headers headers = { at, GH_ARRAY_LEN(at), GH_ARRAY_LEN(at) };
    struct gh_h1_body length = { GH_H1_LENGTH, 12 }, none = { GH_H1_NO_BODY, 0 };
    assert_int_equal(gh_h1_write_request_head(&out, GH_STR("POST"), GH_STR("/a?b"), &headers, length), GH_OK);
    assert_str_eq(gh_buf_peek(&out),
                  "POST /a?b HTTP/1.1\r\nhost: a\r\naccept: */*\r\ncontent-length: 12\r\n\r\n");
    gh_buf_consume(&out, gh_buf_len(&out));
    assert_int_equal(gh_h1_write_request_head(&out, GH_STR("GET"), GH_STR("/"), &headers, none), GH_OK);
    assert_str_eq(gh_buf_peek(&out), "GET / HTTP/1.1\r\nhost: a\r\naccept: */*\r\n\r\n");
    gh_buf_done(&out);
}

static void test_write_response(void **state)
{
    struct gh_buf out = { 0 };
    struct gh_header field = { GH_STR("content-type"), GH_STR("text/event-stream") };
    struct gh_headers headers = { &field, 1, 1 };
    struct gh_h1_body chunked = { GH_H1_CHUNKED, 0 }, none = { GH_H1_NO_BODY, 0 };
    assert_int_equal(gh_h1_write_response_head(&out, 100, NULL, none), GH_OK);
    assert_int_equal(gh_h1_write_response_head(&out, 200, &headers, chunked), GH_OK);
    assert_true(gh_h1_write_chunk(&out, GH_STR("")));
    assert_true(gh_h1_write_chunk(&out, GH_STR("0123456789abcdef")));
    assert_true(gh_h1_write_last_chunk(&out));
    assert_str_eq(gh_buf_peek(&out),
                  "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
                  "transfer-encoding: chunked\r\n\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n");
    gh_buf_done(&out);
    for (enum gh_reason reason = GH_OK; reason < GH_REASON_COUNT; reason++) {
        int status = gh_reason_row(reason)->status;
        if (status != 499)
            assert_false(gh_str_eq(gh_h1_phrase(status), GH_STR("Status")));
    }
}

/* What would end a line early is refused, and nothing of it is written. */
static void test_write_refuses(void **state)
{
    static const struct gh_header bad[] = {
        { GH_STR_INIT("a"), GH_STR_INIT("x\r\ny: z") }, { GH_STR_INIT("a"), GH_STR_INIT("x\n") },
        { GH_STR_INIT("a"), GH_STR_INIT("x\r") },       { GH_STR_INIT("a"), GH_STR_INIT("x\0y") },
        { GH_STR_INIT("a\r\nb"), GH_STR_INIT("x") },    { GH_STR_INIT("a b"), GH_STR_INIT("x") },
        { GH_STR_INIT("a:"), GH_STR_INIT("x") },        { GH_STR_INIT(""), GH_STR_INIT("x") },
    };
    static const gh_str targets[] = { GH_STR_INIT(""), GH_STR_INIT("/a b"), GH_STR_INIT("/a\r\nb"),
                                      GH_STR_INIT("/\x80") };
    struct gh_buf out = { 0 };
    struct gh_h1_body none = { GH_H1_NO_BODY, 0 };
    for (size_t i = 0; i < GH_ARRAY_LEN(bad); i++) {
        struct gh_header field = bad[i];
        struct gh_headers headers = { &field, 1, 1 };
        assert_int_equal(gh_h1_write_response_head(&out, 200, &headers, none),
                         GH_INTERNAL); /* reason: internal */
        assert_int_equal(gh_h1_write_request_head(&out, GH_STR("GET"), GH_STR("/"), &headers, none),
                         GH_INTERNAL);
    }
    for (size_t i = 0; i < GH_ARRAY_LEN(targets); i++)
        assert_int_equal(gh_h1_write_request_head(&out, GH_STR("GET"), targets[i], NULL, none), GH_INTERNAL);
    assert_int_equal(gh_h1_write_response_head(&out, 20, NULL, none), GH_INTERNAL);
    assert_int_equal(gh_buf_len(&out), 0);
    gh_alloc_fail_at(1);
    assert_int_equal(gh_h1_write_response_head(&out, 200, NULL, none),
                     GH_OUT_OF_MEMORY); /* reason: out_of_memory */
    gh_alloc_fail_at(0);
    gh_buf_done(&out);
}

/* Names and values are looked at many bytes at a time: each byte at each place. */
static void test_write_refuses_each_byte(void **state)
{
    for (unsigned i = 0; i < 256 * 17; i++) {
        struct gh_buf out = { 0 };
        char text[] = "aaaaaaaaaaaaaaaaa";
        unsigned char byte = (unsigned char)i;
        text[i / 256] = (char)byte;
        bool control = (byte < 0x20 && byte != '\t') || byte == 0x7f;
        bool no_name = byte <= 0x20 || byte >= 0x7f || byte == ':';
        struct gh_header value = { GH_STR("a"), gh_str_of(text, 17) },
                         name = { gh_str_of(text, 17), GH_STR("a") };
        struct gh_headers headers = { &value, 1, 1 };
        struct gh_h1_body none = { GH_H1_NO_BODY, 0 };
        assert_int_equal(gh_h1_write_response_head(&out, 200, &headers, none), control ? GH_INTERNAL : GH_OK);
        headers.at = &name;
        assert_int_equal(gh_h1_write_response_head(&out, 200, &headers, none), no_name ? GH_INTERNAL : GH_OK);
        gh_buf_done(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_start_line_limit), cmocka_unit_test(test_head_limit),
        cmocka_unit_test(test_fields_limit),     cmocka_unit_test(test_chunk_limits),
        cmocka_unit_test(test_pipelined),        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_write_request),    cmocka_unit_test(test_write_response),
        cmocka_unit_test(test_write_refuses),    cmocka_unit_test(test_write_refuses_each_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
