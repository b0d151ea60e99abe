/* app/user_command.c: `gatehouse user`: accounts of a managed issuer, by the admin listener of the running
 * gateway. */
#include <stdio.h>
#include <string.h>

#include "app/admin_client.h"
#include "app/commands.h"
#include "base/str.h"

struct wish {
    const char *file, *issuer, *after;
    const char *operands[2]; /* action, user */
};

static const struct {
    const char *name, *path;
    bool takes_user;
} actions[] = {
    { "list", "/admin/v1/users/list", false },    { "add", "/admin/v1/users/add", true },
    { "reset", "/admin/v1/users/reset", true },   { "disable", "/admin/v1/users/disable", true },
    { "enable", "/admin/v1/users/enable", true }, { "remove", "/admin/v1/users/remove", true },
};

static int ask(const struct wish *wish, size_t action)
{
    struct gh_conf *conf = gh_admin_settings(wish->file);
    if (conf == NULL)
        return 1;
    struct gh_text asked = { .arena = conf->arena };
    gh_admin_put(&asked, "issuer", wish->issuer);
    gh_admin_put(&asked, "after", wish->after);
    if (strcmp(wish->operands[0], "add") == 0)
        gh_admin_put(&asked, "name", wish->operands[1]);
    else
        gh_admin_put_user(&asked, wish->operands[1]);
    int status = gh_admin_ask(conf, "user", actions[action].path, &asked);
    gh_conf_free(conf);
    return status;
}

int gh_command_user(int argc, char **argv)
{
    struct wish wish = { 0 };
    const struct gh_option rows[] = {
        { "-c", "FILE", "settings file of the running gateway", &wish.file },
        { "--issuer", "NAME", "the managed issuer, where the settings have several", &wish.issuer },
        { "--after", "ID", "list: the users behind this one, the `next` of the list before", &wish.after },
    };
    const struct gh_options options = {
        .command = "user",
        .summary =
            "Accounts of the managed issuer of a running gateway. USER is a name, or an id (usr_...).\n\n"
            "  list           who there is, a hundred at a time\n"
            "  add USER       makes an account and prints a link: whoever opens it chooses the password. It\n"
            "                 works once, for a day\n"
            "  reset USER     takes password and sessions away, and prints such a link\n"
            "  disable USER   ends sessions, grants, tokens and open streams, and lets nobody in\n"
            "  enable USER    lets in again\n"
            "  remove USER    the same end, and the account is gone\n\n"
            "Exit status: 0 done, 1 refused or no gateway answers (said on standard error), 2 the command\n"
            "line is wrong.",
        .rows = rows,
        .row_count = sizeof(rows) / sizeof(rows[0]),
        .operands_name = "ACTION [USER]",
        .operands = wish.operands,
        .operands_max = 2,
    };
    unsigned operands;
    bool help;
    if (!gh_options_read(&options, argc, argv, &operands, &help))
        return help ? 0 : 2;
    size_t action = 0, count = sizeof(actions) / sizeof(actions[0]);
    while (wish.operands[0] != NULL && action < count && strcmp(actions[action].name, wish.operands[0]) != 0)
        action++;
    if (wish.file == NULL || wish.operands[0] == NULL || action == count) {
        (void)fprintf(stderr,
                      "gatehouse user: found %s; allowed: list, add, reset, disable, enable or remove, "
                      "with -c FILE\n",
                      wish.operands[0] != NULL ? wish.operands[0] : "no action");
        return 2;
    }
    if (actions[action].takes_user != (operands == 2) || (wish.after != NULL && actions[action].takes_user)) {
        (void)fprintf(stderr, "gatehouse user: %s takes %s\n", wish.operands[0],
                      actions[action].takes_user ? "one USER, and no --after" : "no USER");
        return 2;
    }
    return ask(&wish, action);
}
