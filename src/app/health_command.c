/* app/health_command.c: `gatehouse health`: asks the running gateway how it is, where nothing else there
 * could: in an image without a shell. */
#include <stdio.h>

#include "app/admin_client.h"
#include "app/commands.h"
#include "base/str.h"

static int ask(const char *file, bool ready)
{
    struct gh_conf *conf = gh_admin_settings(file);
    if (conf == NULL)
        return 1;
    struct gh_admin_answer answer = { 0 };
    gh_str path = ready ? GH_STR("/readyz") : GH_STR("/healthz");
    bool asked = gh_admin_get(conf, path, &answer);
    if (!asked)
        (void)fprintf(stderr, "gatehouse health: no gateway answers at admin.address of %s\n", file);
    else
        (void)fprintf(answer.status == 200 ? stdout : stderr, "%.*s", GH_STR_FMT(answer.body));
    gh_conf_free(conf);
    return asked && answer.status == 200 ? 0 : 1;
}

int gh_command_health(int argc, char **argv)
{
    const char *file = NULL, *ready = NULL;
    const struct gh_option rows[] = {
        { "-c", "FILE", "settings file of the running gateway", &file },
        { "--ready", NULL, "whether it is ready: it has keys, knows what was revoked and does not drain",
          &ready },
    };
    const struct gh_options options = {
        .command = "health",
        .summary = "Asks the running gateway by its admin listener whether it is well; exit status 0: it is.",
        .rows = rows,
        .row_count = sizeof(rows) / sizeof(rows[0]),
    };
    unsigned operands;
    bool help;
    if (!gh_options_read(&options, argc, argv, &operands, &help))
        return help ? 0 : 2;
    if (file == NULL) {
        (void)fprintf(stderr, "gatehouse health: -c FILE is missing\n");
        return 2;
    }
    return ask(file, ready != NULL);
}
