/* conf/gen_docs.c: the program behind `ninja docs`: writes the generated documents into a folder. */
#include <stdlib.h>

#include "conf/conf.h"

static int write_one(const char *folder, const char *name, void (*write_document)(FILE *out))
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *out = fopen(path, "we");
    if (out == NULL) {
        perror(path);
        return EXIT_FAILURE;
    }
    write_document(out);
    if (fclose(out) != 0) {
        perror(path);
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fputs("usage: gen_docs FOLDER\n", stderr);
        return 2;
    }
    return write_one(argv[1], "settings.md", gh_conf_write_settings_md) |
           write_one(argv[1], "settings.schema.json", gh_conf_write_settings_schema) |
           write_one(argv[1], "reasons.md", gh_conf_write_reasons_md);
}
