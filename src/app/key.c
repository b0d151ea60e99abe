/* app/key.c: `gatehouse key show`: the public halves of the keys that sign assertions, for the servers
 * behind. */
#include <stdio.h>
#include <string.h>

#include "app/commands.h"
#include "base/str.h"
#include "conf/conf.h"

static int show(const char *file)
{
    struct gh_conf_errors errors;
    struct gh_conf *conf = NULL;
    int status = 1;
    if (gh_conf_errors_init(&errors) != GH_OK)
        return 1;
    enum gh_reason reason = gh_conf_load(gh_str_from(file), &conf, &errors);
    gh_conf_errors_print(&errors, stderr);
    if (reason == GH_OK && conf->site->assertion.key_set.ptr == NULL)
        (void)fprintf(stderr, "gatehouse key: %s signs nothing: it has no `assertion`\n", file);
    else if (reason == GH_OK && conf->site->assertion.unreadable.len != 0)
        (void)fprintf(stderr, "gatehouse key: not all keys may be read by this user\n");
    else if (reason == GH_OK)
        status =
            printf("%.*s\n", GH_STR_FMT(conf->site->assertion.key_set)) > 0 && fflush(stdout) == 0 ? 0 : 1;
    gh_conf_free(conf);
    gh_conf_errors_done(&errors);
    return status;
}

int gh_command_key(int argc, char **argv)
{
    const char *file = NULL, *what = NULL;
    const struct gh_option rows[] = { { "-c", "FILE", "settings file", &file } };
    const struct gh_options options = {
        .command = "key",
        .summary = "Prints the public keys (a JWK set) with which servers behind verify the assertions of\n"
                   "identity that these settings have signed. A running gateway has them at\n"
                   "/assertion/jwks.json of its admin listener.",
        .rows = rows,
        .row_count = 1,
        .operands_name = "show",
        .operands = &what,
        .operands_max = 1,
    };
    unsigned operands;
    bool help;
    if (!gh_options_read(&options, argc, argv, &operands, &help))
        return help ? 0 : 2;
    if (file == NULL || what == NULL || strcmp(what, "show") != 0) {
        (void)fprintf(stderr, "gatehouse key: allowed: show -c FILE\n");
        return 2;
    }
    return show(file);
}
