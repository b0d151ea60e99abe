/* wire/corpus_http2_frames.c: each frame of http2-frame-test-case on a live session: the verdict, whole and
 * byte by byte; none becomes a request. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "blocks.h"
#include "support/shared.h"

/* What the frame ends in: the code of GOAWAY, or none. Where the corpus lists codes ours must be one of them.
 */
enum outcome { LISTED = -1, FINE = -2 };

struct expected {
    const char *file;
    int outcome;
    bool opens; /* stream 1 is open before */
    const char *why;
};

static const struct expected table[] = {
    { "error/data-frame-padding", LISTED, false, "padding longer than the frame" },
    { "error/data-frame-size", LISTED, true, "longer than SETTINGS_MAX_FRAME_SIZE" },
    { "error/data-frame-stream", LISTED, false, "DATA on stream 0" },
    { "error/goaway-frame-size", LISTED, false, "shorter than its fields" },
    { "error/goaway-frame-stream", LISTED, false, "GOAWAY on a stream" },
    { "error/headers-frame-padding", LISTED, false, "padding longer than the frame" },
    { "error/headers-frame-stream", LISTED, false, "HEADERS on stream 0" },
    { "error/ping-frame-size", LISTED, false, "not 8 bytes" },
    { "error/ping-frame-stream", LISTED, true, "PING on a stream" },
    { "error/priority-frame-size", LISTED, false, "not 5 bytes" },
    { "error/priority-frame-stream", LISTED, false, "PRIORITY on stream 0" },
    { "error/push_promise-frame-padding", LISTED, true, "a client does not push" },
    { "error/push_promise-frame-promised_stream-odd", LISTED, true, "a client does not push" },
    { "error/push_promise-frame-promised_stream-zero", LISTED, true, "a client does not push" },
    { "error/push_promise-frame-stream", LISTED, false, "a client does not push" },
    { "error/rst_stream-frame-size", LISTED, false, "not 4 bytes" },
    { "error/rst_stream-frame-stream", LISTED, false, "RST_STREAM on stream 0" },
    { "error/settings-frame-ack-size", LISTED, false, "an acknowledgement with a payload" },
    { "error/settings-frame-size", LISTED, false, "not a multiple of 6 bytes" },
    { "error/settings-frame-stream", LISTED, true, "SETTINGS on a stream" },
    { "error/window_update-frame-increment", LISTED, true, "an increment of 0" },
    { "error/window_update-frame-size", LISTED, true, "not 4 bytes" },
    { "continuation/header", 1, false, "no header block is open" },
    { "continuation/normal", 1, false, "no header block is open" },
    { "data/normal", 1, false, "stream 2 is not the client's" },
    { "goaway/normal", FINE, false, "the client will open no more; what is open goes on" },
    { "headers/normal", 9, false, "its block is no HPACK" },
    { "headers/priority", 9, false, "its block is no HPACK" },
    { "ping/normal", FINE, false, "acknowledged" },
    { "priority/normal", FINE, false, "counted, and passed over" },
    { "push_promise/normal", 1, false, "a client does not push" },
    { "rst_stream/normal", 1, false, "stream 5 was never open" },
    { "settings/normal", FINE, false, "acknowledged" },
    { "window_update/normal", 1, false, "stream 50 was never open" },
};

static bool put_hex(struct session *s, const char *hex)
{
    for (; hex[0] != '\0' && hex[1] != '\0'; hex += 2) {
        const char pair[3] = { hex[0], hex[1], '\0' };
        char *end;
        char byte = (char)strtoul(pair, &end, 16);
        if (*end != '\0')
            return false;
        put(s, &byte, 1);
    }
    return hex[0] == '\0';
}

static bool is_listed(const json_t *codes, uint32_t code)
{
    for (size_t i = 0; i < json_array_size(codes); i++)
        if (json_integer_value(json_array_get(codes, i)) == code)
            return true;
    return false;
}

/* A session that was not ended still serves. */
static bool goes_on(struct session *s)
{
    size_t heads = s->heads, pings = s->pings;
    put_frame(s, PING, 0, 0, GH_STR("12345678"));
    put_request(s, 101, true);
    return feed(s) == GH_OK && s->pings == pings + 1 && s->heads == heads + 1;
}

static bool is_right(const struct expected *row, const json_t *frame, size_t step, char said[64])
{
    struct session *s = session_new(&session_limits);
    if (row->opens) {
        put_request(s, 1, false);
        (void)feed(s);
    }
    size_t heads = s->heads, acks = s->acks;
    bool is_hex = put_hex(s, json_string_value(json_object_get(frame, "wire")));
    (void)feed_by(s, step);
    bool no_request = s->heads == heads;
    bool right = is_hex && no_request;
    if (row->outcome == FINE) {
        bool is_settings = strstr(row->file, "settings") != NULL;
        right = right && !s->said_goaway && s->acks == acks + is_settings;
        right = right && (strstr(row->file, "goaway") != NULL || goes_on(s));
    } else if (row->outcome == LISTED) {
        right = right && s->said_goaway && is_listed(json_object_get(frame, "error"), s->goaway);
    } else {
        right = right && s->said_goaway && s->goaway == (uint32_t)row->outcome;
    }
    (void)snprintf(said, 64, s->said_goaway ? "GOAWAY %u" : "goes on", s->goaway);
    session_free(s);
    return right;
}

int main(void)
{
    struct gh_arena *arena = gh_arena_new(0);
    size_t failed = 0;
    for (size_t i = 0; i < GH_ARRAY_LEN(table); i++) {
        gh_str path = gh_arena_printf(arena, "corpora/http2-frame-test-case/%s.json", table[i].file);
        json_t *frame = json_load_file(gh_shared_path(arena, path.ptr).ptr, 0, NULL);
        char said[64] = "no such file";
        bool right = frame != NULL && is_right(&table[i], frame, SIZE_MAX, said) &&
                     is_right(&table[i], frame, 1, said);
        failed += !right;
        (void)printf("%s %zu - %s: %s (%s)\n", right ? "ok" : "not ok", i + 1, table[i].file, said,
                     table[i].why);
        json_decref(frame);
    }
    (void)printf("1..%zu\n", GH_ARRAY_LEN(table));
    gh_arena_free(arena);
    return failed == 0 ? 0 : 1;
}
