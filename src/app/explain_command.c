/* app/explain_command.c: `gatehouse explain`: asks the running gateway, or reads the settings and goes as far
 * as it can offline. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "app/commands.h"
#include "app/explain.h"
#include "base/clock.h"
#include "base/secret.h"
#include "base/str.h"
#include "conf/conf.h"

#define TOKEN_MAX (32 * 1024)

/* "-" reads standard input, so that the token need not stand in the process list. */
static gh_str read_token(const char *word, char *buffer)
{
    if (word[0] != '-' || word[1] != '\0')
        return gh_str_from(word);
    size_t len = fread(buffer, 1, TOKEN_MAX, stdin);
    return gh_str_trim(gh_str_take(gh_str_of(buffer, len), gh_str_find(gh_str_of(buffer, len), '\n')));
}

/* ---- the running gateway, by its admin listener ---- */

static int connect_admin(const struct gh_conf *conf)
{
    int fd = socket(conf->admin.address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct timeval limit = { .tv_sec = 5 };
    if (fd < 0)
        return -1;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    if (connect(fd, (const struct sockaddr *)&conf->admin.address.storage, conf->admin.address.len) == 0)
        return fd;
    (void)close(fd);
    return -1;
}

static gh_str admin_authorization(struct gh_arena *arena, const struct gh_conf *conf)
{
    struct gh_secret token = { 0 };
    if (conf->admin.token_file.len == 0 || !gh_admin_token_read(conf->admin.token_file, &token))
        return GH_STR("");
    gh_str line =
        gh_arena_printf(arena, "Authorization: Bearer %.*s\r\n", (int)token.len, (const char *)token.bytes);
    gh_secret_done(&token);
    return line;
}

static bool ask_running(struct gh_arena *arena, const struct gh_conf *conf, gh_str route, gh_str token)
{
    int fd = connect_admin(conf);
    if (fd < 0) {
        (void)fprintf(stderr, "gatehouse explain: no running gateway at %.*s; going on offline\n",
                      GH_STR_FMT(conf->admin.address_text));
        return false;
    }
    gh_str request = gh_arena_printf(arena,
                                     "POST /admin/v1/explain?route=%.*s HTTP/1.1\r\nHost: localhost\r\n%.*s"
                                     "Content-Length: %zu\r\nConnection: close\r\n\r\n%.*s",
                                     GH_STR_FMT(route), GH_STR_FMT(admin_authorization(arena, conf)),
                                     token.len, GH_STR_FMT(token));
    char answer[64 * 1024];
    size_t len = 0;
    bool sent =
        request.ptr != NULL && send(fd, request.ptr, request.len, MSG_NOSIGNAL) == (ssize_t)request.len;
    ssize_t got = 1;
    while (sent && got > 0 && len < sizeof(answer)) {
        got = recv(fd, answer + len, sizeof(answer) - len, 0);
        len += got > 0 ? (size_t)got : 0;
    }
    (void)close(fd);
    gh_str text = gh_str_of(answer, len);
    bool ok = gh_str_starts(text, GH_STR("HTTP/1.1 200 "));
    while (text.len > 0 && !gh_str_starts(text, GH_STR("\r\n\r\n")))
        text = gh_str_skip(text, 1);
    if (ok)
        (void)printf("%.*s", GH_STR_FMT(gh_str_skip(text, 4)));
    else
        (void)fprintf(stderr, "gatehouse explain: the admin listener answered %.*s; going on offline\n",
                      len > 12 ? 3 : 0, len > 12 ? answer + 9 : "");
    return ok;
}

static int explain(const char *file, gh_str route, gh_str token)
{
    struct gh_conf_errors errors;
    struct gh_conf *conf = NULL;
    if (gh_conf_errors_init(&errors) != GH_OK)
        return 1;
    enum gh_reason reason = gh_conf_load(gh_str_from(file), &conf, &errors);
    if (reason != GH_OK)
        gh_conf_errors_print(&errors, stderr);
    gh_conf_errors_done(&errors);
    if (reason != GH_OK)
        return 1;
    if (conf->admin.address_text.len == 0 || !ask_running(conf->arena, conf, route, token)) {
        const struct gh_explain_with with = { .site = conf->site, .now = gh_clock_wall_us() / 1000000 };
        gh_str text = gh_explain(conf->arena, &with, route, token);
        (void)printf("%.*s", GH_STR_FMT(text));
    }
    gh_conf_free(conf);
    return 0;
}

int gh_command_explain(int argc, char **argv)
{
    const char *file = NULL, *route = NULL, *word = NULL;
    const struct gh_option rows[] = {
        { "-c", "FILE", "settings file", &file },
        { "--route", "NAME", "the route the token would be used at", &route },
    };
    const struct gh_options options = {
        .command = "explain",
        .summary =
            "Says which check decides about a token at a route. Asks the running gateway by its admin "
            "listener;\n"
            "where none answers, goes offline as far as it can without keys. TOKEN - reads standard input.",
        .rows = rows,
        .row_count = sizeof(rows) / sizeof(rows[0]),
        .operands_name = "TOKEN",
        .operands = &word,
        .operands_max = 1,
    };
    unsigned operands;
    bool help;
    if (!gh_options_read(&options, argc, argv, &operands, &help))
        return help ? 0 : 2;
    if (file == NULL || route == NULL || word == NULL) {
        (void)fprintf(stderr, "gatehouse explain: -c FILE, --route NAME and TOKEN are needed\n");
        return 2;
    }
    static char buffer[TOKEN_MAX];
    int status = explain(file, gh_str_from(route), read_token(word, buffer));
    gh_wipe(buffer, sizeof(buffer));
    return status;
}
