/* unit/store/server.h: a real redis-server for one case, on a socket in the case's folder. */
#ifndef GH_TEST_STORE_SERVER_H
#define GH_TEST_STORE_SERVER_H

#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/cm.h"

struct server {
    pid_t pid; /* 0: none */
    char folder[96], socket[112];
    int output;
};

/* The same cases run for each driver. */
static inline bool uses_redis(void)
{
    const char *name = getenv("STORE");
    return name != NULL && strcmp(name, "redis") == 0;
}

/* `more` are further words of its command line, NULL at their end. */
static inline void run_server(const struct server *server, const char *const more[3], int output)
{
    char bus[8]; /* of a cluster alone; 10000 for all without a port of their own */
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)dup2(output, 1);
    (void)snprintf(bus, sizeof(bus), "%d", 12000 + getpid() % 18000);
    const char *const words[] = {
        "redis-server", "--port", "0", "--cluster-port", bus,   "--unixsocket",  server->socket, "--dir",
        server->folder, "--save", "",  "--appendonly",   "yes", "--appendfsync", "always",       more[0],
        more[1],        NULL
    };
    (void)execvp(words[0], (char *const *)(uintptr_t)words);
    _exit(127);
}

/* Until its log says that it takes connections; then its data is loaded. Without redis-server the test fails.
 */
static inline void start_server_with(struct server *server, const char *name, const char *value)
{
    const char *const more[] = { name, value, NULL };
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    server->pid = fork();
    assert_true(server->pid >= 0);
    if (server->pid == 0)
        run_server(server, more, ends[1]);
    (void)close(ends[1]);
    server->output = ends[0];
    char text[32768] = "";
    for (size_t len = 0; strstr(text, "ready to accept connections") == NULL;) {
        ssize_t count = read(ends[0], text + len, sizeof(text) - 1 - len);
        if (count <= 0)
            fail_msg("redis-server did not start (is it installed?): %s", text);
        len += (size_t)count;
        text[len] = '\0';
    }
}

static inline void start_server(struct server *server, const char *folder)
{
    (void)snprintf(server->folder, sizeof(server->folder), "%s", folder);
    (void)snprintf(server->socket, sizeof(server->socket), "%s/redis.sock", folder);
    start_server_with(server, NULL, NULL);
}

static inline void kill_server(struct server *server)
{
    (void)kill(server->pid, SIGKILL);
    (void)waitpid(server->pid, NULL, 0);
    (void)close(server->output);
    server->pid = 0;
}

/* And what it left. */
static inline void end_server(struct server *server)
{
    if (server->folder[0] == '\0')
        return;
    if (server->pid != 0)
        kill_server(server);
    char command[128];
    (void)snprintf(command, sizeof(command), "rm -rf '%s'/*", server->folder);
    assert_int_equal(system(command), 0);
}

/* What another program says to it; the reply is the caller's. */
static inline redisReply *say(const struct server *server, const char *command)
{
    redisContext *context = redisConnectUnix(server->socket);
    assert_true(context != NULL && context->err == 0);
    char text[512];
    (void)snprintf(text, sizeof(text), "%s", command);
    const char *words[16];
    int count = 0;
    for (char *at = strtok(text, " "); at != NULL && count < 16; at = strtok(NULL, " "))
        words[count++] = at;
    redisReply *reply = redisCommandArgv(context, count, words, NULL);
    assert_non_null(reply);
    redisFree(context);
    return reply;
}

static inline void tell(const struct server *server, const char *command)
{
    redisReply *reply = say(server, command);
    if (reply->type == REDIS_REPLY_ERROR)
        fail_msg("%s: %s", command, reply->str);
    freeReplyObject(reply);
}

#endif
