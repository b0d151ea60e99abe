/* app/admin_client.c: one request to the admin listener that the settings name, blocking. */
#include "app/admin_client.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "app/commands.h"
#include "base/str.h"

#define ANSWER_MAX (64 * 1024)

struct gh_conf *gh_admin_settings(const char *file)
{
    struct gh_conf_errors errors;
    struct gh_conf *conf = NULL;
    if (gh_conf_errors_init(&errors) != GH_OK)
        return NULL;
    if (gh_conf_load(gh_str_from(file), &conf, &errors) != GH_OK) {
        gh_conf_errors_print(&errors, stderr);
        conf = NULL;
    }
    gh_conf_errors_done(&errors);
    return conf;
}

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

static gh_str authorization(const struct gh_conf *conf)
{
    struct gh_secret token = { 0 };
    if (conf->admin.token_file.len == 0 || !gh_admin_token_read(conf->admin.token_file, &token))
        return GH_STR("");
    gh_str line = gh_arena_printf(conf->arena, "Authorization: Bearer %.*s\r\n", (int)token.len,
                                  (const char *)token.bytes);
    gh_secret_done(&token);
    return line;
}

static bool send_all(int fd, gh_str bytes)
{
    while (bytes.len > 0) {
        ssize_t sent = send(fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        bytes = gh_str_skip(bytes, (size_t)sent);
    }
    return true;
}

static gh_str receive_all(struct gh_arena *arena, int fd)
{
    char *text = gh_arena_alloc(arena, ANSWER_MAX);
    size_t len = 0;
    ssize_t got = text != NULL ? 1 : 0;
    while (got > 0 && len < ANSWER_MAX) {
        got = recv(fd, text + len, ANSWER_MAX - len, 0);
        len += got > 0 ? (size_t)got : 0;
    }
    return gh_str_of(text, len);
}

/* "HTTP/1.1 NNN ...": our own listener's answer, which ends with the connection. */
static bool read_answer(gh_str text, struct gh_admin_answer *ret_answer)
{
    uint64_t status;
    if (!gh_str_starts(text, GH_STR("HTTP/1.1 ")) ||
        !gh_str_to_u64(gh_str_take(gh_str_skip(text, 9), 3), &status))
        return false;
    while (text.len > 0 && !gh_str_starts(text, GH_STR("\r\n\r\n")))
        text = gh_str_skip(text, 1);
    *ret_answer = (struct gh_admin_answer){ .status = (int)status, .body = gh_str_skip(text, 4) };
    return true;
}

static bool ask(const struct gh_conf *conf, const char *method, gh_str path, gh_str body,
                struct gh_admin_answer *ret_answer)
{
    int fd = conf->admin.address_text.len > 0 ? connect_admin(conf) : -1;
    if (fd < 0)
        return false;
    gh_str head = gh_arena_printf(conf->arena,
                                  "%s %.*s HTTP/1.1\r\nHost: localhost\r\n%.*s"
                                  "Content-Length: %zu\r\nConnection: close\r\n\r\n",
                                  method, GH_STR_FMT(path), GH_STR_FMT(authorization(conf)), body.len);
    bool sent = head.ptr != NULL && send_all(fd, head) && send_all(fd, body);
    gh_str text = sent ? receive_all(conf->arena, fd) : GH_STR("");
    (void)close(fd);
    return read_answer(text, ret_answer);
}

bool gh_admin_post(const struct gh_conf *conf, gh_str path, gh_str body, struct gh_admin_answer *ret_answer)
{
    return ask(conf, "POST", path, body, ret_answer);
}

bool gh_admin_get(const struct gh_conf *conf, gh_str path, struct gh_admin_answer *ret_answer)
{
    return ask(conf, "GET", path, GH_STR(""), ret_answer);
}
