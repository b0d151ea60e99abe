/* app/check.c: `gatehouse check` and `gatehouse print`: settings read without running, and references from
 * the tables. */
#include <stdio.h>
#include <string.h>

#include "app/commands.h"
#include "base/str.h"
#include "conf/conf.h"

int gh_command_check(int argc, char **argv)
{
    const char *file = NULL;
    const struct gh_option rows[] = { { "-c", "FILE", "settings file", &file } };
    const struct gh_options options = {
        .command = "check",
        .summary =
            "Says everything that is wrong with a settings file, as file:line:column: key: found, allowed.\n"
            "Exit status 0: it can be used (warnings may stand); 1: it cannot.",
        .rows = rows,
        .row_count = 1,
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
    struct gh_conf_errors errors;
    struct gh_conf *conf = NULL;
    if (gh_conf_errors_init(&errors) != GH_OK)
        return 1;
    enum gh_reason reason = gh_conf_load(gh_str_from(file), &conf, &errors);
    gh_conf_errors_print(&errors, stderr);
    if (reason == GH_OK)
        (void)printf("%s: good: %zu routes, %zu issuers, %zu tenants, %zu warnings\n", file,
                     conf->site->route_count, conf->site->issuer_count, conf->site->tenant_count,
                     errors.count - errors.error_count);
    gh_conf_free(conf);
    gh_conf_errors_done(&errors);
    return reason == GH_OK ? 0 : 1;
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
