/* app/node_command.c: `gatehouse node`: the gateways that share the store, by the admin listener of one of
 * them. */
#include <stdio.h>
#include <string.h>

#include "app/admin_client.h"
#include "app/commands.h"

static int ask(const char *file)
{
    struct gh_conf *conf = gh_admin_settings(file);
    if (conf == NULL)
        return 1;
    struct gh_text asked = { .arena = conf->arena };
    int status = gh_admin_ask(conf, "node", "/admin/v1/nodes/list", &asked);
    gh_conf_free(conf);
    return status;
}

int gh_command_node(int argc, char **argv)
{
    const char *file = NULL, *action = NULL;
    const struct gh_option rows[] = {
        { "-c", "FILE", "settings file of a running gateway", &file },
    };
    const struct gh_options options = {
        .command = "node",
        .summary =
            "The gateways that share the store of a running one.\n\n"
            "  list   each with host, process, version, state (starting, serving, draining), generation of\n"
            "         its settings, and when it was started and seen; one that is gone is shown for a\n"
            "         minute more\n\n"
            "Exit status: 0 done, 1 refused or no gateway answers (said on standard error), 2 the command\n"
            "line is wrong.",
        .rows = rows,
        .row_count = sizeof(rows) / sizeof(rows[0]),
        .operands_name = "list",
        .operands = &action,
        .operands_max = 1,
    };
    unsigned operands;
    bool help;
    if (!gh_options_read(&options, argc, argv, &operands, &help))
        return help ? 0 : 2;
    if (file == NULL || action == NULL || strcmp(action, "list") != 0) {
        (void)fprintf(stderr, "gatehouse node: found %s; allowed: list, with -c FILE\n",
                      action != NULL ? action : "no action");
        return 2;
    }
    return ask(file);
}
