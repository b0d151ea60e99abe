/* readers/judge.c: FILE of bodies (length, 4 bytes little-endian, then the body) -> a line each: what our
 * scanner takes it for: "refused REASON", or "METHOD KIND NAME" in hexadecimal, "-" where there is none. */
#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"
#include "gatehouse/rpc.h"

static void print_hex(gh_str text)
{
    if (text.ptr == NULL)
        (void)putchar('-');
    for (size_t i = 0; i < text.len; i++)
        printf("%02x", (unsigned char)text.ptr[i]);
    if (text.ptr != NULL)
        (void)putchar('.'); /* an empty text is one too */
}

static void judge(struct gh_rpc_scanner *scanner, gh_str body)
{
    static const char *const kinds[] = { "nothing", "tool", "prompt", "resource", "unknown" };
    struct gh_rpc_message message;
    enum gh_reason reason = gh_rpc_scan(scanner, NULL, body, &message);
    if (reason != GH_OK) {
        printf("refused %s\n", gh_reason_row(reason)->slug);
        return;
    }
    print_hex(message.method);
    printf(" %s ", kinds[message.names]);
    print_hex(message.name);
    (void)putchar('\n');
}

int main(int argc, char **argv)
{
    static const struct gh_rpc_limits limits = { .depth = 64, .members = 10000, .string = 1 << 20 };
    static const uint64_t seed[2] = { 8, 9 };
    static char body[1 << 20];
    unsigned char size[4];
    FILE *file = argc == 2 ? fopen(argv[1], "rb") : NULL;
    struct gh_rpc_scanner *scanner = gh_rpc_scanner_new(&limits, seed);
    if (file == NULL || scanner == NULL)
        return 2;
    while (fread(size, 1, 4, file) == 4) {
        size_t len = size[0] | (size_t)size[1] << 8 | (size_t)size[2] << 16 | (size_t)size[3] << 24;
        if (len > sizeof(body) || fread(body, 1, len, file) != len)
            return 2;
        judge(scanner, gh_str_of(body, len));
    }
    gh_rpc_scanner_free(scanner);
    return fclose(file) == 0 ? 0 : 2;
}
