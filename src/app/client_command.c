/* app/client_command.c: `gatehouse client`: pre-registered clients of a managed issuer, by the admin listener
 * of the running gateway. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/admin_client.h"
#include "app/commands.h"
#include "base/arena.h"
#include "base/secret.h"
#include "base/str.h"
#include "core/grant/rows.h"
#include "io/file.h"

#define JWKS_MAX 16384

struct wish {
    const char *file, *issuer, *after, *name, *auth, *grants, *redirects, *resources, *routes, *scopes, *jwks,
        *no_consent, *drop;
    const char *operands[2]; /* action, client */
};

static const struct {
    const char *name, *path;
    bool needs_client, takes_client;
} actions[] = {
    { "list", "/admin/v1/clients/list", false, false },
    { "add", "/admin/v1/clients/add", false, true },
    { "show", "/admin/v1/clients/show", true, true },
    { "rotate", "/admin/v1/clients/rotate", true, true },
    { "remove", "/admin/v1/clients/remove", true, true },
};

static int complain(const char *what, const char *found)
{
    (void)fprintf(stderr, "gatehouse client: %s: found %s\n", what, found);
    return 1;
}

/* ---- what `add` says ---- */

/* Words parted by spaces or commas: neither stands in a URI or a scope of ours. */
static void put_words(struct gh_text *asked, const char *name, const char *value)
{
    gh_str at[64], rest = value != NULL ? gh_str_from(value) : GH_STR_NONE;
    size_t count = 0;
    while (rest.ptr != NULL && count < GH_ARRAY_LEN(at)) {
        gh_str word = gh_str_cut(&rest, ' ');
        if (word.len > 0)
            at[count++] = word;
    }
    gh_put_list(asked, name, (struct gh_strs){ at, count });
}

static const struct gh_route *find_route(const struct gh_conf *conf, gh_str name)
{
    for (size_t i = 0; i < conf->site->route_count; i++)
        if (gh_str_eq(conf->site->routes[i].policy.route, name))
            return &conf->site->routes[i];
    return NULL;
}

/* A route stands for its resource. */
static int put_resources(const struct gh_conf *conf, struct gh_text *asked, const struct wish *wish)
{
    struct gh_text all = { .arena = conf->arena };
    gh_str rest = wish->routes != NULL ? gh_str_from(wish->routes) : GH_STR_NONE;
    gh_text_add(&all, gh_str_from(wish->resources != NULL ? wish->resources : ""));
    while (rest.ptr != NULL) {
        gh_str name = gh_str_cut(&rest, ' ');
        const struct gh_route *route = find_route(conf, name);
        if (name.len > 0 && route == NULL)
            return complain("--route: no route of the settings",
                            gh_arena_printf(conf->arena, "%.*s", GH_STR_FMT(name)).ptr);
        gh_text_add(&all, GH_STR(" "));
        if (route != NULL)
            gh_text_add(&all, route->policy.resource_text);
    }
    gh_text_add(&all, gh_str_of("", 1)); /* a C string */
    gh_str text = gh_text_take(&all);
    if (text.ptr == NULL)
        return 1;
    put_words(asked, "resources", text.ptr);
    return 0;
}

static int put_jwks(const struct gh_conf *conf, struct gh_text *asked, const char *file)
{
    struct gh_secret bytes = { 0 };
    struct gh_json set;
    char *why = NULL;
    if (file == NULL)
        return 0;
    enum gh_reason reason = gh_small_file_read(gh_str_from(file), JWKS_MAX, false, &bytes, &why);
    if (reason != GH_OK) {
        int status = complain("--jwks", why != NULL ? why : "a file that cannot be read");
        free(why);
        return status;
    }
    reason = gh_json_read(conf->arena, gh_str_of(bytes.bytes, bytes.len), &gh_json_control_limits,
                          GH_KEYS_MALFORMED, &set);
    gh_secret_done(&bytes);
    if (reason != GH_OK)
        return complain("--jwks: allowed: a file with a JWK set", file);
    gh_put_json(asked, "jwks", &set);
    return 0;
}

static int put_new(const struct gh_conf *conf, struct gh_text *asked, const struct wish *wish)
{
    gh_admin_put(asked, "name", wish->name);
    gh_admin_put(asked, "auth", wish->auth);
    put_words(asked, "grants", wish->grants);
    put_words(asked, "redirect_uris", wish->redirects);
    put_words(asked, "scopes", wish->scopes);
    gh_put_true(asked, "no_consent", wish->no_consent != NULL);
    int status = put_resources(conf, asked, wish);
    return status == 0 ? put_jwks(conf, asked, wish->jwks) : status;
}

static int ask(const struct wish *wish, size_t action)
{
    struct gh_conf *conf = gh_admin_settings(wish->file);
    if (conf == NULL)
        return 1;
    struct gh_text asked = { .arena = conf->arena };
    gh_admin_put(&asked, "issuer", wish->issuer);
    gh_admin_put(&asked, "after", wish->after);
    gh_admin_put(&asked, "client", wish->operands[1]);
    const char *path = wish->drop != NULL ? "/admin/v1/clients/drop-secret" : actions[action].path;
    int status = strcmp(wish->operands[0], "add") == 0 ? put_new(conf, &asked, wish) : 0;
    if (status == 0)
        status = gh_admin_ask(conf, "client", path, &asked);
    gh_conf_free(conf);
    return status;
}

/* ---- the command line ---- */

static bool says_of_new(const struct wish *wish)
{
    const char *const values[] = { wish->name,   wish->auth,   wish->grants, wish->redirects, wish->resources,
                                   wish->routes, wish->scopes, wish->jwks,   wish->no_consent };
    for (size_t i = 0; i < GH_ARRAY_LEN(values); i++)
        if (values[i] != NULL)
            return true;
    return false;
}

static int judge(const struct wish *wish, unsigned operands, size_t *ret_action)
{
    size_t action = 0, count = GH_ARRAY_LEN(actions);
    const char *name = wish->operands[0];
    while (name != NULL && action < count && strcmp(actions[action].name, name) != 0)
        action++;
    const char *wrong = NULL;
    if (wish->file == NULL || name == NULL || action == count)
        wrong = "allowed: list, add, show, rotate or remove, with -c FILE";
    else if (operands == 2 ? !actions[action].takes_client : actions[action].needs_client)
        wrong = actions[action].takes_client ? "takes one CLIENT" : "takes no CLIENT";
    else if (says_of_new(wish) && strcmp(name, "add") != 0)
        wrong = "what a client may be is said with `add` alone";
    else if (wish->drop != NULL && strcmp(name, "rotate") != 0)
        wrong = "--drop-older is for `rotate`";
    else if (wish->after != NULL && strcmp(name, "list") != 0)
        wrong = "--after is for `list`";
    *ret_action = action;
    if (wrong == NULL)
        return 0;
    (void)fprintf(stderr, "gatehouse client: %s: %s\n", name != NULL ? name : "found no action", wrong);
    return 2;
}

int gh_command_client(int argc, char **argv)
{
    struct wish wish = { 0 };
    const struct gh_option rows[] = {
        { "-c", "FILE", "settings file of the running gateway", &wish.file },
        { "--issuer", "NAME", "the managed issuer, where the settings have several", &wish.issuer },
        { "--after", "CLIENT", "list: those behind this one, the `next` of the list before", &wish.after },
        { "--name", "TEXT", "add: what users read; else its id", &wish.name },
        { "--auth", "METHOD", "add: none (else), client_secret_basic, client_secret_post, private_key_jwt",
          &wish.auth },
        { "--redirect", "URIS", "add: where it is answered, several in one word with spaces",
          &wish.redirects },
        { "--grants", "GRANTS",
          "add: authorization_code, refresh_token (both, where it has redirect URIs), client_credentials",
          &wish.grants },
        { "--route", "NAMES", "add: at the resources of these routes alone", &wish.routes },
        { "--resource", "URIS", "add: at these resources alone; neither: at all of the issuer",
          &wish.resources },
        { "--scope", "SCOPES", "add: at most these; else all that a resource has", &wish.scopes },
        { "--jwks", "FILE", "add: its public keys, with private_key_jwt", &wish.jwks },
        { "--no-consent", NULL, "add: users are not asked, it is a part of this place", &wish.no_consent },
        { "--drop-older", NULL, "rotate: the older of two secrets ends", &wish.drop },
    };
    const struct gh_options options = {
        .command = "client",
        .summary =
            "Pre-registered clients of the managed issuer of a running gateway.\n\n"
            "  list            those of the operator and of the settings, fifty at a time\n"
            "  add [CLIENT]    makes one, of that id or a new one; a secret is printed here and never again\n"
            "  show CLIENT     what is known of it, also of one that registered itself\n"
            "  rotate CLIENT   makes a second secret beside the first; once all of it use the new one,\n"
            "                  --drop-older ends the other\n"
            "  remove CLIENT   ends it with all that it was given: tokens, grants, open streams\n\n"
            "Exit status: 0 done, 1 refused or no gateway answers (said on standard error), 2 the command\n"
            "line is wrong.",
        .rows = rows,
        .row_count = sizeof(rows) / sizeof(rows[0]),
        .operands_name = "ACTION [CLIENT]",
        .operands = wish.operands,
        .operands_max = 2,
    };
    unsigned operands;
    bool help;
    size_t action;
    if (!gh_options_read(&options, argc, argv, &operands, &help))
        return help ? 0 : 2;
    int status = judge(&wish, operands, &action);
    return status == 0 ? ask(&wish, action) : status;
}
