/* app/grant_command.c: `gatehouse grant`: what a user has allowed, by the admin listener of the running
 * gateway. */
#include <stdio.h>
#include <string.h>

#include "app/admin_client.h"
#include "app/commands.h"

struct wish {
    const char *file, *issuer, *after, *user;
    const char *operands[2]; /* action, grant */
};

static int ask(const struct wish *wish, bool is_list)
{
    struct gh_conf *conf = gh_admin_settings(wish->file);
    if (conf == NULL)
        return 1;
    struct gh_text asked = { .arena = conf->arena };
    gh_admin_put(&asked, "issuer", wish->issuer);
    gh_admin_put(&asked, "after", wish->after);
    gh_admin_put(&asked, "grant", wish->operands[1]);
    gh_admin_put_user(&asked, wish->user);
    const char *path = is_list ? "/admin/v1/grants/list" : "/admin/v1/grants/revoke";
    int status = gh_admin_ask(conf, "grant", path, &asked);
    gh_conf_free(conf);
    return status;
}

int gh_command_grant(int argc, char **argv)
{
    struct wish wish = { 0 };
    const struct gh_option rows[] = {
        { "-c", "FILE", "settings file of the running gateway", &wish.file },
        { "--user", "USER", "whose: a name, or an id (usr_...)", &wish.user },
        { "--issuer", "NAME", "the managed issuer, where the settings have several", &wish.issuer },
        { "--after", "GRANT", "list: those behind this one, the `next` of the list before", &wish.after },
    };
    const struct gh_options options = {
        .command = "grant",
        .summary =
            "What a user of the managed issuer of a running gateway has allowed to applications.\n\n"
            "  list           each with client, resource and scopes, fifty at a time\n"
            "  revoke GRANT   ends one: its tokens and open streams, and the application has to ask again\n\n"
            "Exit status: 0 done, 1 refused or no gateway answers (said on standard error), 2 the command\n"
            "line is wrong.",
        .rows = rows,
        .row_count = sizeof(rows) / sizeof(rows[0]),
        .operands_name = "ACTION [GRANT]",
        .operands = wish.operands,
        .operands_max = 2,
    };
    unsigned operands;
    bool help;
    if (!gh_options_read(&options, argc, argv, &operands, &help))
        return help ? 0 : 2;
    const char *action = wish.operands[0];
    bool is_list = action != NULL && strcmp(action, "list") == 0 && operands == 1;
    bool is_revoke = action != NULL && strcmp(action, "revoke") == 0 && operands == 2 && wish.after == NULL;
    if (wish.file == NULL || wish.user == NULL || (!is_list && !is_revoke)) {
        (void)fprintf(stderr,
                      "gatehouse grant: found %s; allowed: list, or revoke GRANT, with -c FILE and "
                      "--user USER\n",
                      action != NULL ? action : "no action");
        return 2;
    }
    return ask(&wish, is_list);
}
