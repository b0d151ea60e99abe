/* app/check.c: `gatehouse check` and `gatehouse print`: settings read without running, and references from
 * the tables. */
#include <stdio.h>
#include <string.h>

#include "app/check.h"
#include "app/commands.h"
#include "base/str.h"

/* What the parts have to log stands in the errors. */
static void no_log(void *ctx, gh_str line)
{
}

static int check(const char *file, bool online)
{
    struct gh_conf_errors errors;
    struct gh_conf *conf = NULL;
    size_t asked = 0;
    if (gh_conf_errors_init(&errors) != GH_OK)
        return 1;
    gh_log_set_writer(no_log, NULL);
    enum gh_reason reason = gh_conf_load(gh_str_from(file), &conf, &errors);
    if (reason == GH_OK)
        reason = gh_check_files(conf, &errors);
    if (reason == GH_OK && online)
        reason = gh_check_online(conf, &errors, &asked);
    gh_conf_errors_print(&errors, stderr);
    if (reason == GH_OUT_OF_MEMORY)
        (void)fprintf(stderr, "gatehouse check: out of memory\n");
    if (reason == GH_OK)
        (void)printf("%s: good: %zu routes, %zu issuers, %zu tenants, %zu warnings\n", file,
                     conf->site->route_count, conf->site->issuer_count, conf->site->tenant_count,
                     errors.count - errors.error_count);
    if (reason == GH_OK && online)
        (void)printf("%s: %zu issuers were asked\n", file, asked);
    gh_conf_free(conf);
    gh_conf_errors_done(&errors);
    return reason == GH_OK ? 0 : 1;
}

int gh_command_check(int argc, char **argv)
{
    const char *file = NULL, *online = NULL;
    const struct gh_option rows[] = {
        { "-c", "FILE", "settings file", &file },
        { "--online", NULL, "ask the issuers too: metadata, keys, what MCP clients need", &online },
    };
    const struct gh_options options = {
        .command = "check",
        .summary =
            "Says everything that is wrong with a settings file, as file:line:column: key: found, allowed.\n"
            "Exit status 0: it can be used (warnings may stand); 1: it cannot.",
        .rows = rows,
        .row_count = GH_ARRAY_LEN(rows),
        .operands_name = "[FILE]",
        .operands = &file,
        .operands_max = 1,
    };
    unsigned operands;
    bool help;
    if (!gh_options_read(&options, argc, argv, &operands, &help))
        return help ? 0 : 2;
    if (file == NULL) {
        (void)fprintf(stderr, "gatehouse check: -c FILE is missing\n");
        return 2;
    }
    return check(file, online != NULL);
}

int gh_command_print(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*write)(FILE *out);
    } documents[] = {
        { "settings.md", gh_conf_write_settings_md },
        { "settings.schema.json", gh_conf_write_settings_schema },
        { "reasons.md", gh_conf_write_reasons_md },
    };
    const char *name = NULL;
    const struct gh_options options = {
        .command = "print",
        .summary = "Prints a reference: settings.md, settings.schema.json (for editors) or reasons.md.",
        .operands_name = "NAME",
        .operands = &name,
        .operands_max = 1,
    };
    unsigned operands;
    bool help;
    if (!gh_options_read(&options, argc, argv, &operands, &help))
        return help ? 0 : 2;
    for (size_t i = 0; name != NULL && i < GH_ARRAY_LEN(documents); i++) {
        if (strcmp(documents[i].name, name) != 0)
            continue;
        documents[i].write(stdout);
        return fflush(stdout) == 0 ? 0 : 1;
    }
    (void)fprintf(stderr, "gatehouse print: allowed: settings.md, settings.schema.json, reasons.md\n");
    return 2;
}
