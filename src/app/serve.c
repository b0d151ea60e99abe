/* app/serve.c: `gatehouse serve`: from a settings file, or from a URL or two. */
#include <stdio.h>

#include "app/commands.h"
#include "app/control.h"
#include "app/state.h"
#include "base/str.h"

static int run(const struct gh_settings_source *source)
{
    static struct gh_control control;
    int status = gh_control_init(&control, source);
    if (status == 0)
        status = gh_control_run(&control);
    gh_control_done(&control);
    return status;
}

static int run_flags(const struct gh_conf_flags *given)
{
    GH_CLEANUP(gh_arena_free) struct gh_arena *arena = gh_arena_new(0);
    struct gh_conf_flags flags = *given;
    if (arena == NULL)
        return 1;
    if (flags.issuer.len == 0) {
        flags.state = gh_state_folder(arena);
        if (flags.state.ptr == NULL)
            return 1;
    }
    return run(&(struct gh_settings_source){ .flags = &flags });
}

int gh_command_serve(int argc, char **argv)
{
    const char *file = NULL, *upstream = NULL, *issuer = NULL, *listen = NULL, *resource = NULL;
    const struct gh_option rows[] = {
        { "-c", "FILE", "settings file (docs/settings.md)", &file },
        { "--upstream", "URL", "without a file: the MCP server to protect", &upstream },
        { "--issuer", "URL", "... and the authorization server whose tokens are accepted; without: its own",
          &issuer },
        { "--listen", "ADDRESS", "... where to listen (127.0.0.1:8080)", &listen },
        { "--resource", "URL", "... the public URL of the MCP server, which tokens must name", &resource },
    };
    const struct gh_options options = {
        .command = "serve",
        .summary = "Runs the gateway until SIGTERM; SIGHUP reads the settings again.",
        .rows = rows,
        .row_count = sizeof(rows) / sizeof(rows[0])
    };
    unsigned operands;
    bool help;
    if (!gh_options_read(&options, argc, argv, &operands, &help))
        return help ? 0 : 2;
    bool flags_given = upstream != NULL || issuer != NULL || listen != NULL || resource != NULL;
    if ((file != NULL && flags_given) || (file == NULL && upstream == NULL)) {
        (void)fprintf(stderr, "gatehouse serve: give either -c FILE, or --upstream URL\n");
        return 2;
    }
    if (file != NULL)
        return run(&(struct gh_settings_source){ .file = file });
    return run_flags(&(struct gh_conf_flags){ .upstream = gh_str_from(upstream),
                                              .issuer = gh_str_from(issuer),
                                              .listen = gh_str_from(listen),
                                              .resource = gh_str_from(resource) });
}
