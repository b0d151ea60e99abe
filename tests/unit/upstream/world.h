/* upstream/world.h: the world of the upstream tests: a loop, a pool, and servers that obey the test. */
#ifndef GH_TEST_UPSTREAM_WORLD_H
#define GH_TEST_UPSTREAM_WORLD_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/str.h"
#include "upstream/pool.h"

#define WORLD_SERVERS 4
#define TURNS_MAX     3000

/* A server that does nothing by itself: the test accepts, reads and writes for it. */
struct server {
    int listener;
    uint16_t port;
};
struct world {
    struct gh_loop *loop;
    struct gh_arena *arena;
    struct gh_upstream_conf conf;
    struct gh_url urls[WORLD_SERVERS];
    struct server servers[WORLD_SERVERS];
    struct gh_upstream_target *target;
    struct gh_upstream *upstream;
    struct gh_worker_stats stats;
};

static GH_UNUSED struct server server_open(void)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(at);
    struct server server = { .listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0) };
    assert_int_equal(bind(server.listener, (struct sockaddr *)&at, len), 0);
    assert_int_equal(listen(server.listener, 64), 0);
    assert_int_equal(getsockname(server.listener, (struct sockaddr *)&at, &len), 0);
    server.port = ntohs(at.sin_port);
    return server;
}

/* Settings first, world_open after: a test may change them between. */
static GH_UNUSED struct world *world_new(size_t servers)
{
    struct world *w = calloc(1, sizeof(*w));
    w->loop = gh_loop_new();
    w->arena = gh_arena_new(0);
    gh_loop_fake_time(w->loop, 1000000, 1700000000);
    w->conf = (struct gh_upstream_conf){
        .endpoints = w->urls,
        .endpoint_count = servers,
        .http = GH_UPSTREAM_AUTO,
        .connect_ms = 2000,
        .first_byte_ms = 60000,
        .idle_ms = 60000,
        .stall_ms = 30000,
        .keep_idle = 8,
        .max_connections = 64,
        .head_max = 65536,
        .fields_max = 100,
        .interim_max = 8,
        .eject_after = 3,
        .eject_ms = 10000,
    };
    for (size_t i = 0; i < servers; i++) {
        w->servers[i] = server_open();
        gh_str url = gh_arena_printf(w->arena, "http://127.0.0.1:%u/mcp", w->servers[i].port);
        assert_int_equal(gh_url_read(w->arena, url, &w->urls[i]), GH_OK);
    }
    return w;
}
static GH_UNUSED void world_open(struct world *w)
{
    char *why = NULL;
    assert_int_equal(gh_upstream_target_new(&w->conf, &w->target, &why), GH_OK);
    w->upstream = gh_upstream_new(w->loop, w->target, &w->stats);
    assert_non_null(w->upstream);
}
static GH_UNUSED void world_free(struct world *w)
{
    gh_upstream_free(w->upstream);
    gh_loop_turn(w->loop, 0);
    gh_loop_turn(w->loop, 0);
    gh_upstream_target_unref(w->target);
    for (size_t i = 0; i < w->conf.endpoint_count; i++)
        if (w->servers[i].listener >= 0)
            close(w->servers[i].listener);
    gh_loop_free(w->loop);
    gh_arena_free(w->arena);
    free(w);
}
static GH_UNUSED void turns(struct world *w, int n)
{
    while (n-- > 0)
        gh_loop_turn(w->loop, 0);
}
/* Moves the clock and lets the timers that are due fire. */
static GH_UNUSED void pass(struct world *w, int64_t ms)
{
    gh_loop_fake_time(w->loop, gh_loop_now_ms(w->loop) + ms, gh_loop_wall_s(w->loop) + ms / 1000);
    turns(w, 4);
}

/* The next connection, or -1 where none comes. */
static GH_UNUSED int server_accept(struct world *w, size_t server)
{
    for (int i = 0; i < 200; i++) {
        int fd = accept4(w->servers[server].listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            int on = 1;
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
            turns(w, 3); /* the client side learns of it too */
            return fd;
        }
        gh_loop_turn(w->loop, 1);
    }
    return -1;
}
/* What the server was sent, up to and with `until`. Fails the test when it does not come. */
static GH_UNUSED const char *server_read(struct world *w, int fd, const char *until)
{
    static char text[262144];
    size_t len = 0;
    for (int i = 0; i < TURNS_MAX; i++) {
        ssize_t got = recv(fd, text + len, sizeof(text) - 1 - len, 0);
        len += got > 0 ? (size_t)got : 0;
        text[len] = '\0';
        if (strstr(text, until) != NULL)
            return text;
        if (got == 0)
            break;
        gh_loop_turn(w->loop, 1);
    }
    fail_msg("wanted %s, got %s", until, text);
    return text;
}
static GH_UNUSED void server_send(struct world *w, int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
    turns(w, 3);
}
static GH_UNUSED void server_reset(struct world *w, int fd)
{
    struct linger now = { .l_onoff = 1 };
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    close(fd);
    turns(w, 3);
}
/* Did the gateway close it (1), or is it open and silent (0)? */
static GH_UNUSED bool server_sees_close(struct world *w, int fd)
{
    char bytes[4096];
    for (int i = 0; i < 20; i++) {
        ssize_t got = recv(fd, bytes, sizeof(bytes), 0);
        if (got == 0 || (got < 0 && errno != EAGAIN))
            return true;
        gh_loop_turn(w->loop, 1);
    }
    return false;
}

#endif
