/* upstream/test_evil.c: servers that break the rules or break off: never a clean end, never a connection used
 * again.
 */
#include "notes.h"

/* What a server does after it sent its bytes. */
enum then { THEN_WAIT, THEN_FIN, THEN_RESET };

struct mode {
    const char *name, *bytes;
    enum then then;
    enum gh_reason why; /* GH_OK: a clean end */
    const char *body;
};

#define HEAD      "HTTP/1.1 200 OK\r\n"
#define SHORT     HEAD "content-length: 5\r\n\r\n"
#define CHUNK     HEAD "transfer-encoding: chunked\r\n\r\n"
#define BAD       THEN_WAIT, GH_UPSTREAM_MALFORMED, NULL
#define TOO_LARGE THEN_WAIT, GH_UPSTREAM_HEAD_LARGE, NULL

/* threats.md H11, and the unmodified twins. */
static const struct mode modes[] = {
    { "twin: length", SHORT "hello", THEN_WAIT, GH_OK, "hello" },
    { "twin: chunked", CHUNK "5\r\nhello\r\n0\r\n\r\n", THEN_WAIT, GH_OK, "hello" },
    { "twin: until close", HEAD "\r\nhello", THEN_FIN, GH_OK, "hello" },
    { "twin: eight interim heads",
      "HTTP/1.1 100 C\r\n\r\nHTTP/1.1 100 C\r\n\r\nHTTP/1.1 102 C\r\n\r\nHTTP/1.1 103 C\r\n\r\n"
      "HTTP/1.1 103 C\r\n\r\nHTTP/1.1 103 C\r\n\r\nHTTP/1.1 103 C\r\n\r\nHTTP/1.1 103 C\r\n\r\n" SHORT
      "hello",
      THEN_WAIT, GH_OK, "hello" },
    { "twin: no body by status", "HTTP/1.1 204 No Content\r\n\r\n", THEN_WAIT, GH_OK, "" },
    { "twin: not modified", "HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n", THEN_WAIT, GH_OK, "" },
    { "twin: trailers are dropped", CHUNK "5\r\nhello\r\n0\r\nx-sum: 1\r\n\r\n", THEN_WAIT, GH_OK, "hello" },
    { "length and chunked", HEAD "content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", BAD },
    { "two lengths", HEAD "content-length: 5\r\ncontent-length: 5\r\n\r\nhello", BAD },
    { "list of lengths", HEAD "content-length: 5, 5\r\n\r\nhello", BAD },
    { "signed length", HEAD "content-length: +5\r\n\r\nhello", BAD },
    { "other coding", HEAD "transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n", BAD },
    { "chunked twice", HEAD "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
      BAD },
    { "chunk without size", CHUNK "\r\nhello", BAD },
    { "chunk with 0x", CHUNK "0x5\r\nhello\r\n0\r\n\r\n", BAD },
    { "chunk size too large", CHUNK "ffffffffffffffff\r\nhello", BAD },
    { "chunk longer than said", CHUNK "4\r\nhello\r\n0\r\n\r\n", BAD },
    { "chunk by bare LF", CHUNK "5\nhello\n0\n\n", BAD },
    { "trailer that frames", CHUNK "0\r\ncontent-length: 9\r\n\r\n", BAD },
    { "nine interim heads",
      "HTTP/1.1 100 C\r\n\r\nHTTP/1.1 100 C\r\n\r\nHTTP/1.1 102 C\r\n\r\nHTTP/1.1 103 C\r\n\r\n"
      "HTTP/1.1 103 C\r\n\r\nHTTP/1.1 103 C\r\n\r\nHTTP/1.1 103 C\r\n\r\nHTTP/1.1 103 C\r\n\r\n"
      "HTTP/1.1 103 C\r\n\r\n" SHORT "hello",
      THEN_WAIT, GH_UPSTREAM_INTERIM_MANY, NULL },
    { "switching protocols", "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
      BAD },
    { "bare LF in the head", "HTTP/1.1 200 OK\ncontent-length: 5\n\nhello", BAD },
    { "bare CR in a value", HEAD "x: a\rb\r\ncontent-length: 5\r\n\r\nhello", BAD },
    { "folded line", HEAD "x: a\r\n b\r\ncontent-length: 5\r\n\r\nhello", BAD },
    { "space before the colon", HEAD "content-length : 5\r\n\r\nhello", BAD },
    { "HTTP/0.9", "hello there, this is all I say\r\n\r\n", BAD },
    { "another protocol", "SSH-2.0-OpenSSH_9.2\r\n\r\n", BAD },
    { "status too small", "HTTP/1.1 99 Low\r\n\r\n", BAD },
    { "status too large", "HTTP/1.1 2000 OK\r\n\r\n", BAD },
    { "status in letters", "HTTP/1.1 abc OK\r\n\r\n", BAD },
    { "HTTP/2 in clear", "HTTP/2.0 200 OK\r\ncontent-length: 0\r\n\r\n", BAD },
    { "length with 204", "HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\nhello", BAD },
    { "bytes behind the end", SHORT "hello, world", BAD },
    { "another answer behind the end", SHORT "hello" SHORT "other", BAD },
    { "bytes behind the last chunk", CHUNK "0\r\n\r\nHTTP", BAD },
    { "length too long", SHORT "hell", THEN_FIN, GH_UPSTREAM_ABORTED, NULL },
    { "reset in the body", SHORT "hell", THEN_RESET, GH_UPSTREAM_ABORTED, NULL },
    { "reset in a body until close", HEAD "\r\nhell", THEN_RESET, GH_UPSTREAM_ABORTED, NULL },
    { "FIN in a chunk", CHUNK "5\r\nhel", THEN_FIN, GH_UPSTREAM_ABORTED, NULL },
    { "FIN before the last chunk", CHUNK "5\r\nhello\r\n", THEN_FIN, GH_UPSTREAM_ABORTED, NULL },
    { "FIN in the trailers", CHUNK "5\r\nhello\r\n0\r\n", THEN_FIN, GH_UPSTREAM_ABORTED, NULL },
    { "FIN in the head", HEAD "content-le", THEN_FIN, GH_UPSTREAM_ABORTED, NULL },
    { "FIN after an interim head", "HTTP/1.1 100 Continue\r\n\r\n", THEN_FIN, GH_UPSTREAM_ABORTED, NULL },
    { "FIN at once", "", THEN_FIN, GH_UPSTREAM_ABORTED, NULL },
    { "reset at once", "", THEN_RESET, GH_UPSTREAM_ABORTED, NULL },
};

static void act(struct world *w, int fd, enum then then)
{
    if (then == THEN_FIN)
        shutdown(fd, SHUT_WR);
    else if (then == THEN_RESET)
        server_reset(w, fd);
    turns(w, 3);
}

/* `piece` bytes at a time, 0: all at once. A call for `mode` on a new connection; its verdict. */
static void play(struct world *w, const struct mode *mode, size_t piece)
{
    struct note *note = call_post(w, "abc");
    int fd = server_accept(w, 0);
    server_read(w, fd, "abc");
    size_t len = strlen(mode->bytes);
    for (size_t at = 0; at < len; at += piece != 0 ? piece : len) {
        size_t n = piece != 0 && piece < len - at ? piece : len - at;
        (void)!send(fd, mode->bytes + at, n, MSG_NOSIGNAL);
        gh_loop_turn(w->loop, 1);
    }
    act(w, fd, mode->then);
    if (note->fails + note->ends != 1 || note->why != mode->why)
        print_message("# mode: %s\n", mode->name);
    if (mode->why == GH_OK)
        expect_answer(note, note->status, mode->body);
    else
        expect_fail(note, mode->why);
    if (mode->then != THEN_RESET) {
        if (mode->why != GH_OK)
            assert_true(server_sees_close(w, fd));
        close(fd);
    }
    turns(w, 3);
}

static void every_mode(void **state)
{
    for (size_t i = 0; i < GH_ARRAY_LEN(modes); i++) {
        struct world *w = world_new(1);
        w->conf.eject_after = 0;
        world_open(w);
        play(w, &modes[i], 0);
        world_free(w);
    }
}

/* Where the kernel cuts the bytes changes nothing; but bytes behind the end may come when the call is over:
 * then they cost the connection. */
static void every_mode_in_single_bytes(void **state)
{
    for (size_t i = 0; i < GH_ARRAY_LEN(modes); i++) {
        if (strstr(modes[i].name, "behind") != NULL)
            continue;
        struct world *w = world_new(1);
        w->conf.eject_after = 0;
        world_open(w);
        play(w, &modes[i], 1);
        world_free(w);
    }
}

static void bytes_on_an_idle_connection_end_it(void **state)
{
    struct world *w = world_new(1);
    world_open(w);
    struct note *note = call_get(w);
    int fd = server_accept(w, 0);
    server_send(w, fd, SHORT "hello");
    expect_answer(note, 200, "hello");
    server_send(w, fd, SHORT "other");
    assert_true(server_sees_close(w, fd));
    close(fd);
    note = call_get(w);
    fd = server_accept(w, 0); /* a new one */
    server_send(w, fd, SHORT "right");
    expect_answer(note, 200, "right");
    close(fd);
    world_free(w);
}

/* threats.md Z9: cut at every byte, by FIN and by reset. */
static void cut_at_every_byte(void **state)
{
    static const char *const whole[] = {
        "HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\nabcdefghijkl",
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
        "9\r\ndata: 1\n\n\r\n9\r\ndata: 2\n\n\r\n0\r\n\r\n",
    };
    for (size_t i = 0; i < GH_ARRAY_LEN(whole); i++) {
        struct world *w = world_new(1);
        w->conf.eject_after = 0;
        world_open(w);
        for (size_t k = 0; k < strlen(whole[i]); k++) {
            char bytes[256];
            snprintf(bytes, sizeof(bytes), "%.*s", (int)k, whole[i]);
            const struct mode cut = { "cut", bytes, k % 2 != 0 ? THEN_FIN : THEN_RESET, GH_UPSTREAM_ABORTED,
                                      NULL };
            play(w, &cut, 0);
        }
        world_free(w);
    }
}

static void a_huge_head_is_refused(void **state)
{
    struct world *w = world_new(1);
    w->conf.head_max = 1024;
    w->conf.fields_max = 10;
    w->conf.eject_after = 0;
    world_open(w);
    char bytes[4096] = HEAD "x: ";
    memset(bytes + strlen(bytes), 'a', 2000);
    strcat(bytes, "\r\ncontent-length: 0\r\n\r\n");
    play(w, &(struct mode){ "huge", bytes, TOO_LARGE }, 0);
    play(w, &(struct mode){ "huge and open", bytes, TOO_LARGE }, 7);
    char many[4096] = HEAD;
    for (int i = 0; i < 11; i++)
        strcat(many, "x: a\r\n");
    strcat(many, "content-length: 0\r\n\r\n");
    play(w, &(struct mode){ "many fields", many, TOO_LARGE }, 0);
    world_free(w);
}

/* A server that never ends cannot make us hold more than the caller takes. */
static void a_flood_stops_at_a_paused_caller(void **state)
{
    struct world *w = world_new(1);
    world_open(w);
    struct note *note = call_get(w);
    note->pause_on_data = true;
    int fd = server_accept(w, 0);
    server_send(w, fd, HEAD "\r\n");
    static char flood[65536];
    size_t sent = 0;
    for (int i = 0; i < 2000; i++) {
        ssize_t n = send(fd, flood, sizeof(flood), MSG_NOSIGNAL);
        sent += n > 0 ? (size_t)n : 0;
        gh_loop_turn(w->loop, 0);
    }
    assert_true(sent < 64 << 20); /* the kernel's buffers */
    assert_true(note->len <= 65536);
    gh_call_cancel(note->call);
    assert_true(server_sees_close(w, fd));
    free(note);
    close(fd);
    world_free(w);
}

/* threats.md H12: two users over the same few connections, with a server that breaks some of them. */
static void two_users_never_cross(void **state)
{
    struct world *w = world_new(1);
    w->conf.max_connections = 2;
    w->conf.eject_after = 0;
    world_open(w);
    int fds[8], open = 0;
    unsigned answered = 0, failed = 0;
    for (unsigned round = 0; round < 300; round++) {
        struct note *notes[2];
        char want[2][32];
        for (int user = 0; user < 2; user++) {
            snprintf(want[user], sizeof(want[user]), "user-%d-%06u", user, round);
            notes[user] = call_post(w, want[user]);
        }
        for (int tries = 0;
             tries < 400 && (notes[0]->ends + notes[0]->fails == 0 || notes[1]->ends + notes[1]->fails == 0);
             tries++) {
            int fd = accept4(w->servers[0].listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
            if (fd >= 0)
                fds[open++] = fd;
            for (int i = 0; i < open; i++) {
                char text[1024];
                ssize_t got = recv(fds[i], text, sizeof(text) - 1, 0);
                text[got > 0 ? got : 0] = '\0';
                const char *tag = strstr(text, "user-");
                char answer[256];
                bool odd = (round + (unsigned)i) % 7 == 0, tail = (round + (unsigned)i) % 11 == 0;
                if (tag != NULL) { /* an answer cut short, or with another one behind it */
                    snprintf(answer, sizeof(answer), HEAD "content-length: 13\r\n\r\n%s%s", tag,
                             tail ? SHORT "wrong" : "");
                    (void)!send(fds[i], answer, strlen(answer) - (odd ? 3 : 0), MSG_NOSIGNAL);
                }
                if (got == 0 || (got < 0 && errno != EAGAIN) || (tag != NULL && odd)) {
                    close(fds[i]);
                    fds[i--] = fds[--open];
                }
            }
            gh_loop_turn(w->loop, 1);
        }
        for (int user = 0; user < 2; user++) {
            assert_int_equal(notes[user]->ends + notes[user]->fails, 1);
            if (notes[user]->ends == 1) {
                assert_int_equal(notes[user]->len, 13);
                assert_memory_equal(notes[user]->body, want[user], 13);
            }
            answered += notes[user]->ends;
            failed += notes[user]->fails;
            free(notes[user]);
        }
    }
    assert_true(answered > 300 && failed > 100);
    assert_true(w->stats.upstream_reuses > 100);
    while (open > 0)
        close(fds[--open]);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_mode),
        cmocka_unit_test(every_mode_in_single_bytes),
        cmocka_unit_test(bytes_on_an_idle_connection_end_it),
        cmocka_unit_test(cut_at_every_byte),
        cmocka_unit_test(a_huge_head_is_refused),
        cmocka_unit_test(a_flood_stops_at_a_paused_caller),
        cmocka_unit_test(two_users_never_cross),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
