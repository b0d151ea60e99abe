/* app/key.c: `gatehouse key`: the public halves of the keys that sign assertions, for the servers behind; and
 * the signing keys of a managed issuer, by the admin listener of the running gateway. */
#include <stdio.h>
#include <string.h>

#include "app/admin_client.h"
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

/* ---- of the managed issuer of a running gateway ---- */

struct wish {
    const char *file, *issuer, *at_once;
    const char *operands[2]; /* action, key */
};

static int ask(const struct wish *wish, const char *path)
{
    struct gh_conf *conf = gh_admin_settings(wish->file);
    if (conf == NULL)
        return 1;
    struct gh_text asked = { .arena = conf->arena };
    gh_admin_put(&asked, "issuer", wish->issuer);
    gh_admin_put(&asked, "key", wish->operands[1]);
    gh_put_true(&asked, "at_once", wish->at_once != NULL);
    int status = gh_admin_ask(conf, "key", path, &asked);
    gh_conf_free(conf);
    return status;
}

static int obey(const struct wish *wish, unsigned operands)
{
    const char *action = wish->operands[0] != NULL ? wish->operands[0] : "";
    bool is_rotate = strcmp(action, "rotate") == 0, is_show = strcmp(action, "show") == 0;
    bool fits = operands == (strcmp(action, "drop") == 0 ? 2u : 1u) && (wish->at_once == NULL || is_rotate) &&
                (wish->issuer == NULL || !is_show);
    if (wish->file != NULL && fits && is_show)
        return show(wish->file);
    if (wish->file != NULL && fits && is_rotate)
        return ask(wish, "/admin/v1/keys/rotate");
    if (wish->file != NULL && fits && strcmp(action, "list") == 0)
        return ask(wish, "/admin/v1/keys/list");
    if (wish->file != NULL && fits && strcmp(action, "drop") == 0)
        return ask(wish, "/admin/v1/keys/drop");
    (void)fprintf(
        stderr,
        "gatehouse key: found %s; allowed: show, list, rotate [--at-once] or drop KEY, with -c FILE\n",
        action[0] != '\0' ? action : "no action");
    return 2;
}

int gh_command_key(int argc, char **argv)
{
    struct wish wish = { 0 };
    const struct gh_option rows[] = {
        { "-c", "FILE", "settings file", &wish.file },
        { "--issuer", "NAME", "the managed issuer, where the settings have several; not with `show`",
          &wish.issuer },
        { "--at-once", NULL, "rotate: it signs from this moment on", &wish.at_once },
    };
    const struct gh_options options = {
        .command = "key",
        .summary =
            "  show       prints the public keys (a JWK set) with which servers behind verify the assertions "
            "of\n"
            "             identity that these settings have signed; no gateway needs to run. A running one "
            "has\n"
            "             them at /assertion/jwks.json of its admin listener\n\n"
            "Of the managed issuer of a running gateway:\n\n"
            "  list       its signing keys: next, active or retired\n"
            "  rotate     makes a key that is published now and signs once verifiers know it, or --at-once\n"
            "  drop KEY   for a key that has leaked: gone at once, and with it everything that was given to\n"
            "             the tenant, sessions and grants too. A KEY that begins with - stands behind --\n\n"
            "Exit status: 0 done, 1 refused or no gateway answers (said on standard error), 2 the command\n"
            "line is wrong.",
        .rows = rows,
        .row_count = sizeof(rows) / sizeof(rows[0]),
        .operands_name = "ACTION [KEY]",
        .operands = wish.operands,
        .operands_max = 2,
    };
    unsigned operands;
    bool help;
    if (!gh_options_read(&options, argc, argv, &operands, &help))
        return help ? 0 : 2;
    return obey(&wish, operands);
}
