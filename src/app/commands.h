/* app/commands.h: the commands of the command line. argv[0] is the command's name; the result is the exit
 * status. */
#ifndef GH_APP_COMMANDS_H
#define GH_APP_COMMANDS_H

#include "base/secret.h"

int gh_command_serve(int argc, char **argv);
int gh_command_check(int argc, char **argv);
int gh_command_explain(int argc, char **argv);
int gh_command_revoke(int argc, char **argv);
int gh_command_health(int argc, char **argv);
int gh_command_version(int argc, char **argv);
int gh_command_print(int argc, char **argv);
int gh_command_key(int argc, char **argv);
int gh_command_user(int argc, char **argv);
int gh_command_client(int argc, char **argv);
int gh_command_grant(int argc, char **argv);
int gh_command_node(int argc, char **argv);

/* ---- admin_token.c: the first line of the file; false: unreadable, or shorter than 16 characters ---- */
bool gh_admin_token_read(gh_str file, struct gh_secret *ret_token) GH_MUST_USE;

/* ---- options.c: long options with a value, and --help ---- */
struct gh_option {
    const char *name;       /* "--upstream" */
    const char *value_name; /* "URL"; NULL: a flag */
    const char *help;
    const char **value; /* set to the value, or to "" for a flag */
};
/* Reads argv[1..]; what is no option goes to `operands` (at most `max`). False with a message on standard
 * error (exit 2), or after --help was shown (*ret_help, exit 0). */
struct gh_options {
    const char *command, *summary, *operands_name;
    const struct gh_option *rows;
    unsigned row_count;
    const char **operands;
    unsigned operands_max;
};
bool gh_options_read(const struct gh_options *options, int argc, char **argv, unsigned *ret_operands,
                     bool *ret_help);

#endif
