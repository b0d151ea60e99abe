/* app/options.c: reads long options by table, so that --help and the parser cannot disagree. */
#include <stdio.h>
#include <string.h>

#include "app/commands.h"

static void show_help(const struct gh_options *options)
{
    (void)printf("usage: gatehouse %s [options] %s\n\n%s\n\n", options->command,
                 options->operands_name != NULL ? options->operands_name : "", options->summary);
    for (unsigned i = 0; i < options->row_count; i++) {
        const struct gh_option *row = &options->rows[i];
        char left[64];
        (void)snprintf(left, sizeof(left), "%s %s", row->name,
                       row->value_name != NULL ? row->value_name : "");
        (void)printf("  %-24s  %s\n", left, row->help);
    }
    (void)printf("  %-24s  %s\n", "--help", "this text");
}

static const struct gh_option *find(const struct gh_options *options, const char *word,
                                    const char **ret_inline)
{
    const char *equals = strchr(word, '=');
    size_t len = equals != NULL ? (size_t)(equals - word) : strlen(word);
    *ret_inline = equals != NULL ? equals + 1 : NULL;
    for (unsigned i = 0; i < options->row_count; i++)
        if (strlen(options->rows[i].name) == len && strncmp(options->rows[i].name, word, len) == 0)
            return &options->rows[i];
    return NULL;
}

static bool complain(const struct gh_options *options, const char *what, const char *word)
{
    (void)fprintf(stderr, "gatehouse %s: %s: %s; allowed:", options->command, word, what);
    for (unsigned i = 0; i < options->row_count; i++)
        (void)fprintf(stderr, " %s", options->rows[i].name);
    (void)fprintf(stderr, " --help\n");
    return false;
}

/* How many words it used; 0: a mistake was told. */
static int read_option(const struct gh_options *options, int left, char **words)
{
    const char *value = NULL;
    const struct gh_option *row = find(options, words[0], &value);
    if (row == NULL)
        return complain(options, "no such option", words[0]) ? 1 : 0;
    if (row->value_name == NULL) {
        *row->value = "";
        return value == NULL || complain(options, "takes no value", words[0]) ? 1 : 0;
    }
    if (value != NULL) {
        *row->value = value;
        return 1;
    }
    if (left < 2)
        return complain(options, "needs a value", words[0]) ? 1 : 0;
    *row->value = words[1];
    return 2;
}

bool gh_options_read(const struct gh_options *options, int argc, char **argv, unsigned *ret_operands,
                     bool *ret_help)
{
    unsigned operands = 0;
    bool is_over = false; /* behind "--" nothing is an option */
    *ret_help = false;
    for (int i = 1; i < argc;) {
        if (!is_over && strcmp(argv[i], "--") == 0) {
            is_over = true;
            i++;
            continue;
        }
        if (!is_over && (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)) {
            show_help(options);
            *ret_help = true;
            return false;
        }
        if (is_over || argv[i][0] != '-' || argv[i][1] == '\0') {
            if (operands == options->operands_max)
                return complain(options, "is one word too many", argv[i]);
            options->operands[operands++] = argv[i++];
            continue;
        }
        int used = read_option(options, argc - i, argv + i);
        if (used == 0)
            return false;
        i += used;
    }
    *ret_operands = operands;
    return true;
}
