/* app/main.c: the command line: finds the command, shows help. */
#include <stdio.h>
#include <string.h>

#include "app/commands.h"

struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
};

static const struct command commands[] = {
    { "serve", gh_command_serve, "run the gateway" },
    { "check", gh_command_check, "read a settings file and say everything that is wrong with it" },
    { "explain", gh_command_explain, "say which check decides about a token at a route" },
    { "key", gh_command_key,
      "show public keys; list, rotate and drop the signing keys of the managed issuer" },
    { "user", gh_command_user, "list, make and end accounts of the managed issuer" },
    { "client", gh_command_client, "list, make, rotate and end clients of the managed issuer" },
    { "grant", gh_command_grant, "list and end what users have allowed" },
    { "node", gh_command_node, "list the gateways that share the store" },
    { "revoke", gh_command_revoke, "end tokens before they expire" },
    { "health", gh_command_health, "say whether the gateway that runs is well, or ready" },
    { "version", gh_command_version, "versions of Gatehouse and of the libraries it is linked with" },
    { "print", gh_command_print, "print a reference made from the program's own tables" },
};

static void show_help(FILE *out)
{
    (void)fprintf(
        out, "Gatehouse stands in front of MCP servers and lets in only requests whose token was made for\n"
             "exactly that server.\n\nusage: gatehouse COMMAND [options]\n\n");
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        (void)fprintf(out, "  %-8s  %s\n", commands[i].name, commands[i].help);
    (void)fprintf(out, "\ngatehouse COMMAND --help tells more.\n");
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        show_help(stderr);
        return 2;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        show_help(stdout);
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0)
        return gh_command_version(argc - 1, argv + 1);
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    (void)fprintf(stderr, "gatehouse: %s is no command; allowed:", argv[1]);
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        (void)fprintf(stderr, "%s %s", i > 0 ? "," : "", commands[i].name);
    (void)fprintf(stderr, "\n");
    return 2;
}
