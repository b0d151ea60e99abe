/* readers/uris.c: FILE of URIs, one a line -> a line each: "plain", or "-" where rules would deny it. */
#include <stdio.h>

#include "base/str.h"
#include "gatehouse/call.h"

int main(int argc, char **argv)
{
    static char line[1 << 16];
    FILE *file = argc == 2 ? fopen(argv[1], "rb") : NULL;
    if (file == NULL)
        return 2;
    while (fgets(line, sizeof(line), file) != NULL) {
        gh_str uri = gh_str_from(line);
        (void)puts(gh_uri_is_plain(gh_str_take(uri, gh_str_find(uri, '\n'))) ? "plain" : "-");
    }
    return fclose(file) == 0 ? 0 : 2;
}
