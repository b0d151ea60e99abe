/* app/explain_command.c: `gatehouse explain`: asks the running gateway, or reads the settings and goes as far
 * as it can offline. */
#include <stdio.h>
#include <stdlib.h>

#include "app/admin_client.h"
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

/* A token, for which route, and what it would call (may be empty). */
struct question {
    gh_str route, token, call;
};

static bool ask_running(const struct gh_conf *conf, const struct question *question)
{
    gh_str path = gh_arena_printf(conf->arena, "/admin/v1/explain?route=%.*s", GH_STR_FMT(question->route));
    gh_str body =
        gh_arena_printf(conf->arena, "%.*s\n%.*s", GH_STR_FMT(question->token), GH_STR_FMT(question->call));
    struct gh_admin_answer answer;
    if (path.ptr == NULL || body.ptr == NULL || !gh_admin_post(conf, path, body, &answer))
        (void)fprintf(stderr, "gatehouse explain: no running gateway at %.*s; going on offline\n",
                      GH_STR_FMT(conf->admin.address_text));
    else if (answer.status != 200)
        (void)fprintf(stderr, "gatehouse explain: the admin listener answered %d; going on offline\n",
                      answer.status);
    else
        return printf("%.*s", GH_STR_FMT(answer.body)) > 0;
    return false;
}

static int explain(const char *file, const struct question *question)
{
    struct gh_conf *conf = gh_admin_settings(file);
    if (conf == NULL)
        return 1;
    if (conf->admin.address_text.len == 0 || !ask_running(conf, question)) {
        const struct gh_explain_with with = { .site = conf->site, .now = gh_clock_wall_us() / 1000000 };
        gh_str text = gh_explain(conf->arena, &with, question->route, question->token, question->call);
        (void)printf("%.*s", GH_STR_FMT(text));
    }
    gh_conf_free(conf);
    return 0;
}

int gh_command_explain(int argc, char **argv)
{
    const char *file = NULL, *route = NULL, *call = "", *word = NULL;
    const struct gh_option rows[] = {
        { "-c", "FILE", "settings file", &file },
        { "--route", "NAME", "the route the token would be used at", &route },
        { "--call", "CALL",
          "what it would call: \"METHOD [NAME [ARGUMENTS]]\", or a whole message of JSON-RPC", &call },
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
    const struct question question = { gh_str_from(route), read_token(word, buffer),
                                       gh_str_trim(gh_str_from(call)) };
    int status = explain(file, &question);
    gh_wipe(buffer, sizeof(buffer));
    return status;
}
